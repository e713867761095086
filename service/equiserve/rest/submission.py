"""Pictures and options of a task request, whichever of three ways they came.

As a multipart form (field `file`, repeatable), as the body itself (a picture file of any content type), or as JSON:
`{"image": "<base64>"}`, `{"images": [...]}`, `{"pixels": [[...]]}` with 0 to 255 as [H, W] or [C, H, W].
Options come beside them: form fields, JSON keys, and the query in any case.
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
from equiserve.rest.tensors import Buffer, count_elements, describe, from_json

Picture = bytes | np.ndarray


async def read_submission(
    headers: Mapping[str, str], query: bytes, body: Buffer, compute: ComputePool
) -> tuple[list[Picture], Options]:
    """Return the pictures (files as bytes, pixels as uint8 arrays) and the options of a request.

    Args: See `Readers.read`.

    Raises:
        InvalidRequest: No picture, a broken form, JSON or base64, pixels that are none, an option that came twice.
    """
    pictures, options = await _READERS.read(headers, query, body, compute)
    if not pictures:
        raise InvalidRequest(
            "no picture came: send it as the body, as form field `file`, or as JSON `image` or `pixels`",
            code="no_picture",
            field="image",
        )
    return pictures, options


def _read_file(body: Buffer, content_type: str) -> tuple[list[Picture], dict[str, Any]]:
    return [bytes(body)] if body else [], {}


def _read_form(body: Buffer, content_type: str) -> tuple[list[Picture], dict[str, Any]]:
    files, texts = read_form(body, content_type)
    return [*files], {**texts}


def _read_json(body: Buffer, content_type: str) -> tuple[list[Picture], dict[str, Any]]:
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"the body is no JSON: {error}", code="invalid_json", field="body") from None
    if type(message) is not dict:
        raise InvalidRequest("the body is no JSON object", code="invalid_json", field="body")
    pictures: list[Picture] = []
    if "image" in message:
        pictures.append(_from_base64(message.pop("image"), "image"))
    if "pixels" in message:
        pictures.append(_from_pixels(message.pop("pixels"), "pixels"))
    images = message.pop("images", [])
    if type(images) is not list:
        raise InvalidRequest(f"images: got {describe(images)}, expected a list", code="invalid_picture", field="images")
    pictures += [_from_base64(image, f"images[{index}]") for index, image in enumerate(images)]
    return pictures, message


def _from_base64(value: object, field: str) -> bytes:
    try:
        if type(value) is not str:
            raise ValueError
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest(
            f"{field}: got {describe(value)}, expected a picture file in base64", code="invalid_picture", field=field
        ) from None


def _from_pixels(value: object, field: str) -> np.ndarray:
    shape: list[int] = []
    inner = value
    while type(inner) is list and len(shape) < 4:
        shape.append(len(inner))
        inner = inner[0] if inner else None
    if len(shape) not in (2, 3) or 0 in shape:
        raise InvalidRequest(
            f"{field}: got {describe(value)}, expected rows of pixels, [H, W] or [C, H, W]",
            code="invalid_picture",
            field=field,
        )
    count_elements(shape, field)
    return from_json(value, "UINT8", shape, field)


_READERS: Readers[list[Picture]] = Readers(_read_file, _read_form, _read_json)
