"""How well a body fitter fits clouds that it has never seen, measured on its file's outputs.

Clouds are points drawn anew on the posed mesh, in a random orientation and place, resampled as the service does it: a
random choice of as many points as the network was trained on, in farthest-point order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from equiserve.numerics.body_model import JOINT_NAMES, MAX_BETAS, BodyModel
from equiserve.numerics.fit_quality import JUDGED_POINTS, UNREFINED, judge
from equiserve.numerics.limb_support import limb_support
from equiserve.numerics.point_ordering import farthest_point_order
from equiserve.numerics.posed_surface import BodyParameters
from equiserve.numerics.restarting_refinement import misfit
from equiserve.numerics.skinning import global_rotations, skin
from equiserve.symmetry import quaternions
from equiserve_models.body import icosahedron
from equiserve_models.body.export import OUTPUTS, Fitter
from equiserve_models.body.poses import MIRRORED_JOINTS
from equiserve_models.body.scans import surface_points

POINTS = 5000
NOISE_M = 0.001
# An answer with a larger V2V is wrong.
FAILED_MM = 50.0
# A point whose 4th neighbour is this many times as far as usual stands alone.
NEIGHBOURS, ISOLATED = 4, 6.0
# Outliers belong to no part.
_NOWHERE = -1


@dataclass(frozen=True)
class Cloud:
    """A scan and the truth behind it.

    Attributes:
        points: [N, 3], metres.
        labels: Part of each point, [N]; -1 for outliers.
        rotations: Global part rotations, [24, 3, 3].
        vertices: The posed mesh, [V, 3], metres.
        joints: [24, 3], metres.
    """

    points: NDArray[np.float64]
    labels: NDArray[np.int64]
    rotations: NDArray[np.float64]
    vertices: NDArray[np.float64]
    joints: NDArray[np.float64]


def random_rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a rotation matrix uniformly, [3, 3]."""
    return quaternions.to_matrix(quaternions.normalised(rng.normal(size=4)))


def make_cloud(
    body: BodyModel,
    pose: NDArray[np.floating],
    rng: np.random.Generator,
    *,
    bumps_m: float = 0.0,
    one_sided: bool = False,
    outliers: float = 0.0,
    turned: bool = True,
) -> Cloud:
    """Scan a body in a random shape, orientation and place.

    Args:
        body: The body.
        pose: Local rotations, [24, 3, 3].
        rng: Source of randomness.
        bumps_m: Standard deviation of a smooth displacement along the normals: a surface outside the shape space.
        one_sided: Whether only what a depth camera 2.5 m away would see is kept, occlusion included.
        outliers: Share of the points that are anywhere in the body's bounding box.
        turned: Whether the orientation is random; otherwise people stand upright and face +z.
    """
    local = np.array(pose, np.float64)
    local[0] = random_rotation(rng) if turned else np.eye(3)
    rotations = global_rotations(local)
    betas = rng.normal(size=MAX_BETAS)
    vertices, joints = skin(body, rotations, betas, rng.normal(size=3))
    surface = vertices if bumps_m == 0 else vertices + _bumps(body, vertices, bumps_m, rng)
    triangles, barycentric = surface_points(surface, body.faces, 4 * POINTS if one_sided else POINTS, rng)
    corners = body.faces[triangles]
    points = np.einsum("nk,nkc->nc", barycentric, surface[corners])
    labels = np.einsum("nk,nkj->nj", barycentric, body.weights[corners]).argmax(axis=1)
    if one_sided:
        seen = _visible(points, rng)[:POINTS]
        points, labels = points[seen], labels[seen]
    points = points + rng.normal(0, NOISE_M, points.shape)
    wrong = rng.random(len(points)) < outliers
    low, high = points.min(axis=0) - 0.1, points.max(axis=0) + 0.1
    points[wrong] = rng.uniform(low, high, (int(wrong.sum()), 3))
    labels[wrong] = _NOWHERE
    return Cloud(points, labels, rotations, vertices, joints)


def resampled(cloud: Cloud, count: int, prefix: int, rng: np.random.Generator) -> Cloud:
    """Bring a cloud to what the network takes, as the server does: points that stand alone are left out.

    Args:
        cloud: The scan.
        count: Points of the result; some are repeated where there are fewer.
        prefix: How many are in farthest-point order, which would take dust first.
        rng: Source of randomness.
    """
    fourth = cKDTree(cloud.points).query(cloud.points, k=[NEIGHBOURS + 1])[0][:, 0]
    kept = np.flatnonzero(fourth <= ISOLATED * np.median(fourth))
    chosen = rng.choice(kept, count, replace=len(kept) < count)
    points = cloud.points[chosen]
    order = farthest_point_order(points, prefix)
    return Cloud(points[order], cloud.labels[chosen[order]], cloud.rotations, cloud.vertices, cloud.joints)


@dataclass(frozen=True)
class Fit:
    """Errors of one cloud.

    Attributes:
        v2v_mm: Mean distance of corresponding vertices, in the input frame, with the network's own translation.
        mpjpe_mm: Mean distance of corresponding joints, likewise.
        rotation_deg: Mean angle between predicted and true part rotations.
        part_accuracy: Share of labelled points with the right part.
        swapped: Whether most points of both arms or both legs are labelled as those of the other side.
        believed: Whether a server calls it `ok`, see `equiserve.numerics.fit_quality`.
    """

    v2v_mm: float
    mpjpe_mm: float
    rotation_deg: float
    part_accuracy: float
    swapped: bool
    believed: bool


def fit_errors(fitter: Fitter, cloud: Cloud, body: BodyModel) -> Fit:
    """Run one cloud, resampled, through a network and compare."""
    rotations, betas, translation, probabilities, _ = (
        output[0].astype(np.float64) for output in fitter(cloud.points[None].astype(np.float32))
    )
    found = BodyParameters(rotations, betas, translation)
    vertices, joints = skin(body, rotations, betas, translation)
    agreement = misfit(body, found, cloud.points, points=JUDGED_POINTS)
    limbs = limb_support(body, vertices, cloud.points[: len(probabilities)], probabilities)
    labels = cloud.labels[: len(probabilities)]
    known = labels != _NOWHERE
    guesses = probabilities.argmax(axis=1)
    return Fit(
        v2v_mm=float(np.linalg.norm(vertices - cloud.vertices, axis=1).mean() * 1e3),
        mpjpe_mm=float(np.linalg.norm(joints - cloud.joints, axis=1).mean() * 1e3),
        rotation_deg=float(_angles(np.einsum("jab,jab->j", rotations, cloud.rotations)).mean()),
        part_accuracy=float((guesses == labels)[known].mean()),
        swapped=_is_swapped(guesses[known], labels[known]),
        believed=judge(agreement, betas, UNREFINED, limbs).level == "ok",
    )


def summary(fits: list[Fit]) -> dict[str, float]:
    """Return the figures of a set of clouds."""
    errors = np.array([fit.v2v_mm for fit in fits])
    return {
        "clouds": len(fits),
        "v2v_mean_mm": float(errors.mean()),
        "v2v_median_mm": float(np.median(errors)),
        "v2v_standard_error_mm": float(errors.std(ddof=1) / np.sqrt(len(errors))),
        "mpjpe_mean_mm": float(np.mean([fit.mpjpe_mm for fit in fits])),
        "rotation_mean_deg": float(np.mean([fit.rotation_deg for fit in fits])),
        "part_accuracy": float(np.mean([fit.part_accuracy for fit in fits])),
        "swap_rate": float(np.mean([fit.swapped for fit in fits])),
        f"above_{FAILED_MM:.0f}_mm": float((errors > FAILED_MM).mean()),
    }


def confidence_rates(fits: list[Fit]) -> dict[str, float]:
    """Return how often an answer is not believed, and how often one is believed and wrong."""
    low = np.array([not fit.believed for fit in fits])
    wrong = np.array([fit.v2v_mm > FAILED_MM for fit in fits])
    return {"low_confidence": float(low.mean()), "confident_wrong": float((wrong & ~low).mean())}


@dataclass(frozen=True)
class OrbitErrors:
    """How far the answers to n turned clouds are from the turned answers.

    Attributes:
        away_deg: Angle of each rotation to the nearest of the sixty, [n].
        rotation_deg: Mean angle between R(g x) and g R(x) over the parts, [n].
        relative: Relative error of each output, [n], by name.
    """

    away_deg: NDArray[np.float64]
    rotation_deg: NDArray[np.float64]
    relative: dict[str, NDArray[np.float64]]


def orbit_errors(fitter: Fitter, clouds: list[Cloud], turns: NDArray[np.float64]) -> OrbitErrors:
    """Turn each cloud about the origin by each of `turns`, [m, 3, 3]."""
    group = icosahedron.rotations()
    away, angles = [], []
    relative: dict[str, list[float]] = {name: [] for name in OUTPUTS}
    for cloud in clouds:
        points = cloud.points.astype(np.float32)
        plain = dict(zip(OUTPUTS, (output[0] for output in fitter(points[None])), strict=True))
        for turn in turns:
            found = fitter(np.ascontiguousarray(points @ turn.T.astype(np.float32))[None])
            turned = dict(zip(OUTPUTS, (output[0] for output in found), strict=True))
            expected = plain | {
                "global_rotations": turn @ plain["global_rotations"],
                "translation": turn @ plain["translation"],
            }
            away.append(_angles(np.einsum("gab,ab->g", group, turn)).min())
            both = turned["global_rotations"], expected["global_rotations"]
            angles.append(_angles(np.einsum("jab,jab->j", *both)).mean())
            for name, values in expected.items():
                relative[name].append(float(np.linalg.norm(turned[name] - values) / np.linalg.norm(values)))
    return OrbitErrors(np.array(away), np.array(angles), {name: np.array(errors) for name, errors in relative.items()})


def _angles(traces: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the angles of rotations with these traces, degrees."""
    return np.degrees(np.arccos(np.clip((np.asarray(traces, np.float64) - 1) / 2, -1, 1)))


def _is_swapped(guesses: NDArray[np.int64], labels: NDArray[np.int64]) -> bool:
    mirror = np.array(MIRRORED_JOINTS)
    for words in (("hip", "knee", "ankle", "foot"), ("shoulder", "elbow", "wrist", "hand")):
        limb = np.isin(labels, [i for i, name in enumerate(JOINT_NAMES) if name.endswith(words)])
        if limb.any() and (guesses[limb] == mirror[labels[limb]]).mean() > 0.5:
            return True
    return False


def _bumps(
    body: BodyModel, vertices: NDArray[np.float64], size: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return a displacement of each vertex along its normal: random waves of 0.2 to 0.6 m on the body at rest."""
    waves = rng.normal(size=(24, 3))
    waves *= (2 * np.pi / rng.uniform(0.2, 0.6, (24, 1))) / np.linalg.norm(waves, axis=1, keepdims=True)
    height = np.cos(body.template @ waves.T + rng.uniform(0, 2 * np.pi, 24)).sum(axis=1) * (size / np.sqrt(12))
    corners = vertices[body.faces]
    facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(vertices)
    for corner in body.faces.T:
        np.add.at(normals, corner, facing)
    return height[:, None] * normals / np.linalg.norm(normals, axis=1, keepdims=True)


def _visible(points: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return which points a pinhole camera sees, 2.5 m away, with pixels of about 12 mm: the nearest in each pixel
    and what lies within 3 cm behind it; in random order.
    """
    direction = rng.normal(size=3)
    rotation = _looking_along(direction / np.linalg.norm(direction))
    camera = (points - points.mean(axis=0)) @ rotation.T + np.array([0.0, 0.0, 2.5])
    pixels = np.floor(camera[:, :2] / camera[:, 2:] / 0.005).astype(np.int64)
    _, place = np.unique(pixels, axis=0, return_inverse=True)
    nearest = np.full(place.max() + 1, np.inf)
    np.minimum.at(nearest, place, camera[:, 2])
    return rng.permutation(np.flatnonzero(camera[:, 2] < nearest[place] + 0.03))


def _looking_along(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    other = np.eye(3)[np.abs(direction).argmin()]
    right = np.cross(other, direction)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(direction, right), direction])
