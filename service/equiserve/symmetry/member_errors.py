"""How far each member of an orbit is from one answer, on one scale for every kind of output."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.symmetry import structured_metrics
from equiserve.symmetry.metrics import relative_errors
from equiserve.symmetry.orbit_outputs import OrbitOutputs


def member_errors(outputs: OrbitOutputs, target: NDArray[Any]) -> NDArray[np.float64]:
    """Return an error in [0, 1] for each member: 0 is equality, 1 what failures have.

    Args:
        outputs: n members.
        target: What to compare with, in the shape of one member's output.

    Returns:
        [n]: 1 - mean IoU for boxes, 1 - pixel agreement for segmentation, angle / 180 degrees of the worst rotation,
        else the symmetric relative error (see `relative_errors`).
    """
    members = outputs.outputs
    if outputs.kind == "boxes":
        return 1 - structured_metrics.box_agreements(members, target)[0]
    if outputs.kind == "segmentation":
        return 1 - structured_metrics.segmentation_agreement(members, target, outputs.mask)
    if outputs.kind == "rotations":
        angles = structured_metrics.geodesic_angles(members, target)
        return np.asarray(angles.reshape(len(members), -1).max(axis=1) / 180)
    rows, reference = outputs.rows, target.reshape(-1)
    if outputs.mask is None:
        return relative_errors(rows, reference)
    visible = np.broadcast_to(outputs.mask[:, None], members.shape).reshape(rows.shape)
    return np.concatenate(
        [relative_errors(row[None, seen], reference[seen]) for row, seen in zip(rows, visible, strict=True)]
    )
