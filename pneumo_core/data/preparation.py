"""Preparation of the default data set in a process of its own: phantoms are drawn and files are indexed.

`python -m pneumo_core.data.preparation` does that, and `jobs.preparing` starts it. If it is stopped, the next one starts
again, but keeps the phantoms if all were drawn.
"""

import sys
from typing import Final

from pneumo_core.data.work import do_work, reporter

PREPARATION: Final = "preparation"
"""Name of this work."""


def _prepare() -> None:
    # These imports take a second.
    from pneumo_core.data.index import build_index  # noqa: PLC0415
    from pneumo_core.data.source import default_data  # noqa: PLC0415

    folder = default_data(reporter(PREPARATION, "Drawing phantoms"))
    build_index(folder, progress=reporter(PREPARATION, "Reading the images"))


if __name__ == "__main__":
    sys.exit(do_work(PREPARATION, _prepare))
