"""The only module that imports the `kaggle` package; `data.download` runs it as a child process.

The package authenticates, prints and may end its process on import, caches its settings, and cannot be interrupted while it
waits for the network. A child process isolates the caller from that, and the caller can end it.

Standard output carries one JSON object per line: ``size`` (the archive's length, before its first byte is written), then
``done`` or ``failed``. One line on standard input answers ``size``; end of file means that the caller has ended.
"""

import json
import os
import re
import sys
import threading
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any


def main(dataset: str, folder: str) -> None:
    """Download a data set's archive into a folder, resuming a part that the package can verify.

    Args:
        dataset: ``owner/name`` on Kaggle.
        folder: Existing folder that receives ``name.zip``.
    """
    output = sys.stdout
    allowed = threading.Event()
    # A copy, because the package calls exit(), which closes sys.stdin and would wait there for its reader.
    threading.Thread(target=_obey, args=(os.dup(sys.stdin.fileno()), allowed), daemon=True).start()

    def announce(size_bytes: int) -> None:
        _say(output, event="size", size_bytes=size_bytes)
        allowed.wait()

    with redirect_stdout(sys.stderr):
        outcome = _fetch(dataset, folder, announce)
    _say(output, **outcome)


def _obey(handle: int, allowed: threading.Event) -> None:
    while os.read(handle, 1):
        allowed.set()
    os._exit(1)  # The caller has ended: stop writing into a folder that its successor may use.


def _say(output: Any, **event: Any) -> None:
    output.write(json.dumps(event) + "\n")
    output.flush()


def _fetch(dataset: str, folder: str, announce: Callable[[int], None]) -> dict[str, Any]:
    """Download, and return the outcome as an event."""
    try:
        from kaggle.api.kaggle_api_extended import KaggleApi  # noqa: PLC0415 - the import may fail
        from requests.exceptions import HTTPError, RequestException  # noqa: PLC0415 - comes with it
    except ImportError as error:
        return _failed("package", error)
    except (OSError, SystemExit) as error:  # Versions before 2 authenticate here and give up here.
        return _failed("credentials", error)

    try:
        api = KaggleApi()
        download_file = api.download_file

        def announced(response: Any, *args: Any, **kwargs: Any) -> Any:
            announce(int(response.headers.get("Content-Length") or 0))
            return download_file(response, *args, **kwargs)

        api.download_file = announced
        api.authenticate()
        api.dataset_download_files(dataset, path=folder, force=False, quiet=True, unzip=False)
    except SystemExit as error:
        return _failed("credentials", error)
    except HTTPError as error:
        return _failed("http", error, status=getattr(error.response, "status_code", 0))
    except RequestException as error:
        return _failed("network", error)
    except OSError as error:
        return _failed("disk", error)
    except ValueError as error:
        return _failed("content", error)
    return {"event": "done"}


def _failed(kind: str, error: BaseException, status: int = 0) -> dict[str, Any]:
    # Queries of download URLs are signed, so they are removed from logs.
    reason = re.sub(r"\?\S+", "", " ".join(str(error).split()))[:300]
    return {"event": "failed", "kind": kind, "status": status, "reason": reason or type(error).__name__}


if __name__ == "__main__":
    main(*sys.argv[1:])
