"""The CLAIM checklist (Mongan, Moy and Kahn 2020, doi:10.1148/ryai.2020200029), answered from the records of runs.

The numbers of the items are the checklist's, the wording is this project's. It follows the update of 2024
(doi:10.1148/ryai.240300), which says "reference standard" and "testing" instead of "ground truth" and "validation".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from pneumo_core.data.patients import shared_words
from pneumo_core.evaluation.calibration import Calibration
from pneumo_core.evaluation.comparison import Comparison
from pneumo_core.records import FOLDERS, NotApplicable
from pneumo_core.reporting.document import Document, Heading, Paragraph, Table
from pneumo_core.reporting.facts import UNRECORDED, RunFacts, fact, facts_text


class Answer(StrEnum):
    """Status of an item."""

    DONE = "done"
    PARTLY = "partly"
    NOT_DONE = "not done"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the checklist.

    Attributes:
        number: Its number in the checklist of 2020, 1 to 42.
        section: Part of a paper that it belongs to.
        asks: Requirement.
        answer: Whether it is met.
        where: Where it is documented, or why it is not met.
    """

    number: int
    section: str
    asks: str
    answer: Answer
    where: str


def claim_checklist(facts: Sequence[RunFacts], comparison: Comparison | None = None) -> Document:
    """The checklist as a document; its one table is its CSV file too.

    Args:
        facts: Records of the runs.
        comparison: Their comparison, or None.
    """
    items = claim_items(facts, comparison)
    counts = ", ".join(f"{sum(item.answer is answer for item in items)} {answer.value}" for answer in Answer)
    rows = tuple((str(item.number), item.section, item.asks, item.answer.value, item.where) for item in items)
    return Document(
        "CLAIM checklist",
        f"Answered from the records of {len(facts)} run{'s' * (len(facts) != 1)}: {counts}",
        (
            Paragraph("Research and education only. Not a medical device; not for diagnosis.", lead=True),
            Paragraph(
                "Numbers follow the checklist of 2020 (Mongan, Moy and Kahn, doi:10.1148/ryai.2020200029), with the terms of "
                "the update of 2024 (doi:10.1148/ryai.240300); the wording of the items is this project's."
            ),
            Heading("Items"),
            Table("claim", "Checklist", ("item", "section", "requirement", "answer", "where, or why not"), rows),
        ),
    )


def claim_items(facts: Sequence[RunFacts], comparison: Comparison | None = None) -> tuple[Item, ...]:
    """All 42 items with their answers, in order."""
    sections = {**_study(facts, comparison), **_method(facts, comparison), **_results(facts, comparison)}
    listed = [(section, *entry) for section, entries in sections.items() for entry in entries]
    return tuple(Item(number, *entry) for number, entry in enumerate(listed, start=1))


_Sections = dict[str, tuple[tuple[str, Answer, str], ...]]
_DONE, _PARTLY, _NOT_DONE = Answer.DONE, Answer.PARTLY, Answer.NOT_DONE


def _study(facts: Sequence[RunFacts], comparison: Comparison | None) -> _Sections:
    every = partial(_every, facts)
    phantom = ", phantoms" if any(run.data.get("is_phantom") for run in facts) else ""
    size = every("image_size")
    aim = "performance of the model; no hypothesis"
    if comparison is not None:
        aim = f"does {comparison.b.name} differ from {comparison.a.name}? No hypothesis was registered beforehand"
    subsets = _DONE, f"maximum number of images of each split: {every('max_images')}"
    if all(fact(run.config, "max_images") is None for run in facts):
        subsets = Answer.NOT_APPLICABLE, "all readable images are used"
    return {
        "title and abstract": (
            (
                "The kind of artificial intelligence is named",
                _DONE,
                f"deep learning, convolutional networks: {every('architecture')}",
            ),
            (
                "A structured summary",
                _PARTLY,
                "the verdict and the summary of figures; no structured abstract was written",
            ),
        ),
        "introduction": (
            (
                "Background, intended use and clinical role",
                _DONE,
                "model card: intended use; no clinical role is claimed",
            ),
            ("Aims and hypotheses", _PARTLY, aim),
        ),
        "study design": (
            ("Prospective or retrospective", _DONE, "retrospective: images that were published before"),
            ("Goal of the study", _DONE, "exploratory: to reproduce a report of 2020 and to compare trainings"),
        ),
        "data": (
            ("Sources", _DONE, f"{every('name', of='data')}{phantom}, data id {every('data_id', of='data')}"),
            (
                "Eligibility, setting and dates",
                _NOT_DONE,
                "the publisher's choice; only its outline is published",
            ),
            (
                "Preprocessing",
                _DONE,
                f"gray, resized to {size} × {size} pixels; scaling in the network: {every('scaling')}",
            ),
            ("Selection of data subsets", *subsets),
            (
                "Definition of data elements",
                _PARTLY,
                "class and cause as the folders and file names give them; no common data elements",
            ),
            ("De-identification", _NOT_DONE, "done by the publisher before, by means that are not recorded here"),
            (
                "Missing data",
                _PARTLY,
                "unreadable files are listed and left out; labels and patients come with every file",
            ),
        ),
        "reference standard": (
            ("Definition", _PARTLY, "the publisher's label of each file; its criteria are not in the data"),
            ("Reason for the choice", _NOT_DONE, "there is no other label"),
            ("Annotators and their qualification", _NOT_DONE, "published labels; no annotation for this work"),
            ("Annotation tools", _NOT_DONE, "not published with the data"),
            ("Variability between and within annotators", _NOT_DONE, "one label per file: it cannot be measured"),
        ),
    }


def _method(facts: Sequence[RunFacts], comparison: Comparison | None) -> _Sections:
    every = partial(_every, facts)
    images = "; ".join(f"{split.value} {every('images', split.value, of='manifest', shape=',')}" for split in FOLDERS)
    combined = [run for run in facts if fact(run.config, "members")]
    trained = [run for run in facts if run not in combined]
    disjoint, selection = _disjoint(facts), "lowest loss on images of held-out patients, as they are or degraded"
    if combined:
        selection += "; an ensemble chooses its threshold alone, on degraded copies"
    if on_test := ", ".join(run.run_id for run in facts if fact(run.config, "validation") == "test"):
        disjoint = _NOT_DONE, f"validation is the test set itself: {on_test}"
        selection = f"lowest loss on validation, which was the test set, so test figures are optimistic: {on_test}"
    versions = [fact(run.manifest, "device", "versions") for run in facts]
    software = _PARTLY, "versions are not recorded for every run"
    if versions and None not in versions:
        software = (
            _DONE,
            ", ".join(dict.fromkeys(f"{name} {number}" for one in versions for name, number in one.items())),
        )
    pretrained = any(fact(run.manifest, "pretrained_sha256") for run in facts)
    transfer = "; the base of VGG16 from ImageNet, by its SHA-256" if pretrained else ""
    statistics = "95 % intervals clustered by patient; no comparison, so no test"
    if comparison is not None:
        statistics = (
            "95 % intervals over patients (BCa bootstrap, Wilson), McNemar, DeLong, Welch over seeds, Holm over pairs; "
            "details in the comparison's section Methods"
        )
    recorded = f"{len(facts)} models, presets {every('preset')}, balancing {_every(trained, 'balance')}"
    seeds = len({fact(run.config, "seed") for run in facts})
    ensembles = Answer.NOT_APPLICABLE, "each model stands alone; figures of several runs are means over models"
    if combined:
        of = "; ".join(f"{run.run_id} of {', '.join(fact(run.config, 'members'))}" for run in combined)
        ensembles = _DONE, f"mean of the members' logits: {of}"
    counted = bool(facts) and all(fact(run.manifest, "images") is not None for run in facts)
    return {
        "data partitions": (
            ("Intended sample size", _NOT_DONE, "all available images; no size was computed beforehand"),
            (
                "How images were assigned",
                _DONE if counted else _PARTLY,
                f"test as published; validation from: {_every(trained, 'validation')}. Images: {images}",
            ),
            ("At which level the parts are disjoint", *disjoint),
        ),
        "model": (
            (
                "Full description of the network",
                _DONE,
                f"model.onnx of each run; parameters: {every('parameters', of='manifest', shape=',')}",
            ),
            ("Software and versions", *software),
            ("Initial values", _DONE, f"at random from the seed ({_every(trained, 'seed')}){transfer}"),
        ),
        "training": (
            (
                "Training in detail: augmentation, settings, number of models",
                _DONE,
                f"settings of every run in its config.json; {recorded}",
            ),
            ("How the final model was chosen", _DONE, selection),
            ("Ensembles", *ensembles),
        ),
        "evaluation": (
            ("Metrics", _DONE, "accuracy, sensitivity, specificity, PPV, NPV, F1, AUROC, AUPRC, Brier score, log loss"),
            ("Uncertainty and significance", _DONE, statistics),
            (
                "Robustness and sensitivity analyses",
                _PARTLY,
                f"{seeds} seed{'s' * (seeds != 1)}; other machines, hospitals and image qualities were not tried",
            ),
            (
                "Explainability, and its validation",
                _PARTLY,
                "heat maps (Grad-CAM) for each image; they were not validated",
            ),
            ("Testing on external data", _NOT_DONE, "no external data: one hospital's images alone"),
        ),
    }


def _disjoint(facts: Sequence[RunFacts]) -> tuple[Answer, str]:
    """At which level train and test are disjoint, by the rule of the model cards."""
    found = dict.fromkeys(run.shared_patients for run in facts)
    known = [one for one in found if not isinstance(one, NotApplicable)]
    answer = _NOT_DONE if any(one.patients for one in known) else _DONE if len(known) == len(found) else _PARTLY
    return answer, " ".join(("patient, from file names.", *map(shared_words, found)))


def _results(facts: Sequence[RunFacts], comparison: Comparison | None) -> _Sections:
    calibrated = sum(isinstance(run.calibration, Calibration) for run in facts)
    validated = f"of {calibrated} of {len(facts)} runs, those with validation images of their own"
    accuracy = "model card: quantitative analyses, with 95 % intervals"
    if comparison is not None:
        of = f"{comparison.a.n:,} images of {comparison.a.n_patients:,} patients"
        accuracy = f"table of figures, with 95 % intervals; n = {of}"
    return {
        "results: data": (
            (
                "Flow of cases, with a diagram",
                _NOT_DONE,
                "numbers of each part are given; no diagram, the publisher's flow is unknown",
            ),
            ("Demographic and clinical features of each part", _NOT_DONE, "age, sex and severity are not in the data"),
        ),
        "results: performance": (
            (
                "Figures on every part of the data",
                _PARTLY,
                f"validation ({validated}) and test; on training images only the history",
            ),
            ("Accuracy with its precision", _DONE, accuracy),
            ("Failure analysis", _PARTLY, "misclassified images can be listed and viewed; no reader has reviewed them"),
        ),
        "discussion": (
            ("Limits", _DONE, "section Limits of the document; model card: caveats"),
            ("Meaning for practice", _PARTLY, "none is claimed: not a medical device"),
        ),
        "other information": (
            ("Registration", _NOT_DONE, "the study was not registered"),
            (
                "Where the protocol can be read",
                _PARTLY,
                "no protocol was registered before; settings and code are complete",
            ),
            ("Funding", _NOT_DONE, UNRECORDED),
        ),
    }


def _every(facts: Sequence[RunFacts], *names: str, of: str = "config", shape: str = "") -> str:
    """A recorded value of the runs, without duplicates."""
    values = (facts_text(fact(getattr(run, of), *names), shape) for run in facts)
    return ", ".join(dict.fromkeys(values)) or UNRECORDED
