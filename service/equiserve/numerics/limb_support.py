"""Whether a cloud shows a limb where a fit has it: by what the network calls the points that lie there.

A forearm that was fitted into the trunk, or along the other arm, lies on points and leaves few unexplained: distances
alone do not tell. But the points there are called trunk.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.numerics.body_model import JOINT_NAMES, PARENTS, BodyModel
from equiserve.numerics.nearest_points import point_tree

# The outer parts of each limb, from the elbow or knee on.
_LIMBS = {"left arm": (18, 20, 22), "right arm": (19, 21, 23), "left leg": (4, 7, 10), "right leg": (5, 8, 11)}
_NEAREST = 3
# Of the vertices, which lie far closer than the points.
_EVERY = 4


def limb_support(
    body: BodyModel, vertices: NDArray[Any], points: NDArray[Any], probabilities: NDArray[Any]
) -> dict[str, float]:
    """Return of each limb the share of the points at it that are called it.

    The three points nearest to each vertex count, a part's neighbours along the limb as the part, and left as right:
    the sides are what refinement may have exchanged. Mean over vertices of a part, then over the limb's three parts.

    Args:
        body: The body.
        vertices: Where it was fitted, [V, 3], metres.
        points: Labelled points [P, 3], metres.
        probabilities: Of the parts, [P, 24].
    """
    owner = body.weights.argmax(axis=1)
    tree = point_tree(np.asarray(points, np.float64))
    return {
        limb: float(np.mean([_called(tree, vertices[owner == part], probabilities, _alike(part)) for part in parts]))
        for limb, parts in _LIMBS.items()
    }


def _called(tree: Any, vertices: NDArray[np.float64], probabilities: NDArray[Any], names: list[int]) -> float:
    if not len(vertices):  # a registered body may have no hands of its own
        return 1.0
    _, nearest = tree.query(vertices[::_EVERY], k=min(_NEAREST, len(probabilities)))
    return float(probabilities[nearest][..., names].sum(axis=-1).mean())


def _alike(part: int) -> list[int]:
    along = {part, PARENTS[part], *(child for child, parent in enumerate(PARENTS) if parent == part)}
    return sorted(along | {_mirror(one) for one in along})


def _mirror(part: int) -> int:
    side, _, rest = JOINT_NAMES[part].partition("_")
    return JOINT_NAMES.index({"left": "right_", "right": "left_"}[side] + rest)
