"""Worst shift of a window of whole-pixel shifts, by a quadtree."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from equiserve.errors import InvalidRequest
from equiserve.symmetry.elements import Shift

_Cell = tuple[int, int, int, int]  # top, left, bottom, right: its corners are shifts


@dataclass(frozen=True)
class ShiftSearch:
    """Search among the shifts of a rectangle, or of a circle in each direction.

    The start is a coarse grid; each round divides the cells that may hide the lowest value (the mean of the corners
    minus what their largest difference allows) and tries the corners of the four parts.

    Args:
        low: Smallest (dy, dx), pixels.
        high: Largest (dy, dx); where ``periodic``, the (dy, dx) that is the same shift as ``low``: (H, W).
        periodic: Whether shifts are circular.
        cells: Cells a side at the start; the first elements are their corners.
        per_round: Elements of each later round, at least (a divided cell is tried whole).
    """

    low: tuple[int, int]
    high: tuple[int, int]
    periodic: bool = False
    cells: int = 4
    per_round: int = 6

    def __post_init__(self) -> None:
        if not (self.low[0] < self.high[0] and self.low[1] < self.high[1]) or self.cells < 1 or self.per_round < 1:
            raise InvalidRequest(
                f"search: got shifts {self.low} to {self.high} in {self.cells} cells, {self.per_round} a round; "
                "expected low < high in both directions and at least 1 of each",
                field="search",
            )

    def uniform_elements(self) -> list[Shift]:
        """Return the shifts of the start: the means are over these."""
        return list(dict.fromkeys(self._shift(y, x) for cell in self._first_cells() for y, x in _corners(cell)))

    def next_elements(self, observed: Mapping[Shift, float]) -> list[Shift]:
        """Return the shifts to try next; none where every shift near a suspicious one was tried.

        Args:
            observed: Value by shift, as this search named them; a NaN counts as the lowest value.
        """
        missing = [shift for shift in self.uniform_elements() if shift not in observed]
        if missing:
            return missing
        lowest = min((value for value in observed.values() if math.isfinite(value)), default=0.0)
        values = {shift: value if math.isfinite(value) else lowest for shift, value in observed.items()}
        leaves = [leaf for cell in self._first_cells() for leaf in self._leaves(cell, values)]
        steepest = max((self._slope(leaf, values) for leaf in leaves), default=0.0)
        chosen: list[Shift] = []
        for leaf in sorted(leaves, key=lambda leaf: self._lower_bound(leaf, values, steepest)):
            chosen += [shift for shift in self._inner(leaf) if shift not in values and shift not in chosen]
            if len(chosen) >= self.per_round:
                break
        return chosen

    def uniform_mean(self, observed: Mapping[Shift, float]) -> float:
        """Return the mean of the observed values over the uniform elements alone."""
        return math.fsum(observed[shift] for shift in self.uniform_elements()) / len(self.uniform_elements())

    def _first_cells(self) -> list[_Cell]:
        rows, columns = (self._cuts(axis) for axis in (0, 1))
        return [(top, left, bottom, right) for top, bottom in pairwise(rows) for left, right in pairwise(columns)]

    def _cuts(self, axis: int) -> list[int]:
        low, span = self.low[axis], self.high[axis] - self.low[axis]
        return sorted({low + round(span * k / self.cells) for k in range(self.cells + 1)})

    def _leaves(self, cell: _Cell, values: Mapping[Shift, float]) -> Iterator[_Cell]:
        """Yield the cells that no observed element divides, out of those that can be divided."""
        inner = self._inner(cell)
        if not inner:
            return
        if any(shift not in values for shift in inner):
            yield cell
            return
        top, left, bottom, right = cell
        rows, columns = sorted({top, (top + bottom) // 2, bottom}), sorted({left, (left + right) // 2, right})
        for upper, lower in pairwise(rows):
            for west, east in pairwise(columns):
                yield from self._leaves((upper, west, lower, east), values)

    def _inner(self, cell: _Cell) -> list[Shift]:
        """Return the corners of a cell's four parts that are not its own."""
        top, left, bottom, right = cell
        rows, columns = {top, (top + bottom) // 2, bottom}, {left, (left + right) // 2, right}
        own = set(_corners(cell))
        return [self._shift(y, x) for y in sorted(rows) for x in sorted(columns) if (y, x) not in own]

    def _slope(self, cell: _Cell, values: Mapping[Shift, float]) -> float:
        corners = [values[self._shift(y, x)] for y, x in _corners(cell)]
        return (max(corners) - min(corners)) / _diagonal(cell)

    def _lower_bound(self, cell: _Cell, values: Mapping[Shift, float], steepest: float) -> tuple[float, float]:
        corners = [values[self._shift(y, x)] for y, x in _corners(cell)]
        return sum(corners) / 4 - steepest * _diagonal(cell) / 2, -_diagonal(cell)

    def _shift(self, y: int, x: int) -> Shift:
        if not self.periodic:
            return Shift(y, x)
        spans = self.high[0] - self.low[0], self.high[1] - self.low[1]
        return Shift(self.low[0] + (y - self.low[0]) % spans[0], self.low[1] + (x - self.low[1]) % spans[1])


def _corners(cell: _Cell) -> list[tuple[int, int]]:
    top, left, bottom, right = cell
    return [(top, left), (top, right), (bottom, left), (bottom, right)]


def _diagonal(cell: _Cell) -> float:
    return math.hypot(cell[2] - cell[0], cell[3] - cell[1])
