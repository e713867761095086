"""Groups by name: what a request, a manifest or a command line may write, and the list for discovery."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from equiserve.errors import InvalidRequest
from equiserve.symmetry.groups.group import Group
from equiserve.symmetry.groups.rotations import FLIP_AXES, SO2, Cyclic, Dihedral, Flip
from equiserve.symmetry.groups.translations import CropShift, CyclicShift


@dataclass(frozen=True)
class _Family:
    name: str
    example: str
    parameters: dict[str, str]
    description: str
    exactness: str
    finite: bool
    is_group: bool
    pattern: str
    build: Callable[[dict[str, Any]], Group[Any]]


_FAMILIES = (
    _Family(
        "CyclicShift",
        "CyclicShift",
        {"height": "rows, pixels; the picture's by default", "width": "columns, pixels; the picture's by default"},
        "All shifts on the torus: what leaves on one side comes back on the other.",
        "exact: every element permutes pixels",
        True,
        True,
        r"CyclicShift(?::(?P<height>\d+)x(?P<width>\d+))?",
        lambda p: CyclicShift(p["height"], p["width"]),
    ),
    _Family(
        "CropShift",
        "CropShift:4",
        {"reach": "largest shift along either axis, pixels"},
        "Shifts that push content out and let a named fill in; not closed, so the orbit is partial.",
        "not exact: content is lost at the border",
        True,
        False,
        r"CropShift:(?P<reach>\d+)",
        lambda p: CropShift(p["reach"]),
    ),
    _Family(
        "Flip",
        "Flip:left_right",
        {"axes": "list of left_right and up_down; both by default"},
        "Mirror images along the named axes.",
        "exact: every element permutes pixels",
        True,
        True,
        r"Flip(?::(?P<axes>left_right|up_down))?",
        lambda p: Flip(p["axes"]),
    ),
    _Family(
        "Cyclic",
        "C4",
        {"n": "number of rotations"},
        "C_n: rotations by multiples of 360/n degrees about the picture's centre.",
        "exact on multiples of 90 degrees; other angles are resampled inside the inscribed disc",
        True,
        True,
        r"C(?P<n>\d+)",
        lambda p: Cyclic(p["n"]),
    ),
    _Family(
        "Dihedral",
        "D4",
        {"n": "number of rotations; the group has twice as many elements"},
        "D_n: the rotations of C_n and their mirror images.",
        "exact on multiples of 90 degrees, mirrored or not; other angles are resampled inside the inscribed disc",
        True,
        True,
        r"D(?P<n>\d+)",
        lambda p: Dihedral(p["n"]),
    ),
    _Family(
        "SO2",
        "SO2",
        {},
        "All rotations about the picture's centre.",
        "exact on multiples of 90 degrees; other angles are resampled inside the inscribed disc",
        False,
        True,
        r"SO2",
        lambda p: SO2(),
    ),
)


def group_catalogue() -> list[dict[str, Any]]:
    """Return a JSON description of every family of groups that ``group_from_spec`` knows."""
    shown = ("name", "example", "parameters", "description", "exactness", "finite", "is_group")
    return [{key: getattr(family, key) for key in shown} for family in _FAMILIES]


def group_from_spec(
    spec: str | Mapping[str, Any], *, height: int | None = None, width: int | None = None
) -> Group[Any]:
    """Build a group from its name, or from its family's name and parameters.

    Args:
        spec: ``"C4"``, ``"D4"``, ``"SO2"``, ``"Flip:left_right"``, ``"CropShift:4"``, ``"CyclicShift"``,
            ``"CyclicShift:28x28"``, or ``{"name": ..., parameter: value}`` with either kind of name.
        height: Rows of the picture, for what the spec leaves open.
        width: Columns of the picture, for what the spec leaves open.

    Raises:
        InvalidRequest: Unknown group (the message lists the known ones), unknown or missing parameter, or a value
            that the group refuses.
    """
    given = {"name": spec} if isinstance(spec, str) else dict(spec)
    name = given.pop("name", None)
    family, parameters = _look_up(name)
    if unknown := sorted(given.keys() - family.parameters.keys()):
        raise InvalidRequest(
            f"group.{unknown[0]}: {family.name} has no such parameter, expected {list(family.parameters)}",
            field=f"group.{unknown[0]}",
        )
    parameters |= given
    if family.name == "CyclicShift":
        sizes = {"height": height, "width": width}
        parameters = {key: size for key, size in sizes.items() if size is not None} | parameters
    if family.name == "Flip":
        axes = parameters.get("axes", list(FLIP_AXES))
        parameters["axes"] = [axes] if isinstance(axes, str) else axes
    if missing := sorted(family.parameters.keys() - parameters.keys()):
        raise InvalidRequest(
            f"group.{missing[0]}: {family.name} needs {family.parameters[missing[0]]}", field=f"group.{missing[0]}"
        )
    return family.build(parameters)


def _look_up(name: object) -> tuple[_Family, dict[str, Any]]:
    """Return the family and the parameters that the name itself carries."""
    for family in _FAMILIES:
        if name == family.name:
            return family, {}
        if isinstance(name, str) and (match := re.fullmatch(family.pattern, name)):
            found = {key: value for key, value in match.groupdict().items() if value is not None}
            return family, {key: int(value) if value.isdecimal() else value for key, value in found.items()}
    known = ", ".join(f"{family.name} (e.g. {family.example!r})" for family in _FAMILIES)
    raise InvalidRequest(f"group: unknown group {name!r}, expected one of {known}", field="group")
