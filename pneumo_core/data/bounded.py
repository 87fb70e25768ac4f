"""A file's bytes that give out after too many reads, so that a hostile file of millions of empty parts takes no minutes.

Pillow and pydicom read a file's parts one by one in Python, a few reads each, and pixels in large blocks.
"""

import io
from typing import Final

from pneumo_core.errors import ImageError

MAX_READS: Final = 100_000
"""Maximum number of reads. X-rays of 20 MB take some thousand: a PNG file is the worst, with a part every 8 KiB."""


class BoundedBytes(io.BytesIO):
    """Bytes to read from; more than `MAX_READS` reads raise an `ImageError`."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self._left, self._name = MAX_READS, name

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as `io.BytesIO` does.

        Raises:
            ImageError: It is one read too many.
        """
        self._left -= 1
        if self._left < 0:
            must = "an image file must have no more parts than an X-ray needs"
            raise ImageError("too_large", f"{must}. Received: {self._name!r}, with far more", "save it again")
        return super().read(size)
