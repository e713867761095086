"""Direct products: several groups that act at the same time and do not disturb one another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import InvalidRequest
from equiserve.symmetry.elements import Element, Product
from equiserve.symmetry.groups.group import Group, continuous, draw, not_in_group, require_positive
from equiserve.symmetry.groups.linear import LinearGroup
from equiserve.symmetry.groups.rigid import spread

MOST_FACTORS = 4
_MOST_ELEMENTS = 100_000


@dataclass(frozen=True)
class DirectProduct(LinearGroup[Product]):
    """G x H x ...: an element is one of each.

    The factors must commute wherever they act on one tensor (D4 and time reversal do, rotations and translations do
    not: that is SE(3)); a signature's dry run tests it.

    Args:
        factors: Two to four groups, none of them a product.
    """

    factors: Sequence[Group[Any]]

    def __post_init__(self) -> None:
        object.__setattr__(self, "factors", tuple(self.factors))
        if not 2 <= len(self.factors) <= MOST_FACTORS or any(isinstance(g, DirectProduct) for g in self.factors):
            raise InvalidRequest(
                f"factors: got {[g.name for g in self.factors]}, expected 2 to {MOST_FACTORS} groups that are no "
                "products",
                field="factors",
            )

    @property
    def is_group(self) -> bool:  # type: ignore[override]
        return all(group.is_group for group in self.factors)

    @property
    def name(self) -> str:
        return " x ".join(group.name for group in self.factors)

    @property
    def order(self) -> int | None:
        orders = [group.order for group in self.factors]
        return None if None in orders else math.prod(order for order in orders if order is not None)

    @property
    def identity(self) -> Product:
        return Product(tuple(group.identity for group in self.factors))

    def parameters(self) -> dict[str, Any]:
        return {"factors": [group.spec() for group in self.factors]}

    def canonical(self, element: Element) -> Product:
        if not isinstance(element, Product) or len(element.factors) != len(self.factors):
            raise not_in_group(element, self, f"{{'product': [{len(self.factors)} elements]}}")
        pairs = zip(self.factors, element.factors, strict=True)
        return Product(tuple(group.canonical(g) for group, g in pairs))

    def compose(self, g: Product, h: Product) -> Product:
        triples = zip(self.factors, g.factors, h.factors, strict=True)
        return Product(tuple(group.compose(a, b) for group, a, b in triples))

    def inverse(self, g: Product) -> Product:
        return Product(tuple(group.inverse(a) for group, a in zip(self.factors, g.factors, strict=True)))

    def elements(self) -> list[Product]:
        if self.order is None:
            raise continuous(self)
        if self.order > _MOST_ELEMENTS:
            raise InvalidRequest(
                f"group: {self.name} has more than {_MOST_ELEMENTS} elements; name a number of elements", field="group"
            )
        return [Product(factors) for factors in product(*(group.elements() for group in self.factors))]

    def sample(self, rng: np.random.Generator, n: int) -> list[Product]:
        columns = [group.sample(rng, n) for group in self.factors]
        return [Product(factors) for factors in zip(*columns, strict=True)]

    def grid(self, n: int) -> list[Product]:
        """Return all elements of a small finite product; else pairs of the factors' grids, spread evenly."""
        require_positive("n", n)
        if self.order is not None and self.order <= _MOST_ELEMENTS:
            return super().grid(n)
        grids = [group.grid(n) for group in self.factors]
        places = (spread(n, len(grids)) + 1) / 2
        found = {self.identity: None}
        for row in places[1:].tolist():
            chosen = (grid[min(int(p * len(grid)), len(grid) - 1)] for grid, p in zip(grids, row, strict=True))
            found.setdefault(Product(tuple(chosen)))
        rng = np.random.default_rng(0)
        while len(found) < n:
            found.setdefault(Product(tuple(draw(grid, rng, 1)[0] for grid in grids)))
        return list(found)

    def distance(self, g: Product, h: Product) -> float:
        """Return the sum of the factors' distances, each in its own unit."""
        triples = zip(self.factors, g.factors, h.factors, strict=True)
        return sum(group.distance(a, b) for group, a, b in triples)

    def describe(self, g: Product) -> str:
        pairs = list(zip(self.factors, g.factors, strict=True))
        words = [group.describe(a) for group, a in pairs if a != group.identity]
        return " with ".join(words or [self.factors[0].describe(g.factors[0])])

    def exact_subgroup(self) -> Group[Any] | None:
        parts = [group.exact_subgroup() for group in self.factors]
        exact = [part for part in parts if part is not None]
        return DirectProduct(exact) if len(exact) == len(parts) else None

    @property
    def dim(self) -> int:
        sizes = {group.dim for group in self._linear()}
        if len(sizes) != 1:
            raise InvalidRequest(
                f"group: the factors of {self.name} act on {sorted(sizes) or 'no'} coordinates, expected one number",
                field="group",
            )
        return sizes.pop()

    def matrix(self, g: Product) -> NDArray[np.float64]:
        value = np.eye(self.dim)
        for group, a in zip(self.factors, g.factors, strict=True):
            value = value @ group.matrix(a) if isinstance(group, LinearGroup) else value
        return value

    def translation(self, g: Product) -> NDArray[np.float64]:
        value = np.zeros(self.dim)
        for group, a in reversed(list(zip(self.factors, g.factors, strict=True))):
            value = group.matrix(a) @ value + group.translation(a) if isinstance(group, LinearGroup) else value
        return value

    def generators(self) -> NDArray[np.float64]:
        return np.concatenate([group.generators() for group in self._linear()])

    def _linear(self) -> list[LinearGroup[Any]]:
        return [group for group in self.factors if isinstance(group, LinearGroup)]
