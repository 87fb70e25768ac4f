"""The sheet of an image: everything on it, in its order, on one page, and nothing written."""

import io
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from pypdf import PdfReader

from pneumo_core.evaluation.report import EvaluationReport
from pneumo_core.evaluation.wording import NAMES
from pneumo_core.inference.evidence import read_report
from pneumo_core.records import Label, Metric, NotApplicable, Split
from pneumo_core.reporting.case_sheet import DISCLAIMER, OtherModel, SheetContent, case_sheet
from pneumo_core.reporting.document import Row
from pneumo_core.reporting.html import to_html
from pneumo_core.reporting.pdf import to_pdf
from pneumo_core.runs.recommended import recommended
from pneumo_core.runs.store import find_run
from tests.conftest import ROOT
from tests.reporting.conftest import HOSTILE

WARNING = (
    "this may be a screenshot, a photograph or a chest X-ray with large borders, so the probability may be meaningless. "
    "The person is 54 years old, and the model saw children of one to five years. "
    "What to do: choose the original file, or crop it to the X-ray."
)


@pytest.fixture(scope="module")
def report() -> EvaluationReport:
    return report_of_recommended()


def report_of_recommended() -> EvaluationReport:
    return read_report(find_run(str(recommended().classifier)))


def content(report: EvaluationReport, *, size: tuple[int, int] = (64, 80)) -> SheetContent:
    """As much as a sheet may have to hold."""
    pixels = np.random.default_rng(0).integers(0, 256, size).astype(np.uint8)
    models = [OtherModel(f"vgg16-{number:012d}", number / 10, 0.35, Label(number > 3)) for number in range(6)]
    return SheetContent(
        file="folder/" + "long name " * 25 + "of a child.jpeg",
        date="2026-11-30",
        verdict="Close to the threshold",
        warning=WARNING,
        probability=0.631,
        calibrated=NotApplicable("the run has no validation images of its own, and test images must not calibrate it"),
        pixels=pixels,
        overlay=np.repeat(pixels[..., None], 3, axis=2),
        scale="the 95th percentile of the strongest spot over 761 validation images of this run",
        report=report,
        facts=(
            *(("view", "AP"), ("age", "54 years"), ("modality", "DX"), ("body part", "CHEST")),
            ("model", f"{report.run_id}: VGG16, sound · with DCGAN images (50 % of the gap) · fine-tuned, seed 0"),
            ("SHA-256 of model.onnx", "d" * 64),
            ("threshold", "0.642, by the rule 'youden' on val"),
            ("gate", f"warned, framed; SHA-256 {'4' * 64}"),
        ),
        others=tuple(models),
        agreement="5 of 7 models answer PNEUMONIA",
    )


def pages(pdf: bytes) -> list[str]:
    return [re.sub(r"\s+", " ", page.extract_text()) for page in PdfReader(io.BytesIO(pdf)).pages]


def assert_in_order(text: str, *parts: str) -> None:
    places = [text.find(part) for part in parts]
    assert -1 not in places, dict(zip(parts, places, strict=True))
    assert places == sorted(places), dict(zip(parts, places, strict=True))


@pytest.mark.parametrize("size", [(64, 80), (300, 60), (60, 300)], ids=["usual", "tall", "wide"])
def test_everything_fits_on_one_page(report: EvaluationReport, size: tuple[int, int]) -> None:
    (page,) = pages(to_pdf(case_sheet(content(report, size=size))))
    point = report.splits[Split.TEST]
    assert_in_order(
        page,
        "2026-11-30",
        DISCLAIMER,
        "Be careful: this may be a screenshot",
        "Close to the threshold: probability of PNEUMONIA 63.1 %",
        "Figure 3",
        f"n {NAMES[Metric.SENSITIVITY]}",
        f"{point.n_pneumonia:,}",
        "vgg16-000000000000",
        "And 3 more.",
        "5 of 7 models answer PNEUMONIA",
        "n/a: the run has no validation images",
        "DX",
        "d" * 64,
        "warned, framed",
    )


@pytest.mark.parametrize("size", [(64, 80), (300, 60)], ids=["usual", "tall"])
def test_with_less_to_say_the_pictures_are_larger_and_it_is_one_page(
    report: EvaluationReport, size: tuple[int, int]
) -> None:
    full = content(report, size=size)
    few = replace(full, warning="", others=(), facts=full.facts[-5:])
    heights = []
    for one in (full, few):
        sheet = case_sheet(one)
        _, row = [block for block in sheet.blocks if isinstance(block, Row)]
        heights.append(row.pictures[0].draw().get_figheight())
        assert len(pages(to_pdf(sheet))) == 1
    assert heights[0] < heights[1]


def test_html_says_the_warning_before_the_number_and_loads_nothing(report: EvaluationReport) -> None:
    html = to_html(case_sheet(content(report)))
    assert_in_order(html, DISCLAIMER, "Be careful", "63.1 %", "data:image/svg+xml", "vgg16-000000000000", ">DX<")
    assert not re.search(r'(src|href)="(?!data:)', html)
    assert html.count("<img") == 3


def test_without_doubts_and_other_models_there_are_no_empty_parts(report: EvaluationReport) -> None:
    sheet = case_sheet(replace(content(report), warning="", others=(), agreement="", calibrated=0.5, file="a.png"))
    html = to_html(sheet)
    assert "Be careful" not in html
    assert "Other models" not in html
    assert "a.png · 2026-11-30" in html
    assert "50.0 %" in html


def test_a_model_without_test_figures_says_so(report: EvaluationReport) -> None:
    untested = replace(report, splits={split: part for split, part in report.splits.items() if split is not Split.TEST})
    html = to_html(case_sheet(replace(content(report), report=untested)))
    assert "how often it is right on new images is unknown" in html


def test_a_hostile_name_is_text(report: EvaluationReport) -> None:
    sheet = case_sheet(replace(content(report), file=HOSTILE))
    html = to_html(sheet)
    assert "<script" not in html
    assert "<img src=http" not in html
    assert len(pages(to_pdf(sheet))) == 1


_WRITES_NOTHING = """
import resource, sys, tempfile
import matplotlib.font_manager  # It may write its list of fonts.
from tests.reporting.test_case_sheet import content, report_of_recommended
from pneumo_core.reporting.case_sheet import case_sheet
from pneumo_core.reporting.html import to_html
from pneumo_core.reporting.pdf import to_pdf
sheet = case_sheet(content(report_of_recommended()))
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # This process and those that it starts.
try:
    with tempfile.TemporaryFile() as file:
        file.write(b"x" * 99999)
    sys.exit("the limit does not hold")
except OSError:
    pass
sys.stdout.buffer.write(to_pdf(sheet) + to_html(sheet).encode())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_no_byte_of_it_is_written_to_a_file() -> None:
    command = [sys.executable, "-B", "-c", _WRITES_NOTHING]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.startswith(b"%PDF")
    assert b"63.1 %" in done.stdout
