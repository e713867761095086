"""What a representation is made of: powers of the coordinates' own representation V, irreps, sums and products.

An expression says how components transform once the coordinates do, whatever the group: it maps the matrix A of a
group element on coordinates to the matrix of that element on components.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import InvalidRequest
from equiserve.symmetry.representations.wigner import wigner_d


@dataclass(frozen=True)
class Vector:
    """V, the representation of the coordinates themselves, or its dual V.T with matrices A^-T.

    Args:
        dual: Whether it is the dual; under orthogonal groups there is no difference.
    """

    dual: bool = False

    def size(self, dim: int) -> int:
        """Return the number of components where the coordinates are ``dim``."""
        return dim

    def matrix(self, a: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the matrix on components of an element with matrix ``a`` [dim, dim] on coordinates."""
        return np.asarray(np.linalg.inv(a).T, np.float64) if self.dual else a

    def blocks(self) -> tuple[Expression, ...]:
        """Return the direct summands, in order."""
        return (self,)


@dataclass(frozen=True)
class TensorProduct:
    """The tensor product of its factors; components in row-major order. Of no factors: one invariant component.

    Args:
        factors: From the slowest index to the fastest.
    """

    factors: tuple[Expression, ...]

    def size(self, dim: int) -> int:
        """See `Vector.size`."""
        return int(np.prod([factor.size(dim) for factor in self.factors], dtype=object))

    def matrix(self, a: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `Vector.matrix`."""
        value: NDArray[Any] = np.eye(1)
        for factor in self.factors:
            value = np.kron(value, factor.matrix(a))
        return value

    def blocks(self) -> tuple[Expression, ...]:
        """See `Vector.blocks`."""
        return (self,)


@dataclass(frozen=True)
class Irrep:
    """An irreducible representation of O(3), in e3nn's basis: `wigner.wigner_d`, times -1 under the inversion if odd.

    Args:
        degree: l.
        parity: ``e`` (even) or ``o`` (odd).
    """

    degree: int
    parity: Literal["e", "o"]

    def size(self, dim: int) -> int:
        """See `Vector.size`; InvalidRequest unless the coordinates are three."""
        if dim != 3:
            raise InvalidRequest(
                f"rep: irreps such as {self.degree}{self.parity} need 3 coordinates, got {dim}", field="rep"
            )
        return 2 * self.degree + 1

    def matrix(self, a: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `Vector.matrix`; InvalidRequest unless ``a`` is orthogonal."""
        if a.shape != (3, 3) or np.abs(a @ a.T - np.eye(3)).max() > 1e-6:
            raise InvalidRequest(
                f"rep: the irrep {self.degree}{self.parity} is one of rotations and inversions of space; the group "
                "has other matrices, so an override must say how this tensor transforms",
                field="rep",
            )
        inverted = np.linalg.det(a) < 0
        turned = wigner_d(self.degree, -a if inverted else a)
        return -turned if inverted and self.parity == "o" else turned

    def blocks(self) -> tuple[Expression, ...]:
        """See `Vector.blocks`."""
        return (self,)


@dataclass(frozen=True)
class DirectSum:
    """Components of one kind after those of another.

    Args:
        parts: Each with how often it is repeated.
    """

    parts: tuple[tuple[int, Expression], ...]

    def size(self, dim: int) -> int:
        """See `Vector.size`."""
        return sum(count * part.size(dim) for count, part in self.parts)

    def matrix(self, a: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `Vector.matrix`."""
        matrices = {part: part.matrix(a) for _, part in self.parts}
        total = sum(count * len(matrices[part]) for count, part in self.parts)
        value, start = np.zeros((total, total)), 0
        for count, part in self.parts:
            size = len(matrices[part])
            for _ in range(count):
                value[start : start + size, start : start + size] = matrices[part]
                start += size
        return value

    def blocks(self) -> tuple[Expression, ...]:
        """See `Vector.blocks`."""
        return tuple(block for count, part in self.parts for block in part.blocks() * count)


Expression = Vector | TensorProduct | Irrep | DirectSum
INVARIANT = TensorProduct(())
