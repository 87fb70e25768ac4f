"""The Ray executor: a worker is a job on a cluster, submitted and followed through the dashboard's REST API.

The API is plain HTTP (Ray's documentation, "Ray Jobs REST API"). Ray therefore need not be installed where runs are
submitted, and every request has a timeout, which Ray's own client lacks. The checkout with its environment, the artifacts and
the data must have the same path on every machine of the cluster; the worker's command line is then the local one.
"""

import secrets
import shlex
import sys
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import quote, urlsplit

from pneumo_core.errors import ConfigError, CorruptError, RunError, StoreError
from pneumo_core.evaluation.wording import duration
from pneumo_core.jobs.local import PROJECT, worker_arguments, worker_environment
from pneumo_core.records import RunState
from pneumo_core.runs.files import hold_lock, read_json, write_json
from pneumo_core.runs.status import read_status, run_state, update_status
from pneumo_core.runs.store import RunDirectory
from pneumo_core.settings import ray_token, settings

_TIMEOUT_S: Final = {"GET": (3.0, 6.0), "POST": (3.0, 30.0)}
"""Timeouts for a connection and for a response, in seconds. Reads are short, so that pages do not hang; starting or stopping a
job takes a busy cluster longer and must not be given up halfway."""


def require_ray() -> None:
    """Check that runs can be submitted, before anything is written for one.

    Raises:
        ConfigError: `PNEUMO_RAY_ADDRESS` is missing, not an address, or of a cluster without authentication.
        RunError: There is no Ray dashboard at this address.
    """
    answer = _request("GET", "/api/version")
    if not (isinstance(answer, dict) and "ray_version" in answer):
        raise RunError(f"a Ray dashboard must answer at {_address()}. Received: another service's answer")


def start_job(run: RunDirectory, verb: str) -> None:
    """Submit a run's worker, and record the job id in the run's directory.

    The id is recorded first, so that Ray can be queried for the job whatever goes wrong afterwards.

    Args:
        run: The run.
        verb: ``"train"`` or ``"export"``.

    Raises:
        ConfigError: A setting cannot be used.
        RunError: Ray does not answer, or refuses the job.
        StoreError: The job id cannot be written.
    """
    # Ray refuses an id that it has seen before, so a restarted run needs a new one.
    submission_id = f"{run.run_id}-{secrets.token_hex(4)}"
    worker = shlex.join([sys.executable, "-m", *worker_arguments(verb, run.path)])
    job = {
        "submission_id": submission_id,
        "entrypoint": f"cd {shlex.quote(str(PROJECT))} && exec {worker} >> {shlex.quote(str(run.log))} 2>&1",
        "runtime_env": {"env_vars": worker_environment()},
        "metadata": {"run_id": run.run_id},
        "entrypoint_num_cpus": 1,
        "entrypoint_num_gpus": settings().ray_gpus,
    }
    write_json(run.executor, {"executor": "ray", "address": _address(), "submission_id": submission_id})
    _request("POST", "/api/jobs/", job)


def job_state(run: RunDirectory, recorded: RunState) -> RunState:
    """State of a run on Ray that has stopped according to its files alone.

    Ray's job status counts where the worker's is missing. A final state that Ray reports is written into the run's status, as
    the worker would have done, so that Ray is not queried again and the message outlives the cluster.

    Args:
        run: The run.
        recorded: What `run_state` returned.

    Raises:
        ConfigError: `PNEUMO_RAY_ADDRESS` is missing or cannot be used.
        RunError: Ray does not answer, or `PNEUMO_RAY_ADDRESS` is another cluster.
        StoreError: The run's files cannot be read.
    """
    job_id = _job_id(run)
    job = _request("GET", f"/api/jobs/{job_id}")
    status = job.get("status") if isinstance(job, dict) else None
    if status == "PENDING" and not run.cancel.exists():
        return RunState.QUEUED
    if status == "RUNNING":
        state = read_status(run).state
        return state if state.is_live else RunState.RUNNING
    if status == "FAILED":
        return _settle(run, job_id, recorded, RunState.FAILED, _why(str(job.get("message"))))
    # Ray accepts a request to stop a job that waits for resources, but keeps it waiting; it will stop as soon as it starts.
    if status in {"STOPPED", "PENDING"}:
        return _settle(run, job_id, recorded, RunState.CANCELLED)
    return run_state(run)  # The job is unknown to Ray or has just succeeded: the files decide.


def stop_job(run: RunDirectory) -> None:
    """Request that Ray stops the run's job.

    Raises:
        ConfigError: `PNEUMO_RAY_ADDRESS` is missing or cannot be used.
        RunError: Ray does not answer, or `PNEUMO_RAY_ADDRESS` is another cluster.
        StoreError: The run's files cannot be read.
    """
    _request("POST", f"/api/jobs/{_job_id(run)}/stop")


def job_log(run: RunDirectory) -> str:
    """Ray's log of the run's job, which covers failures before the worker writes its own log.

    Raises:
        ConfigError: `PNEUMO_RAY_ADDRESS` is missing or cannot be used.
        RunError: Ray does not answer, or `PNEUMO_RAY_ADDRESS` is another cluster.
        StoreError: The run's files cannot be read.
    """
    answer = _request("GET", f"/api/jobs/{_job_id(run)}/logs")
    return str(answer.get("logs") or "") if isinstance(answer, dict) else ""


def _settle(run: RunDirectory, job_id: str, recorded: RunState, state: RunState, error: str = "") -> RunState:
    """Write a job's final state into the run's status, unless the run has changed since the query."""
    try:
        with hold_lock(run.submit_lock, timeout_s=0):
            now = run_state(run)
            if now is not recorded or _job_id(run) != job_id:
                return now
            update_status(run, state=state, message=state.value, error=error)
    except (RunError, StoreError):
        pass  # The run is being restarted or is not writable here; the next query can write it.
    return state


def _why(message: str) -> str:
    """First and last line of Ray's message, which may end with pages of the job's log."""
    lines = [line.strip() for line in message.splitlines() if line.strip()] or ["no message"]
    first = lines[0].partition(", last available logs")[0]
    return f"Ray says: {first}" + (f" ({lines[-1]})" if len(lines) > 1 else "")


def _job_id(run: RunDirectory) -> str:
    """Id of the run's job, quoted for a URL; only the configured cluster is queried, whatever the file says."""
    note = read_json(run.executor)
    try:
        address, submission_id = str(note["address"]), str(note["submission_id"])
    except (KeyError, TypeError) as error:
        raise CorruptError(
            f"executor.json must hold address and submission_id. Received: path={str(run.executor)!r}: {error!r}; "
            "delete it and resume the run"
        ) from error
    if address != (chosen := _address()):
        raise RunError(
            f"the run is a job of the Ray at {address}. Received: PNEUMO_RAY_ADDRESS={chosen!r}; set it to that address to "
            "follow the job"
        )
    return quote(submission_id, safe="")


def _address() -> str:
    """Address of the dashboard, after checking that it may be used."""
    chosen = settings()
    text = (chosen.ray_address or "").rstrip("/")
    address = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(address)
        is_address = bool(parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0)
    except ValueError:
        is_address = False
    if not is_address or address != f"{parts.scheme}://{parts.netloc}" or "@" in parts.netloc:
        raise ConfigError(
            "PNEUMO_RAY_ADDRESS must be the address of Ray's dashboard, such as http://127.0.0.1:8265. "
            f"Received: PNEUMO_RAY_ADDRESS={chosen.ray_address!r}; docs/settings.md says how to start Ray"
        )
    if not (_is_loopback(address) or chosen.ray_allow_unauthenticated or ray_token()):
        raise ConfigError(
            "Ray on another machine must require a token, because its clients can run code there. Received: "
            f"PNEUMO_RAY_ADDRESS={chosen.ray_address!r} and no token; start Ray with RAY_AUTH_MODE=token and set "
            "RAY_AUTH_TOKEN, or set PNEUMO_RAY_ALLOW_UNAUTHENTICATED=1 in a network that you trust"
        )
    return address


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _request(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Response of the dashboard, or None if it knows no such job."""
    import requests  # noqa: PLC0415  The import takes a tenth of a second, and few use Ray.

    address, token = _address(), ray_token()
    try:
        with requests.Session() as session:
            session.trust_env = not _is_loopback(address)  # No proxy for this machine.
            answer = session.request(
                method,
                address + path,
                json=body,
                headers={"Authorization": f"Bearer {token}"} if token else {},
                timeout=_TIMEOUT_S[method],
                allow_redirects=False,
            )
            if answer.status_code == requests.codes.not_found:
                return None
            if answer.status_code != requests.codes.ok:
                reason = (answer.text.strip().splitlines() or ["no reason"])[-1][:300]
                raise RunError(f"Ray at {address} must take requests. Received: HTTP {answer.status_code}: {reason}")
            return answer.json()
    except requests.RequestException as error:
        raise RunError(
            f"Ray must answer at {address} within {duration(sum(_TIMEOUT_S[method]))}. Received: {type(error).__name__}; start "
            "it as docs/settings.md says, or correct PNEUMO_RAY_ADDRESS"
        ) from error
