"""The search for nearest points by scipy, loaded when it is first used: most servers fit no bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.spatial import cKDTree


def point_tree(points: NDArray[np.floating]) -> cKDTree:
    """Return the k-d tree of points, float [n, d]; its `query` gives distances and indices of the nearest ones."""
    from scipy.spatial import cKDTree

    # Most trees here are asked a few thousand times at most: split at midpoints they are built in 0.6 of the time, and
    # answer as fast.
    return cKDTree(points, leafsize=16, balanced_tree=False)
