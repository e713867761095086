"""What every group of transformations can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from equiserve.errors import InvalidRequest
from equiserve.symmetry.elements import Element

E = TypeVar("E", bound=Element)


class Group(ABC, Generic[E]):
    """A group, or a window on one that is not closed (``is_group`` is False and the orbit is partial).

    Products are read right to left and actions are left actions: rho(compose(g, h)) = rho(g) rho(h).
    Every method returns canonical elements, so that equal elements are equal (and equally hashed) values.
    """

    is_group: bool = True

    @property
    @abstractmethod
    def name(self) -> str:
        """The field's name of this very group, e.g. ``C4``; ``group_from_spec`` reads it back."""

    @property
    @abstractmethod
    def order(self) -> int | None:
        """The number of elements; None for a continuous group."""

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
        """Return all elements, the identity first; InvalidRequest for a continuous group."""

    @abstractmethod
    def sample(self, rng: np.random.Generator, n: int) -> list[E]:
        """Return ``n`` independent elements, uniform (Haar)."""

    @abstractmethod
    def distance(self, g: E, h: E) -> float:
        """Return how far apart two elements are: a metric that composition from either side preserves."""

    @abstractmethod
    def describe(self, g: E) -> str:
        """Return the element in words that fit after "under", e.g. ``a circular shift by 3 right, 5 down``."""

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


def require_positive(field: str, value: object) -> None:
    """Raise InvalidRequest unless ``value`` is an integer of at least 1."""
    if type(value) is not int or value < 1:
        raise InvalidRequest(f"{field}: got {value!r}, expected an integer of at least 1", field=field)
