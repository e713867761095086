"""All elements as one type, products of them, and reading what `to_json` wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from equiserve.errors import InvalidRequest
from equiserve.symmetry.elements.plane import Rotation, Shift
from equiserve.symmetry.elements.space import RigidMotion, Rotation3D, Translation
from equiserve.symmetry.elements.tensors import Intensity, LinearMap, Permutation, Reversal, Scale, TimeStep


@dataclass(frozen=True, slots=True)
class Product:
    """An element of a direct product of groups.

    Args:
        factors: One element a group; they commute, the last acts first.
    """

    factors: tuple[Element, ...]

    def to_json(self) -> dict[str, list[dict[str, Any]]]:
        """Return the element as JSON values."""
        return {"product": [dict(factor.to_json()) for factor in self.factors]}


Element = (
    Shift
    | Rotation
    | Rotation3D
    | Translation
    | RigidMotion
    | Scale
    | Permutation
    | Reversal
    | TimeStep
    | Intensity
    | LinearMap
    | Product
)


def element_from_json(value: object, field: str = "elements") -> Element:
    """Read what ``to_json`` wrote.

    Args:
        value: ``{"dy": int, "dx": int}`` or ``{"angle_deg": number, "reflected": bool}`` (what is left out is 0 or
            false, but not everything may be), ``{"quaternion": [w, x, y, z]}`` with ``inverted`` or ``translation``,
            ``{"translation": [...]}``, ``{"scale": s}``, ``{"permutation": [...]}``, ``{"time_reversed": bool}``,
            ``{"time_steps": int}``, ``{"gain": a, "offset": b}``, ``{"matrix": [[...]]}``, ``{"product": [...]}``.
        field: Name of the request's field, for the error.

    Raises:
        InvalidRequest: Another shape, or values of a wrong type.
    """
    if isinstance(value, Mapping) and value:
        for keys, read in _READERS:
            if value.keys() <= keys and (element := read(value)) is not None:
                return element
        if value.keys() == {"product"} and isinstance(value["product"], list) and len(value["product"]) <= 8:
            factors = enumerate(value["product"])
            return Product(tuple(element_from_json(v, f"{field}.product[{k}]") for k, v in factors))
    raise InvalidRequest(
        f"{field}: {value!r} is no group element; expected {{'dy': int, 'dx': int}} in pixels, "
        "{'angle_deg': number, 'reflected': bool}, {'quaternion': [w, x, y, z]}, {'translation': [number, ...]}, "
        "{'scale': number}, {'permutation': [int, ...]}, {'time_reversed': bool}, {'time_steps': int}, "
        "{'gain': number, 'offset': number}, {'matrix': [[number]]} or {'product': [element, ...]}",
        field=field,
    )


def _shift(v: Mapping[str, Any]) -> Element | None:
    return Shift(v.get("dy", 0), v.get("dx", 0)) if all(type(x) is int for x in v.values()) else None


def _rotation(v: Mapping[str, Any]) -> Element | None:
    angle, reflected = v.get("angle_deg", 0), v.get("reflected", False)
    return Rotation(angle, reflected) if _numbers([angle], 1) and type(reflected) is bool else None


def _rotation_3d(v: Mapping[str, Any]) -> Element | None:
    quaternion, inverted = v.get("quaternion"), v.get("inverted", False)
    valid = _numbers(quaternion, 4) and type(inverted) is bool
    return Rotation3D(tuple(quaternion), inverted) if valid else None  # type: ignore[arg-type]


def _rigid_motion(v: Mapping[str, Any]) -> Element | None:
    quaternion, vector = v.get("quaternion"), v.get("translation")
    if quaternion is None:
        return Translation(tuple(vector)) if _numbers(vector) else None  # type: ignore[arg-type]
    if not _numbers(quaternion, 4) or not _numbers(vector, 3):
        return None
    return RigidMotion(Rotation3D(tuple(quaternion)), tuple(vector))  # type: ignore[arg-type]


def _scale(v: Mapping[str, Any]) -> Element | None:
    return Scale(v["scale"]) if _numbers([v["scale"]], 1) else None


def _permutation(v: Mapping[str, Any]) -> Element | None:
    order = v["permutation"]
    valid = isinstance(order, list) and order and all(type(place) is int for place in order)
    return Permutation(tuple(order)) if valid else None


def _intensity(v: Mapping[str, Any]) -> Element | None:
    gain, offset = v.get("gain", 1.0), v.get("offset", 0.0)
    return Intensity(gain, offset) if _numbers([gain, offset], 2) else None


def _matrix(v: Mapping[str, Any]) -> Element | None:
    rows = v["matrix"]
    valid = isinstance(rows, list) and all(_numbers(row, len(rows)) for row in rows)
    return LinearMap(tuple(map(tuple, rows))) if valid else None


# Compared, not tested with isfinite: that raises for huge integers.
_HUGE = 1e300

_READERS: tuple[tuple[set[str], Callable[[Mapping[str, Any]], Element | None]], ...] = (
    ({"dy", "dx"}, _shift),
    ({"angle_deg", "reflected"}, _rotation),
    ({"quaternion", "inverted"}, _rotation_3d),
    ({"quaternion", "translation"}, _rigid_motion),
    ({"scale"}, _scale),
    ({"permutation"}, _permutation),
    ({"time_reversed"}, lambda v: Reversal(v["time_reversed"]) if type(v["time_reversed"]) is bool else None),
    ({"time_steps"}, lambda v: TimeStep(v["time_steps"]) if type(v["time_steps"]) is int else None),
    ({"gain", "offset"}, _intensity),
    ({"matrix"}, _matrix),
)


def _numbers(values: object, length: int | None = None) -> bool:
    return (
        isinstance(values, Sequence)
        and not isinstance(values, str | bytes)
        and len(values) == (len(values) if length is None else length)
        and all(type(value) in (int, float) and -_HUGE < value < _HUGE for value in values)
    )
