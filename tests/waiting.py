"""How tests wait: for conditions, never for a time, and with one limit that no busy machine reaches."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil
import pytest

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

__all__ = ["BRIEFLY_S", "PATIENCE_S", "app_test", "looked_again", "wait_for"]

PATIENCE_S: Final = 900.0
"""The one limit for everything that is to happen. It only ends a test that would hang, so it costs a passing one nothing."""

BRIEFLY_S: Final = 0.1
"""A limit for what is to be waited for in vain: it never comes, so a busy machine changes nothing."""

_POLL_S: Final = 0.05  # Asking may look through all processes, and the others want to work.


def wait_for(what: str, condition: Callable[[], object], explain: Callable[[], object] = lambda: "") -> None:
    """Wait until a condition holds.

    Args:
        what: What is waited for, for the message of a failure.
        condition: Asked again and again; it may assert that there is still hope.
        explain: What to show where it never holds.
    """
    until = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > until:
            pytest.fail(f"waited {PATIENCE_S:.0f} s for {what}: {explain()}")
        time.sleep(_POLL_S)


def looked_again(*processes: psutil.Process) -> None:
    """Wait until processes that look around, sleep, and look again have each looked at least once more from now on.

    That nothing happens can only be shown of somebody who had the chance. A process that only sleeps gives its processor up
    by itself once a look, which the system counts; the first of three may end a look that began before.
    """
    before = {process: process.num_ctx_switches().voluntary for process in processes}
    for process, count in before.items():
        wait_for("a look around", lambda: process.num_ctx_switches().voluntary >= count + 3)  # noqa: B023  Asked at once.


def app_test(script: Path | Callable[..., object], **options: Any) -> "AppTest":
    """Streamlit's `AppTest` of a file, or of a function with its `args`, whose runs all have the one limit."""
    from streamlit.testing.v1 import AppTest

    if isinstance(script, Path):
        return AppTest.from_file(str(script), default_timeout=PATIENCE_S, **options)
    return AppTest.from_function(script, default_timeout=PATIENCE_S, **options)
