"""Networks that were trained on a data set, for the table beside what its files alone tell."""

from pages.ui.cached import report_of
from pages.ui.components import run_name
from pneumo_core.config.classifier import Balance, TrainConfig
from pneumo_core.config.ensemble import EnsembleConfig
from pneumo_core.errors import PneumoError
from pneumo_core.evaluation.wording import score_text
from pneumo_core.jobs.runs import views
from pneumo_core.records import Estimate, Metric, RunState, Split


def networks_beside(data_id: str) -> list[tuple[str, str, str]]:
    """Name, AUROC on held-out patients and on test of finished runs without added images, the best on test first."""
    rows: list[tuple[float, tuple[str, str, str]]] = []
    for view in views():
        config = view.config
        is_original = isinstance(config, EnsembleConfig) or (
            isinstance(config, TrainConfig) and config.balance in {Balance.NONE, Balance.CLASS_WEIGHT}
        )
        if view.state is not RunState.SUCCEEDED or view.data.data_id != data_id or not is_original:
            continue
        try:
            report = report_of(view.run_id)
        except PneumoError:  # Evaluate says what is damaged.
            continue
        areas = {
            split: report.splits[split].figures[Metric.AUROC]
            for split in (Split.VAL, Split.TEST)
            if split in report.splits
        }
        test = areas.get(Split.TEST)
        chosen = " (epoch chosen on it)" if report.selected_on_test else ""
        cells = [score_text(areas[split]) if split in areas else "no images" for split in (Split.VAL, Split.TEST)]
        rows.append(
            (test.value if isinstance(test, Estimate) else -1.0, (run_name(view), cells[0], f"{cells[1]}{chosen}"))
        )
    return [row for _, row in sorted(rows, key=lambda pair: -pair[0])]
