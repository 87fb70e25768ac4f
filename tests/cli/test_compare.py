"""The commands `compare` and `report`: what they print and write, and one line for what they refuse."""

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from pneumo_core.cli.tables import aligned
from pneumo_core.config.classifier import Balance, Preset
from pneumo_core.evaluation.plain import encode
from pneumo_core.inference.compared import compare_runs
from pneumo_core.reporting import comparison_tables
from pneumo_core.runs.files import read_json, write_json
from pneumo_core.runs.store import RunDirectory
from tests.cli.conftest import Invoke, Result, assert_refused
from tests.hostile import public_folder, without_rights
from tests.made_runs import made_predictions, made_run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_published")]


def printed(result: Result) -> Any:
    assert result.status == 0, result.errors
    return result.document


def two_runs() -> tuple[RunDirectory, RunDirectory]:
    return made_run(made_predictions()), made_run(made_predictions(skill=1.6), balance=Balance.OVERSAMPLE)


# --- compare ----------------------------------------------------------------------------------------------------------


def test_compare_as_json_holds_the_whole_comparison(invoke: Invoke) -> None:
    a, b = two_runs()
    found = printed(invoke("compare", a.run_id, b.run_id, "--json"))
    expected = compare_runs([a.run_id], [b.run_id])
    names = {
        "verdict",
        "mcnemar",
        "delong",
        "differences",
        "seeds",
        "pairs",
        "runs",
        "against_report",
        "methods",
    }
    assert names <= set(found)
    assert (found["verdict"], found["split"], found["paired"]) == (encode(expected.verdict), "test", True)
    calls = expected.mcnemar
    assert found["mcnemar"]["p"] == calls.p
    cells = [found["mcnemar"][name] for name in ("both_right", "only_a", "only_b", "both_wrong")]
    assert cells == [calls.both_right, calls.only_a, calls.only_b, calls.both_wrong]
    for metric, difference in expected.differences.items():
        assert found["differences"][metric.value]["estimate"]["value"] == difference.estimate.value
    assert [(run["side"], run["run_id"]) for run in found["runs"]] == [("a", a.run_id), ("b", b.run_id)]
    assert "not_applicable" in found["against_report"]["b"]
    assert found["seeds"]["accuracy"].keys() == {"not_applicable"}


def test_compare_in_words_begins_with_the_verdict(invoke: Invoke) -> None:
    a, b = two_runs()
    status, output, _ = invoke("compare", a.run_id, b.run_id)
    assert status == 0
    assert output.startswith(f"verdict: {compare_runs([a.run_id], [b.run_id]).verdict.sentence}\n")
    for run in (a, b):
        assert run.run_id in output
    assert "p = <" not in output
    assert "n = 90 images of 45 patients" in output


def test_compare_shows_the_tables_of_the_page(invoke: Invoke) -> None:
    a, b = two_runs()
    output = invoke("compare", a.run_id[:-1], b.run_id).output
    found = compare_runs([a.run_id], [b.run_id])
    shown = comparison_tables
    for table in (made(found) for made in (shown.sides, shown.figures, shown.agreement, shown.areas)):
        assert "\n".join([table.caption, *aligned(table), *table.notes]) in output
    assert found.methods in output
    assert shown.seeds(found).caption not in output


def test_what_else_differs_is_reported_before_the_verdict(invoke: Invoke) -> None:
    a, b = made_run(made_predictions()), made_run(made_predictions(skill=1.6), balance=Balance.OVERSAMPLE, epochs=2)
    warning = (
        "A and B differ in more than the balancing arm: epochs (A 20, B 2). The difference may come from any of these."
    )
    status, output, _ = invoke("compare", a.run_id, b.run_id)
    assert status == 0
    assert output.startswith(f"warning: {warning}\nverdict: ")
    found = printed(invoke("compare", a.run_id, b.run_id, "--json"))["contrast"]
    assert found == {
        "compared": "balancing arm",
        "further": [{"name": "epochs", "a": "20", "b": "2"}],
        "warning": warning,
    }


def test_compare_groups_with_commas_and_on_validation(invoke: Invoke) -> None:
    none = [made_run(made_predictions(seed=seed), seed=seed).run_id for seed in range(2)]
    more = [
        made_run(made_predictions(seed=seed, skill=1.6), seed=seed, balance=Balance.OVERSAMPLE).run_id
        for seed in range(2)
    ]
    found = printed(invoke("compare", f"{none[1]}, {none[0]}", ",".join(more), "--split", "val", "--json"))
    assert (found["a"]["run_ids"], found["b"]["run_ids"], found["split"]) == (none, more, "val")
    assert [(pair["a"], pair["b"]) for pair in found["pairs"]] == list(zip(none, more, strict=True))
    assert all(isinstance(pair["mcnemar_holm"], float) for pair in found["pairs"])
    assert found["seeds"]["accuracy"]["k_a"] == 2
    assert found["mcnemar"].keys() == {"not_applicable"}
    assert len(found["runs"]) == 4


def test_compare_refuses_in_one_line(invoke: Invoke) -> None:
    a, b = two_runs()
    assert_refused(invoke("compare", a.run_id, a.run_id, "--json"), a.run_id, "different runs")
    assert_refused(invoke("compare", a.run_id, "baseline-ffffffffffff"), "baseline-ffffffffffff")
    assert_refused(invoke("compare", a.run_id, "../../etc"), "../../etc")
    assert_refused(invoke("compare", a.run_id, ",,", "--json"), "',,'")
    assert_refused(invoke("compare", f"{a.run_id},{b.run_id}", b.run_id), b.run_id)
    assert_refused(invoke("compare", a.run_id, b.run_id, "--split", "train"), "train")
    b.predictions.write_bytes(b"")
    assert_refused(invoke("compare", a.run_id, b.run_id, "--json"), b.run_id, "predictions.parquet")
    assert_refused(invoke("report", a.run_id, b.run_id), b.run_id, "predictions.parquet")


@pytest.mark.parametrize(
    "arguments",
    [
        ["compare"],
        ["compare", "baseline-0123456789ab"],
        ["compare", "a", "b", "c"],
        ["compare", "a", "b", "--split", "all"],
        ["report", "--split", "all"],
        ["report", "--nonsense"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2(invoke: Invoke, arguments: list[str]) -> None:
    status, output, errors = invoke(*arguments)
    assert (status, output) == (2, "")
    assert "Usage: " in errors


# --- report -----------------------------------------------------------------------------------------------------------


class Links(HTMLParser):
    """What a browser would fetch or run on opening an HTML file."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        fetched = {"src", "srcset", "data", "poster", "background", "xlink:href", *(("href",) if tag != "a" else ())}
        self.found += [f"{tag} {name}={value}" for name, value in attrs if name in fetched and not _inside(value)]
        self.found += [f"{tag} {name}" for name, _ in attrs if name.startswith("on")]
        if tag in {"script", "iframe", "object", "embed", "base"}:
            self.found.append(tag)


def _inside(value: str | None) -> bool:
    return bool(value) and value.startswith(("#", "data:"))


def pdf_text(content: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages).split())


def assert_sound(folder: Path, files: list[str]) -> None:
    """Every file is there, nothing else is, and each is what its name says and can be given away."""
    assert sorted(files) == sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    for name in files:
        content = (folder / name).read_bytes()
        kind = name.rpartition(".")[2]
        text = pdf_text(content) if kind == "pdf" else content.decode(errors="replace")
        for private in ("/private-folder", str(folder.parent)):
            assert private not in text, name
        if kind == "html":
            links = Links()
            links.feed(text)
            assert not links.found, name
            assert not re.search(r"@import|url\((?!['\"]?(#|data:))", text), name
        elif kind == "pdf":
            assert content.startswith(b"%PDF"), name
        elif kind == "json":
            json.loads(text)
        elif kind == "csv":
            rows = list(csv.reader(io.StringIO(text, newline="")))
            assert len(rows) > 1, name
            assert len({len(row) for row in rows}) == 1, name
        elif kind == "png":
            assert content.startswith(b"\x89PNG"), name
        else:
            assert kind == "svg", name


def hide_data(*runs: RunDirectory) -> None:
    """Let the runs' data lie where no document may name it."""
    for run in runs:
        requested = read_json(run.config)
        requested["data"]["root"] = "/private-folder/of somebody/chest_xray"
        write_json(run.config, requested)


def test_report_of_a_run_is_its_model_card_and_checklist(invoke: Invoke, tmp_path: Path) -> None:
    run, _ = two_runs()
    hide_data(run)
    out = tmp_path / "out"
    found = printed(invoke("report", run.run_id, "--out", out, "--json"))
    assert found["out"] == str(out)
    card, checklist = (f"pneumo-{kind}-baseline-sound-none-seed0" for kind in ("model-card", "claim-checklist"))
    assert {f"{checklist}.csv", f"{card}.html", f"{card}.pdf"} <= set(found["files"])
    assert_sound(out, found["files"])
    assert run.run_id in (out / f"{card}.html").read_text()
    assert run.run_id in pdf_text((out / f"{card}.pdf").read_bytes())
    (out / f"{checklist}.csv").write_text("of an older report")
    plain = invoke("report", run.run_id, "--out", out).output.splitlines()
    assert plain == [f"{len(found['files'])} files in {out}:", *(f"  {name}" for name in found["files"])]
    assert printed(invoke("report", run.run_id, "--out", out, "--json")) == found
    assert_sound(out, found["files"])


def test_report_of_two_runs_is_their_comparison(invoke: Invoke, tmp_path: Path) -> None:
    a, b = two_runs()
    hide_data(a, b)
    out = tmp_path / "out"
    app = "http://localhost:1234"
    found = printed(invoke("report", a.run_id, b.run_id, "--out", out, "--app-url", app, "--json"))
    assert_sound(out, found["files"])
    stem = "pneumo-compare-baseline-sound-none-vs-oversample-seed0-test"
    assert f'href="{app}/compare?a={a.run_id}&amp;b={b.run_id}&amp;split=test"' in (out / f"{stem}.html").read_text()
    verdict = compare_runs([a.run_id], [b.run_id]).verdict.sentence
    assert verdict in (out / f"{stem}.html").read_text()
    assert "".join(verdict.split()) in "".join(pdf_text((out / f"{stem}.pdf").read_bytes()).split())
    assert json.loads((out / f"{stem}.json").read_text())["verdict"]["sentence"] == verdict
    cards = {f"pneumo-model-card-baseline-sound-{arm}-seed0.pdf" for arm in ("none", "oversample")}
    assert cards <= set(found["files"])
    plain = invoke("report", a.run_id, b.run_id, "--out", out).output.splitlines()
    in_folders = {folder: sum(name.startswith(folder) for name in found["files"]) for folder in ("tables/", "figures/")}
    assert plain[-2:] == [f"  {folder}: {count} files" for folder, count in in_folders.items()]
    assert plain[1:-2] == [f"  {name}" for name in found["files"] if "/" not in name]


def test_report_of_what_there_is_is_a_study(invoke: Invoke, tmp_path: Path) -> None:
    pairs = []
    for preset in (Preset.SOUND, Preset.QUICK):
        pairs += [
            made_run(made_predictions(), preset=preset),
            made_run(made_predictions(skill=1.6), preset=preset, balance=Balance.OVERSAMPLE),
        ]
    out = tmp_path / "out"
    hide_data(*pairs)
    found = printed(invoke("report", "--out", out, "--json"))
    assert_sound(out, found["files"])
    stem = "pneumo-study-baseline-4-runs-test"
    study = json.loads((out / f"{stem}.json").read_text())["comparisons"]
    verdicts = {compare_runs([a.run_id], [b.run_id]).verdict.sentence for a, b in (pairs[:2], pairs[2:])}
    assert {one["verdict"]["sentence"] for one in study} == verdicts
    html = (out / f"{stem}.html").read_text()
    assert all(verdict in html for verdict in verdicts)


def test_report_refuses_in_one_line_and_writes_nothing(invoke: Invoke, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert_refused(invoke("report", "--out", out), "no such runs")
    a, b = two_runs()
    assert_refused(invoke("report", a.run_id, b.run_id, a.run_id, "--out", out), "3 sides")
    assert_refused(invoke("report", f"{a.run_id},{b.run_id}", "--out", out), "1 sides")
    assert_refused(invoke("report", "baseline-ffffffffffff", "--out", out), "baseline-ffffffffffff")
    assert_refused(invoke("report", a.run_id, a.run_id, "--out", out), a.run_id)
    assert not out.exists()


def test_report_into_what_is_no_writable_folder(invoke: Invoke, tmp_path: Path) -> None:
    run, _ = two_runs()
    (tmp_path / "file").write_text("mine")
    assert_refused(
        invoke("report", run.run_id, "--out", tmp_path / "file"), "the folder for the report", str(tmp_path / "file")
    )
    assert (tmp_path / "file").read_text() == "mine"


def test_report_into_a_read_only_folder(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    with public_folder() as folder:
        monkeypatch.setenv("PNEUMO_ARTIFACTS", str(folder / "artifacts"))
        run, _ = two_runs()
        (folder / "artifacts").chmod(0o755)
        locked = folder / "locked"
        locked.mkdir()
        locked.chmod(0o555)
        with without_rights():
            result = invoke("report", run.run_id, "--out", locked / "out")
        assert_refused(result, str(locked / "out"), "not writable")
        locked.chmod(0o755)
