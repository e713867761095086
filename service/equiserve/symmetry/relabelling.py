"""Moves that change what a class is: a 6 that is turned upside down is a 9, a left shoe in a mirror is a right one."""

from __future__ import annotations

from typing import Any

import numpy as np

from equiserve.artifact.manifest import Manifest, Relabelling
from equiserve.errors import InvalidRequest
from equiserve.symmetry.actions import RelabelClasses
from equiserve.symmetry.declared_groups import declared_group
from equiserve.symmetry.elements import Element, element_from_json
from equiserve.symmetry.groups import Group

# Elements with which each declared one is composed, to see whether the declaration is a representation.
_COMPOSED = 64


def declared_relabelling(
    manifest: Manifest, tensor: str, group: Group[Any], *, height: int | None = None, width: int | None = None
) -> RelabelClasses | None:
    """Return how a group relabels the classes of a tensor of scores; None where the manifest does not say that it does.

    Args:
        manifest: An override of the tensor for this very group says it, by the names of `labels` or by index.
        tensor: The scores.
        group: Whose elements relabel.
        height: Rows of the picture, for groups that leave it open.
        width: Columns of the picture.

    Raises:
        InvalidRequest: A class that there is not, an element that is not in the group, or a declaration that is none:
            one move after the other must relabel as their product does.
    """
    for override in manifest.overrides:
        if override.tensor != tensor or not isinstance(override.action, Relabelling):
            continue
        if declared_group(manifest, override.group, height=height, width=width) == group:
            field = f"overrides.{override.group}.{tensor}"
            return _read(override.action, manifest.labels, tensor, group, field)
    return None


def _read(declared: Relabelling, names: list[str] | None, tensor: str, group: Group[Any], field: str) -> RelabelClasses:
    labels: dict[Element, dict[int, int]] = {}
    for entry in declared.relabel:
        element = group.canonical(element_from_json(entry.element, f"{field}.element"))
        labels[element] = {_index(a, names, field): _index(b, names, field) for a, b in entry.classes.items()}
    action = RelabelClasses(tensor, group, labels)
    named = [index for moves in labels.values() for pair in moves.items() for index in pair]
    marks = np.arange(1 + max(named, default=0))
    others = group.elements() if (group.order or _COMPOSED + 1) <= _COMPOSED else group.grid(_COMPOSED)
    for g in labels:
        for h in (*labels, *others):
            twice = action.move(g, action.move(h, marks))
            if not np.array_equal(twice, action.move(group.canonical(group.compose(g, h)), marks)):
                raise InvalidRequest(
                    f"{field}: {group.describe(h)} and then {group.describe(g)} do not relabel as their product does; "
                    "declare it for a group in which every element has its classes, e.g. C2 or Flip:left_right",
                    code="invalid_signature",
                    field=field,
                )
    return action


def _index(name: str | int, names: list[str] | None, field: str) -> int:
    if isinstance(name, str) and names and name in names:
        return names.index(name)
    if str(name).isdecimal() and not (names and int(name) >= len(names)):
        return int(name)
    raise InvalidRequest(f"{field}: got class {name!r}, expected one of {names or 'the indices'}", field=field)
