"""The commands that compare runs and write reports: ``python -m pneumo_core compare|report``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pneumo_core.cli.command import Json
from pneumo_core.cli.terminal import print_result, progress_line
from pneumo_core.errors import RunError
from pneumo_core.records import NotApplicable, Split
from pneumo_core.runs.files import write_atomic

if TYPE_CHECKING:
    from pneumo_core.evaluation.comparison import Comparison, Pair

compare_app = typer.Typer()

_Split = Annotated[Split, typer.Option(help="Part of the data set.")]


@compare_app.command("compare")
def compare(
    a: Annotated[
        str,
        typer.Argument(metavar="RUN_A", help="Run id, or comma-separated ids of runs that differ only in their seed."),
    ],
    b: Annotated[str, typer.Argument(metavar="RUN_B", help="Likewise. Differences are B minus A.")],
    split: _Split = Split.TEST,
    as_json: Json = False,
) -> None:
    """Compare two runs, or two groups of runs over seeds, with paired statistics and a verdict."""
    from pneumo_core.documents import comparison_record  # noqa: PLC0415
    from pneumo_core.inference.compared import compare_runs, side_ids  # noqa: PLC0415

    comparison = compare_runs(side_ids(a), side_ids(b), split=split)
    if as_json:
        print_result(comparison_record(comparison), as_json=True)
        return
    print_result(_summary(comparison), as_json=False)


def _summary(comparison: "Comparison") -> dict[str, Any]:
    from pneumo_core.evaluation.significance import larger_p  # noqa: PLC0415
    from pneumo_core.evaluation.verdict import figure_p  # noqa: PLC0415
    from pneumo_core.evaluation.wording import NAMES, difference_text, estimate_text, or_reason, p_text  # noqa: PLC0415

    def test(pair: "Pair") -> dict[str, Any]:
        calls, ranks = pair.mcnemar, pair.delong
        if isinstance(calls, NotApplicable):
            result = or_reason(calls)
        else:
            n = calls.both_right + calls.only_a + calls.only_b + calls.both_wrong
            result = (
                f"{p_text(larger_p(calls))}, n = {n:,}: both right {calls.both_right:,}, only A {calls.only_a:,}, "
                f"only B {calls.only_b:,}, both wrong {calls.both_wrong:,}"
            )
        areas = or_reason(ranks) if isinstance(ranks, NotApplicable) else p_text(larger_p(ranks))
        return {"A": pair.a, "B": pair.b, "McNemar": result, "DeLong": areas}

    a, b = comparison.a, comparison.b
    warning = {"warning": comparison.contrast.warning} if comparison.contrast.warning else {}
    return {
        **warning,
        "verdict": comparison.verdict.sentence,
        "notes": list(comparison.verdict.notes),
        "A": f"{a.name}: {', '.join(a.run_ids)}, n = {a.n:,} images of {a.n_patients:,} patients",
        "B": f"{b.name}: {', '.join(b.run_ids)}, n = {b.n:,} images of {b.n_patients:,} patients",
        "figures": {
            NAMES[
                metric
            ]: f"A {estimate_text(metric, a.figures[metric])}, B {estimate_text(metric, b.figures[metric])}, "
            f"B \N{MINUS SIGN} A {difference_text(metric, difference.estimate)}, {p_text(figure_p(comparison, metric))}"
            for metric, difference in comparison.differences.items()
        },
        "pairs": list(map(test, comparison.pairs)),
        "methods": comparison.methods,
    }


@compare_app.command("report")
def report(
    sides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN | RUN_A RUN_B ...]",
            help="One run: its model card and checklist. Two, as for 'compare': their comparison. More, in pairs: a study. "
            "None: a study that compares all runs on original data with those on balanced data.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("report"),
    split: _Split = Split.TEST,
    as_json: Json = False,
) -> None:
    """Write HTML, PDF, JSON, CSV and figures of a run, a comparison or a study, with model cards and a CLAIM checklist."""
    from pneumo_core.documents import compared, comparison_files, run_files, study_files  # noqa: PLC0415
    from pneumo_core.inference.compared import balanced_pairs, groups, side_ids  # noqa: PLC0415

    chosen = [side_ids(side) for side in sides or ()] or [
        side.run_ids for pair in balanced_pairs(groups()) for side in pair
    ]
    if not chosen:
        raise RunError(
            "a report without arguments compares runs on original data with runs on balanced data. Received: no such "
            "runs; name a run, or train with --balance"
        )
    with progress_line("writing") as progress:
        if len(chosen) == 1 and len(chosen[0]) == 1:
            made = run_files(chosen[0][0])
        elif len(chosen) % 2:
            raise RunError(
                f"a report requires one run, or sides in pairs. Received: {len(chosen)} sides; add or drop one"
            )
        else:
            several = [compared(chosen[place], chosen[place + 1], split) for place in range(0, len(chosen), 2)]
            made = comparison_files(several[0]) if len(several) == 1 else study_files(several)
        for number, (name, content) in enumerate(made.items(), start=1):
            write_atomic(out / name, content)
            progress(number, len(made))
    print_result({"out": str(out), "files": list(made)}, as_json=as_json)
