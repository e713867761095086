"""Points as lines of text: XYZ and CSV with any further columns, and the vertices of an OBJ file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from equiserve.clouds.numbers import numbers, pieces_of_lines
from equiserve.clouds.refusals import unreadable

_BLANK_SEPARATORS = bytes.maketrans(b",;\t|", b"    ")
_MOST_COLUMNS = 64
_HEADER_LINES = 16


def read_table(content: bytes) -> NDArray[np.float64]:
    """Return the first three columns [n, 3] of a table.

    Columns are parted by blanks, commas, semicolons or tabs. Lines before the first one of numbers are a heading;
    lines that begin with # or / are comments there.

    Raises:
        InvalidRequest: `invalid_cloud`: no line of three numbers, rows of different length, a word that is no number.
    """
    kind = "table of points"
    start, columns = _first_row(content, kind)
    parts: list[NDArray[np.float64]] = []
    line = 0
    for piece in pieces_of_lines(content, kind, start):
        words = piece.translate(_BLANK_SEPARATORS).split()
        rows = sum(1 for row in piece.splitlines() if row.strip())
        if len(words) != rows * columns:
            raise unreadable(kind, f"not every row from row {line} on has {columns} columns as the first has")
        parts.append(numbers(words, kind).reshape(rows, columns)[:, :3])
        line += rows
    return np.concatenate(parts)


def read_obj(content: bytes) -> NDArray[np.float64]:
    """Return the vertices [n, 3] of a Wavefront OBJ file: its lines `v x y z`; raises InvalidRequest."""
    kind = "OBJ"
    parts = [np.empty((0, 3))]
    for piece in pieces_of_lines(content, kind):
        rows = [line.split()[1:4] for line in piece.splitlines() if line.startswith((b"v ", b"v\t"))]
        if any(len(row) != 3 for row in rows):
            raise unreadable(kind, "a line `v` has fewer than three numbers")
        parts.append(numbers([word for row in rows for word in row], kind).reshape(-1, 3))
    return np.concatenate(parts)


def _first_row(content: bytes, kind: str) -> tuple[int, int]:
    """Return where the first line of numbers begins, and how many it has."""
    start = 0
    for _ in range(_HEADER_LINES):
        end = content.find(b"\n", start, start + 4096)
        line = content[start : end if end >= 0 else start + 4096]
        words = line.translate(_BLANK_SEPARATORS).split()
        if 3 <= len(words) <= _MOST_COLUMNS and all(_numeric(word) for word in words):
            return start, len(words)
        if end < 0:
            break
        start = end + 1
    raise unreadable(kind, f"no line of three numbers among its first {_HEADER_LINES}")


def _numeric(word: bytes) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
