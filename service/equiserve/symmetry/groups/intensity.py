"""Affine changes of brightness."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from equiserve.errors import InvalidRequest
from equiserve.symmetry.elements import Element, Intensity
from equiserve.symmetry.groups.group import Group, continuous, finite, not_in_group, require_positive, written
from equiserve.symmetry.groups.rigid import spread


@dataclass(frozen=True)
class IntensityChange(Group[Intensity]):
    """The maps x -> gain x + offset of samples, within ranges.

    Not a group: the samples' own range ends somewhere, and what is clipped there does not come back.

    Args:
        gain_low: Smallest gain, at most 1.
        gain_high: Largest gain, at least 1.
        offset: Largest offset either way, in the units of the samples.
    """

    gain_low: float
    gain_high: float
    offset: float = 0.0

    is_group = False

    def __post_init__(self) -> None:
        for key in ("gain_low", "gain_high", "offset"):
            object.__setattr__(self, key, finite(key, getattr(self, key)))
        if not 0 < self.gain_low <= 1 <= self.gain_high or self.offset < 0:
            raise InvalidRequest(
                f"intensity: got gains {self.gain_low:g} to {self.gain_high:g} and offset {self.offset:g}, expected "
                "gains above 0 with 1 between and an offset of at least 0",
                field="gain_low",
            )
        if self.gain_low == self.gain_high and not self.offset:
            raise InvalidRequest("intensity: got no gain but 1 and no offset but 0, expected a range", field="gain_low")

    @property
    def name(self) -> str:
        return f"Intensity:{written(self.gain_low)}..{written(self.gain_high)},{written(self.offset)}"

    @property
    def order(self) -> None:
        return None

    @property
    def identity(self) -> Intensity:
        return Intensity(1.0, 0.0)

    def parameters(self) -> dict[str, Any]:
        return {"gain_low": self.gain_low, "gain_high": self.gain_high, "offset": self.offset}

    def canonical(self, element: Element) -> Intensity:
        """Return the canonical form of a change within the ranges, or of the inverse of one (to undo it)."""
        if isinstance(element, Intensity) and (self._within(element) or self._within(self.inverse(element))):
            return element
        raise not_in_group(
            element,
            self,
            f"{{'gain': {self.gain_low:g} to {self.gain_high:g}, 'offset': {-self.offset:g} to {self.offset:g}}}",
        )

    def compose(self, g: Intensity, h: Intensity) -> Intensity:
        """Return the product; InvalidRequest where it leaves the ranges."""
        return self.canonical(Intensity(g.gain * h.gain, g.gain * h.offset + g.offset))

    def inverse(self, g: Intensity) -> Intensity:
        return Intensity(1 / g.gain, -g.offset / g.gain)

    def elements(self) -> list[Intensity]:
        raise continuous(self)

    def sample(self, rng: np.random.Generator, n: int) -> list[Intensity]:
        """Return changes with uniform logarithms of the gain and uniform offsets."""
        gains = rng.uniform(math.log(self.gain_low), math.log(self.gain_high), n)
        offsets = rng.uniform(-self.offset, self.offset, n)
        return [Intensity(math.exp(a), b) for a, b in zip(gains.tolist(), offsets.tolist(), strict=True)]

    def grid(self, n: int) -> list[Intensity]:
        require_positive("n", n)
        low, high = math.log(self.gain_low), math.log(self.gain_high)
        grid = [self.identity]
        for a, b in spread(n, 2)[1:].tolist():
            grid.append(Intensity(math.exp(low + (high - low) * (a + 1) / 2), b * self.offset))
        return grid

    def distance(self, g: Intensity, h: Intensity) -> float:
        """Return the difference of the logarithms of the gains, plus that of the offsets in units of the largest."""
        apart = abs(math.log(g.gain / h.gain))
        return apart + abs(g.offset - h.offset) / self.offset if self.offset else apart

    def describe(self, g: Intensity) -> str:
        return f"a change of brightness to {g.gain:.4g} x {g.offset:+.4g}"

    def _within(self, g: Intensity) -> bool:
        slack = 1 + 1e-9
        return self.gain_low / slack <= g.gain <= self.gain_high * slack and abs(g.offset) <= self.offset * slack
