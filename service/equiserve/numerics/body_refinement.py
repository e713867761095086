"""A body drawn onto a cloud: robust, two-sided, damped Gauss-Newton steps on pose, shape and place.

Each step matches every point with the nearest vertex, and vertices with their nearest points, and lessens

    sum_i c_i rho(|r_i|) + pull to the start + pull to the mean shape,   rho(r) = s^2 r^2 / (s^2 + r^2)

(Geman and McClure; s shrinks from stage to stage). Along the surface normal a residual counts fully, across it by
`across` only: a vertex may slide over the skin (Chen and Medioni's point-to-plane). Where the network said which part a
point belongs to, that is a second, canonical place of it, and neighbours are sought in both places at once, so that a
hand at the hip is not matched with the hip. All of it is made of distances: a turned cloud gives the turned body.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.numerics.body_model import JOINTS, PARENTS, BodyModel
from equiserve.numerics.nearest_points import point_tree
from equiserve.numerics.point_ordering import farthest_point_order
from equiserve.numerics.posed_surface import BodyParameters, PosedSurface
from equiserve.numerics.skinning import local_rotations
from equiserve.symmetry.quaternions import from_matrix, to_vector

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stage:
    """A run of steps with the same settings.

    Attributes:
        steps: At most so many.
        scale: s of the robust distance, metres: what is much farther counts for nothing.
        across: Weight of a residual's part along the surface, 0 to 1.
        points: How many points of the cloud are matched.
        vertices: How many vertices are matched back, and those that points are matched with; 0 = all for the latter.
        labels: Weight of the canonical place when neighbours are sought.
    """

    steps: int
    scale: float
    across: float
    points: int
    vertices: int
    labels: float


#: From decimetres off to centimetres, and down to the surface.
FAR = (
    Stage(10, 0.30, 1.0, 500, 500, 2.0),
    Stage(6, 0.15, 0.5, 700, 700, 1.0),
    Stage(6, 0.08, 0.3, 1000, 700, 0.5),
)
NEAR = (Stage(8, 0.05, 0.1, 2048, 1000, 0.0), Stage(6, 0.03, 0.02, 2048, 1000, 0.0))

# Pull of each joint's rotation to the start's, in squared metres of mean residual a squared radian. What a cloud hardly
# shows, hands and toes, is held more.
_POSE_PULL = np.full(JOINTS, 1e-5)
_POSE_PULL[[10, 11, 22, 23]] *= 10
_POSE_PULL[0] = 0
_SHAPE_PULL = 1e-7
_DAMPING = 1e-3
_LARGEST_TURN = 0.5  # radians a step
# A step that turns nothing by more, and moves nothing by more, ends its stage.
_SMALL_TURN, _SMALL_MOVE = 2e-3, 2e-4


@dataclass(frozen=True, eq=False)
class RestSurface:
    """What refinement wants to know of a body at rest.

    Attributes:
        normals: Of the vertices, unit length, [V, 3].
        order: The vertices in farthest-point order, [V]: every prefix covers the body.
        places: Canonical places of the vertices, [V, 3]: their skinning weights' mean of the joints at rest.
    """

    normals: Floats
    order: NDArray[np.int64]
    places: Floats


@lru_cache(maxsize=8)
def rest_surface(body: BodyModel) -> RestSurface:
    """Return the rest surface of a body; made once for each."""
    corners = body.template[body.faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(body.template)
    for corner in range(3):
        np.add.at(normals, body.faces[:, corner], across)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    most = max(stage.vertices for stage in FAR + NEAR)
    return RestSurface(
        normals=normals / np.where(lengths > 0, lengths, 1.0),
        order=farthest_point_order(body.template, most),
        places=canonical_places(body, body.weights),
    )


def canonical_places(body: BodyModel, probabilities: NDArray[Any]) -> Floats:
    """Return where points of these part probabilities [n, 24] would lie on the mean body at rest, [n, 3]."""
    return np.asarray(np.asarray(probabilities, np.float64) @ body.joint_template)


def descend(
    body: BodyModel,
    cloud: Floats,
    start: BodyParameters,
    stages: tuple[Stage, ...],
    places: Floats | None = None,
    *,
    pulled_to: BodyParameters | None = None,
) -> Generator[None, None, BodyParameters]:
    """Refine a body; yields between steps of about 10 ms and returns the refined parameters.

    Args:
        body: The body.
        cloud: [N, 3] in the input frame, metres, in farthest-point order.
        start: Where to start.
        stages: What to do.
        places: Canonical places of the points, [N, 3] (`canonical_places`); None = unknown.
        pulled_to: Whose pose is kept to where the cloud says little; None = the start's.
    """
    local = local_rotations((pulled_to or start).rotations)
    parameters = start
    for stage in stages:
        matching = _Matching(body, cloud, stage, places if stage.labels else None)
        for _ in range(stage.steps):
            normal, gradient = matching.equations(parameters)
            _pull_to_start(normal, gradient, parameters, local)
            _damp(normal)
            step = np.asarray(np.linalg.solve(normal, gradient), np.float64)
            turn = float(np.linalg.norm(step[: 3 * JOINTS].reshape(JOINTS, 3), axis=1).max())
            move = float(np.linalg.norm(step[-3:]))
            if turn > _LARGEST_TURN:
                step *= _LARGEST_TURN / turn
            parameters = parameters.moved(step)
            yield
            if turn < _SMALL_TURN and move < _SMALL_MOVE:
                break
    return parameters


class _Matching:
    """The data term of a stage: who is matched with whom, and what that asks of a body."""

    def __init__(self, body: BodyModel, cloud: Floats, stage: Stage, places: Floats | None) -> None:
        self._body, self._surface, self._cloud, self._stage = body, rest_surface(body), cloud, stage
        self._back = self._surface.order[: stage.vertices]
        # Beside the place where a vertex or point is, the place where it would be at rest.
        self._rest: Floats | None = None
        self._lifted = cloud
        if places is not None:
            self._rest = stage.labels * self._surface.places[self._back]
            self._lifted = np.hstack([cloud, stage.labels * places])
        self._tree = point_tree(self._lifted)

    def equations(self, parameters: BodyParameters) -> tuple[Floats, Floats]:
        """Return J^T W J and J^T W r, with matches as they are now."""
        stage, cloud = self._stage, self._cloud
        # Far off, points are matched with the same few vertices that are matched back: no others are posed.
        few = bool(stage.labels)
        posed = PosedSurface(self._body, self._surface.normals, parameters, self._back if few else slice(None))
        back = np.arange(len(self._back)) if few else self._back
        lifted = posed.points if self._rest is None else np.hstack([posed.points, self._rest])
        _, nearest = point_tree(lifted).query(self._lifted[: stage.points])
        _, matched = self._tree.query(lifted[back])
        vertices = np.concatenate([nearest, back])
        residuals = (np.concatenate([cloud[: stage.points], cloud[matched]]) - posed.points[vertices]).T
        share = np.repeat([1 / len(nearest), 1 / len(back)], [len(nearest), len(back)])
        squares = np.einsum("in,in->n", residuals, residuals)
        roots = np.sqrt(share) * (stage.scale**2 / (stage.scale**2 + squares))

        # The metric of a residual is w (n n^T + across (1 - n n^T)): what is squared is its symmetric root times it.
        across = math.sqrt(stage.across)
        normals, motion = posed.normals[vertices].T, posed.motion(vertices)
        inward = (1 - across) * roots * normals
        unknowns = 3 * JOINTS + self._body.betas + 3
        normal, gradient = np.zeros((unknowns, unknowns)), np.zeros(unknowns)
        for axis in range(3):
            directions = inward * normals[axis]
            directions[axis] += across * roots
            rows = motion.along(directions)
            normal += rows @ rows.T  # of a matrix with itself: BLAS computes one half only
            gradient += rows @ np.einsum("in,in->n", directions, residuals)
        return normal, gradient


def _damp(normal: Floats) -> None:
    """Raise the diagonal, in place: by one amount a vector, so that no direction of space is preferred."""
    diagonal = np.diagonal(normal).copy()
    for first in (*range(0, 3 * JOINTS, 3), len(normal) - 3):
        diagonal[first : first + 3] = diagonal[first : first + 3].mean()
    place = np.arange(len(normal))
    normal[place, place] += _DAMPING * diagonal


def _pull_to_start(normal: Floats, gradient: Floats, parameters: BodyParameters, start: Floats) -> None:
    """Add the pull of the local rotations to the start's, and of the shape to the mean, in place."""
    turned = local_rotations(parameters.rotations) @ np.swapaxes(start, 1, 2)
    vectors = to_vector(from_matrix(turned))
    # A local change is seen from the parent's frame, a step from the input frame.
    vectors[1:] = (parameters.rotations[list(PARENTS[1:])] @ vectors[1:, :, None])[..., 0]
    pose, shape = np.arange(3 * JOINTS), np.arange(3 * JOINTS, len(gradient) - 3)
    normal[pose, pose] += np.repeat(_POSE_PULL, 3)
    gradient[pose] -= (_POSE_PULL[:, None] * vectors).ravel()
    normal[shape, shape] += _SHAPE_PULL
    gradient[shape] -= _SHAPE_PULL * parameters.betas
