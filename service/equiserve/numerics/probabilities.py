"""From logits to probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Return exp(logits) normalised over the last axis.

    Args:
        logits: [..., K], any real dtype. A row with a NaN or with +inf gives a row of NaN.

    Returns:
        [..., K] float64, rows summing to 1.
    """
    with np.errstate(invalid="ignore"):
        shifted = np.asarray(logits, np.float64)
        shifted = shifted - shifted.max(axis=-1, keepdims=True)
        unnormalised = np.exp(shifted)
        return np.asarray(unnormalised / unnormalised.sum(axis=-1, keepdims=True))
