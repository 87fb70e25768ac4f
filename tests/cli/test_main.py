"""The command line, in this process where that is the same, and as a process where signals and limits matter.

With what its commands share (`command`), how it speaks (`terminal`), and its groups of commands: `data`, `train`, `evaluate`
(with `predict`) and `runs` (whose list is `run_rows`).
"""

import csv
import itertools
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pneumo_core.cli import terminal
from pneumo_core.cli.tables import aligned
from pneumo_core.config.augment import AUGMENTATIONS, AugmentConfig
from pneumo_core.config.augment_file import write_augmentation
from pneumo_core.data.index import build_index
from pneumo_core.data.source import connect
from pneumo_core.evaluation.plain import encode
from pneumo_core.evaluation.report import report_from_dict
from pneumo_core.evaluation.wording import STRESS_NOTE, estimate_text, probability_text
from pneumo_core.inference.evidence import read_report
from pneumo_core.inference.heatmap import described, read_scale
from pneumo_core.jobs import runs as jobs
from pneumo_core.records import Metric, Split
from pneumo_core.reporting import evaluation_tables
from pneumo_core.runs.files import hold_lock, read_json, write_json
from pneumo_core.runs.status import run_state
from pneumo_core.runs.store import RunDirectory, datasets_root, run_directory, slot_lock
from tests.cli.conftest import Invoke, Result, assert_refused
from tests.conftest import FinishedRun, workers
from tests.data.image_files import BAD
from tests.hostile import ROOT, assert_one_line
from tests.waiting import PATIENCE_S, wait_for

pytestmark = pytest.mark.usefixtures("no_worker_left")


def test_progress_says_how_much_is_done(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    hours = itertools.count(step=3600.0)
    monkeypatch.setattr(terminal, "time", SimpleNamespace(monotonic=lambda: next(hours)))
    with terminal.progress_line("Reading") as show:
        show(300, 1200)
        show(0.5, 1, "export")
    assert capsys.readouterr().err == "Reading: 300 of 1,200, 25 %\nexport: 50 %\n"


# --- Usage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["--no-such-option"],
        ["no-such-command"],
        ["train", "--preset", "finest"],
        ["gan", "train", "--preset", "best"],
        ["train", "--seed", "one"],
        ["train", "--architecture", "resnet"],
        ["train", "--architecture", "dcgan"],
        ["predict", "--run", "baseline-0123456789ab"],
        ["evaluate", "baseline-0123456789ab", "--split", "all"],
        ["runs", "show"],
        ["data", "index"],
        ["data", "phantom"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2(invoke: Invoke, arguments: list[str], tmp_path: Path) -> None:
    result = invoke(*arguments)
    assert (result.status, result.output) == (2, "")
    assert "Usage: " in result.errors
    assert "Traceback" not in result.errors
    assert not (tmp_path / "artifacts").exists()


@pytest.mark.parametrize(
    "arguments", [["--help"], ["train", "--help"], ["runs", "--help"], ["data", "--help"]], ids=" ".join
)
def test_help_is_0(invoke: Invoke, arguments: list[str]) -> None:
    result = invoke(*arguments)
    assert (result.status, result.errors) == (0, "")
    assert "Usage: " in result.output


def test_commands_are_those_of_the_design(invoke: Invoke) -> None:
    shown = {group: invoke(*group, "--help").output for group in ((), ("data",), ("runs",))}
    for name in ("data", "train", "runs", "evaluate", "predict", "compare", "report"):
        assert f" {name} " in shown[()]
    for name in ("phantom", "download", "index"):
        assert f" {name} " in shown[("data",)]
    for name in ("list", "show", "cancel", "resume", "export"):
        assert f" {name} " in shown[("runs",)]


def test_it_runs_as_a_module_from_the_checkout() -> None:
    result = subprocess.run([sys.executable, "-m", "pneumo_core", "--help"], cwd=ROOT, capture_output=True, check=False)
    assert (result.returncode, result.stderr) == (0, b"")


# --- data -------------------------------------------------------------------------------------------------------------


def test_data_index_counts_what_is_there(invoke: Invoke, tiny_data: Path) -> None:
    result = invoke("data", "index", tiny_data, "--json")
    assert result.status == 0, result.errors
    shown = result.document
    for split in ("train", "val", "test"):
        for label in ("NORMAL", "PNEUMONIA"):
            assert shown["splits"][split][label] == len(list((tiny_data / split / label).iterdir()))
        for subtype in ("bacteria", "virus"):
            assert shown["splits"][split][subtype] == len(list((tiny_data / split).rglob(f"*-{subtype.upper()}-*")))
        names = {path.name.rsplit("-", 1)[0] for path in (tiny_data / split).rglob("*.jpeg")}
        assert shown["splits"][split]["patients"] == len(names)
    assert shown["images"] == len(list(tiny_data.rglob("*.jpeg")))
    assert (shown["is_phantom"], shown["unreadable"], shown["root"]) == (True, [], str(tiny_data))
    assert invoke("data", "index", tiny_data, "--json").document == shown
    caption, heading, *rows = invoke("data", "index", tiny_data).output.splitlines()
    assert caption == f"{shown['images']:,} synthetic phantoms in {shown['root']}, data id {shown['data_id']}"
    assert heading.split() == [
        *("split", "NORMAL", "PNEUMONIA", "bacteria", "virus", "unknown", "patients", "patients,", "pooled"),
    ]
    for row, (split, counts) in zip(rows, shown["splits"].items(), strict=False):
        assert row.split() == [split, *map(str, counts.values())]
    for finding in shown["findings"]:
        assert any(
            row.split(maxsplit=1) == [finding["severity"], f"{finding['sentence']} {finding['consequence']}".strip()]
            for row in rows
        )


def test_data_phantom_draws_a_data_set(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("data", "phantom", "--out", tmp_path / "drawn", "--count", 40, "--seed", 3, "--json")
    assert result.status == 0, result.errors
    assert result.document == {"out": str(tmp_path / "drawn"), "count": 40, "seed": 3}
    assert len(list((tmp_path / "drawn").rglob("*.jpeg"))) == pytest.approx(40, abs=3)
    assert_refused(invoke("data", "phantom", "--out", tmp_path / "drawn", "--count", 40), str(tmp_path / "drawn"))
    assert_refused(invoke("data", "phantom", "--out", tmp_path / "other", "--count", 1), "count=1")


@pytest.mark.parametrize("make", ["missing", "empty", "a file"])
def test_a_folder_that_is_no_data_set(invoke: Invoke, tmp_path: Path, make: str) -> None:
    folder = tmp_path / "folder"
    if make == "empty":
        folder.mkdir()
    elif make == "a file":
        folder.write_text("x")
    for command in (["data", "index", folder], ["train", "--data", folder], ["train", "--wait", "--data", folder]):
        assert_refused(invoke(*command, "--json"), str(folder), "train, val and test")


# --- train ------------------------------------------------------------------------------------------------------------


def train(run: FinishedRun, *more: str) -> list[str]:
    return ["train", "--preset", "quick", "--epochs", "2", "--data", str(run.data), *more]


def test_the_same_training_is_returned_from_the_cache(
    with_finished_run: FinishedRun, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "start_and_wait", lambda *_, **__: pytest.fail("nothing is left to do"))
    log = (with_finished_run.path / "worker.log").read_bytes()
    for more in ([], ["--wait"], ["--seed", "0", "--augment", "sound", "--architecture", "baseline"]):
        result = invoke(*train(with_finished_run, *more, "--json"))
        assert result.status == 0, result.errors
        shown = result.document
        assert (shown["run_id"], shown["state"]) == (with_finished_run.run_id, "succeeded")
        assert shown["report"] == read_json(with_finished_run.path / "report.json")
        assert (shown["preset"], shown["seed"], shown["path"]) == ("quick", 0, str(with_finished_run.path))
    assert (with_finished_run.path / "worker.log").read_bytes() == log
    assert not workers(with_finished_run.artifacts)


def test_data_may_be_named_by_the_environment(
    with_finished_run: FinishedRun, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(with_finished_run.data))
    result = invoke("train", "--preset", "quick", "--epochs", 2, "--json")
    assert result.document["run_id"] == with_finished_run.run_id
    count = len(list(with_finished_run.data.rglob("*.jpeg")))
    shown = f"note: data: {with_finished_run.data}, {count} images (named by PNEUMO_DATA)\n"
    assert result.errors == shown
    assert invoke("--quiet", "train", "--preset", "quick", "--epochs", 2, "--json").errors == ""


def test_training_takes_the_data_that_the_app_is_connected_to(with_finished_run: FinishedRun, invoke: Invoke) -> None:
    connect(build_index(with_finished_run.data))
    result = invoke("train", "--preset", "quick", "--epochs", 2)
    assert result.errors.startswith(f"note: data: {with_finished_run.data}, ")
    assert result.errors.endswith(" images (connected in the app)\n")
    assert f"run_id: {with_finished_run.run_id}\n" in result.output
    named = invoke(*train(with_finished_run))
    assert named.errors.endswith(" images (named by --data)\n")
    status = invoke("study", "--architecture", "baseline", "--preset", "quick", "--status")
    assert status.errors.endswith(" images (connected in the app)\n")
    caption, heading, row = status.output.splitlines()
    assert caption.startswith("0 of 1 runs finished, ")
    assert heading.split() == ["run", "state", "network", "arm", "seed", "done"]
    assert row.split()[1:] == ["not", "started", "Baseline", "CNN", "original", "0", "0", "%"]
    # Without its folder, nothing is trained on other images.
    write_json(datasets_root() / "connected.json", {"data_id": "0123456789ab"})
    for command in (["train"], ["gan", "train"], ["study", "--architecture", "baseline"]):
        assert_refused(invoke(*command), "data_id='0123456789ab'", "--data")


def test_a_setting_file_is_trained_with(with_finished_run: FinishedRun, invoke: Invoke, tmp_path: Path) -> None:
    path = tmp_path / "setting.json"
    path.write_bytes(write_augmentation(AUGMENTATIONS["sound"]))
    same = invoke(*train(with_finished_run, "--augment", str(path), "--json"))
    assert (same.document["run_id"], same.document["state"]) == (with_finished_run.run_id, "succeeded")
    mine = AugmentConfig(zoom=0.25, vertical_flip=True, blur_sigma=0.5)
    path.write_bytes(write_augmentation(mine))
    other = invoke(*train(with_finished_run, "--augment", str(path), "--json"))
    assert other.status == 0, other.errors
    requested = read_json(run_directory(other.document["run_id"]).config)["config"]
    assert AugmentConfig(**requested["augment"]) == mine


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        (["--seed", "-1"], "seed=-1"),
        (["--seed", "2147483648"], "seed=2147483648"),
        (["--epochs", "0"], "epochs=0"),
        (["--augment", "mixup"], "augment='mixup'"),
        (["--augment", str(ROOT / ".gitignore")], "does not parse"),
        (["--augment", str(ROOT / "tests")], "Is a directory"),
        (["--feature-views", "2"], "feature_views=2"),
        (["--architecture", "vgg16", "--fine-tune", "-1"], "epochs=-1"),
    ],
)
def test_values_out_of_range(invoke: Invoke, tiny_data: Path, tmp_path: Path, more: list[str], shown: str) -> None:
    assert_refused(invoke("train", "--data", tiny_data, *more, "--json"), shown)
    assert not (tmp_path / "artifacts" / "runs").exists()


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "pneumo_core", *map(str, arguments)]


@contextmanager
def at_a_terminal(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], Callable[[], str]]]:
    """A command whose standard error is a terminal, as people have it, and what it has said there so far."""
    said = bytearray()
    ours, theirs = pty.openpty()

    def listen() -> None:
        with suppress(OSError):  # Linux' way to say that the other end is closed.
            while part := os.read(ours, 4096):
                said.extend(part)

    process = subprocess.Popen(command(*arguments), cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    listener = threading.Thread(target=listen)
    listener.start()
    try:
        yield process, said.decode
    finally:
        process.kill()
        process.communicate()
        listener.join()
        os.close(ours)


def test_waiting_can_be_interrupted_and_the_run_goes_on(tiny_data: Path, tmp_path: Path, no_published: Path) -> None:
    """The queue is held by this process, so the run waits and nothing is trained."""
    # A shell's background job ignores interrupts, and its children would with it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    waits = "waiting for another run to finish"
    arguments = ("train", "--preset", "quick", "--data", tiny_data, "--wait", "--json")
    with hold_lock(slot_lock()):
        with at_a_terminal(*arguments) as (first, errors):
            wait_for("the waiting", lambda: waits in errors(), errors)
            first.send_signal(signal.SIGINT)
            output, _ = first.communicate(timeout=PATIENCE_S)
        (worker,) = workers(tmp_path)
        run = RunDirectory(Path(worker.cmdline()[-1]))
        assert (first.returncode, output) == (130, "")
        assert f"runs show {run.run_id}" in errors()
        assert "Traceback" not in errors()
        assert run_state(run).is_live

        # Another joins it, and learns how it ended.
        with at_a_terminal(*arguments) as (second, errors):
            wait_for("the waiting", lambda: waits in errors(), errors)
            assert [each.pid for each in workers(tmp_path)] == [worker.pid]
            result = subprocess.run(
                command("runs", "cancel", run.run_id, "--json"), cwd=ROOT, capture_output=True, text=True, check=True
            )
            assert json.loads(result.stdout)["run_id"] == run.run_id
            output, _ = second.communicate(timeout=PATIENCE_S)
    assert second.returncode == 1
    assert json.loads(output)["state"] == "cancelled"
    *_, line = errors().splitlines()
    assert_one_line(line.removeprefix("error: "), run.run_id, "state=cancelled")


def test_artifacts_that_cannot_be_written(
    invoke: Invoke, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("PNEUMO_ARTIFACTS", str(tmp_path / "file" / "artifacts"))
    for arguments in (["train", "--data", tiny_data], ["data", "index", tiny_data], ["train"]):
        assert_refused(invoke(*arguments, "--json"), str(tmp_path / "file"))
    assert invoke("runs", "list", "--json").status == 0
    assert (tmp_path / "file").read_text() == "not a folder"


def test_a_full_disk(tiny_data: Path, tmp_path: Path) -> None:
    # At most eight blocks of 512 bytes a file; a shell sets the limit, because this process has threads.
    limited = ["sh", "-c", 'ulimit -f 8 && exec "$@"', "sh"]
    result = subprocess.run(
        [*limited, *command("train", "--preset", "quick", "--data", tiny_data, "--json")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert_refused(Result(result.returncode, result.stdout, result.stderr), str(tmp_path / "artifacts"), "too large")
    assert not list((tmp_path / "artifacts").rglob("config.json"))


def test_a_cached_run_with_a_damaged_manifest_is_reported(with_finished_run: FinishedRun, invoke: Invoke) -> None:
    for content in ("", "{", '{"files": {}}'):
        (with_finished_run.path / "manifest.json").write_text(content)
        assert_refused(invoke(*train(with_finished_run, "--json")), with_finished_run.run_id)
    assert not workers(with_finished_run.artifacts)


# --- evaluate ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", ["test", "val"])
def test_evaluate_is_the_stored_report(with_finished_run: FinishedRun, invoke: Invoke, split: str) -> None:
    more = [] if split == "test" else ["--split", split]
    result = invoke("evaluate", with_finished_run.run_id, *more, "--json")
    note = "note: figures on val are optimistic, epoch and threshold were selected there; on test: sensitivity "
    assert (result.status, result.errors.startswith(note), result.errors.count("\n")) == (
        0,
        split == "val",
        split == "val",
    )
    stored = read_json(with_finished_run.path / "report.json")
    assert result.document == {**stored, "splits": {split: stored["splits"][split]}}
    plain = invoke("evaluate", with_finished_run.run_id, *more)
    assert plain.status == 0
    assert plain.output.startswith(f"{with_finished_run.run_id}, as named; threshold ")
    report, part = report_from_dict(stored), Split(split)
    for table in (evaluation_tables.figures(report, part), evaluation_tables.operating_point(report, part)):
        assert "\n".join([table.caption, table.columns[0]]) in plain.output
    assert "\n".join(aligned(evaluation_tables.figures(report, part))) in plain.output


def test_evaluate_on_stress_says_what_it_is(with_finished_run: FinishedRun, invoke: Invoke) -> None:
    result = invoke("evaluate", with_finished_run.run_id, "--split", "stress")
    assert result.status == 0
    n = read_json(with_finished_run.path / "report.json")["splits"]["val"]["n"]
    assert f"note: 1 degraded copy of each of {n} validation images. {STRESS_NOTE} At the same thresh" in result.errors
    assert "Figures on split stress (epoch chosen on val)" in result.output


def test_evaluate_on_a_data_set(with_finished_run: FinishedRun, invoke: Invoke) -> None:
    result = invoke("evaluate", with_finished_run.run_id, "--data", with_finished_run.data, "--json")
    assert result.status == 0, result.errors
    stored = read_json(with_finished_run.path / "report.json")
    assert result.document["splits"]["test"]["confusion"] == stored["splits"]["test"]["confusion"]
    assert result.document["trained_on"] == 0
    shown = invoke("evaluate", with_finished_run.run_id, "--data", with_finished_run.data, "--split", "train")
    assert re.search(r"\d+ of the \d+ images trained the run, so that the figures are optimistic", shown.errors)
    assert_refused(
        invoke("evaluate", with_finished_run.run_id, "--data", with_finished_run.data / "nowhere"), "nowhere"
    )
    assert_refused(invoke("evaluate", with_finished_run.run_id, "--split", "train"), "split='train'")


# --- predict ----------------------------------------------------------------------------------------------------------


def test_predict_answers_for_every_image_of_a_folder(
    with_finished_run: FinishedRun, invoke: Invoke, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    good = sorted((with_finished_run.data / "test").rglob("*.jpeg"))[:4]
    for path in good:
        shutil.copy(path, folder)
    whole = good[0].read_bytes()
    (folder / "cut.jpeg").write_bytes(whole[: len(whole) // 2])
    (folder / "letter.jpeg").write_text("Dear radiologist")
    (folder / "empty.png").touch()
    y, x = np.mgrid[0:200, 0:300]
    Image.fromarray(np.stack([x % 256, (255 - x) % 256, y], axis=2).astype(np.uint8)).save(folder / "photo.jpg")
    Image.new("L", (300, 300), 90).save(folder / "blank.png")
    (folder / "bomb.png").write_bytes(BAD["declares 60,000 x 60,000"][1])
    (folder / "readme.txt").write_text("not an image")

    result = invoke("predict", "--run", with_finished_run.run_id, folder, "--heatmaps", tmp_path / "maps", "--json")
    assert result.status == 0
    assert result.errors == f"note: 1 file below {folder} left out, no image by name, such as 'readme.txt'\n"
    assert result.document["run_id"] == with_finished_run.run_id
    answers = {Path(each["path"]).name: each for each in result.document["results"]}
    refused = {"cut.jpeg", "letter.jpeg", "empty.png", "photo.jpg", "blank.png", "bomb.png"}
    assert set(answers) == refused | {path.name for path in good}
    threshold = read_json(with_finished_run.path / "report.json")["operating_point"]["threshold"]
    for name, answer in answers.items():
        assert set(answer) == {
            *("path", "status", "code", "reason", "advice", "probability", "label", "threshold", "facts"),
            *("calibrated_probability", "calibration", "heatmap", "heatmap_scale"),
        }
        if name in refused:
            assert answer["status"] == "refused"
            assert_one_line(answer["reason"], repr(name))
            assert answer["code"]
            assert answer["advice"]
            assert (answer["probability"], answer["label"], answer["heatmap"]) == (None, None, None)
            assert (answer["calibrated_probability"], answer["calibration"]) == (None, "the image was refused")
        else:
            assert answer["status"] in {"ok", "warned"}
            assert answer["calibrated_probability"] is None or 0 <= answer["calibrated_probability"] <= 1
            for said in ("code", "reason", "advice"):
                assert bool(answer[said]) == (answer["status"] == "warned")
            assert answer["label"] == ("PNEUMONIA" if answer["probability"] >= threshold else "NORMAL")
            assert Path(answer["heatmap"]).is_file()
            assert answer["heatmap_scale"] == described(read_scale(RunDirectory(with_finished_run.path)))
            assert answer["threshold"] == threshold

    plain = invoke("predict", "--run", with_finished_run.run_id, folder)
    assert plain.status == 0
    assert all(name in plain.output for name in answers)


def test_predict_prints_a_line_for_each_of_many_images(
    with_finished_run: FinishedRun, invoke: Invoke, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    one = next((with_finished_run.data / "test").rglob("*.jpeg"))
    for number in range(24):
        shutil.copy(one, folder / f"{number:02d}.jpeg")
    shutil.copy(one, folder / os.fsdecode(b"24\xff.jpeg"))
    (folder / "99.png").touch()
    command = ("predict", "--run", with_finished_run.run_id[:12], folder)
    answers = invoke(*command, "--json").document["results"]
    file = tmp_path / "answers.csv"
    caption, header, *lines, disclaimer, note = invoke(*command, "--csv", file).output.splitlines()
    assert caption.startswith(f"Answers of {with_finished_run.run_id}, as named: PNEUMONIA from a probability of ")
    assert header.split() == ["image", "answer", "probability", "warning"]
    assert "not a medical device" in disclaimer
    assert note.endswith(f"{answers[0]['calibration']}.")
    assert len(lines) == len(answers) == 26
    for line, answer in zip(lines, answers, strict=True):
        cells = re.split(r"\s{2,}", line)
        shown = [] if answer["probability"] is None else [probability_text(answer["probability"])]
        called = f"{'warned: ' * (answer['status'] == 'warned')}{answer['label'] or 'refused'}"
        path = answer["path"].encode(errors="replace").decode()
        assert cells[: 2 + len(shown)] == [path, called, *shown]
        assert line.endswith(answer["advice"])
    rows = list(csv.DictReader(file.read_text(errors="surrogateescape").splitlines()))
    assert [(row["path"], row["status"], row["reason"]) for row in rows] == [
        (answer["path"], answer["status"], answer["reason"]) for answer in answers
    ]
    assert [float(row["probability"]) for row in rows[:-1]] == [answer["probability"] for answer in answers[:-1]]
    assert rows[-1]["probability"] == ""


def test_predict_s_csv_file_is_written_whole_or_not_at_all(
    with_finished_run: FinishedRun, invoke: Invoke, tmp_path: Path
) -> None:
    image = next((with_finished_run.data / "test").rglob("*.jpeg"))
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file" / "answers.csv", tmp_path):
        assert_refused(invoke("predict", "--run", with_finished_run.run_id, image, "--csv", path), str(tmp_path))
    assert (tmp_path / "file").read_text() == "mine"
    old = tmp_path / "old.csv"
    old.write_text("mine")
    assert_refused(invoke("predict", "--run", with_finished_run.run_id, tmp_path / "gone", "--csv", old), "gone")
    assert old.read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} <= {"file", "old.csv", "artifacts", "published", "keras"}


def test_predict_refuses_paths_that_are_not_there(
    with_finished_run: FinishedRun, invoke: Invoke, tmp_path: Path
) -> None:
    good = next((with_finished_run.data / "test").rglob("*.jpeg"))
    (tmp_path / "empty").mkdir()
    for paths in ([tmp_path / "gone.png"], [good, tmp_path / "gone.png"]):
        assert_refused(invoke("predict", "--run", with_finished_run.run_id, *paths, "--json"), "gone.png")
    assert_refused(invoke("predict", "--run", with_finished_run.run_id, tmp_path / "empty", "--json"), "empty")


# --- runs -------------------------------------------------------------------------------------------------------------


def test_runs_are_listed_and_shown(with_finished_run: FinishedRun, invoke: Invoke) -> None:
    (row,) = invoke("runs", "list", "--json").document
    assert (row["run_id"], row["state"], row["preset"], row["seed"]) == (
        with_finished_run.run_id,
        "succeeded",
        "quick",
        0,
    )
    part = read_report(RunDirectory(with_finished_run.path)).splits[Split.TEST]
    assert row["accuracy"] == encode(part.figures[Metric.ACCURACY])
    assert [row[name] for name in ("network", "arm", "data")] == ["Baseline CNN", "original", "phantoms"]
    submitted = read_json(with_finished_run.path / "config.json")["submitted_at"]
    assert datetime.fromisoformat(row["submitted_at"]).timestamp() == int(submitted)
    header, line = invoke("runs", "list").output.splitlines()
    names = ["run", "state", "network", "arm", "data", "seed", "epochs", "accuracy on test (95 %)", "age"]
    assert re.split(r"\s{2,}", header) == names
    cells = re.split(r"\s{2,}", line)
    assert cells[:6] == [with_finished_run.run_id, "succeeded", "Baseline CNN, quick", "original", "phantoms", "0"]
    assert cells[6] == str(row["epochs"])
    assert cells[7] == estimate_text(Metric.ACCURACY, part.figures[Metric.ACCURACY], with_n=True)
    assert header.index("state") == line.index("succeeded")

    shown = invoke("runs", "show", with_finished_run.run_id, "--json").document
    assert {key: shown[key] for key in row} == row
    assert shown["manifest"] == read_json(with_finished_run.path / "manifest.json")
    assert shown["report"] == read_json(with_finished_run.path / "report.json")
    assert "parameters: 5677329" in invoke("runs", "show", with_finished_run.run_id).output


def test_the_queue_is_shown_in_its_order_and_left_by_cancelling(
    invoke: Invoke, tiny_data: Path, no_published: Path
) -> None:
    with hold_lock(slot_lock()):
        ids = []
        for seed in (1, 2):
            shown = invoke("train", "--preset", "quick", "--data", tiny_data, "--seed", seed, "--json").document
            ids.append(shown["run_id"])
            assert (shown["state"], shown["place"]) == ("queued", seed)
        shown = {row["run_id"]: row["place"] for row in invoke("runs", "list", "--json").document}
        assert shown == {ids[0]: 1, ids[1]: 2}
        assert f"{ids[1]}  queued 2 " in invoke("runs", "list").output
        for _ in range(2):  # Asked twice while it stops, or after it has: the same as once.
            shown = invoke("runs", "cancel", ids[0], "--json").document
            assert (shown["state"], shown["message"]) in {("queued", "stop requested"), ("cancelled", "cancelled")}
        wait_for("cancelling", lambda: not run_state(run_directory(ids[0])).is_live)
        shown = invoke("runs", "cancel", ids[0], "--json").document
        assert (shown["state"], shown["message"], shown["place"]) == ("cancelled", "cancelled", None)
        assert invoke("runs", "show", ids[1], "--json").document["place"] == 1


def test_logs_are_printed_as_they_are(with_finished_run: FinishedRun, invoke: Invoke) -> None:
    log = with_finished_run.path / "worker.log"
    log.write_text("one\ntwo, without an end")
    assert invoke("runs", "logs", with_finished_run.run_id) == Result(0, "one\ntwo, without an end", "")
    document = invoke("runs", "logs", with_finished_run.run_id, "--json").document
    assert document == {"run_id": with_finished_run.run_id, "log": "one\ntwo, without an end"}
    log.unlink()
    assert invoke("runs", "logs", with_finished_run.run_id) == Result(0, "", "")


def test_old_backups_are_listed_before_they_are_removed(with_finished_run: FinishedRun, invoke: Invoke) -> None:
    backup = with_finished_run.path / "backup"
    backup.mkdir()
    (backup / "epoch-0001.npz").write_bytes(b"x" * 10_000)
    assert invoke("runs", "clean", "--json").document == {"removed": False, "size_bytes": 0, "files": []}
    listed = invoke("runs", "clean", "--older-than", 0, "--json").document
    (file,) = listed["files"]
    assert (file["run_id"], file["path"]) == (with_finished_run.run_id, str(backup))
    assert listed["size_bytes"] == file["size_bytes"] == 10_000
    assert backup.is_dir()
    removed = invoke("runs", "clean", "--older-than", 0, "--yes", "--json").document
    assert removed == {**listed, "removed": True}
    assert not backup.exists()
    assert_refused(invoke("runs", "clean", "--older-than", "-1"), "older_than_days=-1")


def test_a_run_is_deleted_after_saying_what_refers_to_it(with_finished_run: FinishedRun, invoke: Invoke) -> None:
    run_id = with_finished_run.run_id
    size = sum(path.stat().st_size for path in with_finished_run.path.rglob("*") if path.is_file())
    listed = invoke("runs", "delete", run_id, "--json")
    assert listed.document == {
        "run_id": run_id,
        "deleted": False,
        "path": str(with_finished_run.path),
        "size_bytes": size,
        "references": [],
        "published_run_stays": False,
    }
    assert listed.errors == "note: nothing was deleted; --yes deletes the run\n"
    assert (with_finished_run.path / "manifest.json").exists()
    requested = ("train", "--preset", "quick", "--seed", 1, "--data", with_finished_run.data, "--json")
    with hold_lock(slot_lock()):
        other = invoke(*requested).document["run_id"]
        invoke("runs", "cancel", other)
        wait_for("cancelling", lambda: not run_state(run_directory(other)).is_live)
    # Of the same study only with the same settings: the finished run has fewer epochs.
    assert invoke("runs", "delete", run_id, "--json").document["references"] == []
    removed = invoke("runs", "delete", run_id, "--yes", "--json")
    assert removed.document == {**listed.document, "deleted": True, "size_bytes": removed.document["size_bytes"]}
    assert removed.errors == ""
    assert not with_finished_run.path.exists()
    assert [row["run_id"] for row in invoke("runs", "list", "--json").document] == [other]
    assert_refused(invoke("runs", "delete", run_id, "--yes"), run_id)


def test_ray_is_refused_where_none_is_set(
    invoke: Invoke, tiny_data: Path, no_published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PNEUMO_RAY_ADDRESS", raising=False)
    assert_refused(invoke("train", "--data", tiny_data, "--executor", "ray"), "PNEUMO_RAY_ADDRESS")
    result = invoke("train", "--data", tiny_data, "--executor", "cluster")
    assert (result.status, result.output) == (2, "")
    assert invoke("runs", "list", "--json").document == []


def test_no_runs(invoke: Invoke, no_published: Path) -> None:
    result = invoke("runs", "list", "--json")
    assert (result.status, result.document) == (0, [])
    assert invoke("runs", "list") == Result(0, "", "note: there are no runs; 'train' starts one\n")
    assert invoke("--quiet", "runs", "list") == Result(0, "", "")


@pytest.mark.parametrize(
    "verb", ["show", "logs", "cancel", "resume", "export", "refresh", "publish", "delete", "evaluate", "predict"]
)
@pytest.mark.parametrize("run", ["baseline-0123456789ab", "../x", "..", "x/../../x", "runs"])
def test_unknown_runs(invoke: Invoke, no_published: Path, tiny_data: Path, verb: str, run: str) -> None:
    arguments = {"evaluate": ["evaluate", run], "predict": ["predict", "--run", run, tiny_data]}
    assert_refused(invoke(*arguments.get(verb, ["runs", verb, run]), "--json"), repr(run), "runs list")


@pytest.mark.parametrize("verb", ["cancel", "resume", "export"])
def test_a_finished_run_is_left_alone(with_finished_run: FinishedRun, invoke: Invoke, verb: str) -> None:
    assert_refused(invoke("runs", verb, with_finished_run.run_id, "--json"), "state=succeeded")


def test_a_refresh_tells_a_line_a_run(with_finished_run: FinishedRun, invoke: Invoke) -> None:
    run = RunDirectory(with_finished_run.path)
    current = invoke("runs", "refresh")
    assert (current.status, current.errors) == (0, "")
    assert (
        current.output
        == f"{run.run_id}: current predictions.parquet, report.json, calibration.json, heatmap.json, trust.json, cases.npz\n"
    )
    manifest = read_json(run.manifest)
    del manifest["files"]["calibration.json"]
    write_json(run.manifest, manifest)
    result = invoke("runs", "refresh", run.run_id, "--json")
    assert (result.status, result.document) == (
        0,
        [
            {
                "run_id": run.run_id,
                "is_published": False,
                "made": ["calibration.json"],
                "current": ["predictions.parquet", "report.json", "heatmap.json", "trust.json", "cases.npz"],
                "not_made": {},
                "error": "",
            }
        ],
    )
    run.report.unlink()
    run.predictions.write_bytes(b"damaged")
    damaged = invoke("runs", "refresh")
    assert damaged.status == 1
    assert damaged.output.startswith(f"{run.run_id}: not refreshed: predictions.parquet must have the SHA-256")
    assert damaged.errors.startswith("error: every run must be whole and writable. Received: ")
    assert damaged.errors.count("\n") == damaged.output.count("\n") == 1


@pytest.mark.parametrize("damage", ["manifest.json", "report.json", "predictions.parquet", "model.onnx"])
def test_damaged_files_are_reported_and_hide_nothing_else(
    with_finished_run: FinishedRun, invoke: Invoke, damage: str
) -> None:
    other = run_directory("baseline-0123456789ab")
    shutil.copytree(with_finished_run.path, other.path)
    (other.path / damage).write_bytes(b"[damaged")
    image = next((with_finished_run.data / "test").rglob("*.jpeg"))
    concerned = {
        "manifest.json": {"show", "evaluate", "predict"},
        "report.json": {"show", "predict"},
        "predictions.parquet": {"evaluate"},
        "model.onnx": {"predict"},
    }[damage]
    for verb, arguments in {
        "show": ["runs", "show", other.run_id],
        "evaluate": ["evaluate", other.run_id],
        "predict": ["predict", "--run", other.run_id, image],
    }.items():
        result = invoke(*arguments, "--json")
        if verb in concerned:
            assert_refused(result, damage)
        else:
            assert result.status == 0, result.errors
    listed = {row["run_id"]: row["state"] for row in invoke("runs", "list", "--json").document}
    assert listed == {other.run_id: "succeeded", with_finished_run.run_id: "succeeded"}
    assert invoke("evaluate", with_finished_run.run_id, "--json").status == 0


def test_a_bug_keeps_its_traceback(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only expected errors become one line: hiding a bug would lose what is needed to mend it."""
    monkeypatch.setattr("pneumo_core.jobs.views.list_runs", lambda: [None])
    with pytest.raises(AttributeError):
        invoke("runs", "list")
