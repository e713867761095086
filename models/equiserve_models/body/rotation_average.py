"""The rotation nearest to a 3x3 matrix by matrix products alone: Davenport's matrix and repeated squaring.

The unit quaternion q of the nearest rotation is the leading eigenvector of a symmetric 4x4 matrix K(M) that is linear
in M (Davenport's q-method; Markley & Crassidis 2014, sec. 5.3). Squaring K + shift a few times leaves the projector
q q^T, in which the rotation is linear too. No decomposition, no branch, a smooth gradient; g M gives g times the
rotation.
"""

from __future__ import annotations

import torch
from torch import Tensor

SQUARINGS = 8


def _davenport() -> Tensor:
    # K[p, q] = sum_ij T[i, j, p, q] M[i, j], so that q^T K q = trace(R(q)^T M).
    table = torch.zeros(3, 3, 4, 4)
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        table[i, i, 0, 0] = 1
        table[i, i, i + 1, i + 1] = 1
        table[i, i, j + 1, j + 1] = table[i, i, k + 1, k + 1] = -1
        # R_kj - R_jk = 4 w x_i and R_jk + R_kj = 4 x_j x_k.
        table[k, j, 0, i + 1] = table[k, j, i + 1, 0] = 1
        table[j, k, 0, i + 1] = table[j, k, i + 1, 0] = -1
        for row, column in ((j, k), (k, j)):
            table[row, column, j + 1, k + 1] = table[row, column, k + 1, j + 1] = 1
    return table.reshape(9, 16)


DAVENPORT = _davenport()


def nearest_rotation(matrices: Tensor) -> Tensor:
    """Return the rotations nearest to matrices in the Frobenius norm, [..., 3, 3] -> the same.

    Where two rotations are equally near, what comes out is the projection of neither: such a matrix has no answer.
    """
    table = DAVENPORT.to(matrices)
    flat = matrices.flatten(-2)
    # The eigenvalues of K are within sqrt(3) |M|: the shift makes the largest the largest in magnitude.
    # The floor bounds the gradient of a matrix that is hardly there, as all are before training.
    size = torch.sqrt(3 * (flat * flat).sum(-1, keepdim=True) + 3e-3)
    projector = (flat / size @ table).unflatten(-1, (4, 4)) + torch.eye(4, dtype=table.dtype, device=table.device)
    for _ in range(SQUARINGS):
        projector = projector @ projector
        projector = projector / projector.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
    return (projector.flatten(-2) @ table.T).unflatten(-1, (3, 3))
