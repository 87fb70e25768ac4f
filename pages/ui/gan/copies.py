"""Memorization of a DCGAN: distances of its samples to its training images, and the nearest pairs."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from pages.ui.cached import loaded_generator
from pages.ui.charts import SYNTHETIC, laid_out, vertical
from pages.ui.components import chart, choice
from pages.ui.gan.measures import finished_measures, unbroken
from pages.ui.gan.pictures import enlarged, generated_badge, real_badge, real_images
from pages.ui.pictures import plain
from pneumo_core.data.index import DataIndex
from pneumo_core.evaluation.generator.measures import GenerativeReport
from pneumo_core.evaluation.generator.memorisation import (
    Memorisation,
    cumulative,
    nearest_pairs,
    quantile_points,
)
from pneumo_core.evaluation.wording import percent, percent_text
from pneumo_core.inference.gan_measures import read_learned
from pneumo_core.inference.gan_record import GanMeasures
from pneumo_core.inference.generator import Generator, generate, latents
from pneumo_core.records import Label, NotApplicable
from pneumo_core.reporting.drawing import COLORS
from pneumo_core.reporting.gan_findings import COPIES_WORDS, Level, copies_level
from pneumo_core.reporting.gan_tables import NEARER, three_digits
from pneumo_core.reporting.glossary import TERMS
from pneumo_core.runs.store import RunDirectory
from pneumo_core.runs.submission import gan_run_config

_SPACES = ("pixels", "features")
_PAGE_SIZE = 8
_SIDE = 256
_MARK = NEARER[0].lower() + NEARER[1:].removesuffix(" are")
"""Mark of a pair: what was measured of it."""


def copies_panel(run: RunDirectory, index: DataIndex | None) -> None:
    """The share of samples that are that near to a training image, the distances, and the pairs themselves."""
    measures = finished_measures(run)
    if measures is None:
        return
    report = measures.report
    space = choice("Distances between", _SPACES, default=_SPACES[0], key="space", bind="query-params")
    found = report.memorisation_pixels if space == _SPACES[0] else report.memorisation_features
    if isinstance(found, NotApplicable):
        st.info(f"Not applicable: {found.reason}.")
        return
    _share(found)
    _distances(found, report, space, gan_run_config(run).label)
    st.header("Nearest pairs", anchor=False)
    _pairs(run, index, measures, nearest_pairs(found))


def _share(found: Memorisation) -> None:
    share, expected, level = found.share, found.expected_share, copies_level(found)
    st.markdown(f"**{NEARER}**", help=TERMS["memorization"])
    if isinstance(share, NotApplicable):
        st.info(f"Not applicable: {share.reason}.")
        return
    st.metric(NEARER, percent(share.value), label_visibility="collapsed")
    st.caption(
        unbroken(
            f"{percent_text(share)} of the generated images, 95 %, n = {share.n:,}; of the real images, {percent(expected, 0)} "
            "are as near to one of another patient."
        )
    )
    if not isinstance(level, NotApplicable):
        {Level.WORSE: st.warning, Level.AS_REAL: st.success}.get(level, st.info)(COPIES_WORDS[level])


def _distances(found: Memorisation, report: GenerativeReport, space: str, label: Label) -> None:
    if space != _SPACES[0] and not isinstance(report.features, NotApplicable):
        st.caption(
            f"Feature space: {plain(report.features.space)}. Distances in another one cannot be compared with these."
        )
    unit = (
        "root-mean-square difference of pixels in [0, 1]" if space == _SPACES[0] else "Euclidean distance of features"
    )
    known = (
        "" if found.real_distance else " Of the real images only the quantiles in the table are known, joined by lines."
    )
    chart(
        distance_figure(found, COLORS[label], unit),
        quantile_points(found),
        title=f"Distances to the nearest training image, by {space}",
        where=f"train, n = {report.n_generated:,} generated and {report.n_real:,} real images",
        caption="Of a generated image to its nearest training image, and of a training image to the nearest one of another "
        "patient, a step for each image. If the curve of the generated images lies to the left, they are nearer to the "
        "training images than real images of other patients; the dashed line is the distance below which 1 % of the real "
        f"images are.{known}",
    )


def distance_figure(found: Memorisation, color: str, unit: str) -> go.Figure:
    """Share of images that are at most so far, a step for each image, and the distance of the nearest 1 % of real ones."""
    figure = go.Figure()
    for distances, quantiles, name, line in (
        (found.distance, found.sample_quantiles, "generated images", SYNTHETIC),
        (found.real_distance, found.real_quantiles, "real images, to other patients", color),
    ):
        points = cumulative(distances)
        if points.empty:
            points = pd.DataFrame({"distance": quantiles, "share of images": found.levels})
        figure.add_scatter(
            x=points["distance"],
            y=points["share of images"],
            mode="lines",
            name=name,
            line={"color": line, "width": 2, "shape": "hv" if distances else "linear"},
            hovertemplate="%{y:.1%} are at most %{x:.4g} away",
        )
    vertical(figure, found.threshold, f"1 % of real images are nearer: {three_digits(found.threshold)}")
    figure.update_xaxes(title_text=unit, rangemode="tozero")
    figure.update_yaxes(title_text="share of images", range=[-0.02, 1.02], tickformat=".0%")
    return laid_out(figure, 320, -0.25)


def _pairs(run: RunDirectory, index: DataIndex | None, measures: GanMeasures, pairs: pd.DataFrame) -> None:
    """A page of pairs; where the data set is not connected, the samples with the names of their nearest."""
    learned, real = read_learned(run), real_images(run, index)
    pages = -(-len(pairs) // _PAGE_SIZE)
    page = st.pagination(pages, key="copies_page", bind="query-params") if pages > 1 else 1
    shown = pairs.iloc[(page - 1) * _PAGE_SIZE : page * _PAGE_SIZE]
    st.caption(
        f"Pairs {shown.index[0] + 1:,} to {shown.index[-1] + 1:,} of {len(pairs):,}, the nearest first, all "
        f"{measures.report.image_size} pixels wide and enlarged without smoothing. {int(pairs['flagged'].sum()):,} are "
        f"{_MARK}. Sample numbers are of seed {measures.sample_seed}."
    )
    samples = _drawn(loaded_generator(run.run_id), measures.sample_seed, shown["sample"].tolist())
    grid = st.grid(4, min_column_width=190, border=True)
    for sample, row in zip(samples, shown.to_dict("records"), strict=True):
        nearest = learned.iloc[row["nearest"]]
        with grid.cell():
            # Columns would stand below each other on a phone.
            with st.container(horizontal=True, wrap=False, gap="small"):
                with st.container(gap="xxsmall"):
                    generated_badge()
                    _image(sample, f"generated image, sample {row['sample']}")
                with st.container(gap="xxsmall"):
                    real_badge()
                    if real is None:
                        st.caption("not in the connected data set")
                    else:
                        _image(real[row["nearest"]], f"its nearest training image, {nearest['image_id']}")
            flag = f"  \n:red[**{_MARK}**]" if row["flagged"] else ""
            st.caption(
                unbroken(
                    f"sample {row['sample']:,} · distance {three_digits(row['distance'])}  \n{_nearness(row['quantile'])}  \n"
                    f"{plain(nearest['image_id'])}, patient {plain(nearest['patient_id'])}{flag}"
                )
            )


def _nearness(quantile: float) -> str:
    if quantile <= 0:
        return "nearer than any two real images of different patients"
    return f"about {percent(quantile)} of real images have one of another patient nearer"


def _drawn(generator: Generator, seed: int, numbers: list[int]) -> NDArray[np.uint8]:
    """The samples of these numbers, as they were when they were measured."""
    return generate(generator, np.concatenate([latents(generator.latent_dim, seed, number, 1) for number in numbers]))


def _image(image: NDArray[np.uint8], alt: str) -> None:
    st.image(enlarged(image, _SIDE), width="stretch", output_format="PNG", alt=alt)
