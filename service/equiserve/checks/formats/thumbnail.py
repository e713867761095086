"""A picture inside a report, as a data URI that a page may show without asking for anything."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

_KINDS = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp"}
# Larger files would make a page that no browser opens gladly; its plots do without them.
_MOST_BYTES = 256 << 10


def data_uri(picture: bytes | np.ndarray) -> str | None:
    """Return a picture file (PNG, JPEG, WebP) or uint8 pixels [H, W] or [C, H, W] as a data URI.

    None for a file of more than 256 kB, or of another kind.
    """
    file = _png(picture) if isinstance(picture, np.ndarray) else picture
    kind = next((kind for magic, kind in _KINDS.items() if file.startswith(magic)), None)
    if kind is None or len(file) > _MOST_BYTES:
        return None
    return f"data:{kind};base64,{base64.b64encode(file).decode()}"


def _png(pixels: np.ndarray) -> bytes:
    planes = pixels if pixels.ndim == 2 else pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1)
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(planes)).save(file, "PNG")
    return file.getvalue()
