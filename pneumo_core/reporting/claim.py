"""The CLAIM checklist (Mongan, Moy and Kahn 2020, doi:10.1148/ryai.2020200029), answered from the records of runs.

The numbers of the items are the checklist's, the wording is this project's. It follows the update of 2024
(doi:10.1148/ryai.240300), which says "reference standard" and "testing" instead of "ground truth" and "validation".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pneumo_core.evaluation.calibration import Calibration
from pneumo_core.evaluation.comparison import Comparison
from pneumo_core.records import Split
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
    records = _Records(facts, comparison)
    sections = {**_study(records), **_method(records), **_results(records)}
    listed = [(section, *entry) for section, entries in sections.items() for entry in entries]
    return tuple(Item(number, *entry) for number, entry in enumerate(listed, start=1))


_Sections = dict[str, tuple[tuple[str, Answer, str], ...]]
_DONE, _PARTLY, _NOT_DONE = Answer.DONE, Answer.PARTLY, Answer.NOT_DONE


def _study(records: "_Records") -> _Sections:
    return {
        "title and abstract": (
            ("The kind of artificial intelligence is named", _DONE, records.networks),
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
            ("Aims and hypotheses", *records.aim),
        ),
        "study design": (
            ("Prospective or retrospective", _DONE, "retrospective: images that were published before"),
            ("Goal of the study", _DONE, "exploratory: to reproduce a report of 2020 and to compare trainings"),
        ),
        "data": (
            ("Sources", _DONE, records.data),
            (
                "Eligibility, setting and dates",
                _NOT_DONE,
                "the publisher's choice; only its outline is published",
            ),
            ("Preprocessing", *records.preprocessing),
            ("Selection of data subsets", *records.subsets),
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


def _method(records: "_Records") -> _Sections:
    return {
        "data partitions": (
            ("Intended sample size", _NOT_DONE, "all available images; no size was computed beforehand"),
            ("How images were assigned", *records.partitions),
            ("At which level the parts are disjoint", *records.disjoint),
        ),
        "model": (
            ("Full description of the network", _DONE, records.parameters),
            ("Software and versions", *records.software),
            ("Initial values", *records.initial),
        ),
        "training": (
            ("Training in detail: augmentation, settings, number of models", _DONE, records.training),
            ("How the final model was chosen", *records.selection),
            (
                "Ensembles",
                Answer.NOT_APPLICABLE,
                "each model stands alone; figures of several runs are means over models",
            ),
        ),
        "evaluation": (
            ("Metrics", _DONE, "accuracy, sensitivity, specificity, PPV, NPV, F1, AUROC, AUPRC, Brier score, log loss"),
            ("Uncertainty and significance", *records.statistics),
            ("Robustness and sensitivity analyses", *records.robustness),
            (
                "Explainability, and its validation",
                _PARTLY,
                "heat maps (Grad-CAM) for each image; they were not validated",
            ),
            ("Testing on external data", _NOT_DONE, "no external data: one hospital's images alone"),
        ),
    }


def _results(records: "_Records") -> _Sections:
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
            ("Figures on every part of the data", *records.every_part),
            ("Accuracy with its precision", *records.accuracy),
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


class _Records:
    """Answers from the records, item by item."""

    def __init__(self, facts: Sequence[RunFacts], comparison: Comparison | None) -> None:
        self._facts, self._comparison = facts, comparison

    def _all(self, *names: str, of: str = "config", shape: str = "") -> str:
        """A recorded value of the runs, without duplicates."""
        values = (facts_text(fact(getattr(run, of), *names), shape) for run in self._facts)
        return ", ".join(dict.fromkeys(values)) or UNRECORDED

    def _missing(self, *names: str, of: str = "manifest") -> bool:
        return not self._facts or any(fact(getattr(run, of), *names) is None for run in self._facts)

    @property
    def networks(self) -> str:
        return f"deep learning, convolutional networks: {self._all('architecture')}"

    @property
    def aim(self) -> tuple[Answer, str]:
        if self._comparison is None:
            return Answer.PARTLY, "performance of the model; no hypothesis"
        a, b = self._comparison.a.name, self._comparison.b.name
        return Answer.PARTLY, f"does {b} differ from {a}? No hypothesis was registered beforehand"

    @property
    def data(self) -> str:
        phantom = ", phantoms" if any(run.data.get("is_phantom") for run in self._facts) else ""
        return f"{self._all('name', of='data')}{phantom}, data id {self._all('data_id', of='data')}"

    @property
    def preprocessing(self) -> tuple[Answer, str]:
        size = self._all("image_size")
        return Answer.DONE, f"gray, resized to {size} × {size} pixels; scaling in the network: {self._all('scaling')}"

    @property
    def subsets(self) -> tuple[Answer, str]:
        if all(fact(run.config, "max_images") is None for run in self._facts):
            return Answer.NOT_APPLICABLE, "all readable images are used"
        return Answer.DONE, f"maximum number of images of each split: {self._all('max_images')}"

    @property
    def partitions(self) -> tuple[Answer, str]:
        numbers = "; ".join(
            f"{split.value} {self._all('images', split.value, of='manifest', shape=',')}" for split in Split
        )
        answer = Answer.PARTLY if self._missing("images") else Answer.DONE
        return answer, f"test as published; validation from: {self._all('validation')}. Images: {numbers}"

    @property
    def disjoint(self) -> tuple[Answer, str]:
        if self._selected_on_test:
            return Answer.NOT_DONE, f"validation is the test set itself: {self._selected_on_test}"
        return Answer.DONE, "patient, from file names"

    @property
    def _selected_on_test(self) -> str:
        return ", ".join(run.run_id for run in self._facts if fact(run.config, "validation") == "test")

    @property
    def parameters(self) -> str:
        return f"model.onnx of each run; parameters: {self._all('parameters', of='manifest', shape=',')}"

    @property
    def software(self) -> tuple[Answer, str]:
        if self._missing("device", "versions"):
            return Answer.PARTLY, "versions are not recorded for every run"
        versions = dict.fromkeys(
            f"{name} {version}" for run in self._facts for name, version in run.manifest["device"]["versions"].items()
        )
        return Answer.DONE, ", ".join(versions)

    @property
    def initial(self) -> tuple[Answer, str]:
        pretrained = any(fact(run.manifest, "pretrained_sha256") for run in self._facts)
        transfer = "; the base of VGG16 from ImageNet, by its SHA-256" if pretrained else ""
        return Answer.DONE, f"at random from the seed ({self._all('seed')}){transfer}"

    @property
    def training(self) -> str:
        arms, presets = self._all("balance"), self._all("preset")
        return (
            f"settings of every run in its config.json; {len(self._facts)} models, presets {presets}, balancing {arms}"
        )

    @property
    def selection(self) -> tuple[Answer, str]:
        if self._selected_on_test:
            return (
                Answer.DONE,
                f"lowest loss on validation, which was the test set, so test figures are optimistic: {self._selected_on_test}",
            )
        return Answer.DONE, "lowest loss on validation patients"

    @property
    def statistics(self) -> tuple[Answer, str]:
        if self._comparison is None:
            return Answer.DONE, "95 % intervals clustered by patient; no comparison, so no test"
        return (
            Answer.DONE,
            (
                "95 % intervals over patients (BCa bootstrap, Wilson), McNemar, DeLong, Welch over seeds, Holm over pairs; "
                "details in the comparison's section Methods"
            ),
        )

    @property
    def robustness(self) -> tuple[Answer, str]:
        seeds = len({fact(run.config, "seed") for run in self._facts})
        return (
            Answer.PARTLY,
            f"{seeds} seed{'s' * (seeds != 1)}; other machines, hospitals and image qualities were not tried",
        )

    @property
    def every_part(self) -> tuple[Answer, str]:
        calibrated = sum(isinstance(run.calibration, Calibration) for run in self._facts)
        return (
            Answer.PARTLY,
            (
                f"validation (of {calibrated} of {len(self._facts)} runs, those with validation images of their own) and test; "
                "on training images only the history"
            ),
        )

    @property
    def accuracy(self) -> tuple[Answer, str]:
        if self._comparison is None:
            return Answer.DONE, "model card: quantitative analyses, with 95 % intervals"
        a = self._comparison.a
        return Answer.DONE, f"table of figures, with 95 % intervals; n = {a.n:,} images of {a.n_patients:,} patients"
