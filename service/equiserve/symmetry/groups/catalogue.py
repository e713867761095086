"""Groups by name: what a request, a manifest or a command line may write, and the list for discovery."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from equiserve.errors import InvalidRequest
from equiserve.symmetry.groups.families import FAMILIES, MATRICES, Family
from equiserve.symmetry.groups.group import Group
from equiserve.symmetry.groups.products import MOST_FACTORS

_LONGEST_NAME = 256
# Other spellings of the field: SO(3), T(2), O(2), "custom" generators.
_PARENTHESES = re.compile(r"^([A-Z][A-Za-z]*)\((\d+)\)")
_SYNONYMS = {"custom": "MatrixGroup", "Intensity": "IntensityChange"}
# Compound names are looked at first: each part is a name again.
_COMPOUND = ("DirectProduct", "YDown", "AboutAxis", "AngleRange")
_DEEPEST = 4


def group_catalogue() -> list[dict[str, Any]]:
    """Return a JSON description of every family of groups that a name can build.

    Groups of matrices have no name: ``{"name": "MatrixGroup", "lie": [...], "discrete": [...]}``.
    """
    shown = ("name", "example", "parameters", "description", "exactness", "finite", "is_group")
    return [{key: getattr(family, key) for key in shown} for family in FAMILIES]


def group_from_spec(
    spec: str | Mapping[str, Any], *, height: int | None = None, width: int | None = None
) -> Group[Any]:
    """Build a group from its name, or from its family's name and parameters.

    Args:
        spec: ``"C4"``, ``"D4"``, ``"SO2"``, ``"SO2[-30,30]"``, ``"SO3"``, ``"O2 about y"``, ``"D4 x TimeReversal"``,
            ``"Flip:left_right"``, ``"CropShift:4"``, ``"CyclicShift"``, ``"CyclicShift:28x28"``, ..., or
            ``{"name": ..., parameter: value}`` with either kind of name. ``"SO(3)"`` is ``"SO3"``. To groups of
            rotations of the plane, ``axis`` and ``range`` (degrees) may be added as further keys.
        height: Rows of the picture, for what the spec leaves open.
        width: Columns of the picture, for what the spec leaves open.

    Raises:
        InvalidRequest: Unknown group (the message lists the known ones), unknown or missing parameter, or a value
            that the group refuses.
    """
    return _build(spec, {"height": height, "width": width}, 0)


def _build(spec: object, sizes: Mapping[str, int | None], depth: int) -> Group[Any]:
    if not isinstance(spec, str | Mapping) or depth > _DEEPEST:
        raise InvalidRequest(f"group: got {spec!r}, expected the name of a group or an object", field="group")
    given = {"name": spec} if isinstance(spec, str) else dict(spec)
    family, parameters = _look_up(given.pop("name", None))
    wrappers = {key: given.pop(key) for key in ("range", "axis") if key in given and key not in family.parameters}
    if unknown := sorted(given.keys() - family.parameters.keys()):
        raise InvalidRequest(
            f"group.{unknown[0]}: {family.name} has no such parameter, expected {list(family.parameters)}",
            field=f"group.{unknown[0]}",
        )
    known = {key: size for key, size in sizes.items() if size is not None and key in family.parameters}
    parameters = {**family.defaults, **known, **parameters, **given}
    if missing := sorted(family.parameters.keys() - parameters.keys()):
        raise InvalidRequest(
            f"group.{missing[0]}: {family.name} needs {family.parameters[missing[0]]}", field=f"group.{missing[0]}"
        )
    if "group" in parameters:
        parameters["group"] = _build(parameters["group"], sizes, depth + 1)
    if "factors" in parameters:
        factors = parameters["factors"]
        if not isinstance(factors, list) or len(factors) > MOST_FACTORS:
            raise InvalidRequest(
                f"group.factors: got {factors!r:.200}, expected a list of at most {MOST_FACTORS} groups",
                field="group.factors",
            )
        parameters["factors"] = [_build(factor, sizes, depth + 1) for factor in parameters["factors"]]
    group = family.build(**parameters)
    if "range" in wrappers:
        low, high = _range(wrappers["range"])
        group = _family("AngleRange").build(group=group, low_deg=low, high_deg=high)
    return _family("AboutAxis").build(group=group, axis=wrappers["axis"]) if "axis" in wrappers else group


def _look_up(name: object) -> tuple[Family, dict[str, Any]]:
    """Return the family and the parameters that the name itself carries."""
    if isinstance(name, str) and len(name) <= _LONGEST_NAME:
        name = _SYNONYMS.get(name, _PARENTHESES.sub(r"\1\2", name))
        for family in (*FAMILIES, MATRICES):
            if name == family.name:
                return family, {}
        for family in (*map(_family, _COMPOUND), *FAMILIES):
            if match := re.fullmatch(family.pattern, name):
                return family, {key: _value(key, text) for key, text in match.groupdict().items() if text is not None}
    known = ", ".join(f"{family.name} (e.g. {family.example!r})" for family in FAMILIES)
    raise InvalidRequest(f"group: unknown group {name!r}, expected one of {known}", field="group")


def _value(key: str, text: str) -> Any:
    if key == "factors":
        return text.split(" x ")
    if key == "axis" and "," in text:
        return [float(number) for number in text.split(",")]
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def _range(value: object) -> tuple[Any, Any]:
    if isinstance(value, list | tuple) and len(value) == 2:
        return value[0], value[1]
    if type(value) in (int, float):
        return -value, value  # type: ignore[operator]
    raise InvalidRequest(
        f"group.range: got {value!r}, expected a number of degrees either way or [low, high]", field="group.range"
    )


def _family(name: str) -> Family:
    return next(family for family in FAMILIES if family.name == name)
