"""Control inputs of a check of named tensors: the very same one again, and others that have nothing to do with it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

#: Inputs that a model which looks at its input answers otherwise. Values stay among those of the input itself, so that
#: ids and lengths remain what the model knows.
UNRELATED = ("shuffled", "noise")


def repeat_sizes(batch: int, smallest: int) -> list[int]:
    """Return the rows of each call that repeats the input: two alike, then a larger one; see `repeat_place`."""
    return [smallest, smallest, batch]


def repeat_place(call: int, size: int) -> int:
    """Return where the input stands in a repeat's batch: first in the two calls alike, last in the others."""
    return 0 if call < 2 else size - 1


def unrelated_inputs(inputs: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Return by the names of `UNRELATED`: each tensor's own values in another order, and values from its own range."""
    rng = np.random.Generator(np.random.Philox(0))
    return {
        "shuffled": {name: rng.permuted(array, axis=None).reshape(array.shape) for name, array in inputs.items()},
        "noise": {name: _noise(array, rng) for name, array in inputs.items()},
    }


def _noise(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    low, high = array.min(), array.max()
    if array.dtype.kind != "f":
        return np.asarray(rng.integers(low, high, array.shape, array.dtype, endpoint=True))
    if not (np.isfinite(low) and np.isfinite(high)):
        low, high = array.dtype.type(0), array.dtype.type(0)
    spread = float(high) - float(low)
    # A constant tensor has no range of its own.
    return (float(low) - (not spread) + (spread or 2.0) * rng.random(array.shape)).astype(array.dtype)
