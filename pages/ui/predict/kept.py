"""What a visitor has open on Predict, in the memory of the session alone.

Nothing here passes through Streamlit's caches, which all visitors share, and nothing is written. A new file forgets what was
there, and so does another page.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from pages.ui.pictures import bounded
from pages.ui.state import UPLOADS
from pneumo_core.data.images import Decoded, decode_gray
from pneumo_core.errors import ImageError
from pneumo_core.inference.classify import Classifier, Prediction, classify_decoded, decoded
from pneumo_core.inference.gate import Finding
from pneumo_core.inference.mend import done, mended, mended_file, mended_image
from pneumo_core.records import Label

_LONGEST_SIDE: Final = 768
"""Of a picture as it is sent: about as wide as the page shows it, and quick to blend, encode and send."""

_MOST: Final = 1_000
"""Of what is kept: predictions of a few kilobytes, of at most that many images."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Case:
    """An image that a visitor has opened.

    Attributes:
        key: What tells it from every other of the session.
        name: Of its file.
        data: The file.
        truth: Its class in the data set, if it is of one.
        origin: What it is, if it is synthetic.
        mends: What of the gate's advice was followed since, in this order.
    """

    key: str
    name: str
    data: bytes
    truth: Label | None = None
    origin: str = ""
    mends: tuple[Finding, ...] = ()

    @property
    def title(self) -> str:
        """Name of the file, and what was done to its image here."""
        return f"{self.name}, {done(self.mends)}" if self.mends else self.name

    @property
    def file(self) -> bytes:
        """The image as it is answered: its file, or a PNG file of the mended pixels."""
        return mended_file(self.data, self.name, self.mends) if self.mends else self.data


@dataclass(slots=True)
class _Kept:
    """The open cases, and what was computed of them, by case."""

    cases: list[Case] = field(default_factory=list)
    opened: str | None = None
    made: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    drops: int = 0


def kept() -> _Kept:
    """What this visitor has open."""
    if UPLOADS not in st.session_state:
        st.session_state[UPLOADS] = _Kept()
    found: _Kept = st.session_state[UPLOADS]
    return found


def open_cases(cases: Sequence[Case], problems: Sequence[str] = ()) -> None:
    """Open cases instead of those that are open, of which nothing is kept."""
    for asked in ("heat occlusion", "shortcut probes"):  # Of the image before, and slow.
        st.session_state.pop(asked, None)
    drops = kept().drops + 1
    opened = cases[0].key if len(cases) == 1 else None
    st.session_state[UPLOADS] = _Kept(list(cases), opened, {}, list(problems), drops)


def take_files(key: str, read: Callable[[str, bytes, str], tuple[list[Case], list[str]]]) -> None:
    """Open what was dropped on an uploader, and take it out of Streamlit's own memory, which would keep it.

    Args:
        key: Of the uploader. The next one has another key, so it is empty, and its next files come alone.
        read: Gives the cases in a file, with this start of their keys, and what could not be read.
    """
    # The browser may name once more what was taken out already.
    files = [file for file in st.session_state[key] if isinstance(file, UploadedFile)]
    if not files:
        return
    cases: list[Case] = []
    problems: list[str] = []
    context = get_script_run_ctx()
    for number, file in enumerate(files):
        found, wrong = read(file.name, file.getvalue(), f"{key} {number}")
        cases += found
        problems += wrong
        # As Streamlit's own chat input does; else a file would stay until its visitor leaves.
        if context and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
            context.uploaded_file_mgr.remove_file(session_id=context.session_id, file_id=file.file_id)
    open_cases(cases, problems)


def once(case: Case, what: str, make: Callable[[], _T], *of: object) -> _T:
    """What `make` returns, computed once for an open case.

    Args:
        case: The case.
        what: Kind of what is computed.
        make: Computes it.
        of: What else it depends on, such as a run.
    """
    made = kept().made
    key = (case.key, what, *of)
    if key not in made:
        made[key] = make()
        while len(made) > _MOST:
            del made[next(iter(made))]
    found: _T = made[key]
    return found


def image_of(model: Classifier, case: Case) -> Decoded | Prediction:
    """A case's image at a model's size, mended, or the refusal of a file that holds none."""
    session = model.session

    def made() -> Decoded | Prediction:
        image = decoded(case.data, case.name, session)
        return image if isinstance(image, Prediction) else mended_image(image, case.mends)

    return once(case, "image", made, session.image_size, session.preparation)


def answer_of(model: Classifier, case: Case) -> Prediction:
    """A model's answer for a case."""

    def made() -> Prediction:
        image = image_of(model, case)
        return image if isinstance(image, Prediction) else classify_decoded(model, image, case.name)

    return once(case, "answer", made, model.run_id)


def pixels_of(case: Case) -> NDArray[np.uint8] | None:
    """A case's gray pixels as they are shown, `(height, width)` uint8; None where it cannot be decoded."""

    def made() -> NDArray[np.uint8] | None:
        try:
            small = bounded(Image.fromarray(decode_gray(case.data, case.name)), _LONGEST_SIDE)
        except ImageError:
            return None
        return mended(np.asarray(small), case.mends)

    for key in [key for key in kept().made if key[1] == "pixels" and key[0] != case.key]:
        del kept().made[key]  # Those of the open case alone are kept.
    return once(case, "pixels", made)


def mend(case: Case, finding: Finding) -> None:
    """Follow the gate's advice for a case, in memory, and open what comes of it."""
    _put(case, (*case.mends, finding))


def undo(case: Case) -> None:
    """Open a mended case as it was uploaded."""
    _put(case, ())


def _put(old: Case, mends: tuple[Finding, ...]) -> None:
    found = kept()
    new = replace(old, mends=mends, key=" ".join((old.key.partition(" then ")[0], *(f"then {one}" for one in mends))))
    found.cases = [new if case.key == old.key else case for case in found.cases]
    found.opened = new.key
    found.made = {key: value for key, value in found.made.items() if key[0] != old.key}
