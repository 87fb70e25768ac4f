"""The commands that use a finished classifier: ``python -m pneumo_core evaluate|predict``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pneumo_core.cli.command import Json, RunOrUsual, group, index_of, named, or_recommended
from pneumo_core.cli.tables import print_tables
from pneumo_core.cli.terminal import note, print_result, progress_line, say_prose
from pneumo_core.errors import StoreError
from pneumo_core.evaluation.plain import encode
from pneumo_core.evaluation.wording import STRESS_NOTE, score_text
from pneumo_core.records import Label, NotApplicable, Split
from pneumo_core.reporting.case_table import CaseRow, case_table
from pneumo_core.reporting.document import Table, table_csv
from pneumo_core.runs.files import require_writable, write_atomic
from pneumo_core.runs.store import find_run

evaluate_app = group("")


@evaluate_app.command()
def evaluate(
    run: RunOrUsual = None,
    split: Annotated[Split, typer.Option(help="Part of the data set.")] = Split.TEST,
    data: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Other images to predict and evaluate; default: stored predictions."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Evaluate a finished run from its stored predictions.

    With --data, on the images of another data set.
    """
    from pneumo_core.inference.evaluate import evaluate_run, trained_on  # noqa: PLC0415
    from pneumo_core.inference.evidence import read_report  # noqa: PLC0415
    from pneumo_core.reporting.evaluation_tables import copies_words, rates_on_test, without_stress  # noqa: PLC0415

    found = find_run(or_recommended(run))
    index, taken = index_of(data) if data else (None, "")
    result = evaluate_run(found, split, index)
    seen = trained_on(found, index, split) if index else 0
    if as_json:
        print_result(result | ({"trained_on": encode(seen)} if index else {}), as_json=True)
    else:
        say_prose(f"{named(found.run_id, run)}; threshold {score_text(result['operating_point']['threshold'])}\n")
        print_tables(*_tables(result, split))
    if taken:
        note(taken)
    if isinstance(seen, NotApplicable):
        note(f"whether these images trained the run is not known: {seen.reason}")
    elif index is not None:
        of = f"of the {result['splits'][split.value]['n']:,} images trained the run"
        note(f"{seen:,} {of}, so that the figures are optimistic" if seen else f"none {of}")
    if split is Split.VAL and data is None:
        beside = rates_on_test(read_report(found))
        note(f"figures on val are optimistic, epoch and threshold were selected there; {beside}")
        if words := without_stress(read_report(found)):
            note(words)
    if split is Split.STRESS:
        note(
            f"{copies_words(read_report(found))}. {STRESS_NOTE} At the same threshold, {rates_on_test(read_report(found))}"
        )


def _tables(result: dict[str, Any], split: Split) -> tuple[Table, ...]:
    """The tables of the Evaluate page."""
    from pneumo_core.evaluation.metrics import classification_table  # noqa: PLC0415
    from pneumo_core.evaluation.report import report_from_dict  # noqa: PLC0415
    from pneumo_core.reporting import evaluation_tables  # noqa: PLC0415

    report = report_from_dict(result)
    counts = report.splits[split].confusion
    is_weighted = split is Split.VAL and not isinstance(report.softer, NotApplicable)
    softer = (evaluation_tables.softer_figures(report),) if is_weighted else ()
    here = f"on split {evaluation_tables.place(report, split)}"
    return (
        evaluation_tables.figures(report, split),
        *softer,
        evaluation_tables.operating_point(report, split),
        evaluation_tables.confusion(counts, f"Confusion matrix {here}"),
        evaluation_tables.classification(classification_table(counts), f"Classification table {here}"),
    )


@evaluate_app.command()
def predict(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH", help="Image files, folders of them or ZIP archives: PNG, JPEG, WebP, TIFF, BMP, DICOM."
        ),
    ],
    run: Annotated[
        str | None,
        typer.Option(
            metavar="RUN", help="Finished run that predicts, or its beginning; default: the recommended classifier."
        ),
    ] = None,
    heatmaps: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder to write Grad-CAM overlays to.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="CSV file to write the answers to, in full precision.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Classify X-rays. Not a medical device.

    For research and education only. A gate looks at each image first: an upright, whole, frontal chest X-ray is answered with
    NORMAL or PNEUMONIA, with a warning in doubt; anything else is refused with the reason and what to do.
    """
    from pneumo_core.inference.files import predict_files  # noqa: PLC0415

    found = find_run(or_recommended(run))
    if csv is not None:  # Before the work whose answers are for it.
        if csv.is_dir():
            raise StoreError(f"--csv must name a file. Received: csv={str(csv)!r}, a folder")
        require_writable(csv.parent, "the folder of --csv")
    left_out: list[str] = []
    with progress_line("predicting") as progress:
        results = predict_files(found, paths, heatmaps=heatmaps, progress=progress, say=left_out.append)
    for words in left_out:
        note(words)
    table = case_table(named(found.run_id, run), [_row(found.run_id, result) for result in results])
    if as_json:
        print_result({"run_id": found.run_id, "results": results}, as_json=True)
    else:
        print_tables(table)
    if csv is not None:
        # A name that is no Unicode is written as the bytes that it is.
        write_atomic(csv, table_csv(table).encode(errors="surrogateescape"))


def _row(run_id: str, result: dict[str, Any]) -> CaseRow:
    """The row of a result of `predict_files`."""
    calibrated = result["calibrated_probability"]
    return CaseRow(
        file=result["path"],
        run_id=run_id,
        label=Label[result["label"]] if result["label"] else None,
        calibrated=NotApplicable(result["calibration"]) if calibrated is None else calibrated,
        **{
            name: result[name]
            for name in ("status", "code", "reason", "advice", "probability", "threshold", "calibration")
        },
    )
