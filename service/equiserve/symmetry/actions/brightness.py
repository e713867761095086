"""The action of changes of brightness on pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.symmetry.actions.action import TensorAction, does_not_act
from equiserve.symmetry.elements import Element, Intensity
from equiserve.symmetry.groups.intensity import IntensityChange


@dataclass(frozen=True)
class Brightness(TensorAction):
    """Pictures under x -> gain x + offset. Nothing is clipped: what would leave the range is refused.

    Args:
        name: The tensor.
        group: Of changes of brightness.
        value_range: Smallest and largest sample that mean something; None = any.
        whole: Whether samples are whole numbers, which are rounded.
    """

    name: str
    group: IntensityChange
    value_range: tuple[float, float] | None = None
    whole: bool = False

    def exact(self, element: Element) -> bool:
        """See `Action.exact`."""
        return not self.whole or element == self.group.identity

    def move(self, element: Element, array: NDArray[Any]) -> NDArray[Any]:
        """See `TensorAction.move`."""
        assert isinstance(element, Intensity)
        if element == self.group.identity:
            return array
        moved = element.gain * array.astype(np.float64) + element.offset
        low, high = self.value_range or (-np.inf, np.inf)
        if array.dtype.kind in "ui":
            moved = np.rint(moved)
            low, high = max(low, np.iinfo(array.dtype).min), min(high, np.iinfo(array.dtype).max)
        # Undoing a change may miss the ends by a rounding error.
        slack = 1e-5 * (high - low) if np.isfinite(high - low) else 0.0
        if moved.size and not (low - slack <= moved.min() and moved.max() <= high + slack):
            raise does_not_act(
                self.name,
                self.group,
                f"{self.group.describe(element)} leads to {moved.min():.4g} ... {moved.max():.4g}, beyond the range "
                f"{low:g} to {high:g}",
            )
        return moved.astype(array.dtype)
