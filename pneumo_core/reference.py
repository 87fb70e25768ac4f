"""Published reference figures, as data with their sources: the report of 2020, papers, and this project's runs.

The report is Meral Balik, "CNN For Detecting Pneumonia from X-ray Images", Springboard, 28 April 2020; a `place` is a section
or figure of it. Class 0 is NORMAL, class 1 PNEUMONIA, as in its tables.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pneumo_core.config.classifier import Preset
from pneumo_core.records import Architecture, Estimate, Label, SharedPatients, Split

OFFICIAL_COUNTS: Final[dict[tuple[Split, Label], int]] = {
    (Split.TRAIN, Label.NORMAL): 1341,
    (Split.TRAIN, Label.PNEUMONIA): 3875,
    (Split.VAL, Label.NORMAL): 8,
    (Split.VAL, Label.PNEUMONIA): 8,
    (Split.TEST, Label.NORMAL): 234,
    (Split.TEST, Label.PNEUMONIA): 390,
}
"""Images per split and class of the Kaggle data set ``paultimothymooney/chest-xray-pneumonia``, version 2.

Source: the files of https://www.kaggle.com/datasets/paultimothymooney/chest-xray-pneumonia, made from Kermany, Zhang
and Goldbaum (2018), doi:10.17632/rscbjbr9sj.2. (That page's text says 5,863 images; its archive holds 5,856.)
"""


COPIES: Final[dict[str, str]] = {
    "17546df31226": "224-pixel copies of the training images and of about half of the test set (318 of 624, whole patients)"
}
"""What is known of a copy of the data set, by its data id: the published runs' copy is not the one that Kaggle serves."""

COPY_PATIENTS: Final[dict[str, SharedPatients]] = {
    "17546df31226": SharedPatients(patients=0, of_patients=208, pooled=159, of_pooled=177)
}
"""`data.patients.shared_patients` of such a copy, for the model cards of published runs where the copy itself is missing."""


def described_copy(data_id: str) -> str:
    """A data id for people, with what is known of the copy."""
    return f"{data_id}: {COPIES[data_id]}" if data_id in COPIES else data_id


@dataclass(frozen=True, slots=True)
class Expected:
    """Results and duration of an unchanged preset on the real X-rays, from a finished run.

    Attributes:
        accuracy: On test, at the run's own threshold; the interval is clustered by patient.
        auroc: On test; the interval is clustered by patient.
        epochs: Epochs until training stopped.
        duration_s: Time from the start of the training to its end, without export, in seconds.
        machine: The machine and the number of seeds.
    """

    accuracy: Estimate
    auroc: Estimate
    epochs: int
    duration_s: float
    machine: str = "one or two CPU cores with bfloat16, busy with other work too, one seed"


EXPECTED: Final[dict[tuple[Architecture, Preset], Expected]] = {
    (Architecture.BASELINE, Preset.REPORT): Expected(
        Estimate(0.906, 0.864, 0.935, 318), Estimate(0.949, 0.915, 0.970, 318), epochs=14, duration_s=793
    ),
    (Architecture.BASELINE, Preset.SOUND): Expected(
        Estimate(0.821, 0.763, 0.867, 318), Estimate(0.969, 0.950, 0.981, 318), epochs=19, duration_s=1409
    ),
    (Architecture.BASELINE, Preset.BEST): Expected(
        Estimate(0.925, 0.889, 0.949, 318), Estimate(0.976, 0.957, 0.988, 318), epochs=20, duration_s=2970
    ),
    (Architecture.COMPACT, Preset.BEST): Expected(
        Estimate(0.947, 0.915, 0.967, 318), Estimate(0.986, 0.974, 0.993, 318), epochs=16, duration_s=1041
    ),
    (Architecture.VGG16, Preset.REPORT): Expected(
        Estimate(0.903, 0.865, 0.931, 318), Estimate(0.968, 0.946, 0.982, 318), epochs=7, duration_s=180
    ),
    (Architecture.VGG16, Preset.SOUND): Expected(
        Estimate(0.877, 0.832, 0.912, 318), Estimate(0.967, 0.943, 0.981, 318), epochs=15, duration_s=1076
    ),
    (Architecture.VGG16, Preset.BEST): Expected(
        Estimate(0.896, 0.856, 0.926, 318), Estimate(0.974, 0.956, 0.985, 318), epochs=6, duration_s=4091
    ),
}
"""Runs with seed 0 on the X-rays, as in docs/results.md; presets without a run are missing."""


@dataclass(frozen=True, slots=True)
class ReportRun:
    """One of the report's four trainings; `balanced`: with samples of its DCGAN added to the NORMAL training images."""

    architecture: Architecture
    balanced: bool


@dataclass(frozen=True, slots=True)
class ReportFigure:
    """A number of the report.

    Attributes:
        run: The training that it belongs to.
        name: Name as in the report's tables, such as ``"precision 0"`` or ``"macro f1"``.
        value: As printed; rates as fractions.
        decimals: Printed decimals of `value`, which is exact to half a unit of the last one.
        place: Section or figure of the report.
        is_approximate: Whether the report gives it as "close to" or "around".
    """

    run: ReportRun
    name: str
    value: float
    decimals: int
    place: str
    is_approximate: bool = False


REPORT_RUNS: Final = tuple(
    ReportRun(model, balanced) for balanced in (False, True) for model in (Architecture.BASELINE, Architecture.VGG16)
)
"""In the report's order."""

_BASELINE, _VGG16, _BASELINE_BALANCED, _VGG16_BALANCED = REPORT_RUNS

# Precision, recall and F1 of class 0, class 1, macro and weighted average, and the accuracy, as printed.
_TABLES: Final[dict[ReportRun, tuple[str, str, float]]] = {
    _BASELINE: ("3.5, Figure 5", ".95 .77 .85  .88 .97 .92  .91 .87 .89  .90 .90 .89", 0.90),
    _VGG16: ("4, Figure 7", ".96 .81 .88  .89 .98 .94  .93 .89 .91  .92 .92 .92", 0.92),
    _BASELINE_BALANCED: ("5, Figure 9", ".93 .74 .82  .86 .97 .91  .90 .85 .87  .89 .88 .88", 0.88),
    _VGG16_BALANCED: ("5, Figure 11", ".96 .74 .83  .86 .98 .92  .91 .86 .88  .90 .89 .89", 0.89),
}
_ROWS: Final = ("{} 0", "{} 1", "macro {}", "weighted {}")
_COLUMNS: Final = tuple(row.format(name) for row in _ROWS for name in ("precision", "recall", "f1"))


def _report_figures() -> Iterator[ReportFigure]:
    for run, (place, numbers, accuracy) in _TABLES.items():
        yield ReportFigure(run, "accuracy", accuracy, 2, f"section {place}")
        for name, text in zip(_COLUMNS, numbers.split(), strict=True):
            yield ReportFigure(run, name, float(text), 2, f"section {place}")
        for name, support in (("support 0", 234), ("support 1", 390), ("support", 624)):
            yield ReportFigure(run, name, support, 0, f"section {place}")
    for name, count in (("true 0", 180), ("false 1", 54), ("false 0", 10), ("true 1", 380)):
        yield ReportFigure(_BASELINE, name, count, 0, "section 3.5, text to Figure 5")
    yield ReportFigure(_BASELINE, "loss", 0.29, 2, "section 3.5")
    yield ReportFigure(_BASELINE, "epochs", 10, 0, "section 3.4, text to Figure 4")
    settings = ("batch", 32), ("steps", 163), ("test steps", 20), ("most epochs", 20), ("stopping patience", 5)
    for name, setting in settings:
        yield ReportFigure(_BASELINE, name, setting, 0, "section 2.3" if name == "batch" else "section 3.3")
    for run in (_BASELINE_BALANCED, _VGG16_BALANCED):
        for name, count in (("generated images", 2500), ("images of each class", 4000)):
            yield ReportFigure(run, name, count, 0, "section 5", is_approximate=True)
    for run, place, training, validation in (
        (_BASELINE, "section 3.4, text to Figure 4", 0.93, 0.89),
        (_VGG16, "section 4, text to Figure 6", 0.96, 0.90),
    ):
        yield ReportFigure(run, "training accuracy", training, 2, place, is_approximate=True)
        yield ReportFigure(run, "validation accuracy", validation, 2, place, is_approximate=True)


REPORT_FIGURES: Final = tuple(_report_figures())
"""All figures of the four trainings; ``true 0``, ``false 1`` and so on are the confusion matrix, named by the prediction."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters of a network of the report, all and those that training changes, with the report's section."""

    total: int
    trainable: int
    place: str

    @property
    def fixed(self) -> int:
        """Parameters that training does not change: moving statistics, or VGG16's frozen layers."""
        return self.total - self.trainable


REPORT_PARAMETERS: Final[dict[Architecture, Parameters]] = {
    Architecture.BASELINE: Parameters(5_677_329, 5_676_881, "section 3.1"),
    Architecture.VGG16: Parameters(23_760_705, 9_046_017, "section 4"),
}

REPORT_COUNTS: Final = OFFICIAL_COUNTS | {(Split.TRAIN, Label.NORMAL): 1354}
"""Images per split and class according to the report (section 2.2)."""


@dataclass(frozen=True, slots=True)
class Inconsistency:
    """A contradiction within the report, or between the report and its data or software.

    Attributes:
        title: Subject.
        says: Statement of the report, with its sections.
        so: The facts, and their evidence.
        matters: Consequence.
    """

    title: str
    says: str
    so: str
    matters: str


INCONSISTENCIES: Final = (
    Inconsistency(
        "Validation on the test images",
        "Three generators are made, one for validation (section 2.3); training is then fitted on 'the training and testing "
        "generators' with 20 steps for testing (section 3.3).",
        "20 batches of 32 are the 624 test images (19.5 batches, rounded up). The kept weights, the learning rates and the "
        "last epoch were all selected on them, and the 16 validation images were not used.",
        "The test figures are the best of several evaluations on the same images and therefore optimistic.",
    ),
    Inconsistency(
        "mode='max' on a loss",
        "ReduceLROnPlateau monitors val_loss with mode 'max', so that 'learning rate would be reduced when the validation "
        "accuracy has stopped increasing' (section 3.3).",
        "The loss is monitored, not the accuracy, and with mode 'max' an increase counts as an improvement. The learning "
        "rate falls while the loss falls.",
        "The learning rate falls when training progresses well, which may end it early.",
    ),
    Inconsistency(
        "Number of images",
        "5,863 images (section 2); counts that add up to 5,869, with 1,354 NORMAL training images (section 2.2).",
        "The public data set holds 5,856, with 1,341 NORMAL training images. 5,863 is the number on its web page.",
        "The copy used for training had 13 more NORMAL files than the public one, and it is not known which.",
    ),
    Inconsistency(
        "Steps of an epoch",
        "5,229 images by batches of 32 are 163 steps, which 'ensures that the full dataset would be used' (section 3.3).",
        "163 × 32 = 5,216: 13 images fewer than 5,229, and exactly the public data set's training images.",
        "An epoch leaves 13 images out, which changes little.",
    ),
    Inconsistency(
        "VGG16's classification table",
        "Accuracy .92 and weighted F1 .92, with the classes' rows as printed (section 4, Figure 7).",
        "None of the 235 × 391 possible 2x2 tables of 234 and 390 images gives its 13 figures. Two give 12 (189 NORMAL "
        "and 382 or 383 PNEUMONIA correct), and their weighted F1 is .91. The other three tables are each possible.",
        "One printed figure is wrong by .01; it changes no conclusion.",
    ),
    Inconsistency(
        "'Around 90 %' for all four",
        "The accuracy with generated images was around 90 %, 'the same result' as without (section 5); all four achieved "
        "around 90 % (section 6).",
        "The tables say .90, .92, .88 and .89 (Figures 5, 7, 9 and 11).",
        "With this rounding, four models look alike and the decrease with generated images disappears.",
    ),
    Inconsistency(
        "An increase of .02 and a decrease of .03",
        "VGG16 'is performing slightly better' at .92 than the baseline at .90 (section 4); .88 and .89 with generated "
        "images are 'the same result' (section 5).",
        "With generated images the baseline decreases by .02 and VGG16 by .03, as much as that increase or more. Recall of "
        "NORMAL decreases from .77 and .81 to .74.",
        "Differences of the same size are interpreted in two ways, without a test. On 624 images each, unpaired, none is "
        "significant at .05; the more powerful paired tests need each image's prediction.",
    ),
    Inconsistency(
        "The loss with generated images",
        "'The loss function was also around the same range' (section 5).",
        "Only one loss is given, .29, for the baseline on the original images (section 3.5).",
        "The statement cannot be checked.",
    ),
    Inconsistency(
        "Two accuracies of the same images",
        "VGG16's validation accuracy 'gets close to 90%' (section 4, Figure 6); its test accuracy is .92 (Figure 7).",
        "Both are measured on the 624 test images. If the kept weights were tested, their epoch has .92 in Figure 6 too.",
        "Two evaluations on the same images are not independent, and neither is on unseen images.",
    ),
    Inconsistency(
        "Zoom of '0.3 percent'",
        "zoom_range 0.3 'zooms the images to the ratio of 0.3 percent' (section 2.3).",
        "In Keras it draws factors from 0.7 to 1.3 for each axis: up to 30 %.",
        "Augmentation was a hundred times stronger than stated.",
    ),
    Inconsistency(
        "VGG16's output",
        "The output layer 'will predict the probability for two classes' (section 4).",
        "9,046,017 trainable parameters are those of one output; with two there would be 9,046,274.",
        "The output is one probability, that of PNEUMONIA, as in the baseline.",
    ),
)
"""Each was verified: counts by adding, tables by enumerating every 2x2 table, parameters by the layers' sizes."""


@dataclass(frozen=True, slots=True)
class PublishedResult:
    """A published result on the same data set. Rates are in percent, or None if not given.

    Attributes:
        source: Authors and year.
        decimals: Printed decimals.
        comparable: Whether it was measured on the official 624 test images.
        selected_on: Images that epoch or model were selected on: ``validation``, ``test``, or ``not stated``.
        note: Caveat.
    """

    source: str
    url: str
    model: str
    accuracy: float | None = None
    sensitivity: float | None = None
    specificity: float | None = None
    auroc: float | None = None
    decimals: int = 1
    comparable: bool = True
    selected_on: str = "not stated"
    note: str = ""


_KERMANY: Final = ("Kermany et al. 2018", "https://doi.org/10.1016/j.cell.2018.02.010")
_MEDMNIST: Final = ("MedMNIST v2 (Yang et al. 2023)", "https://doi.org/10.1038/s41597-022-01721-8")
_MEDMNIST_PLUS: Final = ("MedMNIST+ (Doerrich et al. 2024)", "https://arxiv.org/abs/2404.15786")
_MEDVIT: Final = ("MedViTV2 (Manzari et al. 2025)", "https://arxiv.org/abs/2502.13693")
_BEST_ON_TEST: Final = (
    "Its public script (main.py, train_mnist) evaluates the test images after each of 100 epochs and keeps the best epoch. The "
    "report chose its epoch in the same way, so compare it with the report."
)
_LAST_EPOCH: Final = "Its public script finds the epoch with the best validation AUROC, but keeps the last one."
_KERAS: Final = ("Keras example", "https://keras.io/examples/vision/xray_classification_with_tpus/")
_TRIVEDI: Final = ("Trivedi and Gupta 2021", "https://doi.org/10.1007/s11042-021-11807-x")
_PARTS: Final = "The paper does not name its split. Its figures fit the official one: 588 of 624 images."
_COMBINED: Final = "Not comparable: the paper measures 'combined' on more than the test images."

PUBLISHED: Final = (
    PublishedResult(
        *_KERMANY, "InceptionV3", 92.8, 93.2, 90.1, 96.8, note="No table of 624 images gives these three rates."
    ),
    PublishedResult(*_MEDMNIST, "ResNet-18, 28 px", 85.4, auroc=94.4, selected_on="validation", note=_LAST_EPOCH),
    PublishedResult(*_MEDMNIST, "ResNet-18, 224 px", 86.4, auroc=95.6, selected_on="validation", note=_LAST_EPOCH),
    PublishedResult(*_MEDMNIST, "ResNet-50, 28 px", 85.4, auroc=94.8, selected_on="validation", note=_LAST_EPOCH),
    PublishedResult(*_MEDMNIST, "ResNet-50, 224 px", 88.4, auroc=96.2, selected_on="validation", note=_LAST_EPOCH),
    PublishedResult(*_MEDMNIST, "auto-sklearn", 85.5, auroc=94.2),
    PublishedResult(*_MEDMNIST, "AutoKeras", 87.8, auroc=94.7),
    PublishedResult(*_MEDMNIST, "Google AutoML Vision", 94.6, auroc=99.1),
    PublishedResult(*_MEDMNIST_PLUS, "VGG16, end to end, 224 px", 87.4, auroc=98.5, selected_on="validation"),
    PublishedResult(*_MEDMNIST_PLUS, "ResNet-18, end to end, 224 px", 91.1, auroc=98.0, selected_on="validation"),
    PublishedResult(*_MEDMNIST_PLUS, "DINO, linear probe, 224 px", 91.6, auroc=98.9, selected_on="validation"),
    *(
        PublishedResult(*_MEDVIT, f"{size}, 224 px", accuracy, selected_on="test", note=_BEST_ON_TEST)
        for size, accuracy in (("tiny", 95.1), ("small", 96.5), ("base", 96.9), ("large", 97.3))
    ),
    PublishedResult(
        *_KERAS, "separable CNN", 83, decimals=0, selected_on="validation", note="This is a tutorial, not a study."
    ),
    PublishedResult(*_TRIVEDI, "MobileNet, 'testing accuracy'", 94.23, decimals=2, note=_PARTS),
    PublishedResult(*_TRIVEDI, "MobileNet, 'combined'", 97.09, decimals=2, comparable=False, note=_COMBINED),
)
"""Results on the official test images, and one that is not. Any accuracy on them is k/624, and always predicting PNEUMONIA
gives 62.5 %. Figures of 96 to 99 % in the literature almost always come from a new random split, with files of one source and
often of one patient on both sides; they are not comparable."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A published finding on the report's question in one sentence, with its authors and year."""

    source: str
    url: str
    words: str


FINDINGS: Final = (
    Finding(
        "Schaudt et al. 2023", "https://doi.org/10.3390/bioengineering10121421", "Better images, little gain overall."
    ),
    Finding("arXiv:2304.09067", "https://arxiv.org/abs/2304.09067", "Worse than classical augmentation."),
    Finding(
        "Pink and Sykes 2026, PMLR 318",
        "https://proceedings.mlr.press/v318/",
        "Synthetic images were no better than as many duplicated real images, and high ratios were harmful.",
    ),
    Finding(
        "Dar et al. 2024",
        "https://arxiv.org/abs/2402.01054",
        "Generators memorize training images, so samples must be compared with the nearest real ones.",
    ),
    Finding(
        "Xin et al. 2021",
        "https://doi.org/10.1007/s10140-021-01954-x",
        "A ResNet-50 trained on this data set had an AUROC of .95 on it and .54 on children of another source (NIH).",
    ),
)
"""On the benefit of generated images, their memorization, and the generalization of models of this data set."""
