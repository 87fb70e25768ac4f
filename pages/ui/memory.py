"""Return of memory to the system: an image's pixels are needed for a moment, while the server runs for weeks."""

import ctypes
import sys

import streamlit as st

_M_ARENA_MAX, _ARENAS = -8, 2
_M_MMAP_THRESHOLD, _THRESHOLD_BYTES = -3, 256 * 1024


@st.cache_resource(show_spinner=False)
def steady_memory() -> None:
    """Configure glibc's allocator, once, to keep few arenas and to unmap large blocks as soon as they are freed.

    Streamlit runs each script in a thread of its own. By default each gets an arena that keeps what was freed in it, and the
    limit for unmapping rises to 32 MiB, so the server grew by about 1 MiB with each uploaded X-ray (benchmarks/app.py).
    See mallopt(3). Elsewhere than on glibc nothing is done.
    """
    _glibc("mallopt", _M_ARENA_MAX, _ARENAS)
    _glibc("mallopt", _M_MMAP_THRESHOLD, _THRESHOLD_BYTES)


def give_back_memory() -> None:
    """Return freed pages to the system after a prediction; takes a millisecond or two. See malloc_trim(3)."""
    _glibc("malloc_trim", 0)


def _glibc(name: str, *arguments: int) -> None:
    function = getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
    if function is not None:
        function(*arguments)
