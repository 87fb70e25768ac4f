"""How a published model does on X-rays of another hospital, as `python -m benchmarks.external` measured and stored it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pneumo_core.errors import CorruptError, DataError
from pneumo_core.evaluation.plain import decode, encode
from pneumo_core.evaluation.wording import estimate_text
from pneumo_core.records import Estimate, Metric, NotApplicable
from pneumo_core.runs import store
from pneumo_core.runs.files import is_there, read_json, write_json

SCHEMA: Final = 1
"""Increased whenever the stored fields or their meaning change."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A public collection of labeled X-rays from another hospital.

    Attributes:
        name: Name, for people.
        patients: Whom the X-rays show, and where they were made.
        labels: Who labeled them, and what counts as PNEUMONIA.
        source: Where the images were read, with its commit.
        date: Of that commit, ISO.
        url: Address of the source.
        reference: Address of the paper about the labels.
        license: As stated there.
        notes: What is to be known of the images, in sentences.
    """

    name: str
    patients: str
    labels: str
    source: str
    date: str
    url: str
    reference: str
    license: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExternalResult:
    """A model's figures on the collection, over the images that the gate does not refuse, at the run's own threshold.

    The collection names no patients, so that intervals treat its images as independent; they are rather too narrow.

    Attributes:
        model_sha256: Hash of the model that was measured.
        measured_on: Day of the measurement, ISO.
        threshold: The run's decision threshold, a probability.
        n_normal: Images of class NORMAL that were answered.
        n_pneumonia: Images of class PNEUMONIA that were answered.
        warned: How many of the answered images came with a warning.
        refused: Images that were refused, and count in no figure.
        copies: Images that were left out as copies of the data set's own.
    """

    run_id: str
    model_sha256: str
    measured_on: str
    threshold: float
    n_normal: int
    n_pneumonia: int
    warned: int
    refused: int
    copies: int
    auroc: Estimate | NotApplicable
    accuracy: Estimate | NotApplicable
    sensitivity: Estimate | NotApplicable
    specificity: Estimate | NotApplicable

    @property
    def figures(self) -> dict[Metric, Estimate | NotApplicable]:
        """The metrics among the fields."""
        return {
            metric: getattr(self, metric.value)
            for metric in (Metric.AUROC, Metric.ACCURACY, Metric.SENSITIVITY, Metric.SPECIFICITY)
        }


@dataclass(frozen=True, slots=True)
class External:
    """The stored file: the collection, and one result a model."""

    schema: int
    collection: Collection
    results: tuple[ExternalResult, ...]


def read_external() -> External | NotApplicable:
    """All stored results, or why there are none.

    Raises:
        CorruptError: The file is damaged.
        StoreError: It cannot be read.
    """
    path = _path()
    if not is_there(path):
        return NotApplicable("no model was measured on X-rays of another hospital")
    try:
        found: External = decode(External, read_json(path), "external")
    except DataError as error:
        raise CorruptError(
            f"external.json must hold results on another hospital's X-rays. Received: {error}"
        ) from error
    return found


def external_result(run_id: str) -> tuple[Collection, ExternalResult] | NotApplicable:
    """The result of a published run's model, with the collection, or why there is none.

    Raises:
        CorruptError: The file, or the run's manifest, is damaged.
        StoreError: It cannot be read.
    """
    found = read_external()
    if isinstance(found, NotApplicable):
        return found
    shipped = store.published_run(run_id)
    model = store.read_manifest(shipped)["files"].get(shipped.model.name) if is_there(shipped.manifest) else None
    for result in found.results:
        if (result.run_id, result.model_sha256) == (run_id, model):
            return found.collection, result
    return NotApplicable("this model was not measured on X-rays of another hospital")


def store_external(collection: Collection, result: ExternalResult) -> None:
    """Store a result beside the published runs, in place of the run's earlier one and of results on other collections.

    Raises:
        CorruptError: The file that is there is damaged.
        StoreError: It cannot be written.
    """
    before = read_external()
    others: tuple[ExternalResult, ...] = ()
    if not isinstance(before, NotApplicable) and before.collection == collection:
        others = tuple(one for one in before.results if one.run_id != result.run_id)
    results = tuple(sorted((*others, result), key=lambda one: one.run_id))
    write_json(_path(), encode(External(SCHEMA, collection, results)))


def described(collection: Collection, result: ExternalResult) -> str:
    """A result in one sentence, for people: the AUROC with its interval and n, source and date."""
    return (
        f"On {result.n_normal + result.n_pneumonia:,} X-rays of another hospital ({collection.name}: {collection.patients}), "
        f"{result.n_pneumonia:,} of them with {collection.labels}, this model has an AUROC of "
        f"{estimate_text(Metric.AUROC, result.auroc)}, and at its threshold a sensitivity of "
        f"{estimate_text(Metric.SENSITIVITY, result.sensitivity)} and a specificity of "
        f"{estimate_text(Metric.SPECIFICITY, result.specificity)} (measured {result.measured_on})."
    )


def _path() -> Path:
    return store.published_root() / "external.json"
