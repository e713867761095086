"""Translations of the picture plane: circular shifts (a group) and crop shifts (a window on one)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from equiserve.symmetry.elements import Element, Shift
from equiserve.symmetry.groups.group import Group, draw, not_in_group, require_positive

# Steps through a finite list by the golden section visit it evenly, however early one stops.
_GOLDEN_SECTION = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class CyclicShift(Group[Shift]):
    """Z_H x Z_W: shifts on the torus; what leaves on one side comes back on the other, nothing is lost.

    Args:
        height: Rows of the picture, pixels.
        width: Columns of the picture, pixels.
    """

    height: int
    width: int

    def __post_init__(self) -> None:
        require_positive("height", self.height)
        require_positive("width", self.width)

    @property
    def name(self) -> str:
        return f"CyclicShift:{self.height}x{self.width}"

    @property
    def order(self) -> int:
        return self.height * self.width

    @property
    def identity(self) -> Shift:
        return Shift(0, 0)

    def parameters(self) -> dict[str, int]:
        return {"height": self.height, "width": self.width}

    def canonical(self, element: Element) -> Shift:
        if not isinstance(element, Shift):
            raise not_in_group(element, self, "a shift {'dy': int, 'dx': int}")
        return Shift(element.dy % self.height, element.dx % self.width)

    def compose(self, g: Shift, h: Shift) -> Shift:
        return self.canonical(Shift(g.dy + h.dy, g.dx + h.dx))

    def inverse(self, g: Shift) -> Shift:
        return self.canonical(Shift(-g.dy, -g.dx))

    def elements(self) -> list[Shift]:
        return [Shift(dy, dx) for dy in range(self.height) for dx in range(self.width)]

    def sample(self, rng: np.random.Generator, n: int) -> list[Shift]:
        return [self._at(int(k)) for k in rng.integers(self.order, size=n)]

    def grid(self, n: int) -> list[Shift]:
        """Return ``n`` distinct shifts whose phases modulo any stride are spread too.

        A lattice of shifts would share its spacing with the strides of a network and then see no difference at
        all; golden-section steps do not. The first elements of a longer grid are the shorter one.
        """
        if n >= self.order:
            return self.elements()
        require_positive("n", n)
        step = max(1, round(self.order * _GOLDEN_SECTION))
        while math.gcd(step, self.order) != 1:
            step += 1
        return [self._at(k * step % self.order) for k in range(n)]

    def distance(self, g: Shift, h: Shift) -> float:
        """Return the Euclidean distance on the torus, pixels."""
        dy, dx = self._centred(self.compose(g, self.inverse(h)))
        return math.hypot(dy, dx)

    def describe(self, g: Shift) -> str:
        return f"a circular shift by {_words(*self._centred(g))}"

    def _at(self, k: int) -> Shift:
        return Shift(k // self.width, k % self.width)

    def _centred(self, g: Shift) -> tuple[int, int]:
        # The shorter way round: 27 right on a torus of 28 is 1 left.
        dy, dx = g.dy % self.height, g.dx % self.width
        return dy - self.height * (2 * dy > self.height), dx - self.width * (2 * dx > self.width)


@dataclass(frozen=True)
class CropShift(Group[Shift]):
    """Shifts by at most ``reach`` pixels that push content out and let other content (a fill) in.

    Not a group: two such shifts may compose to a longer one, and what left does not come back. Report it apart
    from circular shifts, on which polyphase networks are exact; here nothing can be.

    Args:
        reach: Largest shift along either axis, pixels.
    """

    reach: int

    is_group = False

    def __post_init__(self) -> None:
        require_positive("reach", self.reach)

    @property
    def name(self) -> str:
        return f"CropShift:{self.reach}"

    @property
    def order(self) -> int:
        return (2 * self.reach + 1) ** 2

    @property
    def identity(self) -> Shift:
        return Shift(0, 0)

    def parameters(self) -> dict[str, int]:
        return {"reach": self.reach}

    def canonical(self, element: Element) -> Shift:
        if not isinstance(element, Shift) or max(abs(element.dy), abs(element.dx)) > self.reach:
            raise not_in_group(element, self, f"a shift of at most {self.reach} pixels along each axis")
        return element

    def compose(self, g: Shift, h: Shift) -> Shift:
        """Return the sum of two shifts; InvalidRequest where it leaves the window."""
        return self.canonical(Shift(g.dy + h.dy, g.dx + h.dx))

    def inverse(self, g: Shift) -> Shift:
        """Return the opposite shift, which restores the place but not the content that had left."""
        return Shift(-g.dy, -g.dx)

    def elements(self) -> list[Shift]:
        offsets = sorted(range(-self.reach, self.reach + 1), key=abs)
        return [Shift(dy, dx) for dy in offsets for dx in offsets]

    def sample(self, rng: np.random.Generator, n: int) -> list[Shift]:
        return draw(self.elements(), rng, n)

    def grid(self, n: int) -> list[Shift]:
        """Return ``n`` distinct shifts spread over the window, the identity first."""
        if n >= self.order:
            return self.elements()
        side = 2 * self.reach + 1
        return [
            Shift((g.dy + self.reach) % side - self.reach, (g.dx + self.reach) % side - self.reach)
            for g in CyclicShift(side, side).grid(n)
        ]

    def distance(self, g: Shift, h: Shift) -> float:
        """Return the Euclidean distance, pixels."""
        return math.hypot(g.dy - h.dy, g.dx - h.dx)

    def describe(self, g: Shift) -> str:
        return f"a shift by {_words(g.dy, g.dx)}"


def _words(dy: int, dx: int) -> str:
    parts = [f"{abs(dx)} {'right' if dx > 0 else 'left'}"] if dx else []
    parts += [f"{abs(dy)} {'down' if dy > 0 else 'up'}"] if dy else []
    return ", ".join(parts) or "0 pixels"
