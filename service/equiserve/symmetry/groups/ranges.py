"""Windows on continuous and finite rotation groups: only angles within a range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import InvalidRequest
from equiserve.symmetry.elements import Element, Rotation
from equiserve.symmetry.groups.group import draw, finite, not_in_group, require_positive, written
from equiserve.symmetry.groups.rotations import PlaneGroup

_MOST_ELEMENTS = 7200


@dataclass(frozen=True)
class AngleRange(PlaneGroup):
    """The elements of a group of the plane whose angle lies within a range.

    Not a group: two of its elements may compose to one outside. It says what a check should leave out, e.g. the half
    turn that makes a 9 of a 6: ``SO2[-150,150]``.

    Args:
        group: Of the plane.
        low_deg: Smallest angle, degrees, in [-180, 0]: the identity always belongs to it.
        high_deg: Largest angle, degrees, in [0, 180].
    """

    group: PlaneGroup
    low_deg: float
    high_deg: float

    is_group = False

    def __post_init__(self) -> None:
        if not isinstance(self.group, PlaneGroup) or isinstance(self.group, AngleRange):
            raise InvalidRequest(f"group: got {self.group}, expected SO2, O2, C_n or D_n", field="group")
        if (self.group.order or 0) > _MOST_ELEMENTS:
            raise InvalidRequest(
                f"group: got {self.group.name}, expected a group of at most {_MOST_ELEMENTS} elements", field="group"
            )
        low, high = finite("low_deg", self.low_deg), finite("high_deg", self.high_deg)
        if not -180 <= low <= 0 <= high <= 180 or low == high:
            raise InvalidRequest(
                f"range: got {low:g} to {high:g} degrees, expected -180 to 180 with 0 inside", field="range"
            )
        object.__setattr__(self, "low_deg", low)
        object.__setattr__(self, "high_deg", high)

    @property
    def name(self) -> str:
        return f"{self.group.name}[{written(self.low_deg)},{written(self.high_deg)}]"

    @property
    def order(self) -> int | None:
        return None if self.group.order is None else len(self.elements())

    def parameters(self) -> dict[str, Any]:
        return {"group": self.group.spec(), "low_deg": self.low_deg, "high_deg": self.high_deg}

    def canonical(self, element: Element) -> Rotation:
        """Return the canonical form of an element of the range, or of the inverse of one (to undo it)."""
        known = self.group.canonical(element)
        if not self._within(known) and not self._within(self.group.inverse(known)):
            raise not_in_group(element, self, f"an angle of {self.low_deg:g} to {self.high_deg:g} degrees")
        return known

    def elements(self) -> list[Rotation]:
        return [g for g in self.group.elements() if self._within(g)]

    def sample(self, rng: np.random.Generator, n: int) -> list[Rotation]:
        if self.group.order is not None:
            return draw(self.elements(), rng, n)
        angles = rng.uniform(self.low_deg, self.high_deg, size=n).tolist()
        return [Rotation(a, g.reflected) for a, g in zip(angles, self.group.sample(rng, n), strict=True)]

    def grid(self, n: int) -> list[Rotation]:
        """Return ``n`` elements spread evenly, the identity first; both ends are among them, or one where they meet."""
        if self.group.order is not None:
            return super().grid(n)
        require_positive("n", n)
        mirrored = any(g.reflected for g in self.group.grid(2))
        angles = self._angles(-(-n // 2) if mirrored else n)
        turns = [Rotation(angle) for angle in angles]
        return [*turns, *(Rotation(angle, reflected=True) for angle in angles if mirrored)][:n]

    def exact_subgroup(self) -> None:
        return None

    def generators(self) -> NDArray[np.float64]:
        return self.group.generators() if self.order is None else self.stacked(self.elements())

    def _angles(self, n: int) -> list[float]:
        positive = round((n - 1) * self.high_deg / (self.high_deg - self.low_deg))
        # -180 is 180: one of the two ends is enough.
        meet = self.high_deg - self.low_deg == 360.0
        negative = n - 1 - positive
        up = [self.high_deg * k / positive for k in range(1, positive + 1)]
        down = [self.low_deg * k / (negative + meet) for k in range(1, negative + 1)]
        return [0.0, *up, *down]

    def _within(self, g: Rotation) -> bool:
        angle = g.angle_deg - 360.0 if g.angle_deg > 180.0 else g.angle_deg
        return self.low_deg <= angle <= self.high_deg or (angle == 180.0 and self.low_deg == -180.0)
