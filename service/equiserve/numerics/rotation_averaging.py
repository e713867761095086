"""The chordal mean of weighted rotations: the rotation nearest to their weighted sum (Hartley et al. 2013, sec. 5).

Two ways to the same rotation: by singular values, and by Davenport's 4 x 4 matrix, which a network can do with products
alone. Both are equivariant: the mean of g R_i is g times the mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.symmetry.quaternions import from_matrix, to_matrix


def chordal_mean(rotations: NDArray[Any], weights: NDArray[Any]) -> NDArray[np.float64]:
    """Return the rotations [..., 3, 3] that minimise sum_i w_i |R - R_i|_F^2.

    Args:
        rotations: [n, 3, 3].
        weights: [..., n], any sign.
    """
    return nearest_rotation(np.tensordot(np.asarray(weights, np.float64), rotations, axes=(-1, 0)))


def nearest_rotation(matrices: NDArray[Any]) -> NDArray[np.float64]:
    """Return the rotations [..., 3, 3] nearest to matrices [..., 3, 3]: U diag(1, 1, det UV^T) V^T (Umeyama 1991)."""
    u, _, vt = np.linalg.svd(np.asarray(matrices, np.float64))
    u[..., :, 2] *= np.sign(np.linalg.det(u @ vt))[..., None]
    return np.asarray(u @ vt)


def nearest_rotation_by_davenport(matrices: NDArray[Any]) -> NDArray[np.float64]:
    """Return what `nearest_rotation` does, from the leading eigenvector of Davenport's matrix."""
    return to_matrix(from_matrix(matrices))
