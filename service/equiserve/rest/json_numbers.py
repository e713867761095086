"""A long list of numbers in a JSON body, read without making a Python object of each.

The list is cut out of the text, which is then small, and read by simdjson where that is installed (extra `simd`).
Whatever is not plainly one flat list of numbers that its tensor can hold is left to the general way, which also words
the refusals: both read the same numbers, to the last bit, and refuse the same texts.
"""

from __future__ import annotations

import os
import threading
from math import prod
from typing import Any

import numpy as np
import orjson

from equiserve.artifact.datatypes import NUMPY_OF

try:
    import simdjson
except ImportError:
    simdjson = None  # type: ignore[assignment]

Parser: Any = None if simdjson is None else simdjson.Parser

# Shorter lists cost as much to cut out as to parse.
_MIN_BYTES = 64 << 10
_KEY = b'"data"'
_IN_PLACE = f"numbers-{os.urandom(8).hex()}"
_parsers = threading.local()


def message_with_numbers(body: bytes | bytearray) -> dict[str, Any] | None:
    """Return the JSON message of a body in which one input's `data` is an array already, of its datatype and shape.

    Returns:
        None where there is no such list, or anything about it is unusual.
    """
    key = body.find(_KEY) if Parser is not None and len(body) > _MIN_BYTES else -1
    start = body.find(b"[", key) if key >= 0 else -1
    end = body.find(b"]", start) + 1 if start >= 0 else 0
    if end - start < _MIN_BYTES or end == 0 or body[key + len(_KEY) : start].strip() != b":":
        return None
    try:
        message = orjson.loads(b"".join((body[:start], orjson.dumps(_IN_PLACE), body[end:])))
        entry = next(entry for entry in message["inputs"] if entry["data"] == _IN_PLACE)
        datatype, shape = entry["datatype"], entry["shape"]
        if datatype not in ("FP32", "FP64") or not all(type(size) is int and size >= 0 for size in shape):
            return None
        numbers = _numbers(bytes(memoryview(body)[start:end]))
        if numbers.size != prod(shape):
            return None
    except (ValueError, TypeError, KeyError, StopIteration, RuntimeError, AttributeError):
        return None
    with np.errstate(over="ignore"):
        array = numbers.astype(NUMPY_OF[datatype])
    if not np.isfinite(array).all():  # a number that FP32 cannot hold
        return None
    array.flags.writeable = False
    entry["data"] = array
    return message  # type: ignore[no-any-return]


def _numbers(text: bytes) -> np.ndarray:
    """Return the numbers of a JSON list, float64; raises ValueError, TypeError or RuntimeError for another text."""
    parser = getattr(_parsers, "parser", None)
    if parser is None:
        parser = _parsers.parser = Parser()
    # Of a parser's documents only one may live.
    return np.frombuffer(parser.parse(text).as_buffer(of_type="d"), np.float64)
