"""Memorization of a DCGAN: distances of its samples to its training images, and the nearest pairs."""

from pathlib import PurePosixPath
from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from pages.ui.address import check_number
from pages.ui.cached import loaded_generator
from pages.ui.charts import SYNTHETIC, laid_out, vertical
from pages.ui.components import chart, choice
from pages.ui.gan.measures import finished_measures
from pages.ui.gan.pictures import enlarged, generated_badge, real_badge, real_images
from pages.ui.pictures import plain
from pneumo_core.config.gan import GanConfig
from pneumo_core.data.index import DataIndex
from pneumo_core.evaluation.generator.measures import GenerativeReport
from pneumo_core.evaluation.generator.memorisation import (
    Memorisation,
    cumulative,
    nearest_pairs,
    quantile_points,
)
from pneumo_core.evaluation.wording import percent, percent_text, three_digits, unbroken
from pneumo_core.inference.gan_measures import read_learned
from pneumo_core.inference.gan_record import GanMeasures
from pneumo_core.inference.generator import Generator, generate, latents
from pneumo_core.records import NotApplicable
from pneumo_core.reporting.drawing import COLORS
from pneumo_core.reporting.file_names import run_words
from pneumo_core.reporting.gan_findings import COPIES_WORDS, Level, by_space, copies_level, deciding_space
from pneumo_core.reporting.gan_tables import NEARER
from pneumo_core.reporting.glossary import TERMS
from pneumo_core.runs.store import RunDirectory
from pneumo_core.runs.submission import gan_run_config

_PAGE_SIZE = 6
_SIDE = 256
_SMALL = 104  # Pixels of a sample that stands alone.
_LEAST = 228  # Pixels of a pair: its badges would be cut off in less.


def copies_panel(run: RunDirectory, index: DataIndex | None) -> None:
    """The share of samples that are that near to a training image, the pairs themselves, and all distances."""
    measures = finished_measures(run)
    if measures is None:
        return
    report = measures.report
    spaces, deciding = by_space(report), deciding_space(report)
    space = choice(
        "Compare by", list(spaces), default=deciding, label_visibility="collapsed", key="space", bind="query-params"
    )
    found = spaces[space]
    if isinstance(found, NotApplicable):
        st.info(plain(f"Not applicable: {found.reason}. Compare by pixels instead."))
        return
    _share(found, space)
    if copies_level(found) != copies_level(spaces[deciding]):
        st.caption(f"The finding above is that by {deciding}, the worse of the two.")
    _pairs(run, index, measures, nearest_pairs(found))
    with st.expander("Distances of all images"):
        _distances(found, report, space, gan_run_config(run))


def _share(found: Memorisation, space: str) -> None:
    share, expected, level = found.share, found.expected_share, copies_level(found)
    if isinstance(share, NotApplicable) or isinstance(level, NotApplicable):
        st.info("Not applicable: there are no generated images to compare. Generate some with `gan evaluate --count`.")
        return
    {Level.WORSE: st.warning, Level.AS_REAL: st.success}.get(level, st.info)(f"By {space}: {COPIES_WORDS[level]}")
    words = f"{NEARER}: **{percent_text(share)}** of the generated images, n = {share.n:,}, 95 % interval"
    st.markdown(unbroken(f"{words}; {percent(expected, 0)} of the real ones."), help=TERMS["memorization"])


def _distances(found: Memorisation, report: GenerativeReport, space: str, config: GanConfig) -> None:
    in_pixels = space == "pixels"
    if not in_pixels and not isinstance(report.features, NotApplicable):
        st.caption(
            f"Feature space: {plain(report.features.space)}. Distances in another feature space are not comparable with these."
        )
    unit = "root-mean-square difference of pixels in [0, 1]" if in_pixels else "Euclidean distance of features"
    known = (
        ""
        if found.real_distance
        else " For the real images only the quantiles in the table are known, joined by lines."
    )
    chart(
        distance_figure(found, COLORS[config.label], unit),
        quantile_points(found),
        title=f"Distances to the nearest training image, by {space}",
        where=f"train, n = {report.n_generated:,} generated and {report.n_real:,} real images",
        caption="Distance of each generated image to its nearest training image, and of each training image to the nearest one "
        "of another patient. Copies would shift the curve of the generated images to the left. The dashed line is the "
        f"distance that 1 % of the real images are below.{known}",
        of=("gan", *run_words(config)),
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
    """A page of pairs; where the training images are not there, the samples with the names of their nearest ones."""
    learned, real = read_learned(run), real_images(run, index)
    pages = -(-len(pairs) // _PAGE_SIZE)
    check_number("copies_page", 1, pages, "page of pairs")
    page = st.pagination(pages, key="copies_page", bind="query-params") if pages > 1 else 1
    shown = pairs.iloc[(page - 1) * _PAGE_SIZE : page * _PAGE_SIZE]
    flagged = int(pairs["flagged"].sum())
    which = f"**Nearest pairs** {shown.index[0] + 1:,} to {shown.index[-1] + 1:,} of {len(pairs):,}"
    red = f"the {flagged:,} in red are nearer than 99 % of real images"
    st.caption(unbroken(f"{which}; {red}. Samples of seed {measures.sample_seed}."))
    samples = _drawn(loaded_generator(run.run_id), measures.sample_seed, shown["sample"].tolist())
    grid = st.grid(3, min_column_width=_LEAST, border=True)
    for sample, row in zip(samples, shown.to_dict("records"), strict=True):
        nearest = learned.iloc[row["nearest"]]
        with grid.cell():
            # Columns would stand below each other on a phone.
            with st.container(horizontal=True, wrap=False, gap="small"):
                with st.container(gap="xxsmall"):
                    generated_badge()
                    _image(
                        sample,
                        f"generated image, sample {row['sample']}",
                        width="stretch" if real is not None else _SMALL,
                    )
                if real is not None:
                    with st.container(gap="xxsmall"):
                        real_badge()
                        _image(
                            real[row["nearest"]], f"its nearest training image, {nearest['image_id']}", width="stretch"
                        )
            nearness = _nearness(row["quantile"])
            lines = (
                f"sample {row['sample']:,} · distance {three_digits(row['distance'])}",
                f":red[**{nearness}**]" if row["flagged"] else nearness,
                f"nearest: {plain(PurePosixPath(nearest['image_id']).name)}",
            )
            st.caption(unbroken("  \n".join(lines)))


def _nearness(quantile: float) -> str:
    """How near a sample is, in shares of real images and their nearest ones of other patients."""
    return "nearer than all real images" if quantile <= 0 else f"nearer than {percent(1 - quantile)} of real images"


def _drawn(generator: Generator, seed: int, numbers: list[int]) -> NDArray[np.uint8]:
    """The samples of these numbers, as they were when they were measured."""
    return generate(generator, np.concatenate([latents(generator.latent_dim, seed, number, 1) for number in numbers]))


def _image(image: NDArray[np.uint8], alt: str, width: Literal["stretch"] | int) -> None:
    st.image(enlarged(image, _SIDE), width=width, output_format="PNG", alt=alt)
