"""Group elements as a report carries them: what kind they are, where they lie, and their words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

#: An element's JSON value, as `to_json` of `equiserve.symmetry` writes it.
ElementJson = Mapping[str, Any]
Kind = Literal["shift", "rotation", "rotation3d", "other"]

_FINEST_DEG = 1e-6
# What leaves an input as it is, where that is neither 0 nor false.
_NEUTRAL = {"scale": 1, "gain": 1}


def kind_of(elements: Sequence[ElementJson]) -> Kind:
    """Return what all elements are: shifts of a picture, its rotations, rotations of space, or anything else."""
    if elements and all({"dy", "dx"} == e.keys() for e in elements):
        return "shift"
    if elements and all({"angle_deg"} <= e.keys() <= {"angle_deg", "reflected"} for e in elements):
        return "rotation"
    in_space = elements and all({"quaternion"} <= e.keys() <= {"quaternion", "inverted"} for e in elements)
    return "rotation3d" if in_space else "other"


def centred(element: ElementJson, parameters: Mapping[str, Any]) -> tuple[int, int]:
    """Return (dy, dx) of a shift; by the shorter way round where the group's parameters name a torus."""
    dy, dx = int(element["dy"]), int(element["dx"])
    height, width = parameters.get("height"), parameters.get("width")
    if not height or not width:
        return dy, dx
    dy, dx = dy % height, dx % width
    return dy - height * (2 * dy > height), dx - width * (2 * dx > width)


def axis_angle(element: ElementJson) -> tuple[tuple[float, float, float], float]:
    """Return a rotation of space as its unit axis and its angle in degrees, 0 to 180; the axis is z for none.

    Args:
        element: Holds `quaternion`, (w, x, y, z).
    """
    w, *vector = (float(v) for v in element["quaternion"])
    length = math.hypot(*vector)
    angle = math.degrees(2 * math.atan2(length, abs(w)))
    if angle < _FINEST_DEG:
        return (0.0, 0.0, 1.0), 0.0
    sign = math.copysign(1.0, w) / length
    x, y, z = (sign * v for v in vector)
    return (x, y, z), angle


def words(element: ElementJson, parameters: Mapping[str, Any] | None = None) -> str:
    """Return an element in a few words, e.g. `3 px right, 5 px down`, `turned by 90°`."""
    kind = kind_of([element])
    if kind == "shift":
        return _shift(*centred(element, parameters or {}))
    if kind == "rotation":
        return _rotation(float(element["angle_deg"]), bool(element.get("reflected")))
    if kind == "rotation3d":
        (x, y, z), angle = axis_angle(element)
        turned = f"turned by {angle:.4g}° about ({x:.2f}, {y:.2f}, {z:.2f})" if angle else ""
        return _joined([turned, *_others(element, {"quaternion"})])
    return _joined(_others(element, set()))


def _shift(dy: int, dx: int) -> str:
    parts = [f"{abs(dx)} px {'right' if dx > 0 else 'left'}"] if dx else []
    return _joined([*parts, f"{abs(dy)} px {'down' if dy > 0 else 'up'}" if dy else ""])


def _rotation(angle_deg: float, reflected: bool) -> str:
    return _joined(["mirrored" if reflected else "", f"turned by {angle_deg:.4g}°" if angle_deg else ""])


def _others(element: ElementJson, known: set[str]) -> list[str]:
    parts = []
    for key, value in element.items():
        if key in known or value in (0, False, None, []) or value == _NEUTRAL.get(key):
            continue
        name = key.replace("_", " ")
        if isinstance(value, Mapping):
            parts.append("" if (inner := words(value)) == "as it came" else inner)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            members = [
                words(v) if isinstance(v, Mapping) else f"{v:.3g}" if isinstance(v, float) else f"{v}" for v in value
            ]
            if isinstance(value[0], Mapping):
                parts += [member for member in members if member != "as it came"]
            else:
                parts.append(f"{name} ({', '.join(members)})")
        else:
            parts.append(
                name if value is True else f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
            )
    return parts


def _joined(parts: Sequence[str]) -> str:
    return ", ".join(part for part in parts if part) or "as it came"
