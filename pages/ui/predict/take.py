"""What a reader takes away: a sheet of a case, the answers of several files as CSV. Each is made on its click, in memory."""

from datetime import UTC, datetime

from pages.ui.cached import near_of
from pages.ui.predict.kept import Case, answer_of, kept
from pages.ui.predict.sides import TOGETHER
from pages.ui.table import download
from pneumo_core.evaluation.near import verdict
from pneumo_core.inference.classify import Classifier, Prediction
from pneumo_core.reporting.document import Document, table_csv
from pneumo_core.reporting.file_names import file_name


def offer_sheet(case: Case, prediction: Prediction, model: Classifier) -> None:
    """One page of a case, as HTML and as PDF."""
    if prediction.probability is None or prediction.label is None:
        return
    # A click is answered outside the script, where there is no session: what it needs is at hand here.
    words, made = verdict(prediction.probability, prediction.label, near_of(model.run_id)), kept().made

    def content() -> Document:
        from pneumo_core.sheets import sheet

        together = made.get((case.key, TOGETHER, model.run_id))
        day = datetime.now(UTC).date()
        return sheet(
            model, prediction, case.file, case.title, verdict=words, day=day, facts=prediction.facts, together=together
        )

    def html() -> bytes:
        from pneumo_core.reporting.html import to_html

        return to_html(content()).encode()

    def pdf() -> bytes:
        from pneumo_core.reporting.pdf import to_pdf

        return to_pdf(content())

    download("Sheet (PDF)", pdf, file_name("predict", case.name, kind="pdf"))
    download("Sheet (HTML)", html, file_name("predict", case.name, kind="html"))


def offer_table(model: Classifier) -> None:
    """The answers of all open files as a CSV file."""
    found = [(case.title, answer_of(model, case)) for case in kept().cases]

    def csv() -> str:
        from pneumo_core.sheets import answers

        return table_csv(answers(model, found))

    download("Answers (CSV)", csv, file_name("predict", model.run_id, "answers", kind="csv"))
