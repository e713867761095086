"""The orbit of any named arrays under a group, produced piece by piece."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import InvalidRequest
from equiserve.symmetry.actions.action import Arrays
from equiserve.symmetry.elements import Element
from equiserve.symmetry.signature import Signature

# As for pictures: every 5 degrees of a turn; a multiple of 8, so that C2, C4 and C8 lie inside.
DEFAULT_CONTINUOUS_GRID = 72


@dataclass(frozen=True, eq=False)
class TensorOrbitChunk:
    """Consecutive members of an orbit.

    Args:
        elements: Which they are.
        start: Index of the first of them in ``TensorOrbit.elements``.
        inputs: Each [k, ...]: member by member, each of the shape of the input itself, its own batch included.
        changed: [k] bool, whether the element changed any input at all.
    """

    elements: tuple[Element, ...]
    start: int
    inputs: dict[str, NDArray[Any]]
    changed: NDArray[np.bool_]

    def rows(self) -> dict[str, NDArray[Any]]:
        """Return the inputs with member and batch in one axis, [k batch, ...]: one call of a batched model."""
        return {name: array.reshape(-1, *array.shape[2:]) for name, array in self.inputs.items()}

    def members(self, outputs: Arrays) -> dict[str, NDArray[Any]]:
        """Return outputs [k batch, ...] of such a call as [k, batch, ...]."""
        k = len(self.elements)
        return {name: array.reshape(k, len(array) // k, *array.shape[1:]) for name, array in outputs.items()}


@dataclass(frozen=True, eq=False)
class TensorOrbit:
    """What a group makes of a model's inputs; build it with `TensorOrbit.of`.

    Args:
        inputs: What is acted on: the arrays that came, or pictures restricted to their disc (see ``prepared``).
        signature: Group and actions.
        elements: Distinct canonical elements; the identity is always the first.
        exact: [n] bool, whether nothing is interpolated, rounded or lost on either side.
        prepared: Inputs that were restricted to what every element keeps.
    """

    inputs: Mapping[str, NDArray[Any]]
    signature: Signature
    elements: tuple[Element, ...]
    exact: NDArray[np.bool_]
    prepared: tuple[str, ...]

    @classmethod
    def of(
        cls, inputs: Arrays, signature: Signature, *, elements: int | Sequence[Element] | None = None
    ) -> TensorOrbit:
        """Plan the orbit of named arrays; nothing is transformed yet.

        Args:
            inputs: Every input of the signature, by name.
            signature: How they move.
            elements: A number (the group's grid of that size), the elements themselves (the identity is put first
                and duplicates are dropped), or None for all of a finite group and for a grid of 72 of another. The
                caller bounds the size first, by ``group.order``: a finite group is enumerated.

        Raises:
            InvalidRequest: An input is missing or not in the signature, or an element does not act on it.
        """
        group = signature.group
        if elements is None:
            elements = DEFAULT_CONTINUOUS_GRID if group.order is None else group.order
        chosen = group.grid(elements) if isinstance(elements, int) else map(group.canonical, elements)
        distinct = tuple(dict.fromkeys([group.identity, *chosen]))
        exact = np.array([signature.exact(element) for element in distinct], np.bool_)
        acting, prepared = signature.prepare(distinct, inputs)
        acting.move(group.identity, prepared)  # names and shapes, before anything is planned on them
        changed = tuple(name for name, array in prepared.items() if array is not inputs[name])
        return cls(prepared, acting, distinct, exact, changed)

    def __len__(self) -> int:
        return len(self.elements)

    def chunks(self, size: int) -> Iterator[TensorOrbitChunk]:
        """Yield the orbit in order, at most ``size`` members at a time; no more than one chunk is ever held."""
        for start in range(0, len(self), size):
            elements = self.elements[start : start + size]
            moved = self.signature.orbit(elements, self.inputs)
            changed = np.zeros(len(elements), np.bool_)
            for name, members in moved.items():
                changed |= (members != self.inputs[name]).reshape(len(elements), -1).any(axis=1)
            yield TensorOrbitChunk(elements, start, moved, changed)

    def pull_back(self, elements: Sequence[Element], outputs: Arrays) -> dict[str, NDArray[Any]]:
        """Return F_g = rho_out(g)^-1 f_g for outputs stacked member by member.

        Args:
            elements: k of them, in the order of the members.
            outputs: Each [k, ...].

        Raises:
            InvalidRequest: Another number of members.
        """
        for name, array in outputs.items():
            if len(array) != len(elements):
                raise InvalidRequest(f"{name}: got {len(array)} members, expected {len(elements)}", field=name)
        parts = [
            self.signature.pull_back(element, {name: array[k] for name, array in outputs.items()})
            for k, element in enumerate(elements)
        ]
        return {name: np.stack([part[name] for part in parts]) for name in parts[0]}
