"""The networks as Train draws them, and addresses that mean nothing."""

import pytest

from pages.ui.train.architecture import architecture_figure
from pneumo_core.config.architecture import baseline_layers, compact_layers, vgg16_layers
from pneumo_core.data.index import DataIndex
from pneumo_core.records import Architecture
from tests.pages.opening import opened, texts


def test_the_networks_add_up_to_the_reports_numbers(index: DataIndex) -> None:
    page = opened("train", show="The network")
    assert page.radio(key="drawn_network").options == ["Baseline CNN", "Compact CNN", "VGG16"]
    for architecture, layers, numbers in (
        (Architecture.BASELINE, baseline_layers(), ["5,677,329", "5,676,881", "448"]),
        (Architecture.COMPACT, compact_layers(), ["976,025", "974,073", "1,952"]),
        (Architecture.VGG16, vgg16_layers(), ["23,760,705", "9,046,017", "14,714,688"]),
    ):
        page.radio(key="drawn_network").set_value(architecture).run()
        assert not page.exception
        assert [metric.value for metric in page.metric] == numbers
        table = page.dataframe[0].value
        assert len(table) == len(layers)
        assert f"{table['parameters'].sum():,}" == numbers[0]
        assert f"{table['trainable'].sum():,}" == numbers[1]


def test_frozen_layers_are_hatched_and_named() -> None:
    for layers, frozen in ((baseline_layers(), 0), (compact_layers(), 0), (vgg16_layers(), 13)):
        hatched = [bar for bar in architecture_figure(layers).data if bar.marker.pattern.shape == "/"]
        assert len(hatched) == frozen
        assert {bar.name for bar in hatched} <= {"convolution 3x3 + ReLU, frozen"}


def test_without_a_run_it_says_what_to_do(index: DataIndex) -> None:
    page = opened("train", show="Runs")
    assert "No run yet" in texts(page)


@pytest.mark.parametrize("run", ["baseline-000000000000", "../../etc", "nonsense", "<script>", "x" * 5000])
def test_an_unknown_run_in_the_address_is_one_clear_line(index: DataIndex, run: str) -> None:
    page = opened("train", run=run)
    assert not page.error
    (warning,) = page.warning
    assert f"There is no run {run[:60]!r}" in warning.value.replace("\\", "")
    assert "\n" not in warning.value
    page.button(key="instead of run").click().run()
    assert "run" not in page.query_params


@pytest.mark.parametrize(
    "query", [{"show": "nonsense"}, {"show": ["Runs", "x"]}, {"run": ["a", "b"]}, {"network": "dcgan"}, {"seed": "-1"}]
)
def test_an_address_that_means_nothing_still_opens_the_page(
    index: DataIndex, query: dict[str, str | list[str]]
) -> None:
    page = opened("train", **query)
    assert page.title[0].value == "Train"
