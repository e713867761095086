"""How far two sets of pictures are apart, in a classifier's features: Frechet distance, precision, recall; and copies.

None of it is FID: that is defined in the features of the Inception network.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float64]

_ROWS = 500


def frechet_distance(first: Features, second: Features) -> float:
    """Return the squared 2-Wasserstein distance of the normal distributions with the sets' means and covariances.

    Args:
        first, second: float64 [N, d], [M, d]. Source: Heusel et al. 2017, arXiv 1706.08500, equation 6.
    """
    covariances = [np.cov(features, rowvar=False) for features in (first, second)]
    difference = first.mean(0) - second.mean(0)
    values, vectors = np.linalg.eigh(covariances[0])
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    # The trace of the root of a product is that of its symmetric form.
    product = np.linalg.eigvalsh(root @ covariances[1] @ root)
    spread = np.trace(covariances[0] + covariances[1]) - 2 * np.sqrt(np.maximum(product, 0)).sum()
    return float(difference @ difference + spread)


def precision_and_recall(real: Features, generated: Features, neighbours: int = 3) -> tuple[float, float]:
    """Return the share of the generated within the real set's reach, and of the real within the generated's.

    Args:
        real, generated: float64 [N, d], [M, d].
        neighbours: A point reaches as far as its so-many-th neighbour within its own set. Source: Kynkaanniemi et al.
            2019, arXiv 1904.06991.
    """
    return _covered(generated, real, neighbours), _covered(real, generated, neighbours)


def nearest(queries: NDArray[np.float32], among: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return each query's distance to the nearest of the others, float32 [N], in the unit of the vectors [N, d]."""
    lengths = np.square(among).sum(1)
    found = np.empty(len(queries), np.float32)
    for at in range(0, len(queries), _ROWS):
        part = queries[at : at + _ROWS]
        squared = np.square(part).sum(1)[:, None] + lengths - 2 * part @ among.T
        found[at : at + _ROWS] = np.sqrt(np.maximum(squared.min(1), 0))
    return found


def _covered(points: Features, reaching: Features, neighbours: int) -> float:
    """Return the share of the points that at least one of the reaching set reaches."""
    points, reaching = points.astype(np.float32), reaching.astype(np.float32)
    lengths = np.square(reaching).sum(1)
    reach = np.empty(len(reaching), np.float32)
    for at in range(0, len(reaching), _ROWS):
        squared = lengths[at : at + _ROWS, None] + lengths - 2 * reaching[at : at + _ROWS] @ reaching.T
        # The nearest is the point itself.
        reach[at : at + _ROWS] = np.partition(squared, neighbours, axis=1)[:, neighbours]
    inside = 0
    for at in range(0, len(points), _ROWS):
        part = points[at : at + _ROWS]
        squared = np.square(part).sum(1)[:, None] + lengths - 2 * part @ reaching.T
        inside += int((squared <= reach).any(1).sum())
    return inside / len(points)
