"""The commands that compare runs and write reports: ``python -m pneumo_core compare|report``."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pneumo_core.cli.command import Json, group
from pneumo_core.cli.tables import print_tables
from pneumo_core.cli.terminal import print_result, progress_line, say, say_prose
from pneumo_core.errors import RunError
from pneumo_core.records import Split
from pneumo_core.runs.files import require_writable, write_atomic
from pneumo_core.runs.store import complete_id

if TYPE_CHECKING:
    from pneumo_core.evaluation.comparison import Comparison

compare_app = group("")

_Split = Annotated[Split, typer.Option(help="Part of the data set.")]


@compare_app.command("compare")
def compare(
    a: Annotated[
        str,
        typer.Argument(
            metavar="RUN_A", help="Run id or its beginning, or several with commas that differ only in their seed."
        ),
    ],
    b: Annotated[str, typer.Argument(metavar="RUN_B", help="Likewise. Differences are B minus A.")],
    split: _Split = Split.TEST,
    as_json: Json = False,
) -> None:
    """Compare two runs, or two groups of runs over seeds.

    The statistics are paired, and a verdict sums them up.
    """
    from pneumo_core.documents import comparison_record  # noqa: PLC0415
    from pneumo_core.inference.compared import compare_runs  # noqa: PLC0415

    comparison = compare_runs(_side(a), _side(b), split=split)
    if as_json:
        print_result(comparison_record(comparison), as_json=True)
        return
    _print_words(comparison)


def _side(text: str) -> list[str]:
    from pneumo_core.inference.compared import side_ids  # noqa: PLC0415

    return list(dict.fromkeys(map(complete_id, side_ids(text))))


def _print_words(comparison: "Comparison") -> None:
    """What the Compare page shows, by its tables."""
    from pneumo_core.reporting import comparison_tables  # noqa: PLC0415

    several = len(comparison.a.run_ids) > 1 or len(comparison.b.run_ids) > 1
    warning = [f"warning: {comparison.contrast.warning}"] if comparison.contrast.warning else []
    verdict = comparison.verdict
    say_prose("\n".join([*warning, f"verdict: {verdict.sentence}", *verdict.notes, ""]))
    print_tables(
        comparison_tables.sides(comparison),
        comparison_tables.figures(comparison),
        comparison_tables.confusions(comparison),
        *([comparison_tables.seeds(comparison)] if several else []),
        comparison_tables.agreement(comparison),
        comparison_tables.areas(comparison),
    )
    say_prose(f"\n{comparison.methods}")


@compare_app.command("report")
def report(
    sides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN",
            help="One run: its model card and checklist. Two, as for 'compare': their comparison. More, in pairs: a study. "
            "None: a study that compares all runs on original data with those on balanced data.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder to write to.")] = Path("report"),
    split: _Split = Split.TEST,
    app_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Address of the app, for links to its pages; without it there are none."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write documents of a run, a comparison or a study.

    HTML, PDF, JSON, CSV and figures, with model cards and a CLAIM checklist.
    """
    from pneumo_core.documents import comparison_files, run_files  # noqa: PLC0415
    from pneumo_core.inference.compared import balanced_pairs, groups  # noqa: PLC0415

    chosen = [_side(side) for side in sides or ()] or [
        list(side.run_ids) for pair in balanced_pairs(groups()) for side in pair
    ]
    if not chosen:
        raise RunError(
            "a report without arguments compares runs on original data with runs on balanced data. Received: no such "
            "runs; name a run, or train with --balance"
        )
    require_writable(out, "the folder for the report")
    with progress_line("writing") as progress:
        if len(chosen) == 1 and len(chosen[0]) == 1:
            made = run_files(chosen[0][0], app_url=app_url, progress=progress)
        elif len(chosen) % 2:
            raise RunError(
                f"a report requires one run, or sides in pairs. Received: {len(chosen)} sides; add or drop one"
            )
        else:
            pairs = list(zip(chosen[::2], chosen[1::2], strict=True))
            made = comparison_files(pairs, split, app_url=app_url, progress=progress)
        for number, (name, content) in enumerate(made.items(), start=1):
            write_atomic(out / name, content)
            progress(number, len(made), f"writing to {out}")
    if as_json:
        print_result({"out": str(out), "files": list(made)}, as_json=True)
        return
    folders = Counter(name.split("/")[0] for name in made if "/" in name)
    say(f"{len(made)} files in {out}:")
    for name in (name for name in made if "/" not in name):
        say(f"  {name}")
    for folder, count in folders.items():
        say(f"  {folder}/: {count} files")
