"""Changes of size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import InvalidRequest
from equiserve.symmetry.elements import Element, Scale
from equiserve.symmetry.groups.group import continuous, not_in_group, require_positive, written
from equiserve.symmetry.groups.linear import GENERATING_RADIANS, LinearGroup
from equiserve.symmetry.groups.rigid import MOST_DIMENSIONS, require_above_zero


@dataclass(frozen=True)
class Scaling(LinearGroup[Scale]):
    """Changes of size between two factors, about the origin (of pictures: about the centre).

    Not a group: two factors may multiply to one outside the range.

    Args:
        low: Smallest factor, at most 1.
        high: Largest factor, at least 1.
        dim: Coordinates of the tensors that it acts on; pictures do not need it.
    """

    low: float
    high: float
    dim: int = 3

    is_group = False

    def __post_init__(self) -> None:
        low, high = require_above_zero("low", self.low), require_above_zero("high", self.high)
        if not low <= 1 <= high or low == high:
            raise InvalidRequest(f"range: got {low:g} to {high:g}, expected factors with 1 between", field="range")
        require_positive("dim", self.dim, MOST_DIMENSIONS)
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    @property
    def name(self) -> str:
        return f"Scaling{self.dim}:{written(self.low)}..{written(self.high)}"

    @property
    def order(self) -> None:
        return None

    @property
    def identity(self) -> Scale:
        return Scale(1.0)

    def parameters(self) -> dict[str, float]:
        return {"low": self.low, "high": self.high, "dim": self.dim}

    def canonical(self, element: Element) -> Scale:
        """Return the canonical form of a factor in the range, or of the inverse of one (to undo it)."""
        if isinstance(element, Scale):
            # What rounding may add at the ends is no other factor.
            low, high = self.low * (1 - 1e-9), self.high * (1 + 1e-9)
            if low <= element.factor <= high or low <= 1 / element.factor <= high:
                return element
        raise not_in_group(element, self, f"{{'scale': {self.low:g} to {self.high:g}}}")

    def compose(self, g: Scale, h: Scale) -> Scale:
        """Return the product of two factors; InvalidRequest where it leaves the range."""
        return self.canonical(Scale(g.factor * h.factor))

    def inverse(self, g: Scale) -> Scale:
        return Scale(1 / g.factor)

    def elements(self) -> list[Scale]:
        raise continuous(self)

    def sample(self, rng: np.random.Generator, n: int) -> list[Scale]:
        """Return factors whose logarithms are uniform, as the invariant measure has it."""
        return [Scale(math.exp(v)) for v in rng.uniform(math.log(self.low), math.log(self.high), n).tolist()]

    def grid(self, n: int) -> list[Scale]:
        """Return ``n`` factors, 1 first; equal ratios on either side of it."""
        require_positive("n", n)
        low, high = math.log(self.low), math.log(self.high)
        above = round((n - 1) * high / (high - low))
        below = n - 1 - above
        logs = [high * k / above for k in range(1, above + 1)] + [low * k / below for k in range(1, below + 1)]
        return [self.identity, *(Scale(math.exp(v)) for v in logs)]

    def distance(self, g: Scale, h: Scale) -> float:
        """Return the difference of the logarithms."""
        return abs(math.log(g.factor / h.factor))

    def describe(self, g: Scale) -> str:
        return f"a scaling by {g.factor:.4g}"

    def matrix(self, g: Scale) -> NDArray[np.float64]:
        return g.factor * np.eye(self.dim)

    def generators(self) -> NDArray[np.float64]:
        return math.exp(GENERATING_RADIANS) * np.eye(self.dim)[None]
