"""What a comparison's document says, and in which order.

With its blocks beside the report of 2020 (`reference_blocks`).
"""

from collections.abc import Callable
from dataclasses import replace

from pneumo_core.config.classifier import Preset
from pneumo_core.config.gan import gan_config
from pneumo_core.config.run import config_to_dict
from pneumo_core.evaluation.comparison import Contrast
from pneumo_core.records import NotApplicable
from pneumo_core.reporting.comparison_document import comparison_document, limits
from pneumo_core.reporting.document import Bullets, Document, Heading, Paragraph, Table, pictures, tables
from pneumo_core.reporting.html import to_html
from pneumo_core.reporting.pdf import to_pdf
from pneumo_core.reporting.study_document import Compared, study_document


def document_of(compared: Compared) -> Document:
    return comparison_document(compared.comparison, compared.facts_a, compared.facts_b)


def table(document: Document, name: str) -> Table:
    return next(one for one in tables(document) if one.name == name)


def test_the_verdict_stands_first_and_the_methods_last(one_run: Compared) -> None:
    blocks = document_of(one_run).blocks
    assert blocks[:2] == (Heading("Verdict"), Paragraph(one_run.comparison.verdict.sentence, lead=True))
    assert blocks[-2:] == (Heading("Methods"), Paragraph(one_run.comparison.methods))


def test_what_else_differs_stands_above_the_verdict(one_run: Compared) -> None:
    warning = "A and B differ in more than the balancing arm: epochs (A 6, B 2)."
    comparison = replace(one_run.comparison, contrast=Contrast("balancing arm", (), warning))
    warned = Paragraph(f"Warning: {warning}", lead=True)
    blocks = comparison_document(comparison, one_run.facts_a, one_run.facts_b).blocks
    assert blocks[:3] == (Heading("Verdict"), warned, Paragraph(comparison.verdict.sentence, lead=True))
    study = study_document([one_run, replace(one_run, comparison=comparison)]).blocks
    sentence = Paragraph(one_run.comparison.verdict.sentence, lead=True)
    assert study[:4] == (Heading("Verdicts"), sentence, warned, sentence)


def test_agreement_counts_are_mcnemars(three_runs: Compared) -> None:
    found = table(document_of(three_runs), "agreement")
    assert found.data is not None
    for pair, row in zip(three_runs.comparison.pairs, found.data.rows, strict=True):
        calls = pair.mcnemar
        assert not isinstance(calls, NotApplicable)
        counts = (calls.both_right, calls.only_a, calls.only_b, calls.both_wrong)
        assert row[:7] == (pair.a, pair.b, *counts, calls.p)
        assert sum(counts) == three_runs.comparison.n_both
        assert row[8] == pair.mcnemar_holm


def test_one_run_a_side_has_no_spread_and_says_why(one_run: Compared) -> None:
    document = document_of(one_run)
    assert "seeds" not in {one.name for one in tables(document)}
    reason = one_run.comparison.a.spread[next(iter(one_run.comparison.a.spread))]
    assert isinstance(reason, NotApplicable)
    assert Paragraph(f"n/a: {reason.reason}.") in document.blocks


def test_one_class_is_told_with_its_reason(make_compared: Callable[..., Compared]) -> None:
    compared = make_compared(1, n=6, pneumonia=1.0)
    document = document_of(compared)
    rows = {row[0]: row for row in table(document, "figures").rows}
    assert rows["AUROC"][1] == "n/a: no image is NORMAL"
    assert rows["Specificity"][1:4] == ("n/a: no image is NORMAL",) * 3
    assert {"roc", "precision-recall", "decision-curve"}.isdisjoint(one.name for one in pictures(document))
    assert "no image is NORMAL" in to_html(document)
    assert to_pdf(document).startswith(b"%PDF")


def test_empty_records_are_told_as_such(one_run: Compared) -> None:
    bare = tuple(replace(run, manifest={}, events=(), data={}) for run in one_run.facts_a)
    document = comparison_document(one_run.comparison, bare, bare)
    assert Paragraph("A: no epochs are recorded.") in document.blocks
    assert "not recorded" in table(document, "runs").rows[0]
    assert to_html(document)


def test_runs_are_told_by_their_manifests(one_run: Compared) -> None:
    manifest = {
        "parameters": 4321,
        "trainable_parameters": 1234,
        "training_duration_s": 567.0,
        "export_duration_s": 89.0,
        "peak_memory_bytes": 12 * 2**20,
        "images": {"train": 11, "val": 22, "test": 33},
        "images_added": 44,
        "device": {"kind": "cpu", "precision": "float32"},
    }
    told = tuple(replace(run, manifest=manifest) for run in one_run.facts_a)
    row = table(comparison_document(one_run.comparison, told, told), "runs").rows[0]
    images = "11 / 22 / 33, 44 added"
    figures = ("4,321", "1,234", "3", "9 min", "12.6 MB", "cpu, float32")
    assert row == (told[0].run_id, images, *figures)


def test_settings_that_differ_stand_apart_from_those_alike(one_run: Compared) -> None:
    (a,), (b,) = one_run.facts_a, one_run.facts_b
    other = replace(b, config={**b.config, "balance": "oversample"})
    document = comparison_document(one_run.comparison, (a,), (other,))
    differ = {row[0]: row[1:] for row in table(document, "settings-differ").rows}
    assert differ == {"seed": ("0", "0"), "balance": ("none", "oversample")}
    alike = dict(row for row in table(document, "settings-alike").rows)
    assert alike["augment.zoom"] == "0.1"
    assert "balance" not in alike


def test_limits_tell_what_flatters_and_what_is_no_xray(one_run: Compared) -> None:
    comparison = replace(one_run.comparison, a=replace(one_run.comparison.a, selected_on_test=True))
    phantoms = tuple(replace(run, data={**run.data, "is_phantom": True}) for run in one_run.facts_a)
    limits = comparison_document(comparison, phantoms, one_run.facts_b).blocks[-3]
    assert isinstance(limits, Bullets)
    text = " ".join(limits.items)
    for told in (
        "Not a medical device",
        "phantoms",
        "60 images of 30 patients",
        f"are optimistic: {comparison.a.name}.",
        "1 training run ",
    ):
        assert told in text


def test_report_of_2020_stands_beside_each_side(one_run: Compared) -> None:
    document = document_of(one_run)
    against = table(document, "against-report-a")
    assert against.caption == "A, VGG16 · original, beside the report's VGG16, original data"
    rows = {row[0]: row for row in against.rows}
    assert rows["accuracy"][2] == "0.92"
    assert {row[4] for row in table(document, "against-parameters-b").rows} == {"yes"}
    (b,) = one_run.facts_b
    weights = replace(b, config={**b.config, "balance": "class-weight"})
    blocks = comparison_document(one_run.comparison, one_run.facts_a, (weights,)).blocks
    assert any(isinstance(block, Paragraph) and "class-weight" in block.text for block in blocks)
    gan = replace(b, config=config_to_dict(gan_config(Preset.SOUND)))
    blocks = comparison_document(one_run.comparison, one_run.facts_a, (gan,)).blocks
    assert Paragraph("B, VGG16 · gan: n/a: the report gives no figures of its DCGAN.") in blocks
    assert table(document, "inconsistencies").caption == "Inconsistencies of the report of 2020"


SECTIONS = [
    "Verdict",
    "The question",
    "Figures and differences",
    "Paired statistics",
    "Spread over seeds",
    "Errors by class",
    "Curves",
    "Calibration",
    "Operating points",
    "Slices",
    "Training",
    "Against the report of 2020",
    "The report itself",
    "Published results",
    "Runs",
    "Limits",
    "Methods",
]


def ends(*names: str) -> str:
    return " ".join(f"{name} {name}_low {name}_high {name}_n" for name in names)


RATES = ends("sensitivity", "specificity", "ppv", "npv")
_AGAINST_REPORT = ["figure", "place", "report", "ours (95 %)", "ours \N{MINUS SIGN} report", "the report's value is"]
COLUMNS = {
    "sides": ["", "A", "B"],
    "figures": ["figure", "A", "B", "B \N{MINUS SIGN} A", "p"],
    "agreement": ["A", "B", "both right", "only A", "only B", "both wrong", "p", "p, clustered", "p, Holm"],
    "auroc-pairs": ["A", "B", "AUROC A", "AUROC B", "B \N{MINUS SIGN} A (95 %)", "p", "p, clustered", "p, Holm"],
    "seeds": ["figure", "A", "B", "B \N{MINUS SIGN} A (95 % over seeds)", "p (Welch)"],
    "confusion": ["", "run", "seed", "threshold", "TN", "FP", "FN", "TP"],
    "classification": ["", "run", "row", "precision", "recall", "f1-score", "support"],
    "calibration": ["", "run", "Brier", "log loss", "ECE", "slope (95 %)", "intercept (95 %)"],
    "validation-calibration": ["run", "calibration", "Brier", "log loss", "ECE"],
    "operating-points": ["", "run", "rule", "threshold", "Sensitivity", "Specificity", "PPV", "NPV"],
    "slices-vgg16-000000000000": ["slice", "images of patients", "sensitivity", "specificity", "accuracy", "AUROC"],
    "slices-vgg16-100000000000": ["slice", "images of patients", "sensitivity", "specificity", "accuracy", "AUROC"],
    "against-report-a": _AGAINST_REPORT,
    "against-parameters-a": ["parameters", "place", "report", "ours", "equal"],
    "against-report-b": _AGAINST_REPORT,
    "against-parameters-b": ["parameters", "place", "report", "ours", "equal"],
    "inconsistencies": ["subject", "report", "facts", "consequence"],
    "published": [
        "source",
        "model",
        "accuracy",
        "sensitivity",
        "specificity",
        "AUROC",
        "selected on",
        "note",
    ],
    "runs": [
        *("run", "images in train / val / test", "parameters", "trainable", "epochs", "training", "memory", "device"),
    ],
    "settings-differ": ["setting", "vgg16-000000000000, vgg16-100000000000"],
    "settings-alike": ["name", "value"],
    "versions": ["what", "value", "runs"],
}
FILE_COLUMNS = {
    "figures": f"figure {ends('a', 'b', 'difference')} p",
    "agreement": "a b both_right only_a only_b both_wrong p p_clustered p_holm",
    "auroc-pairs": "a b auroc_a auroc_b difference difference_low difference_high p p_clustered p_holm",
    "seeds": "figure a_mean a_sd a_runs b_mean b_sd b_runs difference difference_low difference_high p",
    "classification": "side run row precision recall f1 support",
    "calibration": "side run brier log_loss ece brier_low brier_high log_loss_low log_loss_high "
    "slope slope_low slope_high intercept intercept_low intercept_high",
    "validation-calibration": "run calibration slope intercept n "
    "brier_before brier_after log_loss_before log_loss_after ece_before ece_after",
    "operating-points": f"side run rule threshold {RATES}",
    "slices-vgg16-000000000000": "group slice n patients smallest few "
    + ends("sensitivity", "specificity", "accuracy", "auroc"),
    "against-report-a": "figure place report ours ours_low ours_high n difference inside",
    "published": "source model accuracy sensitivity specificity AUROC n comparable accuracy is selected on note link",
}
"""Headings of the CSV files, which programs read."""


def test_sections_and_headings_of_tables(one_run: Compared, three_runs: Compared) -> None:
    blocks = document_of(one_run).blocks
    assert [block.text for block in blocks if isinstance(block, Heading)] == SECTIONS
    columns = {table.name: list(table.columns) for table in tables(document_of(one_run))}
    assert {**columns, "seeds": list(table(document_of(three_runs), "seeds").columns)} == COLUMNS


def test_headings_of_files(three_runs: Compared) -> None:
    found = tables(document_of(three_runs))
    headings = {one.name: " ".join(one.data.columns) for one in found if one.data and one.name in FILE_COLUMNS}
    assert headings == FILE_COLUMNS


def test_limits_name_what_all_seeds_share(one_run: Compared) -> None:
    (run,) = one_run.facts_a

    def limits_of(*changes: dict[str, object]) -> str:
        runs = [replace(run, config={**run.config, **change}) for change in changes]
        return " ".join(limits((one_run.comparison,), runs))

    gan = {"gan_run": "dcgan-000000000000"}
    shared = limits_of({"seed": 0, **gan}, {"seed": 1, "split_seed": 0, **gan})
    assert "The seeds share one split of the patients and one DCGAN (dcgan-000000000000)," in shared
    assert "The seeds share" not in limits_of({"seed": 0}, {"seed": 1})
    assert "The seeds share" not in limits_of({"seed": 0, **gan}, {"seed": 0})
    one = limits_of({"seed": 0, "validation": "test", **gan}, {"seed": 1, "validation": "test"})
    assert "The seeds share one DCGAN (dcgan-000000000000)," in one
