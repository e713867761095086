"""Actions on the order of things: items of a set, frames of a sequence, classes of an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.symmetry.actions.action import Arrays, TensorAction, array_named, does_not_act
from equiserve.symmetry.actions.pixel_fields import wrong_size
from equiserve.symmetry.elements import Element, Permutation, Reversal, TimeStep
from equiserve.symmetry.groups.group import Group
from equiserve.symmetry.groups.items_and_time import Symmetric, TimeReversal, TimeShift


@dataclass(frozen=True)
class ReorderItems(TensorAction):
    """Puts items in a new order.

    Args:
        name: The tensor.
        group: S_n.
        axis: Of the items, counted from the end.
    """

    name: str
    group: Symmetric
    axis: int

    def move(self, element: Element, array: NDArray[Any]) -> NDArray[Any]:
        """See `TensorAction.move`."""
        assert isinstance(element, Permutation)
        if array.shape[self.axis] != self.group.n:
            raise wrong_size(self.name, "item", array.shape[self.axis], self.group.n)
        return np.take(array, np.argsort(element.order), axis=self.axis)


@dataclass(frozen=True)
class ReverseTime(TensorAction):
    """Plays a sequence backwards.

    Args:
        name: The tensor.
        group: Time reversal.
        axis: Of the frames, counted from the end; None for what has none, such as the flow between two frames.
        sign: -1 for what points along the motion: velocities, momenta, flows.
    """

    name: str
    group: TimeReversal
    axis: int | None
    sign: int = 1

    def move(self, element: Element, array: NDArray[Any]) -> NDArray[Any]:
        """See `TensorAction.move`."""
        assert isinstance(element, Reversal)
        if not element.reversed:
            return array
        if self.sign < 0 and array.dtype.kind not in "fi":
            raise does_not_act(self.name, self.group, f"its dtype is {array.dtype}, which has no negative numbers")
        reversed_array = array if self.axis is None else np.flip(array, axis=self.axis)
        return -reversed_array if self.sign < 0 else reversed_array


@dataclass(frozen=True)
class ShiftTime(TensorAction):
    """Moves frames later; the first or last one is repeated where nothing is known.

    Args:
        name: The tensor.
        group: Time shifts.
        axis: Of the frames, counted from the end.
    """

    name: str
    group: TimeShift
    axis: int

    def move(self, element: Element, array: NDArray[Any]) -> NDArray[Any]:
        """See `TensorAction.move`."""
        return np.take(array, np.clip(self._sources(element, array), 0, array.shape[self.axis] - 1), axis=self.axis)

    def exact(self, element: Element) -> bool:
        """See `Action.exact`."""
        return element == self.group.identity

    def valid(self, element: Element, arrays: Arrays) -> dict[str, NDArray[np.bool_]]:
        """See `Action.valid`: the frames that were there before."""
        array = array_named(self.name, arrays)
        sources = self._sources(element, array)
        seen = (sources >= 0) & (sources < array.shape[self.axis])
        shape = [1] * array.ndim
        shape[self.axis] = len(seen)
        return {self.name: np.broadcast_to(seen.reshape(shape), array.shape)}

    def _sources(self, element: Element, array: NDArray[Any]) -> NDArray[np.int64]:
        assert isinstance(element, TimeStep)
        frames = array.shape[self.axis]
        if abs(element.steps) >= frames:
            steps = abs(element.steps)
            raise does_not_act(
                self.name,
                self.group,
                f"{steps} frames leave nothing of time {frames}; shifts by up to {frames - 1} fit, or time {steps + 1}",
            )
        return np.arange(frames) - element.steps


@dataclass(frozen=True, eq=False)
class RelabelClasses(TensorAction):
    """Class scores under elements that change what a class is: a 6 that is turned by 180 degrees is a 9.

    Args:
        name: The tensor.
        group: Whose elements relabel.
        labels: For an element, the class that each changed class becomes; a swap names both. What is not named stays.
        axis: Of the classes, counted from the end.
    """

    name: str
    group: Group[Any]
    labels: Mapping[Element, Mapping[int, int]]
    axis: int = -1

    def move(self, element: Element, array: NDArray[Any]) -> NDArray[Any]:
        """See `TensorAction.move`."""
        classes = array.shape[self.axis]
        order = np.arange(classes)
        for old, new in self.labels.get(element, {}).items():
            order[new] = old
        if sorted(order.tolist()) != list(range(classes)):
            raise does_not_act(self.name, self.group, f"{self.group.describe(element)} maps two classes onto one")
        return np.take(array, order, axis=self.axis)
