"""Group elements: small frozen values, hashable for caches and writable as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
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
    """An element of O(2): mirror left and right if ``reflected``, then rotate about the picture's centre.

    Args:
        angle_deg: Degrees, counter-clockwise **as seen on the screen**; stored reduced to [0, 360) and rounded to
            1e-9, so that equal rotations are equal values and 360 is 0.
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


Element = Shift | Rotation


def element_from_json(value: object, field: str = "elements") -> Element:
    """Read what ``to_json`` wrote.

    Args:
        value: ``{"dy": int, "dx": int}`` or ``{"angle_deg": number, "reflected": bool}``; what is left out is 0 or
            false, but not everything may be.
        field: Name of the request's field, for the error.

    Raises:
        InvalidRequest: Another shape, or values of a wrong type.
    """
    if isinstance(value, Mapping) and value:
        if value.keys() <= {"dy", "dx"} and all(type(v) is int for v in value.values()):
            return Shift(value.get("dy", 0), value.get("dx", 0))
        if value.keys() <= {"angle_deg", "reflected"}:
            angle, reflected = value.get("angle_deg", 0), value.get("reflected", False)
            if type(angle) in (int, float) and math.isfinite(angle) and type(reflected) is bool:
                return Rotation(angle, reflected)
    raise InvalidRequest(
        f"{field}: {value!r} is no group element; expected {{'dy': int, 'dx': int}} in pixels or "
        "{'angle_deg': number, 'reflected': bool}",
        field=field,
    )


def _reduced(angle_deg: float) -> float:
    if not math.isfinite(angle_deg):
        raise InvalidRequest(f"angle_deg: got {angle_deg}, expected a finite number of degrees", field="angle_deg")
    # Python's % may return the modulus itself for tiny negative angles, and rounding may reach it too.
    reduced = round(angle_deg % 360.0, 9)
    return 0.0 if reduced >= 360.0 else reduced
