"""Measures of a DCGAN's samples, each beside the value of real images against each other."""

import streamlit as st

from pages.ui.cached import of_runs
from pages.ui.gan.runs import is_finished
from pages.ui.pictures import plain
from pages.ui.table import download, text_frame
from pneumo_core.evaluation.generator.measures import FeatureMeasures
from pneumo_core.evaluation.wording import percent_text, unbroken
from pneumo_core.inference.gan_record import SCHEMA, GanMeasures, read_measures
from pneumo_core.records import Estimate, NotApplicable
from pneumo_core.reporting.document import table_csv
from pneumo_core.reporting.file_names import file_name, run_words
from pneumo_core.reporting.gan_tables import measures_table
from pneumo_core.runs.store import RunDirectory, find_run, verified_file
from pneumo_core.runs.submission import gan_run_config

_OLDER = {
    1: "whose floors are of ten halves: another ten would give quite different ratios",
    2: "which kept of the real images' distances only some quantiles",
}
"""What each older schema of the measures lacks."""

_READING = (
    "KID, FID, precision and recall are measured in it; values in another feature space, such as a paper's, are not comparable "
    "with these.\n\n"
    "In brackets: 95 % intervals. A floor or ceiling is what real images reach: one random half of the patients against the "
    "other, as the mean and the middle 95 % of many halves. Rows 'at equal numbers' compare samples with such halves, with "
    "intervals over the halves. A ratio is to the upper end of the floor: at most 1 if generated images differ no more "
    "than real ones. Its interval is that of the measured value alone."
)


def measures_panel(run: RunDirectory) -> None:
    """All measures as a table, the classifier's predictions, and downloads."""
    measures = finished_measures(run)
    if measures is None:
        return
    report = measures.report
    if measures.schema < SCHEMA:
        st.warning(
            f"Measured by an older version, {_OLDER[measures.schema]}. `python -m pneumo_core runs refresh {run.run_id}` "
            "measures again."
        )
    space = _space(report.features)
    st.caption(
        f"{report.n_generated:,} generated images (seed {measures.sample_seed}) against the {report.n_real:,} training images "
        f"of {report.n_patients:,} patients, {report.image_size} × {report.image_size} pixels. Test images are not used."
    )
    collapse = report.collapse
    verdict = "passes" if collapse.passes else "fails"
    said = plain(unbroken(f"The check for collapse {verdict}: {collapse.reason}."))
    (st.success if collapse.passes else st.error)(said)
    table = measures_table(run.run_id, report, measures.real_called_pneumonia)
    texts = text_frame(table).map(lambda text: plain(unbroken(text)))
    meaning = texts.columns[-1]
    st.table(texts.drop(columns=meaning), hide_index=True, alt=f"{table.caption}; feature space {space}")
    with st.expander("How to read this table"):
        st.markdown(f"Feature space: **{plain(space)}**. {_READING}")
        st.markdown(
            "\n".join(f"- **{name}**: {words}" for name, words in zip(texts["measure"], texts[meaning], strict=True))
        )
        _classifier(measures)
    with st.expander("Methods and downloads"):
        st.markdown(plain(report.methods))
        with st.container(horizontal=True):
            words = ("gan", *run_words(gan_run_config(run)), "measures")
            download("Measures (CSV)", table_csv(table), file_name(*words, kind="csv"))
            download("Measures (JSON)", verified_file(run, run.measures), file_name(*words, kind="json"))


def finished_measures(run: RunDirectory) -> GanMeasures | None:
    """A DCGAN's measures, read once; None, with the reason on the page, if it has not finished.

    Raises:
        CorruptError: They are not what was written.
    """
    return read_once(run.run_id) if is_finished(run, "Measuring samples") else None


@of_runs(st.cache_resource, max_entries=4, show_spinner=False)
def read_once(run_id: str) -> GanMeasures:
    """A finished DCGAN's measures.

    Raises:
        CorruptError: They are not what was written.
    """
    return read_measures(find_run(run_id))


def _space(features: FeatureMeasures | NotApplicable) -> str:
    return f"none, because {features.reason}" if isinstance(features, NotApplicable) else features.space


def _classifier(measures: GanMeasures) -> None:
    ours, theirs = measures.report.called_pneumonia, measures.real_called_pneumonia
    if isinstance(ours, NotApplicable):
        st.info(plain(f"Not applicable: {ours.reason}."))
        st.page_link("pages/train.py", label="Train a classifier")
        return
    label = gan_run_config(find_run(measures.run_id)).label.name
    st.markdown(
        unbroken(
            f"The classifier {measures.classifier} predicts PNEUMONIA for **{percent_text(ours)}** of {ours.n:,} generated "
            f"images and for **{percent_text(theirs)}** of the real images"
            + (f" (n = {theirs.n:,})" if isinstance(theirs, Estimate) else "")
            + f" at the same size. All are of class {label}. The real images may have trained the classifier."
        )
    )
    st.page_link("pages/evaluate.py", label="Evaluate that classifier", query_params={"run": measures.classifier})
