"""Clouds of people whose truth is known, for the measurements of fitting; poses are those of `EQUISERVE_DATA/body`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from equiserve.numerics.body_model import bundled_body
from equiserve.numerics.body_refinement import rest_surface
from equiserve.numerics.posed_surface import BodyParameters
from equiserve.numerics.skinning import global_rotations, skin
from equiserve.tasks.fit.rasteriser import rasterise

Floats = NDArray[np.float64]

POINTS = 5000
NOISE = 1e-3
SETS = {"in": "id_test", "out": "ood_test"}


@dataclass(frozen=True, eq=False)
class Person:
    """A person and a scan: true parameters and vertices, points [n, 3], and the true part weights of each [n, 24]."""

    truth: BodyParameters
    vertices: Floats
    points: Floats
    parts: Floats

    def errors(self, found: BodyParameters) -> float:
        """Return the mean distance of the vertices, millimetres."""
        got, _ = skin(bundled_body(), found.rotations, found.betas, found.pelvis)
        return 1e3 * float(np.linalg.norm(got - self.vertices, axis=1).mean())


def people(which: str, count: int, seed: int = 0, *, kind: str = "whole") -> Iterator[Person]:
    """Yield people in random poses of a split, of random shape, in any orientation.

    Args:
        which: `in` or `out` of the training distribution.
        count: How many.
        seed: Decides all of it.
        kind: `whole` scans; `lumpy` ones, whose surface is up to 2 cm off every body of the shape space; `one-sided`
            ones from a depth camera, with 5 % outliers.
    """
    file = Path(os.environ.get("EQUISERVE_DATA", "")) / "body" / "openmotion.npz"
    if not file.is_file():
        print("EQUISERVE_DATA/body/openmotion.npz is not here: docs/data.md says how to get it", file=sys.stderr)
        raise SystemExit(2)
    with np.load(file, allow_pickle=False) as motion:
        starts = motion["clip_start"]
        of_split = [
            np.arange(start, end)
            for start, end, split in zip(starts[:-1], starts[1:], motion["clip_split"], strict=True)
            if split == SETS[which]
        ]
        rng = np.random.default_rng(seed)
        poses = motion["poses"][rng.choice(np.concatenate(of_split), count, replace=False)].astype(np.float64)
    body = bundled_body()
    for pose in poses:
        local = Rotation.from_rotvec(pose).as_matrix()
        local[0] = Rotation.random(random_state=rng).as_matrix()
        truth = BodyParameters(global_rotations(local), rng.normal(size=body.betas), rng.normal(size=3))
        vertices, _ = skin(body, truth.rotations, truth.betas, truth.pelvis)
        surface = _lumpy(vertices, rng) if kind == "lumpy" else vertices
        points, parts = _sampled(surface, rng, _seen(surface, rng) if kind == "one-sided" else None)
        if kind == "one-sided":
            points = _with_outliers(points, rng)
        yield Person(truth, vertices, points + rng.normal(0, NOISE, points.shape), parts)


def shaken(truth: BodyParameters, degrees: float, rng: np.random.Generator) -> BodyParameters:
    """Return a start: every local rotation off by |N(0, degrees)| about any axis, mean shape, 2 cm misplaced."""
    axes = rng.normal(size=(24, 3))
    axes *= np.radians(np.abs(rng.normal(0, degrees, (24, 1)))) / np.linalg.norm(axes, axis=1, keepdims=True)
    return truth.moved(np.concatenate([axes.ravel(), -truth.betas, rng.normal(0, 0.02, 3)]))


def _sampled(vertices: Floats, rng: np.random.Generator, faces: NDArray[np.int64] | None) -> tuple[Floats, Floats]:
    body = bundled_body()
    triangles = body.faces if faces is None else body.faces[faces]
    corners = vertices[triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    chosen = rng.choice(len(area), POINTS, p=area / area.sum())
    weights = rng.dirichlet(np.ones(3), POINTS)
    points = np.einsum("nk,nkc->nc", weights, corners[chosen])
    return points, np.einsum("nk,nkj->nj", weights, body.weights[triangles[chosen]])


def _seen(vertices: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the triangles that a camera far away in a random direction sees."""
    turned = (vertices - vertices.mean(axis=0)) @ Rotation.random(random_state=rng).as_matrix()
    turned = turned * 250 + (300, 300, 0)
    owner, _ = rasterise(turned[bundled_body().faces], 600, 600)
    return np.unique(owner[owner >= 0])


def _lumpy(vertices: Floats, rng: np.random.Generator) -> Floats:
    """Return vertices pushed along their normals by a smooth random field of up to 2 cm, outwards."""
    body = bundled_body()
    corners = vertices[body.faces]
    normals = np.zeros_like(vertices)
    for corner in range(3):
        across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        np.add.at(normals, body.faces[:, corner], across)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    centres = body.template[rest_surface(body).order[:60]]
    near = np.exp(-(np.linalg.norm(body.template[:, None] - centres, axis=-1) ** 2) / (2 * 0.10**2))
    field = near @ rng.random(60) / near.sum(axis=1)
    return np.asarray(vertices + 0.02 * field[:, None] * normals)


def _with_outliers(points: Floats, rng: np.random.Generator) -> Floats:
    replaced = rng.choice(len(points), len(points) // 20, replace=False)
    low, high = points.min(axis=0) - 0.2, points.max(axis=0) + 0.2
    points = points.copy()
    points[replaced] = rng.uniform(low, high, (len(replaced), 3))
    return points
