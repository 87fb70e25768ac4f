"""Typst, in a process of its own for each batch of pages.

It keeps the parts of what it has laid out for the next time, 50 to 60 MB of a comparison's document, and has no way to drop
them (typst 0.15): a server that typesets in its own process grows with each document.
"""

import base64
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Pages:
    """Something to typeset.

    Attributes:
        layout: Typst's markup.
        inputs: Texts that the markup finds in ``sys.inputs``.
        format: Of the result; a PNG is of the one page.
        ppi: Pixels per inch of a PNG.
    """

    layout: str
    inputs: dict[str, str]
    format: Literal["pdf", "png"] = "pdf"
    ppi: float | None = None


def typeset(batch: Sequence[Pages], fonts: Path) -> list[bytes]:
    """Files of each of a batch, in one process; without a batch there is none.

    Args:
        batch: What to typeset.
        fonts: Folder of fonts beside Typst's own. Those of the machine are not used, so that pages are the same on all.
    """
    if not batch:
        return []
    request = json.dumps({"fonts": str(fonts), "batch": [asdict(pages) for pages in batch]})
    # By its path, as the process needs nothing of the package; with -P, as one beside it is named like the standard library's.
    command = [sys.executable, "-P", __file__]
    done = subprocess.run(command, input=request.encode(), stdout=subprocess.PIPE, check=True)
    return [base64.b64decode(line) for line in done.stdout.splitlines()]


def _main() -> None:
    import typst  # noqa: PLC0415  Only in the process that typesets.

    request = json.load(sys.stdin)
    fonts = typst.Fonts(include_system_fonts=False, font_paths=[request["fonts"]])
    for pages in request["batch"]:
        made = typst.compile(
            pages["layout"].encode(),
            font_paths=fonts,
            sys_inputs=pages["inputs"],
            format=pages["format"],
            ppi=pages["ppi"],
        )
        sys.stdout.write(base64.b64encode(made).decode() + "\n")


if __name__ == "__main__":
    _main()
