"""A cloud and the options of a request, whichever of four ways they came.

As a multipart form (field `file`), as the body itself (a file of any format), as JSON (`{"points": [[x, y, z], ...]}`
or `{"file": "<base64>"}`), or as the v2 protocol's `inputs`, raw too: one tensor `points`, [n, 3] or [1, n, 3].
Options come beside it: form fields, JSON keys, and the query in any case.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from equiserve.engine import ComputePool
from equiserve.errors import InvalidRequest
from equiserve.rest.content import Readers
from equiserve.rest.form import read_form
from equiserve.rest.options import Options
from equiserve.rest.tensor_submission import read_tensors
from equiserve.rest.tensors import Buffer, describe, from_json

Cloud = bytes | np.ndarray


async def read_cloud_submission(
    headers: Mapping[str, str], query: bytes, body: Buffer, compute: ComputePool
) -> tuple[Cloud, Options]:
    """Return the cloud (a file as bytes, numbers as an array [n, 3]) and the options of a request.

    Args: See `Readers.read`.

    Raises:
        InvalidRequest: No cloud or several, a broken form, JSON or base64, an option that came twice.
    """
    tensors = await read_tensors(headers, query, body, compute)
    if tensors is not None:
        return _one_tensor(tensors[0]), tensors[1]
    return await _READERS.read(headers, query, body, compute)


def _one_tensor(inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    if list(inputs) != ["points"]:
        raise InvalidRequest(
            f"inputs: got {sorted(inputs)[:8]}, expected one tensor `points`", code="no_cloud", field="inputs"
        )
    points = inputs["points"]
    return points[0] if points.ndim == 3 and len(points) == 1 else points


def _read_file(body: Buffer, content_type: str) -> tuple[Cloud, dict[str, Any]]:
    return bytes(body), {}


def _read_form(body: Buffer, content_type: str) -> tuple[Cloud, dict[str, Any]]:
    files, texts = read_form(body, content_type)
    if len(files) != 1:
        raise InvalidRequest(f"the form has {len(files)} files, expected one `file`", code="no_cloud", field="file")
    return files[0], {**texts}


def _read_json(body: Buffer, content_type: str) -> tuple[Cloud, dict[str, Any]]:
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"the body is no JSON: {error}", code="invalid_json", field="body") from None
    if type(message) is not dict or ("points" in message) == ("file" in message):
        raise InvalidRequest(
            "the body is no JSON object with either `points` or `file`", code="no_cloud", field="points"
        )
    if "points" in message:
        points = message.pop("points")
        if type(points) is not list or not points:
            raise InvalidRequest(
                f"points: got {describe(points)}, expected a list of [x, y, z]", code="invalid_cloud", field="points"
            )
        return from_json(points, "FP64", [len(points), 3], "points"), message
    file = message.pop("file")
    try:
        if type(file) is not str:
            raise ValueError
        return base64.b64decode(file, validate=True), message
    except (binascii.Error, ValueError):
        raise InvalidRequest(
            f"file: got {describe(file)}, expected a file of points in base64", code="invalid_cloud", field="file"
        ) from None


_READERS: Readers[Cloud] = Readers(_read_file, _read_form, _read_json)
