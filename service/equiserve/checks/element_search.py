"""Which search fits a group, in terms of the group's elements."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from equiserve.errors import InvalidRequest, TooLarge
from equiserve.symmetry import SO2, AngleRange, CropShift, Cyclic, CyclicShift, Element, Group, Rotation, Shift
from equiserve.symmetry.search import OneParameterSearch, ShiftSearch

_START = 24
# Each round looks at all that was tried: beyond this a grid is cheaper.
_MOST = 1000
# Any five angles hold one that is resampled, so that the orbit's picture is prepared for all that a search may try.
_LEAST_START = 5
_TURN_DEG = 360.0


class Method(Protocol):
    """A search among keys: the elements themselves, or their parameter."""

    def uniform_elements(self) -> list[Any]:
        """Return the keys of the start."""

    def next_elements(self, observed: Mapping[Any, float]) -> list[Any]:
        """Return the keys to try next, given a value by key; none where nothing is left."""


@dataclass(frozen=True, slots=True)
class ElementSearch:
    """A search for the element of a group with the lowest value.

    Attributes:
        group: Whose elements are tried.
        method: How they are chosen.
        budget: Elements that may be tried, those of the start included.
    """

    group: Group[Any]
    method: Method
    budget: int

    def start(self) -> list[Element]:
        """Return the uniform elements, which alone make up the means."""
        return [self.element(key) for key in self.method.uniform_elements()]

    def element(self, key: Any) -> Element:
        """Return the element of one of the method's keys."""
        element: Element = self.group.canonical(key if isinstance(key, Shift) else Rotation(key))
        return element


def element_search(group: Group[Any], start: object, budget: object, most: int) -> ElementSearch | None:
    """Return the search that fits a group; None where the budget is enough to try every element.

    Args:
        group: CyclicShift, CropShift, SO2, C_n or a range of these two; any group within the budget.
        start: Elements to begin with, at most; None = 24.
        budget: See `ElementSearch`.
        most: Most elements of one request; no search may try more than 1,000.

    Raises:
        InvalidRequest: `start` or `budget` is no whole number, or too small; no search fits (`search_unsupported`).
        TooLarge: The budget is over its bound (`orbit_too_large`).
    """
    if type(budget) is not int or budget < _LEAST_START:
        raise InvalidRequest(
            f"search_budget: got {budget!r}, expected a whole number of at least {_LEAST_START}", field="search_budget"
        )
    if budget > min(most, _MOST):
        raise TooLarge(
            f"search_budget: got {budget}, at most {min(most, _MOST)} elements are tried in one search",
            code="orbit_too_large",
            field="search_budget",
        )
    if group.order is not None and group.order <= budget:
        return None
    count = _START if start is None else start
    if type(count) is not int or not _LEAST_START <= count <= budget:
        if start is None:
            raise InvalidRequest(
                f"search_budget: got {budget}, expected at least the {_START} elements that a search starts from; set "
                "`elements` to start from fewer",
                field="search_budget",
            )
        raise InvalidRequest(
            f"elements: got {start!r}, expected the number of elements that the search starts from, "
            f"{_LEAST_START} to {budget}",
            field="elements",
        )
    return ElementSearch(group, _method(group, count), budget)


def _method(group: Group[Any], count: int) -> Method:
    if isinstance(group, CyclicShift):
        return ShiftSearch((0, 0), (group.height, group.width), periodic=True, cells=math.isqrt(count))
    if isinstance(group, CropShift):
        reach = group.reach
        return ShiftSearch((-reach, -reach), (reach, reach), cells=math.isqrt(count) - 1)
    turns = group.group if isinstance(group, AngleRange) else group
    spacing = _TURN_DEG / turns.n if isinstance(turns, Cyclic) else None
    if spacing is None and not isinstance(turns, SO2):
        raise InvalidRequest(
            f"search: {group.name} has more elements than search_budget, and there is no search among them; expected "
            "CyclicShift, CropShift, SO2, C_n, or a range of SO2 or C_n",
            code="search_unsupported",
            field="search",
        )
    if not isinstance(group, AngleRange) or group.high_deg - group.low_deg == _TURN_DEG:
        return OneParameterSearch(spacing=spacing, uniform=count)
    low, high = group.low_deg, group.high_deg
    if spacing is not None:
        low, high = math.ceil(low / spacing) * spacing, math.floor(high / spacing) * spacing
    return OneParameterSearch(low, high, periodic=False, spacing=spacing, uniform=count)
