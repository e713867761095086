"""A detector's outputs: boxes, and beside them what belongs to each box, in one order before they are compared.

A detector may list what it sees in any order, and fill its list up. Boxes of two answers belong together by class and
overlap, see `match_boxes`; their scores go with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.symmetry.actions.action import Arrays
from equiserve.symmetry.boxes import match_boxes
from equiserve.symmetry.elements import Element
from equiserve.symmetry.field_type import FieldType
from equiserve.symmetry.signature import Signature

# What an output may be that says something of each box.
_BESIDE = ("label", "scalar", "logits", "probabilities")
# A row that holds no box; see `boxes`.
_NO_BOX = (0.0, 0.0, 0.0, 0.0, 0.0, -1.0)


@dataclass(frozen=True, slots=True)
class Detections:
    """The outputs of one list of boxes.

    Args:
        boxes: The output of kind `boxes`, [batch, M, 4] or [M, 4].
        label: The class of each box, [batch, M] or [M]; None where the manifest declares none.
        beside: Scores of each box, [batch, M] or [batch, M, K]; classes follow from the first with K where there is no
            label.
    """

    boxes: str
    label: str | None
    beside: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All of the outputs."""
        return (self.boxes, *([] if self.label is None else [self.label]), *self.beside)


def declared_detections(signature: Signature) -> tuple[Detections, ...]:
    """Return the lists of boxes among a signature's outputs.

    Beside boxes is an output of kind `label`, `scalar`, `logits` or `probabilities` whose first axis (after the batch)
    is the boxes' own: both are named alike, or neither is named and both are as long. Class scores of the whole picture
    may be as long by chance, so an unnamed axis of logits or probabilities needs another one behind it.
    """
    outputs = [name for action in signature.outputs for name in action.names if name in signature.fields]
    taken: set[str] = set()
    found = []
    for name in outputs:
        boxes = signature.fields[name]
        if boxes.tensor.kind != "boxes" or boxes.tensor.rep is not None or len(_own_axes(boxes)) != 2:
            continue
        beside = [other for other in outputs if other not in taken and _lists_the_same(boxes, signature.fields[other])]
        taken |= set(beside)
        labels = [
            other
            for other in beside
            if signature.fields[other].tensor.kind == "label" and len(_own_axes(signature.fields[other])) == 1
        ]
        label = labels[0] if labels else None
        found.append(Detections(name, label, tuple(other for other in beside if other != label)))
    return tuple(found)


def in_one_order(
    signature: Signature, elements: Sequence[Element], outputs: Arrays, masks: Mapping[str, NDArray[np.bool_]]
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[np.bool_]]]:
    """Return outputs with each member's boxes where the first member has the boxes that they belong to.

    Boxes become [n, S, 6], as `equiserve.symmetry.boxes` has them, of class -1 where a member has none; what is beside
    them [n, S, K], 0 there; a label is a column of its boxes and no output any more. A box that no box of the first
    member belongs to has a place of its own behind those. Where content left the picture, a member is given the
    first one's box, and what only it can see is left out: nothing is held against the model there.

    Args:
        signature: What the outputs are.
        elements: n, those that the members were pulled back from.
        outputs: By name [n, ...], pulled back, without batch axis.
        masks: By name, where outputs mean something, of those shapes; left out: everywhere.

    Returns:
        The outputs, and the masks of those that hold no boxes.
    """
    ordered, left = dict(outputs), dict(masks)
    for found in declared_detections(signature):
        if not set(found.names) <= outputs.keys():
            continue
        for name in found.names:
            left.pop(name, None)
            ordered.pop(name)
        ordered |= _in_one_order(found, signature, elements, outputs, masks.get(found.boxes))
    return ordered, left


def padded(array: NDArray[Any], size: int) -> NDArray[Any]:
    """Return [n, M, ...] with zeros behind, [n, size, ...]: boxes of no area are none; itself where it is so long."""
    missing = size - array.shape[1]
    if missing <= 0:
        return array
    return np.pad(array, [(0, 0), (0, missing), *[(0, 0)] * (array.ndim - 2)])


def _own_axes(field: FieldType) -> tuple[tuple[str, int], ...]:
    """Return name and size of each axis but the batch."""
    axes = tuple(zip(field.axes, field.tensor.shape, strict=True))
    return axes[1:] if field.batched else axes


def _lists_the_same(boxes: FieldType, other: FieldType) -> bool:
    theirs = _own_axes(other)
    if other.tensor.kind not in _BESIDE or len(theirs) not in (1, 2):
        return False
    (name, size), (its_name, its_size) = _own_axes(boxes)[0], theirs[0]
    if name != its_name:
        return False
    if name:
        return size == its_size or -1 in (size, its_size)
    return size == its_size and (len(theirs) == 2 or other.tensor.kind in ("label", "scalar"))


def _in_one_order(
    found: Detections,
    signature: Signature,
    elements: Sequence[Element],
    outputs: Arrays,
    mask: NDArray[np.bool_] | None,
) -> dict[str, NDArray[Any]]:
    longest = max(1, *(outputs[name].shape[1] for name in found.names))
    given = {name: padded(outputs[name], longest) for name in found.names}
    rows = _rows(found, given)
    seen = np.ones(rows.shape[:2], np.bool_) if mask is None else padded(mask, longest)[..., 0] != 0
    shown = np.stack([_shown(signature, element, found.boxes, given[found.boxes][:1]) for element in elements])
    places, forgiven = _places(rows, seen, shown)
    ordered = {found.boxes: _placed(rows, places, forgiven, np.array(_NO_BOX, rows.dtype))}
    for name in found.beside:
        values = given[name].reshape(*rows.shape[:2], -1)
        ordered[name] = _placed(values, places, forgiven, values.dtype.type(0))
    return ordered


def _rows(found: Detections, given: Arrays) -> NDArray[Any]:
    """Return [n, M, 6]: x0, y0, x1, y1, score, class."""
    boxes = given[found.boxes]
    boxes = boxes if boxes.dtype.kind == "f" else boxes.astype(np.float64)
    rows = np.zeros((*boxes.shape[:2], 6), boxes.dtype)
    rows[..., :4] = boxes
    score = next((given[name] for name in found.beside if given[name].ndim == 2), None)
    scores = next((given[name] for name in found.beside if given[name].ndim == 3), None)
    if score is not None:
        rows[..., 4] = score
    elif scores is not None:
        rows[..., 4] = scores.max(axis=2)
    if found.label is not None:
        rows[..., 5] = given[found.label]
    elif scores is not None:
        rows[..., 5] = scores.argmax(axis=2)
    # Detectors fill their lists up with a negative class, or with boxes of no area.
    rows[(rows[..., 5] < 0) | ((boxes[..., 2:] - boxes[..., :2]) <= 0).any(axis=2)] = _NO_BOX
    return rows


def _shown(signature: Signature, element: Element, name: str, boxes: NDArray[Any]) -> NDArray[np.bool_]:
    """Return [M] bool, which boxes [1, M, 4] of the first member are in the picture that an element made."""
    # `valid` is about the inverse of its element: about the boxes that are moved by this one.
    back = signature.group.inverse(signature.group.canonical(element))
    valid = signature.valid(back, {name: boxes}).get(name)
    return np.ones(boxes.shape[1], np.bool_) if valid is None else valid[0, :, 0]


def _places(
    rows: NDArray[Any], seen: NDArray[np.bool_], shown: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return which box of each member belongs to each place, -1 for none, and where the first one's is taken instead.

    Args:
        rows: [n, M, 6].
        seen: [n, M], whether a member's box lies in the picture that came.
        shown: [n, M], whether the first member's box lies in the picture that the member is an answer to.

    Returns:
        Two arrays [n, S], S >= M.
    """
    n, most = rows.shape[:2]
    places, forgiven = np.full((n, most), -1, np.intp), np.zeros((n, most), np.bool_)
    own = np.flatnonzero(rows[0, :, 5] >= 0)
    extra: list[NDArray[np.intp]] = []
    for k in range(n):
        theirs = np.flatnonzero(rows[k, :, 5] >= 0)
        if not (np.isfinite(rows[0]).all() and np.isfinite(rows[k]).all()):
            # A failure, which is told as one: nothing overlaps with it.
            places[k] = np.arange(most)
            extra.append(theirs[:0])
            continue
        mine, partners, _ = match_boxes(rows[0][own], rows[k][theirs])
        mine, partners = own[mine], theirs[partners]
        places[k, mine] = partners
        alone = np.setdiff1d(own, mine)
        forgiven[k, mine] = ~(shown[k, mine] & seen[k, partners])
        forgiven[k, alone] = ~shown[k, alone]
        others = np.setdiff1d(theirs, partners)
        extra.append(others[seen[k, others]])
    behind = max(len(others) for others in extra)
    places = np.pad(places, [(0, 0), (0, behind)], constant_values=-1)
    for k, others in enumerate(extra):
        places[k, most : most + len(others)] = others
    return places, np.pad(forgiven, [(0, 0), (0, behind)])


def _placed(
    values: NDArray[Any],
    places: NDArray[np.intp],
    forgiven: NDArray[np.bool_],
    nothing: NDArray[Any] | np.generic,
) -> NDArray[Any]:
    taken = np.take_along_axis(values, np.maximum(places, 0)[..., None], axis=1)
    placed = np.where(places[..., None] < 0, nothing, taken)
    return np.where(forgiven[..., None], placed[:1], placed)
