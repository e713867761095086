"""How far structured answers on one orbit agree: maps, flows, rotations, trajectories, boxes, pictures.

n members, pulled back, against one reference of the same shape without the first axis. A member with a value that is
not finite has the worst value there is. Averages run over all members, the identity included.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.symmetry.boxes import box_agreement

# Slower vectors than this share of the fastest have no direction worth comparing.
_SLOW = 0.05


def segmentation_agreement(
    maps: NDArray[Any], reference: NDArray[Any], mask: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Return the share of visible pixels of each member that keep the reference's id.

    Args:
        maps: [n, H, W] class ids, after the pull-back.
        reference: [H, W].
        mask: [n, H, W], pixels that the member shows; None = all of them.

    Returns:
        [n] in [0, 1]; 0 for a member that shows nothing.
    """
    visible = _visible(maps, mask)
    return _masked_mean((maps == reference).astype(np.float64), visible, nothing=0.0)


def endpoint_errors(
    flows: NDArray[Any], reference: NDArray[Any], mask: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Return the mean distance |u - v| between vectors, [n], in the flow's unit.

    Args:
        flows: [n, 2, H, W], moved and turned back.
        reference: [2, H, W].
        mask: As in `segmentation_agreement`.
    """
    difference = np.asarray(flows, np.float64) - np.asarray(reference, np.float64)
    distance = np.sqrt((difference**2).sum(axis=1))
    return _masked_mean(distance, _visible(distance, mask), nothing=math.inf)


def angular_errors(
    flows: NDArray[Any], reference: NDArray[Any], mask: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Return the mean angle between vectors, [n] in degrees, where the reference moves at all.

    Args:
        flows: [n, 2, H, W].
        reference: [2, H, W]; vectors below 5 % of its fastest are left out.
        mask: As in `segmentation_agreement`.

    Returns:
        [n] in [0, 180]; 0 where the reference stands still everywhere.
    """
    f, r = np.asarray(flows, np.float64), np.asarray(reference, np.float64)
    angle = np.degrees(np.arctan2(np.abs(f[:, 0] * r[1] - f[:, 1] * r[0]), f[:, 0] * r[0] + f[:, 1] * r[1]))
    speed = np.sqrt((r**2).sum(axis=0))
    moving = speed > _SLOW * speed.max()
    errors = _masked_mean(angle, _visible(angle, mask) & moving, nothing=0.0)
    return np.where(np.isfinite(f).all(axis=(1, 2, 3)), errors, 180.0)


def geodesic_angles(rotations: NDArray[Any], reference: NDArray[Any]) -> NDArray[np.float64]:
    """Return the angle between rotation matrices in degrees.

    By |R - S|_F = 2 sqrt(2) sin(angle / 2) and atan2: the arccos of the trace loses half the digits near 0.

    Args:
        rotations: [..., 3, 3].
        reference: [..., 3, 3], broadcast against them.

    Returns:
        [...] in [0, 180]; 180 for what is not finite.
    """
    difference = np.asarray(rotations, np.float64) - np.asarray(reference, np.float64)
    squared = (difference**2).sum(axis=(-2, -1))
    with np.errstate(invalid="ignore"):
        angle = np.degrees(2 * np.arctan2(np.sqrt(squared), np.sqrt(np.maximum(8 - squared, 0.0))))
    return np.asarray(np.nan_to_num(angle, nan=180.0))


def displacement_errors(
    trajectories: NDArray[Any], reference: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the average and the final displacement error (ADE, FDE) of each member, in the trajectories' unit.

    Args:
        trajectories: [n, ..., T, D] positions, after the pull-back.
        reference: [..., T, D].

    Returns:
        Two arrays [n]; infinite for failures.
    """
    difference = np.asarray(trajectories, np.float64) - np.asarray(reference, np.float64)
    distance = np.sqrt((difference**2).sum(axis=-1)).reshape(len(difference), -1, difference.shape[-2])
    average, final = distance.mean(axis=(1, 2)), distance[:, :, -1].mean(axis=1)
    return np.asarray(np.nan_to_num(average, nan=math.inf)), np.asarray(np.nan_to_num(final, nan=math.inf))


def box_agreements(members: NDArray[Any], reference: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean IoU and matched share of each member's boxes [n, M, 6] with the reference's [M, 6]; see `boxes`."""
    pairs = [box_agreement(boxes, reference) if np.isfinite(boxes).all() else (0.0, 0.0) for boxes in members]
    iou, matched = zip(*pairs, strict=True)
    return np.array(iou), np.array(matched)


def equivariance_psnr(
    pictures: NDArray[Any], reference: NDArray[Any], peak: float, mask: NDArray[np.bool_] | None = None
) -> float:
    """Return the EQ-T or EQ-R of StyleGAN3 (Karras et al. 2021, appendix E): PSNR of the pulled-back pictures, dB.

    Args:
        pictures: [n, C, H, W], after the pull-back.
        reference: [C, H, W].
        peak: Largest difference that two pixels can have, e.g. 255.
        mask: [n, H, W], pixels valid in both; None = all.

    Returns:
        10 log10(peak^2 / mean squared error over members and valid pixels); infinite for equal pictures, minus
        infinity where a member failed or no pixel is valid.
    """
    squared = ((np.asarray(pictures, np.float64) - np.asarray(reference, np.float64)) ** 2).mean(axis=1)
    error = float(_masked_mean(squared[None], _visible(squared, mask)[None], nothing=math.inf)[0])
    if error == 0:
        return math.inf
    return 10 * math.log10(peak**2 / error) if math.isfinite(error) else -math.inf


def _visible(values: NDArray[Any], mask: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    return np.ones(values.shape, np.bool_) if mask is None else mask


def _masked_mean(values: NDArray[np.float64], mask: NDArray[np.bool_], nothing: float) -> NDArray[np.float64]:
    """Return the mean [n] of values [n, ...] under a mask; ``nothing`` without any, inf where one is not finite."""
    axes = tuple(range(1, values.ndim))
    count = mask.sum(axis=axes)
    total = np.where(mask, values, 0.0).sum(axis=axes)
    mean = np.divide(total, count, out=np.full(len(values), nothing), where=count > 0)
    return np.asarray(np.nan_to_num(mean, nan=math.inf))
