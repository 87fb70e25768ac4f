"""A model card (Mitchell et al. 2019, FAT*, doi:10.1145/3287560.3287596), generated from a run's records."""

from typing import Final

from pneumo_core.config.naming import model_name
from pneumo_core.data.patients import shared_words
from pneumo_core.evaluation.calibration import Calibration
from pneumo_core.evaluation.report import EvaluationReport
from pneumo_core.evaluation.trust import Trust
from pneumo_core.evaluation.wording import duration, line_text, score_text
from pneumo_core.records import FOLDERS, Architecture, NotApplicable, Split, split_name
from pneumo_core.reference import described_copy
from pneumo_core.reporting import run_tables
from pneumo_core.reporting.comparison_document import LIMITS
from pneumo_core.reporting.document import Bullets, Document, Heading, KeyValues, Paragraph, Table
from pneumo_core.reporting.evaluation_tables import (
    copies_words,
    figures,
    rates_on_test,
    softer_figures,
    softer_words,
    without_stress,
)
from pneumo_core.reporting.facts import RunFacts, fact, facts_text, recorded
from pneumo_core.reporting.trust_tables import summary, trust_table

_USE: Final = (
    "Intended: research and teaching on training, evaluation and class balancing with public chest X-rays.",
    (
        "Out of scope: any use for a patient; adults; other findings than pneumonia; other views, machines or "
        "hospitals than those of the data set."
    ),
)
_ONE_SEED: Final = "One seed: another training with the same settings gives other figures. Compare several."
_ENSEMBLE: Final = "One set of members: others, trained with the same settings, give other figures."
_FACTORS: Final = (
    "Recorded for each image: class, cause (bacteria or virus), patient, size in pixels, color mode.",
    "Not recorded in the data set, so not evaluated: age, sex, severity, hospital unit, X-ray machine.",
    "Files of both classes differ in size and compression, which a model can use as a shortcut.",
)
_ETHICS: Final = (
    "The images are public and were published without names; file names carry a patient's number.",
    "They show children treated at one hospital; the performance on other groups is unknown.",
    "A wrong prediction can cause harm; nothing here was reviewed by a regulator or tested in clinical use.",
)


def model_card(facts: RunFacts, report: EvaluationReport) -> Document:
    """The model card of a run: details, intended use, figures, limits.

    Args:
        facts: The run's records.
        report: Its evaluation.
    """
    architecture = fact(facts.config, "architecture")
    network = facts_text(None) if architecture is None else model_name(Architecture(architecture))
    phantom = bool(facts.data.get("is_phantom"))
    images = "phantoms, drawn by a program" if phantom else "chest X-rays of children"
    point = report.operating_point
    return Document(
        f"Model card: {facts.run_id}",
        f"{network}, preset {facts_text(fact(facts.config, 'preset'))}, trained on {images}",
        (
            Paragraph("Research and education only. Not a medical device; not for diagnosis.", lead=True),
            Heading("Model details"),
            _details(facts),
            *run_tables.settings((facts,))[1:],
            Heading("Intended use"),
            Bullets(_USE),
            Heading("Factors"),
            Bullets(_FACTORS),
            Heading("Metrics"),
            Paragraph(
                f"Images with a probability of at least {point.threshold:.3f} are classified as PNEUMONIA. The threshold "
                f"follows the rule '{point.rule.value}' on split {point.split.value}; at it, {rates_on_test(report)}. "
                f"{report.methods}"
            ),
            Heading("Evaluation data"),
            *_selection(report),
            Paragraph(shared_words(facts.shared_patients)),
            _splits(report),
            Heading("Training data"),
            _training(facts),
            Heading("Quantitative analyses"),
            *(figures(report, split) for split in sorted(report.splits, key=lambda split: split is not Split.TEST)),
            *_softer(report),
            Heading("Calibration", 2),
            _calibration(facts.calibration),
            Heading("Heat maps", 2),
            *_heat_maps(facts.trust),
            Heading("Ethical considerations"),
            Bullets(_ETHICS),
            Heading("Caveats and recommendations"),
            Bullets(
                (
                    *(("The figures are from phantoms and do not apply to X-rays.",) if phantom else ()),
                    *LIMITS[1:],
                    _ENSEMBLE if fact(facts.config, "members") else _ONE_SEED,
                )
            ),
        ),
    )


def _details(facts: RunFacts) -> KeyValues:
    device = fact(facts.manifest, "device") or {}
    if members := fact(facts.config, "members"):
        known = {one["run_id"]: one["model_sha256"] for one in fact(facts.manifest, "members") or ()}
        made = [("member", f"{member}, SHA-256 of its model {facts_text(known.get(member))}") for member in members]
    else:
        made = [
            ("trainable", facts_text(fact(facts.manifest, "trainable_parameters"), ",")),
            ("training", recorded(fact(facts.manifest, "training_duration_s"), duration)),
        ]
    versions = ", ".join(f"{name} {version}" for name, version in (device.get("versions") or {}).items())
    return KeyValues(
        "details",
        "Model",
        (
            ("run", facts.run_id),
            ("architecture", facts_text(fact(facts.config, "architecture"))),
            ("seed", facts_text(fact(facts.config, "seed"))),
            ("parameters", facts_text(fact(facts.manifest, "parameters"), ",")),
            *made,
            ("device", f"{facts_text(device.get('kind'))}: {facts_text(device.get('name'))}"),
            ("precision", facts_text(device.get("precision"))),
            ("versions", versions or facts_text(None)),
            ("SHA-256 of model.onnx", facts_text(fact(facts.manifest, "files", "model.onnx"))),
        ),
    )


def _selection(report: EvaluationReport) -> tuple[Paragraph, ...]:
    if not report.selected_on_test:
        return ()
    words = "Selected on test: epoch and learning rates were chosen on test images, so test figures are optimistic."
    return (Paragraph(words),)


def _splits(report: EvaluationReport) -> Table:
    rows = tuple(
        (split.value, f"{part.n:,}", f"{part.n_patients:,}", f"{part.n_pneumonia:,}", f"{part.n - part.n_pneumonia:,}")
        for split, part in report.splits.items()
    )
    notes = (f"stress: {words}.",) if (words := copies_words(report)) else ()
    return Table("splits", "Images evaluated", ("split", "images", "patients", "PNEUMONIA", "NORMAL"), rows, notes)


def _softer(report: EvaluationReport) -> tuple[Paragraph | Table, ...]:
    found = [Paragraph(words)] if (words := without_stress(report)) else []
    if isinstance(report.softer, NotApplicable):
        return (*found, Paragraph(softer_words(report)))
    return (*found, softer_figures(report))


def _training(facts: RunFacts) -> KeyValues:
    added = fact(facts.manifest, "images_added")
    return KeyValues(
        "training-data",
        "Training data",
        (
            ("data set", facts_text(facts.data.get("name"))),
            ("data id", described_copy(facts_text(facts.data.get("data_id")))),
            *(
                (f"images in {split.value}", facts_text(fact(facts.manifest, "images", split.value), ","))
                for split in FOLDERS
            ),
            (
                "images added",
                facts_text(added, ",") + (f", by {fact(facts.manifest, 'images_added_by')}" if added else ""),
            ),
            *(
                (("balancing", "as its members do"), ("validation images from", "patients that every member held out"))
                if fact(facts.config, "members")
                else (
                    ("balancing", facts_text(fact(facts.config, "balance"))),
                    ("validation images from", _validation(facts)),
                )
            ),
        ),
    )


def _heat_maps(trust: Trust | NotApplicable) -> tuple[Paragraph | Table, ...]:
    said = Paragraph(summary(trust))
    return (said,) if isinstance(trust, NotApplicable) else (said, trust_table(trust))


def _calibration(calibration: Calibration | NotApplicable) -> Paragraph | KeyValues:
    if isinstance(calibration, NotApplicable):
        return Paragraph(f"Not calibrated: {calibration.reason}.")
    line, before, after = calibration.calibrator, calibration.before, calibration.after
    return KeyValues(
        "calibration",
        f"Calibration, fitted on {split_name(line.split)}; before → after, each image by a fit without its patient",
        (
            ("kind", line_text(line)),
            ("images", f"{line.n:,} of {line.n_patients:,} patients"),
            ("Brier score", f"{score_text(before.brier)} → {score_text(after.brier)}"),
            ("log loss", f"{score_text(before.log_loss)} → {score_text(after.log_loss)}"),
            ("ECE", f"{score_text(before.ece)} → {score_text(after.ece)}"),
        ),
    )


def _validation(facts: RunFacts) -> str:
    """Where a run's validation images come from, with the saved split, if there is one, and its hash."""
    source = facts_text(fact(facts.config, "validation"))
    name, digest = (fact(facts.config, "named_split", part) for part in ("name", "digest"))
    return source if name is None else f"{source}, as the saved split {name} says (hash {digest})"
