"""What every action can do: move named arrays by a group element."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import InvalidRequest
from equiserve.symmetry.elements import Element
from equiserve.symmetry.groups.group import Group
from equiserve.symmetry.groups.products import DirectProduct

Arrays = Mapping[str, NDArray[Any]]


class Action(ABC):
    """The left action of a group on some tensors: rho(gh) = rho(g) rho(h), and the inverse element undoes.

    Arrays may have any number of axes in front of those that the action knows: batches and orbits ride along.
    """

    group: Group[Any]

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The tensors that are moved."""

    @abstractmethod
    def apply(self, element: Element, arrays: Arrays) -> dict[str, NDArray[Any]]:
        """Return rho(element) of each tensor in ``names``, in its own dtype.

        Args:
            element: Of the group, or the inverse of one.
            arrays: By name; may hold others, which are left alone.

        Raises:
            InvalidRequest: A tensor is missing or has a shape that the element cannot act on.
        """

    def orbit(self, elements: Sequence[Element], arrays: Arrays) -> dict[str, NDArray[Any]]:
        """Return rho(g) of each tensor for every g, stacked in front: [n, ...]. As `apply` for each element."""
        members = [self.apply(element, arrays) for element in elements]
        return {name: np.stack([member[name] for member in members]) for name in self.names}

    def exact(self, element: Element) -> bool:
        """Return whether nothing is interpolated, rounded or lost, so that the inverse restores every bit it can."""
        return True

    def valid(self, element: Element, arrays: Arrays) -> dict[str, NDArray[np.bool_]]:
        """Return where the moved arrays hold what came from the given ones; tensors that are left out: everywhere."""
        return {}

    def prepare(self, elements: Sequence[Element], arrays: Arrays) -> tuple[Action, dict[str, NDArray[Any]]]:
        """Return what to act with, and on, so that no element loses content that another keeps.

        Returns:
            The action and the tensors that changed; this action and none where there is nothing to do.
        """
        return self, {}


class TensorAction(Action):
    """An action on one tensor."""

    name: str

    @property
    def names(self) -> tuple[str, ...]:
        """See `Action.names`."""
        return (self.name,)

    @abstractmethod
    def move(self, element: Element, array: NDArray[Any]) -> NDArray[Any]:
        """Return rho(element) of the tensor; ``element`` is canonical."""

    def apply(self, element: Element, arrays: Arrays) -> dict[str, NDArray[Any]]:
        """See `Action.apply`."""
        return {self.name: self.move(self.group.canonical(element), array_named(self.name, arrays))}


@dataclass(frozen=True)
class Invariant(TensorAction):
    """Leaves a tensor as it is.

    Args:
        name: The tensor.
        group: Any.
    """

    name: str
    group: Group[Any]

    def move(self, element: Element, array: NDArray[Any]) -> NDArray[Any]:
        """See `TensorAction.move`."""
        return array


@dataclass(frozen=True)
class ProductAction(Action):
    """The action of a direct product: that of every factor, the last first.

    Args:
        group: The product.
        factors: One action a factor, all on the same tensors.
    """

    group: DirectProduct
    factors: tuple[Action, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """See `Action.names`."""
        return self.factors[0].names

    def apply(self, element: Element, arrays: Arrays) -> dict[str, NDArray[Any]]:
        """See `Action.apply`."""
        moved = dict(arrays)
        for action, g in reversed(self._parts(element)):
            moved |= action.apply(g, moved)
        return {name: moved[name] for name in self.names}

    def exact(self, element: Element) -> bool:
        """See `Action.exact`."""
        return all(action.exact(g) for action, g in self._parts(element))

    def valid(self, element: Element, arrays: Arrays) -> dict[str, NDArray[np.bool_]]:
        """See `Action.valid`; each factor loses content along axes of its own."""
        masks: dict[str, NDArray[np.bool_]] = {}
        for action, g in self._parts(element):
            for name, mask in action.valid(g, arrays).items():
                masks[name] = masks[name] & mask if name in masks else mask
        return masks

    def prepare(self, elements: Sequence[Element], arrays: Arrays) -> tuple[Action, dict[str, NDArray[Any]]]:
        """See `Action.prepare`."""
        changed: dict[str, NDArray[Any]] = {}
        factors = []
        for k, action in enumerate(self.factors):
            parts = [self._parts(element)[k][1] for element in elements]
            prepared, arrays_k = action.prepare(parts, {**arrays, **changed})
            changed |= arrays_k
            factors.append(prepared)
        return ProductAction(self.group, tuple(factors)), changed

    def _parts(self, element: Element) -> list[tuple[Action, Element]]:
        return list(zip(self.factors, self.group.canonical(element).factors, strict=True))


def array_named(name: str, arrays: Arrays) -> NDArray[Any]:
    """Return the array; InvalidRequest where it is missing."""
    if name not in arrays:
        raise InvalidRequest(f"{name}: missing, got {sorted(arrays)}", field=name)
    return arrays[name]


def does_not_act(name: str, group: Group[Any], why: str) -> InvalidRequest:
    """Return the error for a group that cannot move a tensor."""
    return InvalidRequest(f"{name}: {group.name} cannot act on it: {why}", code="group_does_not_act", field=name)
