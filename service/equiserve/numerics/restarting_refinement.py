"""Refinement with second thoughts: where a body does not settle on its cloud, mirrored beginnings are tried too.

What is confused about a body is its left and right: both sides look alike, and only feet, face and the bend of knees
and elbows tell them apart. Each alternative swaps them in the start and in the labels of the points.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equiserve.numerics.body_model import JOINTS, BodyModel
from equiserve.numerics.body_refinement import FAR, NEAR, canonical_places, descend, rest_surface
from equiserve.numerics.nearest_points import point_tree
from equiserve.numerics.posed_surface import BodyParameters
from equiserve.numerics.skinning import skin
from equiserve.numerics.surface_distance import distances_to_surface, mesh_of

Floats = NDArray[np.float64]

_ARMS = ((13, 14), (16, 17), (18, 19), (20, 21), (22, 23))
_LEGS = ((1, 2), (4, 5), (7, 8), (10, 11))
_HALF_TURN = np.diag([-1.0, 1.0, -1.0])  # about the body's own long axis


@dataclass(frozen=True, slots=True)
class Confusion:
    """A way to take left for right: which pairs of joints are swapped, and whether the body faces the other way."""

    name: str
    swaps: tuple[tuple[int, int], ...]
    turned: bool = False

    @property
    def order(self) -> list[int]:
        """Which joint stands in each joint's place, [24]."""
        order = list(range(JOINTS))
        for left, right in self.swaps:
            order[left], order[right] = right, left
        return order

    def of(self, start: BodyParameters) -> BodyParameters:
        """Return the start as it is when confused so; twice is the start again."""
        rotations = start.rotations[self.order]
        return BodyParameters(rotations @ _HALF_TURN if self.turned else rotations, start.betas, start.pelvis)


CONFUSIONS = (
    Confusion("mirrored body", _ARMS + _LEGS, turned=True),
    Confusion("swapped legs", _LEGS),
    Confusion("swapped arms", _ARMS),
    Confusion("swapped limbs", _ARMS + _LEGS),
)

# Beyond this a point counts as this far: outliers and what the scan did not see must not decide.
_FAR_OFF = 0.1
# After the far stages bodies that settle are 2 mm off (1 mm of it noise), confused ones 4 to 10 mm.
_SETTLED = 0.0035
_VERTICES_SEEN = 1000
# To compare beginnings: a quarter of the points in a quarter of the time.
_JUDGED_POINTS = 512


@dataclass(frozen=True, eq=False)
class Misfit:
    """How badly a body agrees with a cloud.

    Attributes:
        to_surface: Mean distance of the points to the surface, each counted as 10 cm at most, metres.
        to_cloud: Mean distance of vertices that cover the body to their nearest points, counted likewise, metres; it
            does not fall below the spacing of the points.
        median: Median distance of the points to the surface, metres.
        outliers: Share of the points that are farther than 5 cm from the surface.
        unseen: Share of the vertices that are farther than 5 cm from every point.
    """

    to_surface: float
    to_cloud: float
    median: float
    outliers: float
    unseen: float


@dataclass(frozen=True, eq=False)
class Refined:
    """A refined body, how well it agrees, and its beginning: `start`, or the confusion of the start that it undoes."""

    parameters: BodyParameters
    misfit: Misfit
    beginning: str


def misfit(body: BodyModel, parameters: BodyParameters, cloud: Floats, *, points: int | None = None) -> Misfit:
    """Compare a body with a cloud [N, 3] in farthest-point order; some 20 ms for 2,048 points.

    Args:
        body: The body.
        parameters: Its pose, shape and place.
        cloud: The points, metres.
        points: How many of them are measured to the surface; None = all.
    """
    vertices, _ = skin(body, parameters.rotations, parameters.betas, parameters.pelvis)
    off = distances_to_surface(cloud[:points], vertices, mesh_of(body))
    seen, _ = point_tree(cloud).query(vertices[rest_surface(body).order[:_VERTICES_SEEN]])
    return Misfit(
        to_surface=float(np.minimum(off, _FAR_OFF).mean()),
        to_cloud=float(np.minimum(seen, _FAR_OFF).mean()),
        median=float(np.median(off)),
        outliers=float((off > _FAR_OFF / 2).mean()),
        unseen=float((seen > _FAR_OFF / 2).mean()),
    )


def refine(
    body: BodyModel, cloud: Floats, start: BodyParameters, probabilities: Floats | None = None
) -> Generator[None, None, Refined]:
    """Refine a start to the surface of a cloud; yields between steps of about 10 ms, 90 of them at most.

    Args:
        body: The body.
        cloud: [N, 3] in the input frame, metres, in farthest-point order.
        start: Within some decimetres, or that with left and right confused.
        probabilities: Of the parts, for every point, [N, 24]; None where nobody knows.
    """
    beginning = _Beginning("start", start, None if probabilities is None else canonical_places(body, probabilities))
    coarse = yield from descend(body, cloud, start, FAR[:1], beginning.places)
    best = yield from _approached(body, cloud, beginning, coarse)
    if best.misfit.to_surface > _SETTLED:
        best = yield from _reconsidered(body, cloud, beginning, coarse, probabilities, best)
    last = yield from descend(body, cloud, best.parameters, NEAR)
    return Refined(last, misfit(body, last, cloud), best.beginning)


@dataclass(frozen=True, eq=False)
class _Beginning:
    """Where to begin, and the canonical places of the points that go with it."""

    name: str
    parameters: BodyParameters
    places: Floats | None


def _approached(
    body: BodyModel, cloud: Floats, beginning: _Beginning, coarse: BodyParameters
) -> Generator[None, None, Refined]:
    """Go on through the far stages after the first, which came to `coarse`."""
    found = yield from descend(body, cloud, coarse, FAR[1:], beginning.places, pulled_to=beginning.parameters)
    return Refined(found, misfit(body, found, cloud), beginning.name)


def _reconsidered(
    body: BodyModel,
    cloud: Floats,
    beginning: _Beginning,
    coarse: BodyParameters,
    probabilities: Floats | None,
    first: Refined,
) -> Generator[None, None, Refined]:
    """Return the better of `first` and of what the most promising confusion of its beginning comes to.

    The right one of them all is the best after the first far stage already: only if that is a confusion, it goes on.
    """
    tried = [(_total(misfit(body, coarse, cloud, points=_JUDGED_POINTS)), beginning, coarse)]
    for confusion in CONFUSIONS:
        relabelled = None if probabilities is None else canonical_places(body, probabilities[:, confusion.order])
        other = _Beginning(confusion.name, confusion.of(beginning.parameters), relabelled)
        found = yield from descend(body, cloud, other.parameters, FAR[:1], relabelled)
        tried.append((_total(misfit(body, found, cloud, points=_JUDGED_POINTS)), other, found))
        yield
    _, promising, found = min(tried, key=lambda one: one[0])
    if promising is beginning:
        return first
    second = yield from _approached(body, cloud, promising, found)
    return min(first, second, key=lambda refined: _total(refined.misfit))


def _total(found: Misfit) -> float:
    return found.to_surface + found.to_cloud
