"""Groups that reorder: items of a set, and frames of a sequence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from equiserve.errors import InvalidRequest
from equiserve.symmetry.elements import Element, Permutation, Reversal, TimeStep
from equiserve.symmetry.groups.group import Group, draw, not_in_group, require_positive

_MOST_ITEMS = 4096
_MOST_ENUMERATED = 8


@dataclass(frozen=True)
class Symmetric(Group[Permutation]):
    """S_n: all orders of n items (points of a cloud, agents, nodes).

    Args:
        n: Number of items.
    """

    n: int

    def __post_init__(self) -> None:
        require_positive("n", self.n, _MOST_ITEMS)

    @property
    def name(self) -> str:
        return f"S{self.n}"

    @property
    def order(self) -> int | None:
        return math.factorial(self.n) if self.n <= _MOST_ENUMERATED else None

    @property
    def identity(self) -> Permutation:
        return Permutation(tuple(range(self.n)))

    def parameters(self) -> dict[str, int]:
        return {"n": self.n}

    def canonical(self, element: Element) -> Permutation:
        if not isinstance(element, Permutation) or len(element.order) != self.n:
            raise not_in_group(element, self, f"{{'permutation': [each of 0 to {self.n - 1} once]}}")
        return element

    def compose(self, g: Permutation, h: Permutation) -> Permutation:
        return Permutation(tuple(g.order[place] for place in h.order))

    def inverse(self, g: Permutation) -> Permutation:
        return Permutation(tuple(np.argsort(g.order).tolist()))

    def elements(self) -> list[Permutation]:
        if self.order is None:
            raise InvalidRequest(f"group: {self.name} has {self.n}! elements; name a number of elements", field="group")
        return [Permutation(order) for order in permutations(range(self.n))]

    def sample(self, rng: np.random.Generator, n: int) -> list[Permutation]:
        return [Permutation(tuple(rng.permutation(self.n).tolist())) for _ in range(n)]

    def grid(self, n: int) -> list[Permutation]:
        """Return the identity and n - 1 other permutations, drawn once and for all; all of them if there are no more.

        A longer grid begins with a shorter one.
        """
        if self.order is not None and n >= self.order:
            return self.elements()
        require_positive("n", n)
        rng, found = np.random.default_rng(0), {self.identity: None}
        while len(found) < n:
            found.setdefault(self.sample(rng, 1)[0])
        return list(found)

    def distance(self, g: Permutation, h: Permutation) -> float:
        """Return how many items come to different places."""
        return float(np.count_nonzero(np.array(g.order) != np.array(h.order)))

    def describe(self, g: Permutation) -> str:
        moved = sum(place != item for item, place in enumerate(g.order))
        return f"a permutation that moves {moved} of {self.n} items"


@dataclass(frozen=True)
class TimeReversal(Group[Reversal]):
    """Z_2: a sequence as it is, or played backwards (velocities then point the other way)."""

    @property
    def name(self) -> str:
        return "TimeReversal"

    @property
    def order(self) -> int:
        return 2

    @property
    def identity(self) -> Reversal:
        return Reversal(False)

    def parameters(self) -> dict[str, Any]:
        return {}

    def canonical(self, element: Element) -> Reversal:
        if not isinstance(element, Reversal):
            raise not_in_group(element, self, "{'time_reversed': bool}")
        return element

    def compose(self, g: Reversal, h: Reversal) -> Reversal:
        return Reversal(g.reversed != h.reversed)

    def inverse(self, g: Reversal) -> Reversal:
        return g

    def elements(self) -> list[Reversal]:
        return [Reversal(False), Reversal(True)]

    def sample(self, rng: np.random.Generator, n: int) -> list[Reversal]:
        return draw(self.elements(), rng, n)

    def distance(self, g: Reversal, h: Reversal) -> float:
        """Return 0 or 1."""
        return float(g != h)

    def describe(self, g: Reversal) -> str:
        return "time reversal" if g.reversed else "time as it runs"


@dataclass(frozen=True)
class TimeShift(Group[TimeStep]):
    """Sequences that start up to ``reach`` frames earlier or later; only the overlap can be compared.

    Not a group: two such shifts may compose to a longer one, and frames that left do not come back.

    Args:
        reach: Largest shift, frames.
    """

    reach: int

    is_group = False

    def __post_init__(self) -> None:
        require_positive("reach", self.reach)

    @property
    def name(self) -> str:
        return f"TimeShift:{self.reach}"

    @property
    def order(self) -> int:
        return 2 * self.reach + 1

    @property
    def identity(self) -> TimeStep:
        return TimeStep(0)

    def parameters(self) -> dict[str, int]:
        return {"reach": self.reach}

    def canonical(self, element: Element) -> TimeStep:
        if not isinstance(element, TimeStep) or abs(element.steps) > self.reach:
            raise not_in_group(element, self, f"{{'time_steps': -{self.reach} to {self.reach}}}")
        return element

    def compose(self, g: TimeStep, h: TimeStep) -> TimeStep:
        """Return the sum of two shifts; InvalidRequest where it leaves the window."""
        return self.canonical(TimeStep(g.steps + h.steps))

    def inverse(self, g: TimeStep) -> TimeStep:
        return TimeStep(-g.steps)

    def elements(self) -> list[TimeStep]:
        return [TimeStep(k) for k in sorted(range(-self.reach, self.reach + 1), key=abs)]

    def sample(self, rng: np.random.Generator, n: int) -> list[TimeStep]:
        return [TimeStep(k) for k in rng.integers(-self.reach, self.reach + 1, size=n).tolist()]

    def distance(self, g: TimeStep, h: TimeStep) -> float:
        """Return the difference, frames."""
        return float(abs(g.steps - h.steps))

    def describe(self, g: TimeStep) -> str:
        return f"a shift by {abs(g.steps)} frames {'later' if g.steps >= 0 else 'earlier'}"
