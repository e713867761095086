"""Pictures and options of a task request, whichever of three ways they came.

As a multipart form (field `file`, repeatable), as the body itself (a picture file of any content type), or as JSON:
`{"image": "<base64>"}`, `{"images": [...]}`, `{"pixels": [[...]]}` with 0 to 255 as [H, W] or [C, H, W].
Options come beside them: form fields, JSON keys, and the query in any case.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
import orjson
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from equiserve.engine import ComputePool
from equiserve.errors import InvalidRequest
from equiserve.rest.infer import LARGE_JSON
from equiserve.rest.options import Options
from equiserve.rest.tensors import count_elements, describe, from_json

MAX_PARTS = 256

Picture = bytes | np.ndarray


class _InMemoryParser(MultiPartParser):
    # The body is bounded and already in memory: a temporary file would only need a writable disk.
    spool_max_size = 1 << 62


async def read_submission(request: Request, compute: ComputePool) -> tuple[list[Picture], Options]:
    """Return the pictures (files as bytes, pixels as uint8 arrays) and the options of a request.

    Args:
        request: Whose body was bounded by the gate.
        compute: Parses large JSON.

    Raises:
        InvalidRequest: No picture, a broken form, JSON or base64, pixels that are none, an option that came twice.
    """
    body = await request.body()
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "multipart/form-data":
        pictures, values = await _read_form(request)
    elif content_type == "application/json" or (not content_type and body[:1] == b"{"):
        pictures, values = _read_json(body) if len(body) <= LARGE_JSON else await compute.run(_read_json, body)
    else:
        pictures, values = [body] if body else [], {}
    if not pictures:
        raise InvalidRequest(
            "no picture came: send it as the body, as form field `file`, or as JSON `image` or `pixels`",
            code="no_picture",
            field="image",
        )
    for name, value in request.query_params.multi_items():
        if name in values:
            raise InvalidRequest(f"option {name[:80]!r} came twice", code="duplicate_option", field=name[:80])
        values[name] = value
    return pictures, Options(values)


async def _read_form(request: Request) -> tuple[list[Picture], dict[str, Any]]:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield await request.body()

    try:
        form = await _InMemoryParser(request.headers, stream(), max_files=MAX_PARTS, max_fields=MAX_PARTS).parse()
    except MultiPartException as error:
        raise InvalidRequest(f"broken form: {error.message}", code="broken_form", field="body") from None
    pictures: list[Picture] = []
    values: dict[str, Any] = {}
    try:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                if name != "file":
                    raise InvalidRequest(
                        f"form field {name[:80]!r} is a file, expected files as `file`",
                        code="unknown_file",
                        field=name[:80],
                    )
                pictures.append(await value.read())
            elif name in values:
                raise InvalidRequest(f"option {name[:80]!r} came twice", code="duplicate_option", field=name[:80])
            else:
                values[name] = value
    finally:
        await form.close()
    return pictures, values


def _read_json(body: bytes) -> tuple[list[Picture], dict[str, Any]]:
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
