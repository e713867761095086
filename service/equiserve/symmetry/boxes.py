"""Sets of boxes: how much two overlap, which belong together, and what most members of an orbit see.

A detector's answer is an array [M, 6] of x0, y0, x1, y1, score, class; x to the right, y down, in pixels, x0 <= x1 and
y0 <= y1. Rows of a negative class are no boxes: they fill up to M. Answers are pulled back before they are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.numerics.assignment import assign

#: Boxes that overlap less than this are not the same object.
SAME_OBJECT = 0.5
# Of two boxes that overlap alike the one with the nearer score is the partner: far below any overlap that matters.
_BY_SCORE = 1e-6
# The medoid is looked for among so many members: every pair of them is compared.
_MEDOID_AMONG = 32


@dataclass(frozen=True, eq=False)
class BoxConsensus:
    """What most members of an orbit see.

    Args:
        boxes: [M, 6]; coordinates and scores are means over the members that see the box.
        seen: [M] share of the members that do: the strength of each box.
        overlap: [M] mean IoU of those members' boxes with the consensus box.
    """

    boxes: NDArray[np.float64]
    seen: NDArray[np.float64]
    overlap: NDArray[np.float64]

    @property
    def strength(self) -> float:
        """Mean of ``seen``, in [0, 1]; 1 where no member sees anything."""
        return float(self.seen.mean()) if len(self.seen) else 1.0


def real_boxes(boxes: NDArray[Any]) -> NDArray[np.float64]:
    """Return the rows of [M, 6] that are boxes."""
    return np.asarray(boxes[boxes[:, 5] >= 0], np.float64)


def overlaps(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """Return the IoU of boxes [A, 6] with boxes [B, 6], [A, B]; 0 between classes, and between empty boxes."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:4], b[None, :, 2:4])
    shared = np.prod(np.maximum(high - low, 0.0), axis=2)
    area_a, area_b = (np.prod(np.maximum(s[:, 2:4] - s[:, :2], 0.0), axis=1) for s in (a, b))
    union = area_a[:, None] + area_b[None, :] - shared
    iou = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return np.where(a[:, None, 5] == b[None, :, 5], iou, 0.0)


def match_boxes(a: NDArray[Any], b: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return the pairs of boxes of one class with the largest total IoU (Hungarian method), ties broken by score.

    Args:
        a: [A, 6].
        b: [B, 6].

    Returns:
        Indices into a, indices into b, IoU of each pair; pairs without any overlap are left out.
    """
    iou = overlaps(a, b)
    apart = np.abs(a[:, None, 4] - b[None, :, 4])
    rows, columns = assign(_BY_SCORE * apart / (1 + apart) - iou)
    found = iou[rows, columns] > 0
    return rows[found], columns[found], iou[rows, columns][found]


def box_agreement(a: NDArray[Any], b: NDArray[Any]) -> tuple[float, float]:
    """Return how far two answers [M, 6] agree: mean IoU and matched share, both over the larger number of boxes.

    A box without a partner counts 0 in both; a pair counts as matched from an IoU of `SAME_OBJECT`. Two answers without
    boxes agree.
    """
    a, b = real_boxes(a), real_boxes(b)
    most = max(len(a), len(b))
    if most == 0:
        return 1.0, 1.0
    iou = match_boxes(a, b)[2]
    return float(iou.sum() / most), float(np.count_nonzero(iou >= SAME_OBJECT) / most)


def consensus_boxes(members: NDArray[Any]) -> BoxConsensus:
    """Return the boxes that at least half of the members see.

    The member that agrees best with the others (the medoid by mean IoU, among at most 32 that are spread over the
    orbit) lends its boxes; each other member's boxes are matched to them within their class, and what is matched is
    averaged.

    Args:
        members: [n, M, 6] pulled-back answers. A member with a value that is not finite sees nothing.
    """
    finite = np.isfinite(members).all(axis=(1, 2))
    answers = [real_boxes(boxes) if sure else np.zeros((0, 6)) for boxes, sure in zip(members, finite, strict=True)]
    spread = np.linspace(0, len(answers) - 1, min(len(answers), _MEDOID_AMONG)).astype(np.intp)
    compared = [answers[k] for k in spread]
    agreement = [[box_agreement(a, b)[0] for b in compared] for a in compared]
    # Answers without boxes agree with one another: only one that sees something may lend its boxes.
    totals = [sum(row) if len(answer) else -1.0 for row, answer in zip(agreement, compared, strict=True)]
    seed = compared[int(np.argmax(totals))]
    total, seen = np.zeros((len(seed), 5)), np.zeros(len(seed))
    pairs = []
    for answer in answers:
        mine, theirs, iou = match_boxes(seed, answer)
        same = iou >= SAME_OBJECT
        total[mine[same]] += answer[theirs[same], :5]
        seen[mine[same]] += 1
        pairs.append((mine[same], answer[theirs[same]]))
    kept = seen >= len(members) / 2
    boxes = seed.copy()
    boxes[:, :5] = total / np.maximum(seen, 1)[:, None]
    overlap = np.zeros(len(seed))
    for mine, theirs_boxes in pairs:
        overlap[mine] += np.diagonal(overlaps(boxes[mine], theirs_boxes))
    return BoxConsensus(boxes[kept], seen[kept] / len(members), (overlap / np.maximum(seen, 1))[kept])
