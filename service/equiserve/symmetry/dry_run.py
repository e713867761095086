"""Tries a signature on random arrays before a model is asked: a wrong declaration is no failure of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.artifact.datatypes import NUMPY_OF
from equiserve.errors import InvalidRequest
from equiserve.symmetry.actions import Action
from equiserve.symmetry.elements import Element
from equiserve.symmetry.field_type import ITEM_AXES, FieldType
from equiserve.symmetry.groups import Symmetric
from equiserve.symmetry.signature import Signature

_TOLERANCE = 1e-4
_PAIRS = 8


def dry_run(signature: Signature, *, shapes: Mapping[str, Sequence[int]] | None = None, seed: int = 0) -> None:
    """Check a signature that a manifest made: that its actions are actions, and that they do something.

    Args:
        signature: From `Signature.of`.
        shapes: Of arrays, for sizes that the manifest leaves open.
        seed: Of the random arrays and elements.

    Raises:
        InvalidRequest: An action does not fit its tensor, two elements one after the other do not act as their
            product (named with the tensor), or no element moves any input.
    """
    rng = np.random.default_rng(seed)
    known = dict(shapes or {})
    arrays = {name: random_array(field, rng, known.get(name)) for name, field in signature.fields.items()}
    group = signature.group
    elements = group.sample(rng, 2 * _PAIRS)
    exact = group.exact_subgroup()
    if exact is not None:
        elements += exact.sample(rng, 2 * _PAIRS)
    acts = False
    tried: list[Action] = []
    for g, h in zip(elements[::2], elements[1::2], strict=True):
        try:
            product = group.compose(g, h)
        except InvalidRequest:
            product = None  # a window is not closed
        for action in (*signature.inputs, *signature.outputs):
            closed = product is not None and all(action.exact(element) for element in (g, h, product))
            # Each action is tried once at least; a resampled picture takes long.
            if acts and not closed and action in tried:
                continue
            tried.append(action)
            moved = action.apply(h, arrays)
            acts = acts or (action in signature.inputs and _differ(moved, arrays))
            if product is not None and closed:
                _require_homomorphism(action, (g, h), action.apply(g, {**arrays, **moved}), product, arrays)
    if not acts:
        names = sorted(name for action in signature.inputs for name in action.names)
        raise InvalidRequest(
            f"inputs: {group.name} moves none of {names}, so every model would pass{_other_sizes(signature)}",
            code="group_does_not_act",
            field="inputs",
        )


def random_array(field: FieldType, rng: np.random.Generator, sizes: Sequence[int] | None = None) -> NDArray[Any]:
    """Return an array that a tensor may hold: a picture near mid-grey, boxes with corners in order.

    Args:
        field: What the tensor is.
        rng: Draws the array.
        sizes: The shape, where the manifest leaves sizes open; else those are 2.
    """
    tensor = field.tensor
    shape = tuple(2 if size < 0 else size for size in (sizes or tensor.shape))
    dtype = np.dtype(NUMPY_OF[tensor.datatype])
    low, high = tensor.value_range or (0.0, 255.0 if dtype.kind in "ui" else 1.0)
    if tensor.kind == "rotation":
        low, high = -10.0, 10.0
    values = rng.uniform(low + 0.45 * (high - low), low + 0.55 * (high - low), shape)
    if tensor.kind == "boxes" and shape[-1:] == (4,):
        values[..., 2:] += 1.0
    return (np.rint(values) if dtype.kind in "ui" else values).astype(dtype)


def _other_sizes(signature: Signature) -> str:
    """Return which orders of items would fit where S_n has another n, to end a sentence; nothing for other groups."""
    group = signature.group
    if not isinstance(group, Symmetric):
        return ""
    inputs = [name for action in signature.inputs for name in action.names]
    sizes = {
        size: f"{name}.{axis}"
        for name in reversed(inputs)
        for axis, size in zip(signature.fields[name].axes, signature.fields[name].tensor.shape, strict=True)
        if axis in ITEM_AXES and size > 0
    }
    nearest = sorted(sizes, key=lambda size: (abs(size - group.n), size))
    return "".join(f"; S{size} fits {sizes[size]} of size {size}" for size in nearest)


def _require_homomorphism(
    action: Action,
    pair: tuple[Element, Element],
    twice: Mapping[str, NDArray[Any]],
    product: Element,
    arrays: Mapping[str, NDArray[Any]],
) -> None:
    once = action.apply(product, arrays)
    for name in action.names:
        a, b = twice[name].astype(np.float64), once[name].astype(np.float64)
        scale = np.abs(b).max(initial=1.0)
        if a.shape != b.shape or np.abs(a - b).max(initial=0.0) > _TOLERANCE * scale:
            words = [action.group.describe(element) for element in pair]
            raise InvalidRequest(
                f"{name}: {words[1]} and then {words[0]} do not act on it as their product does, so its declaration "
                "is no representation of the group",
                code="invalid_signature",
                field=name,
            )


def _differ(moved: Mapping[str, NDArray[Any]], arrays: Mapping[str, NDArray[Any]]) -> bool:
    return any(not np.array_equal(value, arrays[name]) for name, value in moved.items())
