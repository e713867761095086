"""Heads of requests that came before: a client that asks again sends the same bytes, and they say the same.

A head is kept by its bytes once the parser has read it and it turned out to begin a direct request. Another request of
just these bytes needs no parser: what they say depends on nothing but them, where the last message on the connection
has ended and nothing of another has begun.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from equiserve.rest.direct import DirectRoute

_MAX_HEADS = 256
_MAX_BYTES = 2048


@dataclass(frozen=True, slots=True)
class Head:
    """What the head of a direct request says.

    Attributes:
        route: What it asks for.
        headers: Lower-case names.
        path: Without the query.
        query: What follows the question mark.
        length: Bytes of its body.
    """

    route: DirectRoute
    headers: Mapping[str, str]
    path: str
    query: bytes
    length: int


_known: dict[bytes, Head] = {}


def known_head(data: bytes) -> tuple[Head | None, int]:
    """Return what the head that `data` begins with is known to say, and the bytes that it takes."""
    end = data.find(b"\r\n\r\n", 0, _MAX_BYTES) + 4  # 3 where it is cut off or long: no request's length
    return _known.get(data[:end]), end


def remember(data: bytes, end: int, head: Head) -> None:
    """Keep a head that is the first `end` bytes of `data`, where the parser cannot have seen it begin or end elsewhere.

    A parser may pass over line breaks before a request, and take a bare line feed for the end of a line.
    """
    raw = data[:end]
    if raw.startswith(b"POST /") and raw.count(b"\n") == raw.count(b"\r\n") and "transfer-encoding" not in head.headers:
        if len(_known) >= _MAX_HEADS:
            _known.clear()
        _known[raw] = head
