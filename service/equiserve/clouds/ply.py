"""The vertices of a PLY file (Turk 1994), ascii or binary of either byte order. Faces and colours are passed over."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from equiserve.clouds.numbers import numbers, pieces_of_lines
from equiserve.clouds.refusals import unreadable

_KIND = "PLY"
_MAX_HEADER = 64 << 10
_TYPES = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"},
    **{"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"},
    **{"float": "f4", "double": "f8", "float32": "f4", "float64": "f8"},
}
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}


@dataclass(slots=True)
class _Element:
    name: str
    count: int
    properties: list[tuple[str, str]] = field(default_factory=list)
    has_lists: bool = False


def read_ply(content: bytes) -> NDArray[np.float64]:
    """Return the vertices [n, 3] of a PLY file.

    Raises:
        InvalidRequest: `invalid_cloud`: a broken header, no x, y, z, fewer bytes or numbers than the header says.
    """
    order, elements, start = _header(content)
    for element in elements:
        if element.name == "vertex":
            break
        if order is None or element.has_lists:
            raise unreadable(_KIND, f"element {element.name!r} comes before the vertices, expected those first")
        start += element.count * _row(element, order).itemsize
    else:
        raise unreadable(_KIND, "its header has no element 'vertex'")
    names = [name for name, _ in element.properties]
    if element.has_lists or len(set(names)) != len(names) or not {"x", "y", "z"} <= set(names):
        raise unreadable(_KIND, f"its vertices have the properties {names[:12]}, expected x, y and z, no lists")
    if order is None:
        return _ascii_rows(content, start, element.count, names)
    row = _row(element, order)
    there = (len(content) - start) // row.itemsize
    if there < element.count:
        raise unreadable(_KIND, f"its header says {element.count} vertices, there are bytes for {max(there, 0)}")
    rows = np.frombuffer(content, row, element.count, start)
    return np.stack([rows[name].astype(np.float64) for name in "xyz"], axis=1)


def _header(content: bytes) -> tuple[str | None, list[_Element], int]:
    """Return the byte order (None: ascii), the elements, and where the data begin."""
    end = content.find(b"end_header", 0, _MAX_HEADER)
    line_end = content.find(b"\n", end)
    if end < 0 or line_end < 0:
        raise unreadable(_KIND, f"no line 'end_header' in its first {min(len(content), _MAX_HEADER)} bytes")
    elements: list[_Element] = []
    order: str | None = None
    formatted = False
    for line in content[:end].decode("latin-1").splitlines()[1:]:
        match line.split():
            case ["format", kind, "1.0"] if kind in _ORDERS:
                order, formatted = _ORDERS[kind] or None, True
            case ["element", name, count] if count.isdecimal() and len(count) < 16:
                elements.append(_Element(name, int(count)))
            case ["property", "list", _, _, _] if elements:
                elements[-1].has_lists = True
            case ["property", kind, name] if kind in _TYPES and elements:
                elements[-1].properties.append((name, _TYPES[kind]))
            case ["comment" | "obj_info", *_] | []:
                pass
            case _:
                raise unreadable(_KIND, f"its header has the line {line[:60]!r}")
    if not formatted:
        raise unreadable(_KIND, f"its header names no format of {list(_ORDERS)}")
    return order, elements, line_end + 1


def _row(element: _Element, order: str) -> np.dtype[np.void]:
    # Numbered names: properties of passed-over elements may repeat.
    named = [(name, order + kind) for name, kind in element.properties]
    if len({name for name, _ in named}) != len(named):
        named = [(f"{place}", kind) for place, (_, kind) in enumerate(named)]
    return np.dtype(named)


def _ascii_rows(content: bytes, start: int, count: int, names: list[str]) -> NDArray[np.float64]:
    wanted, columns = count * len(names), [names.index(name) for name in "xyz"]
    # Two bytes a number at least: a header that lies must not make room for what cannot be there.
    if 2 * wanted - 1 > len(content) - start:
        raise unreadable(_KIND, f"its header says {count} vertices, there are only {len(content) - start} bytes")
    values, found = np.empty(wanted), 0
    for piece in pieces_of_lines(content, _KIND, start):
        words = piece.split()[: wanted - found]
        values[found : found + len(words)] = numbers(words, _KIND)
        found += len(words)
        if found == wanted:
            return values.reshape(count, len(names))[:, columns]
    if wanted == 0:
        return np.empty((0, 3))
    raise unreadable(_KIND, f"its header says {count} vertices, there are numbers for {found // len(names)}")
