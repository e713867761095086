"""The v2 classification extension: an output of scores given as its best classes, `value:index[:label]`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from equiserve.errors import InvalidRequest


def rank_classes(scores: np.ndarray, classes: int, labels: Sequence[str] | None, name: str) -> np.ndarray:
    """Return the best classes of each row, best first; equal scores keep their order.

    Args:
        scores: Real numbers, shape [..., class].
        classes: How many to give; more than there are means all of them.
        labels: A name a class, where the model has them.
        name: The output, for the message.

    Returns:
        Object array of bytes, shape [..., classes].

    Raises:
        InvalidRequest: The output is not numeric or has no axis of classes.
    """
    if scores.ndim == 0 or scores.dtype.kind not in "fiu":
        raise InvalidRequest(
            f"outputs.{name}: classification needs numbers with an axis of classes, it is {scores.dtype} of shape "
            f"{list(scores.shape)}",
            code="not_scores",
            field=f"outputs.{name}.parameters.classification",
        )
    # Negation overflows for integers; a stable sort of the reversed axis keeps the lower index first instead.
    last = scores.shape[-1] - 1
    order = last - np.argsort(scores[..., ::-1], axis=-1, kind="stable")[..., ::-1]
    order = order[..., :classes]
    values = np.take_along_axis(scores, order, axis=-1)
    named = labels if labels is not None and len(labels) == scores.shape[-1] else None
    ranked = np.empty(order.size, dtype=object)
    for position, (value, index) in enumerate(zip(values.flat, order.flat, strict=True)):
        text = f"{value}:{index}" if named is None else f"{value}:{index}:{named[index]}"
        ranked[position] = text.encode()
    return ranked.reshape(order.shape)
