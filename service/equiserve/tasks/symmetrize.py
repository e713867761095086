"""Answers that the server makes invariant: pictures in their canonical frames, or means over their orbits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf

import numpy as np

from equiserve.engine import ComputePool, ServedModel
from equiserve.engine.core import DEFAULT_PRIORITY
from equiserve.symmetrization import CanonicalOrigin, GroupAverage, Symmetrization, require_invariant

# Moving fewer samples than this takes less than a millisecond: no hand-over to a thread (28 x 28: 10 pictures).
_INLINE_SAMPLES = 8192
# Rows of one piece of a large orbit, in largest useful batches: enough for several workers, and little memory.
_PIECE_BATCHES = 4


async def infer_symmetrized(
    model: ServedModel,
    inputs: Sequence[np.ndarray],
    symmetrization: Symmetrization,
    *,
    wanted: frozenset[str] | None,
    compute: ComputePool,
    max_orbit: int,
    priority: int = DEFAULT_PRIORITY,
    deadline: float = inf,
    queue_timeout_s: float | None = None,
) -> list[np.ndarray]:
    """Run the rows of one request with `symmetrize`.

    Args:
        model: A model of one picture input.
        inputs: That input, validated, [N, C, H, W].
        symmetrization: What to do.
        wanted: Names of the outputs that go out, None = all; the others are given as they come.
        compute: Moves what is not tiny.
        max_orbit: Most evaluations of the model for a mean over a group.
        priority, deadline, queue_timeout_s: See `ServedModel.infer`.

    Returns:
        The outputs in the order of the model's outputs; a mean over a group is over each output's own numbers.

    Raises:
        Unsupported: An output that is wanted moves with the picture (`output_not_invariant`).
        InvalidRequest: The patch, or the group, does not fit the pictures.
        TooLarge: Too many evaluations (`orbit_too_large`).
        Overloaded, DeadlineExceeded, Unavailable, InternalError: See `ServedModel.infer`.
    """
    (pictures,) = inputs
    for spec in model.manifest.outputs:
        if wanted is None or spec.name in wanted:
            require_invariant(spec, symmetrization)
    if isinstance(symmetrization, CanonicalOrigin):
        rows = await moved(symmetrization.apply, pictures, compute)
        return await model.infer([rows], priority=priority, deadline=deadline, queue_timeout_s=queue_timeout_s)
    symmetrization.require_room(len(pictures) if model.batched else 1, max_orbit)
    outputs = await orbit_outputs(
        model,
        pictures,
        symmetrization,
        compute=compute,
        priority=priority,
        deadline=deadline,
        queue_timeout_s=queue_timeout_s,
    )
    return [
        mean_over_orbit(output) if wanted is None or spec.name in wanted else output[0]
        for spec, output in zip(model.runtime.outputs, outputs, strict=True)
    ]


async def moved(work: Callable[[np.ndarray], np.ndarray], pictures: np.ndarray, compute: ComputePool) -> np.ndarray:
    """Return `work(pictures)`, off the event loop where it takes more than moments."""
    return work(pictures) if pictures.size <= _INLINE_SAMPLES else await compute.run(work, pictures)


async def orbit_outputs(
    model: ServedModel,
    pictures: np.ndarray,
    average: GroupAverage,
    *,
    compute: ComputePool,
    priority: int,
    deadline: float,
    queue_timeout_s: float | None = None,
) -> list[np.ndarray]:
    """Run the orbit of every picture [N, C, H, W] as foreground rows.

    Returns:
        The model's outputs, each [order, N, ...]; [order, ...] of a model without batch axis.

    Raises:
        InvalidRequest: The group does not act on pictures of this size.
        Overloaded, DeadlineExceeded, Unavailable, InternalError: See `ServedModel.infer`.
    """
    average.require_fit(*pictures.shape[2:])
    order = average.order

    async def run(rows: np.ndarray) -> list[np.ndarray]:
        return await model.infer([rows], priority=priority, deadline=deadline, queue_timeout_s=queue_timeout_s)

    if not model.batched:
        orbit = await moved(average.orbit, pictures, compute)
        answers = [await run(member) for member in orbit]
        return [np.stack(column) for column in zip(*answers, strict=True)]
    step = max(1, _PIECE_BATCHES * model.max_batch // order)
    pieces: list[list[np.ndarray]] = []
    for start in range(0, len(pictures), step):
        orbit = await moved(average.orbit, pictures[start : start + step], compute)
        outputs = await run(orbit.reshape(-1, *orbit.shape[2:]))
        pieces.append([output.reshape(orbit.shape[:2] + output.shape[1:]) for output in outputs])
    return [np.concatenate(column, axis=1) for column in zip(*pieces, strict=True)]


def mean_over_orbit(members: np.ndarray) -> np.ndarray:
    """Return the mean over the first axis, in the dtype of `members`: the same bits in whatever order they come.

    The members of another element's orbit are the same ones in another order, and sums of floats depend on it.
    """
    mean: np.ndarray = np.sort(members, axis=0).mean(axis=0, dtype=np.float64)
    return mean.astype(members.dtype)
