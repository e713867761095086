"""Numbers written as text, read in pieces: one piece never holds the interpreter for more than a millisecond."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from equiserve.clouds.refusals import unreadable

_PIECE = 64 << 10


def pieces_of_lines(text: bytes, kind: str, start: int = 0) -> Iterator[bytes]:
    """Yield the text from `start` in pieces of about 64 kB that end where a line ends.

    Raises:
        InvalidRequest: A line is longer than 64 kB: this is no text of numbers.
    """
    while start < len(text):
        end = start + _PIECE
        if end < len(text):
            end = max(text.rfind(b"\n", start, end), text.rfind(b"\r", start, end)) + 1
            if end <= start:
                raise unreadable(kind, f"a line is longer than {_PIECE} bytes")
        yield text[start:end]
        start = end


def numbers(words: list[bytes], kind: str) -> NDArray[np.float64]:
    """Return the words as numbers; raises InvalidRequest naming the first that is none."""
    try:
        return np.array(list(map(float, words)), np.float64)
    except ValueError:
        wrong = next(word for word in words if not _is_number(word))
        raise unreadable(kind, f"got {wrong[:40].decode('latin-1')!r}, expected a number") from None


def _is_number(word: bytes) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
