"""Named tensors and options of a check: the v2 protocol's `inputs`, and the options as further keys of the object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import numpy as np

from equiserve.engine import ComputePool
from equiserve.errors import InvalidRequest
from equiserve.rest.content import LARGE_BODY
from equiserve.rest.decoding import parse_object, read_header_length, read_inputs
from equiserve.rest.encoding import HEADER_LENGTH
from equiserve.rest.options import Options
from equiserve.rest.tensors import Buffer

Tensors = dict[str, np.ndarray]


async def read_tensors(
    headers: Mapping[str, str], query: bytes, body: Buffer, compute: ComputePool
) -> tuple[Tensors, Options] | None:
    """Return the tensors and the options of a request; None for one that has no `inputs`.

    Args:
        headers: Its headers, lower-case names; with `Inference-Header-Content-Length` raw tensors follow the JSON.
        query: Its query string.
        body: Its body, which was bounded by the gate.
        compute: Parses what is large.

    Raises:
        InvalidRequest: The field that is wrong, or an option that came twice.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    header_length = read_header_length(headers.get(HEADER_LENGTH), len(body))
    if header_length is None and not (kind == "application/json" or (not kind and body[:1] == b"{")):
        return None
    read = await compute.run(_read, body, header_length) if len(body) > LARGE_BODY else _read(body, header_length)
    if read is None:
        return None
    inputs, values = read
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name in values:
            raise InvalidRequest(f"option {name[:80]!r} came twice", code="duplicate_option", field=name[:80])
        values[name] = value
    return inputs, Options(values)


def _read(body: Buffer, header_length: int | None) -> tuple[Tensors, dict[str, Any]] | None:
    if body.find(b'"inputs"') < 0:
        return None
    message = parse_object(body if header_length is None else memoryview(body)[:header_length])
    if "inputs" not in message:
        return None
    inputs = read_inputs(message, body, header_length)
    del message["inputs"]
    return inputs, message
