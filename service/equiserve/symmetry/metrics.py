"""How far the answers on one orbit agree: pure functions on arrays.

n members, K classes; outputs are pulled back (see `reference`). A member whose output is not finite is a failure, never
dropped: it disagrees with every decision, and gives the worst value of every other metric.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Below this mean magnitude two outputs are both nothing, and their relative error is 0.
_NEGLIGIBLE = 1e-30


def modal_consistency(decisions: NDArray[np.int64]) -> float:
    """Return max_c n_c / n: the share of the orbit [n] that gives its most frequent answer."""
    return float(_votes(decisions).max(initial=0) / len(decisions))


def pair_agreement(decisions: NDArray[np.int64]) -> float:
    """Return sum_c n_c (n_c - 1) / (n (n - 1)): the share of pairs of members [n] that agree; 1 for one member."""
    n, votes = len(decisions), _votes(decisions)
    return float((votes * (votes - 1)).sum() / (n * (n - 1))) if n > 1 else float(votes.sum())


def identity_consistency(decisions: NDArray[np.int64]) -> float:
    """Return the share of members [n] that decide as the identity (member 0) does."""
    return float(np.mean((decisions == decisions[0]) & (decisions >= 0)))


def margins(probabilities: NDArray[Any], label: int | None) -> NDArray[np.float64]:
    """Return p_label - max_(c != label) p_c of each member: negative where the answer is another one.

    Args:
        probabilities: [n, K], K > 1.
        label: The class to defend; None gives -1 everywhere.

    Returns:
        [n] in [-1, 1]; -1 for failures.
    """
    if label is None:
        return np.full(len(probabilities), -1.0)
    others = np.delete(probabilities, label, axis=1).max(axis=1)
    return np.asarray(np.nan_to_num(np.asarray(probabilities[:, label] - others, np.float64), nan=-1.0))


def relative_errors(outputs: NDArray[Any], reference: NDArray[Any]) -> NDArray[np.float64]:
    """Return mean|A - B| / (mean|A| + mean|B|) of each member against the reference output.

    The symmetric measure of EMLP (Finzi et al. 2021): it stays in range where an output is close to nothing.

    Args:
        outputs: [n, K].
        reference: [K].

    Returns:
        [n] in [0, 1]; 0 where both are nothing, 1 for failures.
    """
    a, b = np.asarray(outputs, np.float64), np.asarray(reference, np.float64)
    finite = np.isfinite(a).all(axis=1) & np.isfinite(b).all()
    with np.errstate(invalid="ignore"):
        size = np.abs(a).mean(axis=1) + np.abs(b).mean()
        difference = np.abs(a - b).mean(axis=1)
    errors = np.divide(difference, size, out=np.zeros(len(a)), where=finite & (size > _NEGLIGIBLE))
    return np.where(finite, errors, 1.0)


def one_sided_relative_errors(outputs: NDArray[Any], reference: NDArray[Any]) -> NDArray[np.float64]:
    """Return |A - B| / |B| (Euclidean) of each member, the usual relative error; it grows without bound as B vanishes.

    Args:
        outputs: [n, K].
        reference: [K].

    Returns:
        [n] >= 0; 0 where both are nothing, infinite where only B is, or for failures.
    """
    a, b = np.asarray(outputs, np.float64), np.asarray(reference, np.float64)
    difference, size = np.sqrt(((a - b) ** 2).sum(axis=1)), float(np.sqrt((b**2).sum()))
    if size <= _NEGLIGIBLE:
        return np.where(difference <= _NEGLIGIBLE, 0.0, math.inf)
    return np.asarray(np.nan_to_num(difference / size, nan=math.inf))


def rms_errors(outputs: NDArray[Any], reference: NDArray[Any]) -> NDArray[np.float64]:
    """Return the root mean square difference of each member [n, K] from the reference [K]; infinite for failures."""
    difference = np.asarray(outputs, np.float64) - np.asarray(reference, np.float64)
    return np.asarray(np.nan_to_num(np.sqrt((difference**2).mean(axis=1)), nan=math.inf))


def max_errors(outputs: NDArray[Any], reference: NDArray[Any]) -> NDArray[np.float64]:
    """Return the largest difference of any component of each member [n, K]; infinite for failures (e3nn's measure)."""
    difference = np.asarray(outputs, np.float64) - np.asarray(reference, np.float64)
    return np.asarray(np.nan_to_num(np.abs(difference).max(axis=1), nan=math.inf))


def cosine_similarities(outputs: NDArray[Any], reference: NDArray[Any]) -> NDArray[np.float64]:
    """Return <A, B> / (|A| |B|) of each member [n, K] with the reference [K].

    Returns:
        [n] in [-1, 1]; 1 where both are nothing, 0 where one is, -1 for failures.
    """
    a, b = np.asarray(outputs, np.float64), np.asarray(reference, np.float64)
    lengths, length = np.sqrt((a**2).sum(axis=1)), float(np.sqrt((b**2).sum()))
    size = lengths * length
    both_nothing = (lengths <= _NEGLIGIBLE) & (length <= _NEGLIGIBLE)
    similarity = np.divide(a @ b, size, out=both_nothing.astype(np.float64), where=size > _NEGLIGIBLE)
    finite = np.isfinite(a).all(axis=1) & np.isfinite(b).all()
    return np.where(finite, np.clip(similarity, -1.0, 1.0), -1.0)


def worst_margin(probabilities: NDArray[Any], label: int | None) -> float:
    """Return the smallest of the `margins`."""
    return float(margins(probabilities, label).min())


def jensen_shannon(probabilities: NDArray[Any]) -> float:
    """Return H(mean_g P_g) - mean_g H(P_g) in bits, the generalised Jensen-Shannon divergence of n distributions.

    Args:
        probabilities: [n, K].

    Returns:
        Between 0 (all equal) and log2 min(n, K); log2 K if any member failed.
    """
    p = np.asarray(probabilities, np.float64)
    if not np.isfinite(p).all():
        return float(np.log2(p.shape[1]))
    if (p == p[0]).all():
        return 0.0
    return max(0.0, float(_entropy(p.mean(axis=0)) - _entropy(p).mean()))


def orbit_variance_ratio(outputs: NDArray[Any]) -> float:
    """Return mean_g |F_g - CF|^2 / mean_g |F_g|^2 with CF = mean_g F_g: the energy that group averaging removes.

    Args:
        outputs: [n, K].

    Returns:
        Between 0 (equivariant on this orbit) and 1; 1 if any member failed.
    """
    f = np.asarray(outputs, np.float64)
    if not np.isfinite(f).all():
        return 1.0
    if (f == f[0]).all():
        return 0.0
    # Scaled first: squares of tiny or huge outputs leave the range of a float.
    f = f / np.abs(f).max()
    return float(np.mean((f - f.mean(axis=0)) ** 2) / np.mean(f * f))


def _votes(decisions: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.bincount(decisions[decisions >= 0])


def _entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    terms = np.where(p > 0, p * np.log2(np.where(p > 0, p, 1.0)), 0.0)
    return np.asarray(-terms.sum(axis=-1))
