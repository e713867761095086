"""What every group of transformations can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from equiserve.errors import InvalidRequest
from equiserve.symmetry.elements import Element

E = TypeVar("E", bound=Element)

_HUGE = 1e300


class Group(ABC, Generic[E]):
    """A group, or a window on one that is not closed (``is_group`` is False and the orbit is partial).

    Products are read right to left and actions are left actions: rho(compose(g, h)) = rho(g) rho(h).
    Every method returns canonical elements, so that equal elements are equal (and equally hashed) values.
    """

    is_group: bool = True

    @property
    @abstractmethod
    def name(self) -> str:
        """The field's name of this very group, e.g. ``C4``; ``group_from_spec`` reads it back (but see `spec`)."""

    def spec(self) -> dict[str, Any]:
        """Return the group as ``group_from_spec`` reads it: the family's name and the parameters."""
        return {"name": type(self).__name__, **self.parameters()}

    @property
    @abstractmethod
    def order(self) -> int | None:
        """The number of elements; None for a continuous group, or one that is far too large to enumerate."""

    @property
    @abstractmethod
    def identity(self) -> E:
        """The element that leaves every input as it is."""

    @abstractmethod
    def parameters(self) -> dict[str, Any]:
        """Return the parameters that tell this group from others of its family, as JSON values."""

    @abstractmethod
    def canonical(self, element: Element) -> E:
        """Return the canonical form of ``element``; InvalidRequest if it is not in the group."""

    @abstractmethod
    def compose(self, g: E, h: E) -> E:
        """Return the product gh: first h, then g."""

    @abstractmethod
    def inverse(self, g: E) -> E:
        """Return the element that undoes ``g``."""

    @abstractmethod
    def elements(self) -> list[E]:
        """Return all elements, the identity first; InvalidRequest where ``order`` is None."""

    @abstractmethod
    def sample(self, rng: np.random.Generator, n: int) -> list[E]:
        """Return ``n`` independent elements, uniform (Haar)."""

    @abstractmethod
    def distance(self, g: E, h: E) -> float:
        """Return how far apart two elements are: a metric that composition from either side preserves."""

    @abstractmethod
    def describe(self, g: E) -> str:
        """Return the element in words that fit after "under", e.g. ``a circular shift by 3 right, 5 down``."""

    def exact_subgroup(self) -> Group[Any] | None:
        """Return the finite subgroup that sampled data and discretised models can hold without interpolation.

        C4 or D4 for rotations of a pixel grid, the 60 rotations of the icosahedron for those of space; None where
        only the identity is exact.
        """
        return self if self.is_group and self.order is not None else None

    def grid(self, n: int) -> list[E]:
        """Return ``n`` well-spread distinct elements, the identity first; all of them if there are no more."""
        everything = self.elements()
        if n >= len(everything):
            return everything
        require_positive("n", n)
        return [everything[k * len(everything) // n] for k in range(n)]


def not_in_group(element: object, group: Group[Any], expected: str) -> InvalidRequest:
    """Return the error for an element that ``group`` does not hold."""
    return InvalidRequest(
        f"elements: {element} is not an element of {group.name}, expected {expected}", field="elements"
    )


def draw(elements: Sequence[E], rng: np.random.Generator, n: int) -> list[E]:
    """Return ``n`` independent uniform draws, with replacement."""
    return [elements[k] for k in rng.integers(len(elements), size=n)]


def continuous(group: Group[Any]) -> InvalidRequest:
    """Return the error for enumerating a group that cannot be."""
    return InvalidRequest(
        f"group: {group.name} is continuous and cannot be enumerated; name a number of elements", field="group"
    )


def require_positive(field: str, value: object, most: int | None = None) -> None:
    """Raise InvalidRequest unless ``value`` is an integer of at least 1, and at most ``most``."""
    if type(value) is not int or value < 1 or (most is not None and value > most):
        limit = "" if most is None else f" and at most {most}"
        raise InvalidRequest(f"{field}: got {value!r}, expected an integer of at least 1{limit}", field=field)


def finite(field: str, value: object) -> float:
    """Return ``value`` as a float; InvalidRequest unless it is a finite number."""
    # Compared, not tested with isfinite: that raises for huge integers.
    if type(value) not in (int, float) or not -_HUGE < value < _HUGE:  # type: ignore[operator]
        raise InvalidRequest(f"{field}: got {value!r}, expected a finite number", field=field)
    return float(value)  # type: ignore[arg-type]


def written(value: float) -> str:
    """Return a number as names write it: the shortest text that reads back as the same number."""
    return repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
