import json
import math
import os
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from pneumo_core.config.classifier import Preset
from pneumo_core.config.presets import preset_config
from pneumo_core.config.run import config_from_dict
from pneumo_core.evaluation.claims import check_claim
from pneumo_core.evaluation.metrics import Confusion, classification_table
from pneumo_core.records import FOLDERS, Architecture, Estimate, Label, NotApplicable, Split
from pneumo_core.reference import (
    COPIES,
    EXPECTED,
    FINDINGS,
    INCONSISTENCIES,
    OFFICIAL_COUNTS,
    PUBLISHED,
    REPORT_COUNTS,
    REPORT_FIGURES,
    REPORT_PARAMETERS,
    REPORT_RUNS,
    ReportFigure,
    ReportRun,
    described_copy,
)
from pneumo_core.runs.store import RunDirectory, published_root


def test_the_total_is_what_the_literature_reports() -> None:
    # Kermany et al. (2018) took 5,232 images for training, of which Kaggle's copy sets 16 aside as val, 624 to test.
    assert sum(OFFICIAL_COUNTS.values()) == 5856
    assert sum(count for (split, _), count in OFFICIAL_COUNTS.items() if split is not Split.TEST) == 5232
    assert sum(count for (split, _), count in OFFICIAL_COUNTS.items() if split is Split.TEST) == 624
    assert set(OFFICIAL_COUNTS) == {(split, label) for split in FOLDERS for label in Label}


@pytest.mark.skipif("PNEUMO_REAL_DATA" not in os.environ, reason="set PNEUMO_REAL_DATA to a chest_xray folder")
@pytest.mark.parametrize("split", [Split.TRAIN, Split.VAL])
@pytest.mark.parametrize("label", list(Label))
def test_the_counts_are_those_of_the_real_data(split: Split, label: Label) -> None:
    folder = Path(os.environ["PNEUMO_REAL_DATA"]) / split.value / label.name
    assert len(list(folder.glob("*.jpeg"))) == OFFICIAL_COUNTS[split, label]


def test_what_is_expected_is_what_the_published_runs_gave() -> None:
    compared = 0
    for run in map(RunDirectory, published_root().glob("*-*")):
        config = config_from_dict(json.loads(run.config.read_text())["config"])
        expected = EXPECTED.get((config.architecture, config.preset))
        if expected is None or config != preset_config(config.architecture, config.preset):
            continue
        compared += 1
        report, manifest = (json.loads(path.read_text()) for path in (run.report, run.manifest))
        for name in ("accuracy", "auroc"):
            measured = {part: round(value, 3) for part, value in report["splits"]["test"][name].items()}
            assert getattr(expected, name) == Estimate(**measured)
        events = [json.loads(line) for line in run.events.read_text().splitlines()]
        assert expected.epochs == len({event["epoch"] for event in events if event["kind"] == "epoch"})
        assert expected.duration_s == round(manifest["training_duration_s"])
    assert compared


def test_every_expectation_has_an_interval_around_its_value() -> None:
    assert (Architecture.BASELINE, Preset.SOUND) in EXPECTED
    for expected in EXPECTED.values():
        for estimate in (expected.accuracy, expected.auroc):
            assert 0.5 < estimate.low < estimate.value < estimate.high < 1
        assert expected.accuracy.n == expected.auroc.n
        assert 1 <= expected.epochs <= expected.duration_s


def figures_of(run: ReportRun) -> dict[str, ReportFigure]:
    return {figure.name: figure for figure in REPORT_FIGURES if figure.run == run}


def printed(counts: Confusion) -> dict[str, str]:
    """A confusion matrix as scikit-learn prints it: what the report's tables were made with."""
    rows = dict(zip(("0", "1", "accuracy", "macro", "weighted"), classification_table(counts), strict=True))
    texts = {"accuracy": f"{rows['accuracy'].f1:.2f}"}
    for name in ("0", "1", "macro", "weighted"):
        for part in ("precision", "recall", "f1"):
            key = f"{part} {name}" if name in "01" else f"{name} {part}"
            value = getattr(rows[name], part)
            texts[key] = "" if isinstance(value, NotApplicable) else f"{value:.2f}"
    return texts


def tables_that_give(run: ReportRun) -> dict[int, list[tuple[int, int]]]:
    """How many of the 13 figures each table of 234 and 390 images gives: (true NORMAL, true PNEUMONIA) by that number."""
    expected = {name: figure.value for name, figure in figures_of(run).items() if figure.decimals == 2}
    expected = {
        name: value for name, value in expected.items() if name.split()[0] not in {"loss", "training", "validation"}
    }
    assert len(expected) == 13
    tn, tp = np.meshgrid(np.arange(235), np.arange(391), indexing="ij")
    recall = {"0": tn / 234, "1": tp / 390}
    with np.errstate(invalid="ignore"):
        precision = {"0": tn / (tn + 390 - tp), "1": tp / (tp + 234 - tn)}
    f1 = {"0": 2 * tn / (234 + tn + 390 - tp), "1": 2 * tp / (390 + tp + 234 - tn)}
    values = {"accuracy": (tn + tp) / 624}
    for name, part in (("precision", precision), ("recall", recall), ("f1", f1)):
        values |= {f"{name} 0": part["0"], f"{name} 1": part["1"], f"macro {name}": (part["0"] + part["1"]) / 2}
        values[f"weighted {name}"] = (234 * part["0"] + 390 * part["1"]) / 624
    hits = sum((np.abs(values[name] - value) <= 0.005 + 1e-12).astype(int) for name, value in expected.items())
    return {count: [(int(a), int(b)) for a, b in np.argwhere(hits == count)] for count in (12, 13)}


def test_the_baselines_table_is_that_of_its_own_counts() -> None:
    known = figures_of(REPORT_RUNS[0])
    counts = Confusion(*(int(known[name].value) for name in ("true 0", "false 1", "false 0", "true 1")))
    assert counts == Confusion(tn=180, fp=54, fn=10, tp=380)
    for name, text in printed(counts).items():
        assert text == f"{known[name].value:.2f}", name
    assert tables_that_give(REPORT_RUNS[0])[13] == [(180, 380)]


def test_of_the_reports_four_tables_one_is_of_no_confusion_matrix() -> None:
    found = [tables_that_give(run) for run in REPORT_RUNS]
    assert [len(tables[13]) for tables in found] == [1, 0, 2, 2]
    assert found[1][12] == [(189, 382), (189, 383)]
    for tn, tp in found[1][12]:
        texts = printed(Confusion(tn=tn, fp=234 - tn, fn=390 - tp, tp=tp))
        assert [name for name, text in texts.items() if float(text) != figures_of(REPORT_RUNS[1])[name].value] == [
            "weighted f1"
        ]
        assert texts["weighted f1"] == "0.91"


@pytest.mark.parametrize("run", REPORT_RUNS)
def test_the_claim_checker_allows_each_of_the_reports_runs(run: ReportRun) -> None:
    known = figures_of(run)
    accuracy, sensitivity, specificity = (f"{known[name].value:.2f}" for name in ("accuracy", "recall 1", "recall 0"))
    official = OFFICIAL_COUNTS[Split.TEST, Label.PNEUMONIA]
    check = check_claim(
        n=624, accuracy=accuracy, sensitivity=sensitivity, specificity=specificity, n_pneumonia=official
    )
    assert check.tables >= 2
    assert known["support 0"].value + known["support 1"].value == known["support"].value == check.n
    if run == REPORT_RUNS[0]:
        assert check.tables == 5
        assert Confusion(tn=180, fp=54, fn=10, tp=380) in check.examples


def test_no_difference_of_the_reports_is_significant_unpaired() -> None:
    right = [sum(tables[13][0] if tables[13] else tables[12][-1]) for tables in map(tables_that_give, REPORT_RUNS)]
    assert right == [560, 572, 550, 555]
    for a, b in ((0, 1), (0, 2), (1, 3)):
        pairs = [[right[a], 624 - right[a]], [right[b], 624 - right[b]]]
        assert chi2_contingency(pairs, correction=False).pvalue > 0.05


def test_the_reports_counts_add_up_to_what_its_inconsistencies_say() -> None:
    assert sum(REPORT_COUNTS.values()) == 5869
    train = sum(count for (split, _), count in REPORT_COUNTS.items() if split is Split.TRAIN)
    assert train == 5229
    assert train // 32 * 32 == 5216 == sum(n for (split, _), n in OFFICIAL_COUNTS.items() if split is Split.TRAIN)
    assert figures_of(REPORT_RUNS[0])["steps"].value == train // 32
    assert figures_of(REPORT_RUNS[0])["test steps"].value == math.ceil(624 / 32)
    said = " ".join(f"{item.says} {item.so}" for item in INCONSISTENCIES)
    for number in ("5,863", "5,869", "5,856", "5,229", "5,216", "1,354", "1,341", "mode 'max'"):
        assert number in said


def test_parameters_are_those_of_the_layers_as_described() -> None:
    filters, size, counted, channels = (16, 32, 64, 128), 150, 0, 3
    for block, width in enumerate(filters):
        counted += 9 * channels * width + width + 9 * width * width + width
        counted += 4 * width if block else 0
        channels, size = width, size // 2
    sizes = (size * size * 128, 512, 128, 64, 1)
    counted += sum(a * b + b for a, b in pairwise(sizes))
    baseline, vgg16 = REPORT_PARAMETERS[Architecture.BASELINE], REPORT_PARAMETERS[Architecture.VGG16]
    assert (baseline.total, baseline.fixed) == (counted, 2 * (32 + 64 + 128)) == (5_677_329, 448)
    assert vgg16.trainable == sum(a * b + b for a, b in pairwise((8192, 1024, 512, 256, 1)))
    assert sum(a * b + b for a, b in pairwise((8192, 1024, 512, 256, 2))) == 9_046_274
    assert vgg16.fixed == 14_714_688


def test_every_run_has_every_figure_of_a_classification_table_and_a_place() -> None:
    assert len(REPORT_RUNS) == len(set(REPORT_RUNS)) == 4
    for run in REPORT_RUNS:
        known = figures_of(run)
        assert len(known) == len([figure for figure in REPORT_FIGURES if figure.run == run])
        assert {*printed(Confusion(1, 1, 1, 1)), "support 0", "support 1", "support"} <= known.keys()
    for figure in REPORT_FIGURES:
        assert re.match(r"section \d", figure.place)
        assert figure.value == round(figure.value, figure.decimals)


def test_which_published_accuracies_are_whole_numbers_of_the_official_images() -> None:
    odd = set()
    for result in PUBLISHED:
        assert result.url.startswith("https://")
        assert result.accuracy is not None
        check = check_claim(n=624, accuracy=f"{result.accuracy:.{result.decimals}f} %")
        if not check.tables:
            odd.add(result.accuracy)
    # 88.4, 85.5, 95.1 and 96.9 are 552, 534, 594 and 605 of 624 when they are cut off instead of rounded; the others may be
    # means of trainings.
    assert odd == {88.4, 85.5, 87.4, 91.1, 91.6, 95.1, 96.9, 97.09}
    assert [result.accuracy for result in PUBLISHED if not result.comparable] == [97.09]
    assert all(finding.url.startswith("https://") for finding in FINDINGS)


def test_a_copy_of_the_data_is_described_where_it_is_known() -> None:
    (data_id,) = COPIES
    assert described_copy(data_id) == f"{data_id}: {COPIES[data_id]}"
    assert described_copy("0123456789ab") == "0123456789ab"
    runs = map(RunDirectory, published_root().glob("*-*"))
    assert {json.loads(run.config.read_text())["data"]["data_id"] for run in runs} == {data_id}
