"""Loaded by a Python process at its start: it notes each file that is opened for writing in the file that WATCHED names.

Put this folder on PYTHONPATH. An unnamed temporary file shows as its folder. Python's own caches of modules are left out.
"""

import os
import sys

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT

if "WATCHED" in os.environ:
    _log = os.open(os.environ["WATCHED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def _note(event: str, arguments: tuple[object, ...]) -> None:
        if event != "open":
            return
        path, _, flags = arguments
        is_write = isinstance(flags, int) and bool(flags & _WRITES)
        if is_write and not isinstance(path, int) and "__pycache__" not in str(path):
            os.write(_log, f"{path}\n".encode(errors="backslashreplace"))

    sys.addaudithook(_note)
