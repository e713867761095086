"""Worst angle, time or scale: Piyavskii and Shubert's method on a circle or a range."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from equiserve.errors import InvalidRequest

# The slopes of chords understate the steepest place: with this factor narrow dips are missed less often.
_STEEPER = 1.5


@dataclass(frozen=True)
class OneParameterSearch:
    """Search along one parameter, such as the angle of SO(2) in degrees or that of a `Rotation` of C(n).

    After a uniform start each round halves the two intervals at the lowest place, and then takes those that may hide a
    lower value, if the function is nowhere much steeper than the steepest slope seen so far; it tries the place in
    each where that would be (Piyavskii 1972; Shubert 1972). `python -m bench.search` measures it: 60 tries against 360
    uniform ones. A dip much narrower than the uniform spacing can still go unseen.

    Args:
        low: Smallest parameter.
        high: Largest one; of a circle the parameter that is the same as ``low`` (360 degrees).
        periodic: Whether it is a circle.
        spacing: The elements of a finite group are its multiples (360 / n for C(n)); None for a continuous one.
        uniform: Elements of the start.
        per_round: Elements of each later round, one batch of the model.
        resolution: Intervals no wider than this are not divided.
    """

    low: float = 0.0
    high: float = 360.0
    periodic: bool = True
    spacing: float | None = None
    uniform: int = 24
    per_round: int = 6
    resolution: float = 0.01

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise InvalidRequest(f"range: got {self.low:g} to {self.high:g}, expected low < high", field="range")
        if self.uniform < 2 or self.per_round < 1:
            raise InvalidRequest(
                f"search: got {self.uniform} uniform elements and {self.per_round} a round, expected at least 2 and 1",
                field="search",
            )

    def uniform_elements(self) -> list[float]:
        """Return the parameters of the start: the means are over these."""
        count = self.uniform if self.periodic else self.uniform - 1
        step = (self.high - self.low) / count
        return list(dict.fromkeys(self._nearest(self.low + k * step) for k in range(self.uniform)))

    def next_elements(self, observed: Mapping[float, float]) -> list[float]:
        """Return the parameters to try next; none where nothing is left to divide.

        Args:
            observed: Value by parameter, as this search named them; a NaN counts as the lowest value.
        """
        missing = [place for place in self.uniform_elements() if place not in observed]
        if missing:
            return missing
        values = _finite(observed)
        places = sorted(values)
        ends = [*places[1:], places[0] + (self.high - self.low)] if self.periodic else places[1:]
        intervals = [
            (a, b, values[a], values[b if b in values else places[0]]) for a, b in zip(places, ends, strict=False)
        ]
        steepest = max((abs(vb - va) / (b - a) for a, b, va, vb in intervals), default=0.0)

        def lower_bound(interval: tuple[float, float, float, float]) -> tuple[float, float]:
            a, b, va, vb = interval
            # Of equal bounds the widest interval comes first.
            return (va + vb) / 2 - _STEEPER * steepest * (b - a) / 2, a - b

        best = min(places, key=values.__getitem__)
        # Where the function is steep somewhere every wide interval is suspect: the lowest place gets its share first.
        around = [(a, b, (a + b) / 2) for a, b, _, _ in intervals if best in (a, self._wrapped(b))]
        suspect = [
            (a, b, (a + b) / 2 + ((va - vb) / (2 * steepest) if steepest else 0.0))
            for a, b, va, vb in sorted(intervals, key=lower_bound)
        ]
        chosen: dict[float, float] = {}  # by the interval's lower end: each is divided once a round
        for a, b, lowest in [*around, *suspect]:
            place = None if a in chosen else self._between(a, b, lowest)
            if place is not None:
                chosen[a] = place
        return list(chosen.values())[: self.per_round]

    def uniform_mean(self, observed: Mapping[float, float]) -> float:
        """Return the mean of the observed values over the uniform elements alone."""
        return math.fsum(observed[place] for place in self.uniform_elements()) / len(self.uniform_elements())

    def _between(self, a: float, b: float, lowest: float) -> float | None:
        """Return an element strictly between two, near where the bound is lowest; None if there is none."""
        if b - a <= self.resolution:
            return None
        if self.spacing is None:
            # Near an end the bound is lowest where it is known already: stay a tenth of the interval away.
            margin = (b - a) / 10
            return self._wrapped(min(max(lowest, a + margin), b - margin))
        first, last = round(a / self.spacing) + 1, round(b / self.spacing) - 1
        if first > last:
            return None
        return self._wrapped(min(max(round(lowest / self.spacing), first), last) * self.spacing)

    def _nearest(self, place: float) -> float:
        return self._wrapped(place if self.spacing is None else round(place / self.spacing) * self.spacing)

    def _wrapped(self, place: float) -> float:
        if self.periodic:
            place = self.low + (place - self.low) % (self.high - self.low)
        # As `Rotation` rounds angles, so that equal elements are equal keys.
        return round(place, 9)


def _finite(observed: Mapping[float, float]) -> dict[float, float]:
    lowest = min((value for value in observed.values() if math.isfinite(value)), default=0.0)
    return {place: value if math.isfinite(value) else lowest for place, value in observed.items()}
