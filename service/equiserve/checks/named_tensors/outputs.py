"""One output over an orbit, as the metrics of its kind take it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.numerics.probabilities import softmax
from equiserve.symmetry import FieldType, OrbitOutputs, Reference, consensus_reference, identity_reference
from equiserve.symmetry.boxes import consensus_boxes
from equiserve.symmetry.consensus import Consensus, average_consensus, rotation_consensus
from equiserve.symmetry.field_type import COORDINATE_AXES, TIME_AXES

_GRIDS = ("picture", "noise", "segmentation", "vector_field")


def orbit_outputs(
    field: FieldType, members: NDArray[Any], mask: NDArray[np.bool_] | None, reference: str = "identity"
) -> OrbitOutputs:
    """Return one output of n members with the kind that its metrics need and what it is compared with.

    Where a member means nothing (its content left the frame), it is given the identity's values: nothing is known
    there, and nothing is held against the model.

    Args:
        field: What the output is.
        members: [n, ...], pulled back, without batch axis; the identity first. Lists of boxes as
            `in_one_order` has them.
        mask: [n, ...] bool, where a member means something; None = everywhere.
        reference: `identity` or `consensus`; ids, which have no mean, are compared with the identity's in any case.
    """
    if mask is not None:
        members = np.where(mask, members, members[:1])
    kind = field.tensor.kind
    if kind in ("logits", "probabilities") and members.ndim == 2 and members.shape[1] > 1:
        return _classes(members, reference, given=kind == "probabilities")
    if kind in _GRIDS and (maps := _maps(field, members, mask)) is not None:
        return _compared(maps, reference)
    if kind == "rotation" and members.shape[-2:] == (3, 3):
        return _compared(OrbitOutputs(members, kind="rotations"), reference)
    if kind == "boxes" and members.ndim == 3 and members.shape[-1] == 6:
        return _compared(OrbitOutputs(members, kind="boxes"), reference)
    axes = field.axes
    if kind == "point" and len(axes) > 1 and axes[-2] in TIME_AXES and axes[-1] in COORDINATE_AXES:
        return _compared(OrbitOutputs(members, kind="trajectories"), reference)
    return _compared(OrbitOutputs(members.reshape(len(members), -1)), reference)


def _classes(scores: NDArray[Any], reference: str, *, given: bool) -> OrbitOutputs:
    probabilities = np.asarray(scores, np.float64) if given else softmax(scores)
    chosen = consensus_reference(scores) if reference == "consensus" else identity_reference(scores)
    return OrbitOutputs(scores, probabilities, chosen)


def _maps(field: FieldType, members: NDArray[Any], mask: NDArray[np.bool_] | None) -> OrbitOutputs | None:
    """Return maps as [n, C, H, W] or [n, H, W]; None where they have further axes."""
    planes = field.grid().planes(field.tensor.name, members)
    seen = None if mask is None else field.grid().planes(field.tensor.name, mask)
    if planes.ndim != 4:
        return None
    visible = None if seen is None else np.asarray(seen.all(axis=1))
    if field.tensor.kind == "segmentation":
        return OrbitOutputs(planes[:, 0], kind="segmentation", mask=visible) if planes.shape[1] == 1 else None
    if field.tensor.kind == "vector_field":
        return OrbitOutputs(planes, kind="flow", mask=visible)
    low, high = field.tensor.value_range or (None, None)
    peak = None if low is None or high is None else high - low
    return OrbitOutputs(planes, kind="pictures", mask=visible, peak=peak)


def _compared(given: OrbitOutputs, reference: str) -> OrbitOutputs:
    members = given.outputs
    if reference == "identity" or members.dtype.kind != "f":
        output = np.asarray(members[0], np.float64).reshape(-1)
        chosen = Reference("identity", None, output=output)
    else:
        chosen = _consensus(given).reference()
    return OrbitOutputs(members, None, chosen, given.kind, given.mask, given.peak)


def _consensus(given: OrbitOutputs) -> Consensus:
    members = given.outputs
    if given.kind == "rotations":
        return rotation_consensus(members)
    if given.kind != "boxes":
        return average_consensus(members)
    common = consensus_boxes(members)
    # As long as a member's list: the rest are no boxes.
    output = np.zeros(members.shape[1:])
    output[:, 5] = -1
    output[: len(common.boxes)] = common.boxes
    return Consensus(output, common.strength, len(members))


def consensus_strength(given: OrbitOutputs) -> float | None:
    """Return how far the members agree on their consensus, 0 to 1: of classes the share of the most common one, of
    numbers the share of the energy that the average keeps, of boxes the mean share of members that see one; None where
    they are compared with something else.
    """
    if given.truth.kind != "consensus":
        return None
    if given.truth.strength is not None:
        return given.truth.strength.modal_share
    return _consensus(given).strength


def class_names(outputs: OrbitOutputs, labels: Sequence[str] | None) -> Sequence[str] | None:
    """Return the manifest's labels where they are those of this output."""
    fits = outputs.probabilities is not None and labels is not None and len(labels) == outputs.probabilities.shape[1]
    return labels if fits else None
