"""Elements that act on the picture plane: shifts, and the rotations and mirror images of O(2)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from equiserve.errors import InvalidRequest


@dataclass(frozen=True, slots=True, order=True)
class Shift:
    """A translation of the picture plane by whole pixels.

    Args:
        dy: Pixels downwards (image rows count from the top).
        dx: Pixels to the right.
    """

    dy: int
    dx: int

    def to_json(self) -> dict[str, int]:
        """Return the element as JSON values."""
        return {"dy": self.dy, "dx": self.dx}


@dataclass(frozen=True, slots=True, order=True)
class Rotation:
    """An element of O(2): mirror left and right if ``reflected``, then rotate about the centre or axis.

    Args:
        angle_deg: Degrees, counter-clockwise **as seen on the screen** (in a plane of space: as seen from the tip of
            the axis); stored reduced to [0, 360) and rounded to 1e-9, so that equal rotations are equal values and
            360 is 0.
        reflected: Whether the determinant is -1. ``Rotation(0, True)`` mirrors left and right,
            ``Rotation(180, True)`` mirrors up and down.
    """

    angle_deg: float
    reflected: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "angle_deg", _reduced(self.angle_deg))

    def to_json(self) -> dict[str, float | bool]:
        """Return the element as JSON values."""
        return {"angle_deg": self.angle_deg, "reflected": self.reflected}


def _reduced(angle_deg: float) -> float:
    if not math.isfinite(angle_deg):
        raise InvalidRequest(f"angle_deg: got {angle_deg}, expected a finite number of degrees", field="angle_deg")
    # Python's % may return the modulus itself for tiny negative angles, and rounding may reach it too.
    reduced = round(angle_deg % 360.0, 9)
    return 0.0 if reduced >= 360.0 else reduced
