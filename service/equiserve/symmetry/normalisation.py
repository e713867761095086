"""Which symmetries a model's own normalisation of an input breaks before the first weight."""

from __future__ import annotations

from typing import Any

import numpy as np

from equiserve.artifact.manifest import Normalisation, TensorSpec
from equiserve.symmetry.groups import LinearGroup
from equiserve.symmetry.signature import Signature

_TOLERANCE = 1e-5
_TRIED = 8


def normalisation_warnings(signature: Signature, key: str) -> list[str]:
    """Return a sentence for each input whose declared normalisation does not commute with the group.

    A network that divides x by 1.2 and z by 0.05, or subtracts a mean that points somewhere, has lost the rotations
    that mix them, whatever its weights do.

    Args:
        signature: From `Signature.of`.
        key: What the manifest calls the group.
    """
    group = signature.group
    if not isinstance(group, LinearGroup):
        return []
    found = []
    for action in signature.inputs:
        for name in action.names:
            field = signature.fields.get(name)
            if field is not None and field.tensor.normalisation is not None and _breaks(signature, name, field.tensor):
                found.append(
                    f"inputs.{name}.normalisation: it is not the same along all axes that {key} ({group.name}) mixes, "
                    "or its mean is moved; it breaks the symmetry by itself"
                )
    return found


def _breaks(signature: Signature, name: str, tensor: TensorSpec) -> bool:
    rng = np.random.default_rng(0)
    assert tensor.normalisation is not None
    shape = tuple(2 if size < 0 else size for size in tensor.shape)
    array = rng.normal(size=shape)
    others = {n: rng.normal(size=[2 if s < 0 else s for s in f.tensor.shape]) for n, f in signature.fields.items()}
    group: LinearGroup[Any] = signature.group  # type: ignore[assignment]
    for element in group.sample(rng, _TRIED):
        if group.translation(element).any():
            continue
        inputs = {n: others[n] for action in signature.inputs for n in action.names}
        first = normalised(signature.move(element, {**inputs, name: array})[name], tensor.normalisation)
        second = signature.move(element, {**inputs, name: normalised(array, tensor.normalisation)})[name]
        if np.abs(first - second).max() > _TOLERANCE * max(1.0, float(np.abs(second).max())):
            return True
    return False


def normalised(array: np.ndarray[Any, Any], normalisation: Normalisation) -> np.ndarray[Any, Any]:
    """Return (x - mean) / scale along the last axis."""
    return np.asarray((array - np.array(normalisation.mean)) / np.array(normalisation.scale))
