"""Notes on the choices in the form of a new run, for the connected data."""

from dataclasses import replace

from pneumo_core.config.classifier import Balance, Preset, TrainConfig, Validation
from pneumo_core.config.presets import preset_config
from pneumo_core.data.index import DataIndex
from pneumo_core.data.splits import assign
from pneumo_core.evaluation.wording import duration, duration_range, percent, percent_text, score_text
from pneumo_core.jobs.speed import Span
from pneumo_core.records import Architecture, Label, Split
from pneumo_core.reference import EXPECTED


def span_words(span: Span) -> str:
    """A range of time: ``40 s to 6 min``, ``2 to 6 min``, ``up to 3 min``; about one time if both ends are written alike."""
    return duration_range(span.low_s, span.high_s)


def expected(architecture: Architecture, preset: Preset, index: DataIndex) -> str:
    """Result and duration of a preset in a run on X-rays; empty for phantoms, or without such a run."""
    known = EXPECTED.get((architecture, preset))
    if known is None or index.is_phantom:
        return ""
    selected = ", selected on test" if preset_config(architecture, preset).selected_on_test else ""
    return (
        f"Measured on {known.accuracy.n:,} test images{selected}: accuracy {percent_text(known.accuracy)}, AUROC "
        f"{score_text(known.auroc)}, after {known.epochs} epochs in "
        f"{duration(known.duration_s)} on {known.machine}."
    )


def balance_note(arm: Balance, config: TrainConfig, index: DataIndex, gap_percent: int = 100) -> str:
    """Effect of a balancing arm on these data: exact if the training images are known before the seed is chosen."""
    counts = {label: index.counts()[Split.TRAIN, label] for label in Label}
    about = ""
    if config.named_split is not None:
        labels = index.table["label"].to_numpy()[assign(index.table, replace(config, max_images=None)).train]
        counts = {label: int((labels == label.value).sum()) for label in Label}
    elif config.validation is Validation.PATIENTS:
        folds = max(2, round(1 / config.val_fraction))  # As `data.splits` holds patients out.
        counts, about = {label: round(count * (1 - 1 / folds)) for label, count in counts.items()}, "about "
    total = sum(counts.values())
    if config.max_images is not None and total > config.max_images:
        counts = {label: int(count * config.max_images / total) for label, count in counts.items()}
    few, many = sorted(counts, key=counts.__getitem__)
    missing = f"{about}{round((counts[many] - counts[few]) * gap_percent / 100):,}"
    aim = (
        "so that both classes have equally many"
        if gap_percent == 100
        else f"which closes {percent(gap_percent / 100, 0)} of the gap"
    )
    weights = {label: sum(counts.values()) / (2 * max(1, count)) for label, count in counts.items()}
    return {
        Balance.NONE: f"As they are: {about}{counts[few]:,} images of {few.name} and {counts[many]:,} of {many.name}.",
        Balance.CLASS_WEIGHT: f"Adds no image: in the loss one of {few.name} counts {about}{weights[few]:.2f} and one of "
        f"{many.name} {weights[many]:.2f}.",
        Balance.OVERSAMPLE: f"Adds {missing} repeated {few.name} images, {aim}.",
        Balance.CLASSICAL: f"Adds {missing} {few.name} images, copies augmented once by the setting 'sound', {aim}.",
        Balance.GAN: f"Adds {missing} synthetic {few.name} images, samples of a DCGAN, {aim}.",
    }[arm]
