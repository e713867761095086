"""Any group of matrices, given by generators of its Lie algebra and by discrete generators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import InvalidRequest
from equiserve.symmetry.elements import Element, LinearMap
from equiserve.symmetry.elements.tensors import square_matrix
from equiserve.symmetry.groups.group import continuous, draw, not_in_group, require_positive
from equiserve.symmetry.groups.linear import GENERATING_RADIANS, LinearGroup

_MOST_DIMENSIONS = 16
_MOST_ELEMENTS = 512
_MOST_GENERATORS = 8
_TOLERANCE = 1e-7
# Largest coefficient of a random element's generators, and letters of the random word before it.
_SPREAD, _WORD = np.pi, 12

_Rows = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class MatrixGroup(LinearGroup[LinearMap]):
    """The smallest closed group that holds exp(t A) for every A of the Lie algebra, and the discrete generators.

    Its name does not tell its generators: write it as `spec` does.

    Args:
        lie: Generators A, square matrices of one size.
        discrete: Generators h, of the same size, that can be inverted; a group without ``lie`` is enumerated and may
            hold at most 512 elements.
    """

    lie: Sequence[Sequence[Sequence[float]]] = ()
    discrete: Sequence[Sequence[Sequence[float]]] = ()
    _elements: tuple[LinearMap, ...] = field(init=False, repr=False, compare=False, default=())

    def __post_init__(self) -> None:
        for key in ("lie", "discrete"):
            matrices = getattr(self, key)
            if not isinstance(matrices, list | tuple) or len(matrices) > _MOST_GENERATORS:
                raise InvalidRequest(
                    f"{key}: got {matrices!r:.200}, expected a list of at most {_MOST_GENERATORS} square matrices",
                    field=key,
                )
            object.__setattr__(self, key, tuple(square_matrix(m, f"{key}[{k}]") for k, m in enumerate(matrices)))
        sizes = {len(matrix) for matrix in (*self.lie, *self.discrete)}
        if len(sizes) != 1 or max(sizes) > _MOST_DIMENSIONS:
            raise InvalidRequest(
                f"lie, discrete: got matrices of sizes {sorted(sizes)}, expected at least one, all of one size of at "
                f"most {_MOST_DIMENSIONS}",
                field="lie" if self.lie else "discrete",
            )
        for k, matrix in enumerate(self.discrete):
            if np.linalg.cond(np.array(matrix)) > 1e9:
                raise InvalidRequest(f"discrete[{k}]: got a matrix that cannot be inverted", field="discrete")
        if not self.lie:
            object.__setattr__(self, "_elements", self._closure())

    @property
    def name(self) -> str:
        return f"Matrix({self.dim}d, {len(self.lie)} continuous and {len(self.discrete)} discrete generators)"

    @property
    def dim(self) -> int:
        return len((*self.lie, *self.discrete)[0])

    @property
    def order(self) -> int | None:
        return None if self.lie else len(self._elements)

    @property
    def identity(self) -> LinearMap:
        return _map(np.eye(self.dim))

    def parameters(self) -> dict[str, Any]:
        return {key: [[list(row) for row in matrix] for matrix in getattr(self, key)] for key in ("lie", "discrete")}

    def canonical(self, element: Element) -> LinearMap:
        """Return the canonical form; of a continuous group any matrix that can be inverted is taken at its word."""
        if isinstance(element, LinearMap) and len(element.rows) == self.dim:
            if self.lie and abs(np.linalg.det(np.array(element.rows))) > _TOLERANCE:
                return element
            for known in self._elements:
                if np.abs(np.array(known.rows) - element.rows).max() < _TOLERANCE:
                    return known
        raise not_in_group(element, self, f"{{'matrix': {self.dim} x {self.dim} numbers}} of the group")

    def compose(self, g: LinearMap, h: LinearMap) -> LinearMap:
        return self.canonical(_map(np.array(g.rows) @ np.array(h.rows)))

    def inverse(self, g: LinearMap) -> LinearMap:
        return self.canonical(_map(np.linalg.inv(np.array(g.rows))))

    def elements(self) -> list[LinearMap]:
        if self.lie:
            raise continuous(self)
        return list(self._elements)

    def sample(self, rng: np.random.Generator, n: int) -> list[LinearMap]:
        """Return uniform elements of a finite group; else random words in the generators.

        Coefficients of the Lie algebra are uniform in +-pi, so that one generator of speed 1 gives uniform angles;
        in general such words are not uniform (Haar).
        """
        return draw(self.elements(), rng, n) if not self.lie else [self._random_word(rng) for _ in range(n)]

    def grid(self, n: int) -> list[LinearMap]:
        """Return all or well-spread elements of a finite group; else the identity and words drawn once and for all."""
        if not self.lie:
            return super().grid(n)
        require_positive("n", n)
        return [self.identity, *self.sample(np.random.default_rng(0), n - 1)]

    def distance(self, g: LinearMap, h: LinearMap) -> float:
        """Return the Frobenius norm of the difference; composition preserves it where matrices are orthogonal."""
        return float(np.linalg.norm(np.array(g.rows) - np.array(h.rows)))

    def describe(self, g: LinearMap) -> str:
        rows = "; ".join(" ".join(f"{v:.3g}" for v in row) for row in g.rows)
        return f"the matrix [{rows}]"

    def matrix(self, g: LinearMap) -> NDArray[np.float64]:
        return np.array(g.rows)

    def generators(self) -> NDArray[np.float64]:
        # At unit speed: a whole turn would generate nothing.
        speeds = [float(np.linalg.norm(a, 2)) for a in self.lie]
        turns = [exponential(GENERATING_RADIANS * np.array(a) / s) for a, s in zip(self.lie, speeds, strict=True) if s]
        return np.array([*turns, *map(np.array, self.discrete)]).reshape(-1, self.dim, self.dim)

    def _random_word(self, rng: np.random.Generator) -> LinearMap:
        coefficients = rng.uniform(-_SPREAD, _SPREAD, len(self.lie))
        value = exponential(np.tensordot(coefficients, np.array(self.lie), 1))
        for letter in rng.integers(len(self.discrete) + 1, size=_WORD if self.discrete else 0):
            value = np.array(self.discrete[letter]) @ value if letter < len(self.discrete) else value
        return _map(value)

    def _closure(self) -> tuple[LinearMap, ...]:
        found = np.empty((_MOST_ELEMENTS, self.dim, self.dim))
        found[0], count, done = np.eye(self.dim), 1, 0
        while done < count:
            for generator in np.array(self.discrete):
                product = generator @ found[done]
                if np.abs(found[:count] - product).max(axis=(1, 2)).min() < _TOLERANCE:
                    continue
                if count == _MOST_ELEMENTS or np.abs(product).max() > 1 / _TOLERANCE:
                    raise InvalidRequest(
                        f"discrete: the generators make more than {_MOST_ELEMENTS} elements, expected a finite group",
                        field="discrete",
                    )
                found[count] = product
                count += 1
            done += 1
        return tuple(map(_map, found[:count]))


def exponential(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return exp(A) of a square matrix, by scaling, a Taylor series of 18 terms, and squaring."""
    halvings = max(0, int(np.ceil(np.log2(max(float(np.linalg.norm(matrix, 1)), 1e-300)))) + 1)
    scaled = matrix / 2.0**halvings
    term = total = np.eye(len(matrix))
    for k in range(1, 19):
        term = term @ scaled / k
        total = total + term
    for _ in range(halvings):
        total = total @ total
    return total


def _map(matrix: NDArray[np.float64]) -> LinearMap:
    return LinearMap(tuple(map(tuple, matrix.tolist())))
