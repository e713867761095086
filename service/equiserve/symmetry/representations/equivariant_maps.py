"""All linear maps that commute with a group: the null space of its constraints.

After Finzi, Welling and Wilson, "A Practical Method for Constructing Equivariant Multilayer Perceptrons for
Arbitrary Matrix Groups" (arXiv 2104.09459), with group elements in place of Lie algebra generators: a map commutes
with a one-parameter group where it commutes with one element of infinite order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import InvalidRequest
from equiserve.symmetry.groups.linear import LinearGroup
from equiserve.symmetry.representations.expression import Expression
from equiserve.symmetry.representations.representation import Representation

_LARGEST = 2048
_TOLERANCE = 1e-9


def equivariant_basis(
    rep_in: str | Mapping[str, str] | Expression,
    rep_out: str | Mapping[str, str] | Expression,
    group: LinearGroup[Any],
) -> NDArray[np.float64]:
    """Return an orthonormal basis of the maps W with rho_out(g) W = W rho_in(g) for every element.

    Solved for one pair of direct summands at a time, once for equal pairs. Biases are the maps from ``"V**0"``.

    Args:
        rep_in: As `Representation.of` reads it.
        rep_out: The same.
        group: Acts on coordinates; of a window, the group that it generates.

    Returns:
        [k, dim_out, dim_in], float64; orthonormal in the Frobenius product. k may be 0.

    Raises:
        InvalidRequest: As `Representation.of`, or a pair of summands with more than 2,048 entries.
    """
    source, target = Representation.of(rep_in, group), Representation.of(rep_out, group)
    blocks_in, blocks_out = source.expression.blocks(), target.expression.blocks()
    solved: dict[tuple[Expression, Expression], NDArray[np.float64]] = {}
    generators = group.generators()
    found = []
    row = 0
    for block_out in blocks_out:
        column, height = 0, block_out.size(group.dim)
        for block_in in blocks_in:
            width = block_in.size(group.dim)
            if (block_in, block_out) not in solved:
                solved[block_in, block_out] = _commuting(block_in, block_out, generators, (height, width))
            part = solved[block_in, block_out]
            whole = np.zeros((len(part), target.dim, source.dim))
            whole[:, row : row + height, column : column + width] = part
            found.append(whole)
            column += width
        row += height
    return np.concatenate(found)


def _commuting(
    block_in: Expression, block_out: Expression, generators: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float64]:
    size = shape[0] * shape[1]
    if size > _LARGEST:
        raise InvalidRequest(
            f"rep: maps between summands of {shape[1]} and {shape[0]} components have {size} entries, expected at most "
            f"{_LARGEST}",
            field="rep",
        )
    # Row-major vec: rho_out W - W rho_in = 0 is (rho_out x 1 - 1 x rho_in^T) vec W = 0.
    gram = np.zeros((size, size))
    for generator in generators:
        constraint = np.kron(block_out.matrix(generator), np.eye(shape[1]))
        constraint -= np.kron(np.eye(shape[0]), block_in.matrix(generator).T)
        gram += constraint.T @ constraint
    # The Gram matrix is small where the stack of constraints is tall; it squares the gap, which is wide.
    values, vectors = np.linalg.eigh(gram)
    kept = values <= _TOLERANCE * max(1.0, float(values[-1]))
    return np.asarray(vectors[:, kept].T.reshape(-1, *shape))
