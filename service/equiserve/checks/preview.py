"""What the elements of a group do to a picture, to be looked at: no model is run."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from equiserve.checks.planner import CheckPlan
from equiserve.errors import InvalidRequest

#: Most pictures of one preview.
MAX_PREVIEW = 64
_GAP = 8
_PAPER = 255
# Smaller pictures are shown larger, pixel by pixel: nobody can look at 28 of them.
_LEAST_SIDE = 96


@dataclass(frozen=True, slots=True)
class OrbitPreview:
    """Some members of an orbit, spread over it.

    Attributes:
        plan: The orbit.
        members: Indices [k] of the elements that are shown, the identity first.
        pictures: uint8 [k, C, H, W], exactly what the model would be given.
    """

    plan: CheckPlan
    members: np.ndarray
    pictures: np.ndarray

    def to_json(self) -> dict[str, Any]:
        """Return each picture as a PNG in base64 beside its element."""
        orbit = self.plan.orbit
        return {
            "group": orbit.group.name,
            "planned": len(orbit),
            "prepared": orbit.prepared,
            "pictures": [
                {
                    "index": int(index),
                    "element": orbit.elements[index].to_json(),
                    "description": orbit.group.describe(orbit.elements[index]) if index else "the picture as it came",
                    "exact": bool(orbit.exact[index]),
                    "png": base64.b64encode(_png(picture)).decode(),
                }
                for index, picture in zip(self.members, self.pictures, strict=True)
            ],
        }

    def to_png(self) -> bytes:
        """Return a contact sheet, row by row in the order of the elements; each pixel of small pictures is a square."""
        times = max(1, _LEAST_SIDE // max(self.pictures.shape[2:]))
        pictures = self.pictures.repeat(times, axis=2).repeat(times, axis=3)
        count, channels, height, width = pictures.shape
        # Four in a row at least: wider than tall, as a page is.
        columns = min(count, max(4, math.ceil(math.sqrt(count))))
        rows = math.ceil(count / columns)
        sheet = np.full((channels, rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP), _PAPER, np.uint8)
        for place, picture in enumerate(pictures):
            top, left = place // columns * (height + _GAP), place % columns * (width + _GAP)
            sheet[:, top : top + height, left : left + width] = picture
        return _png(sheet)


def preview(plan: CheckPlan, count: int) -> OrbitPreview:
    """Transform `count` members of an orbit, evenly spread; takes milliseconds, not for the event loop.

    Raises:
        InvalidRequest: `count` is not from 1 to `MAX_PREVIEW`.
    """
    if not 1 <= count <= MAX_PREVIEW:
        raise InvalidRequest(f"preview: got {count}, expected 1 to {MAX_PREVIEW} pictures", field="preview")
    orbit = plan.orbit
    members = np.unique(np.arange(min(count, len(orbit))) * len(orbit) // min(count, len(orbit)))
    part = replace(orbit, elements=tuple(orbit.elements[index] for index in members), exact=orbit.exact[members])
    (chunk,) = part.chunks(len(members))
    return OrbitPreview(plan, members, chunk.pictures)


def _png(picture: np.ndarray) -> bytes:
    pixels = picture[0] if len(picture) == 1 else np.ascontiguousarray(picture.transpose(1, 2, 0))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()
