"""Pictures as files: PNG and WebP (one picture, or a sheet of several), NumPy's npz, the raw tensor."""

from __future__ import annotations

import base64
import hashlib
import io
import math
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import orjson
from PIL import Image, PngImagePlugin

if TYPE_CHECKING:
    from equiserve.tasks.generate.events import Completed
    from equiserve.tasks.generate.parameters import GenerateParameters

Format = Literal["json", "png", "webp", "npz", "raw"]

#: Media types that a caller may accept, the first for one who accepts anything.
MEDIA_TYPES: dict[str, Format] = {
    "application/json": "json",
    "image/png": "png",
    "image/webp": "webp",
    "application/x-npz": "npz",
    "application/octet-stream": "raw",
}
#: Keyword of the PNG text chunk that holds the parameters.
TEXT_KEYWORD = "parameters"

_GAP = 2
_GREY = 128


class Encoded(NamedTuple):
    """A body, its media type, and headers of its own."""

    media_type: str
    body: bytes
    headers: dict[str, str]


def wanted_format(accept: str) -> Format:
    """Return the form that an `Accept` header asks for: the known type of the largest q, the first of equals."""
    best: Format = "json"
    largest = 0.0
    for item in accept.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        try:
            quality = next((float(part[2:]) for part in parameters if part.startswith("q=")), 1.0)
        except ValueError:
            quality = 0.0
        found = MEDIA_TYPES.get(name) or {"image/*": "png", "*/*": "json"}.get(name)
        if found is not None and quality > largest:
            best, largest = found, quality  # type: ignore[assignment]
    return best


def entity_tag(parameters: GenerateParameters, environment: dict[str, str], form: Format) -> str:
    """Return the strong ETag of what parameters give in one form: known before anything is drawn."""
    text = parameters.canonical() + orjson.dumps(environment, option=orjson.OPT_SORT_KEYS)
    return f'"{hashlib.sha256(text).hexdigest()[:32]}-{form}"'


def encode(completed: Completed, form: Format) -> Encoded:
    """Return pictures in a form; up to milliseconds for large ones, which are not for the event loop."""
    parameters, pictures = completed.parameters, completed.pictures
    if form == "json":
        return Encoded("application/json", orjson.dumps(completed.to_json()), {})
    if form == "npz":
        stream = io.BytesIO()
        text = np.frombuffer(parameters.canonical(), np.uint8)
        np.savez(stream, pictures=pictures, parameters=text)
        return Encoded("application/x-npz", stream.getvalue(), {})
    if form == "raw":
        shape = ",".join(map(str, pictures.shape))
        body = np.ascontiguousarray(pictures, "<f4").tobytes()
        return Encoded("application/octet-stream", body, {"x-tensor-datatype": "FP32", "x-tensor-shape": shape})
    if form == "webp":
        stream = io.BytesIO()
        _image(sheet(pictures)).save(stream, "WEBP", lossless=True)
        return Encoded("image/webp", stream.getvalue(), {})
    return Encoded("image/png", png(sheet(pictures), parameters.canonical().decode()), {})


def png(pixels: np.ndarray, text: str | None = None) -> bytes:
    """Return a PNG file, the text in an iTXt chunk.

    Args:
        pixels: uint8 [C, H, W], 1 or 3 channels.
        text: What to write under `TEXT_KEYWORD`.
    """
    stream, info = io.BytesIO(), PngImagePlugin.PngInfo()
    if text is not None:
        info.add_itxt(TEXT_KEYWORD, text)
    _image(pixels).save(stream, "PNG", pnginfo=info)
    return stream.getvalue()


def base64_png(pixels: np.ndarray) -> str:
    """Return a PNG file in base64."""
    return base64.b64encode(png(pixels)).decode()


def sheet(pictures: np.ndarray) -> np.ndarray:
    """Return pictures [n, C, H, W] in [-1, 1] as pixels, uint8 [C, H', W']: several side by side, row by row."""
    pixels = np.rint(np.clip((pictures + 1) * 127.5, 0, 255)).astype(np.uint8)
    n, channels, height, width = pixels.shape
    if n == 1:
        return np.asarray(pixels[0])
    columns = math.ceil(math.sqrt(n))
    rows = -(-n // columns)
    whole = np.full((channels, rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP), _GREY, np.uint8)
    for place, one in enumerate(pixels):
        top, left = place // columns * (height + _GAP), place % columns * (width + _GAP)
        whole[:, top : top + height, left : left + width] = one
    return whole


def _image(pixels: np.ndarray) -> Image.Image:
    if len(pixels) == 1:
        return Image.fromarray(pixels[0])
    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
