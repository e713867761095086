"""Scans made on the fly: a pose, a shape, an orientation, points of the skinned surface, and what scanners do to them.

Where points lie on the surface is drawn once, as a few hundred patterns whose farthest-point order is that of the body
at rest; a scan of a batch then costs two small matrix products. `evaluation.py` measures on points drawn anew.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from equiserve.numerics.body_model import JOINTS, MAX_BETAS, PARENTS, BodyModel
from equiserve.numerics.point_ordering import farthest_point_order
from equiserve_models.body.skeleton import Skeleton, skinned

# Label of a point that belongs to no part.
NO_PART = -100


@dataclass(frozen=True)
class Scans:
    """B clouds and what they were made of.

    Attributes:
        points: [B, N, 3], metres, farthest-point ordered.
        labels: Part of each point, int64 [B, N]; `NO_PART` for outliers.
        rotations: Global part rotations, [B, 24, 3, 3].
        betas: [B, 10].
        pelvis: [B, 3], metres.
    """

    points: Tensor
    labels: Tensor
    rotations: Tensor
    betas: Tensor
    pelvis: Tensor


@dataclass(frozen=True)
class Corruption:
    """What scanners do. Shares are of batches for what changes the number of points, of scans for the others.

    Args:
        noise: Least and largest standard deviation of a coordinate, metres; drawn for each scan.
        fewer: Share of batches with fewer points, down to half of them.
        cropped: Share of batches whose scans are cut by a plane; 5 to 45 % of the points are lost.
        one_sided: Share of batches in which only the half that faces a viewer is seen.
        outliers: Share of scans that have up to 5 % of points anywhere around.
    """

    noise: tuple[float, float] = (0.001, 0.001)
    fewer: float = 0.0
    cropped: float = 0.0
    one_sided: float = 0.0
    outliers: float = 0.0


@dataclass(frozen=True)
class Patterns:
    """K sets of N points on the surface: what skinning needs of each point.

    Attributes:
        template: [K, N, 3].
        directions: d points / d betas, [K, 3 N, 10].
        weights: [K, N, 24].
        normals: Of the mean shape at rest, [K, N, 3].
        labels: int64 [K, N].
    """

    template: Tensor
    directions: Tensor
    weights: Tensor
    normals: Tensor
    labels: Tensor


def surface_points(
    vertices: NDArray[np.float64], faces: NDArray[np.int32], count: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Draw points uniformly by area: the triangles they are in [count], and barycentric coordinates [count, 3]."""
    corners = vertices[faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    triangles = rng.choice(len(faces), count, p=areas / areas.sum())
    u, v = np.sqrt(rng.random(count)), rng.random(count)
    return triangles, np.stack([1 - u, u * (1 - v), u * v], axis=1)


def make_patterns(body: BodyModel, count: int, points: int, prefix: int, seed: int) -> Patterns:
    """Draw patterns.

    Args:
        body: The body.
        count: Number of patterns.
        points: Points of each.
        prefix: How many of them are in farthest-point order.
        seed: Of the random choices.
    """
    rng = np.random.default_rng(seed)
    rows: list[tuple[NDArray[np.float32], ...]] = []
    corners = body.template[body.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    for _ in range(count):
        # Proportions differ between people, so the density of the points does too.
        shaped = body.rest_vertices(rng.normal(size=body.betas) * 0.7)
        triangles, barycentric = surface_points(shaped, body.faces, points, rng)
        order = farthest_point_order(np.einsum("nk,nkc->nc", barycentric, shaped[body.faces[triangles]]), prefix)
        triangles, barycentric = triangles[order], barycentric[order]
        index = body.faces[triangles]
        template = np.einsum("nk,nkc->nc", barycentric, body.template[index])
        directions = np.einsum("nk,nkcb->ncb", barycentric, body.shape_directions[index]).reshape(3 * points, -1)
        weights = np.einsum("nk,nkj->nj", barycentric, body.weights[index])
        row = (template, directions[:, :MAX_BETAS], weights, normals[triangles])
        rows.append(tuple(array.astype(np.float32) for array in row))
    template, directions, weights, facing = (torch.from_numpy(np.stack(column)) for column in zip(*rows, strict=True))
    return Patterns(template, directions, weights, facing, weights.argmax(2))


def random_rotations(count: int, generator: Generator) -> Tensor:
    """Draw rotations uniformly, [count, 3, 3]."""
    q = torch.randn(count, 4, generator=generator)
    w, x, y, z = (q / q.norm(dim=1, keepdim=True)).unbind(1)
    rows = [
        torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], -1),
        torch.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], -1),
        torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], -1),
    ]
    return torch.stack(rows, -2)


def composed(local: Tensor, turn: Tensor) -> Tensor:
    """Return global part rotations [B, 24, 3, 3] of local ones under a turn [B, 3, 3] of the whole body."""
    parts = [turn @ local[:, 0]]
    for joint in range(1, JOINTS):
        parts.append(parts[PARENTS[joint]] @ local[:, joint])
    return torch.stack(parts, 1)


class ScanMaker:
    """Makes batches of scans of drawn poses.

    Args:
        body: The body.
        poses: Local rotations to draw from, [n, 24, 3, 3].
        patterns: Where points lie.
        corruption: What is done to them.
        turned: Whether scans are turned at random; otherwise people stand upright and face +z.
    """

    def __init__(
        self, body: BodyModel, poses: NDArray[np.float32], patterns: Patterns, corruption: Corruption, turned: bool
    ) -> None:
        self.skeleton = Skeleton(body)
        self.poses = torch.from_numpy(poses)
        self.patterns = patterns
        self.corruption = corruption
        self.turned = turned

    @torch.no_grad()
    def __call__(self, count: int, generator: Generator) -> Scans:
        """Make `count` scans; the generator decides everything."""
        chosen = torch.randint(len(self.poses), (count,), generator=generator)
        turn = random_rotations(count, generator) if self.turned else torch.eye(3).expand(count, 3, 3)
        rotations = composed(self.poses[chosen], turn)
        betas = torch.randn(count, MAX_BETAS, generator=generator)
        which = torch.randint(len(self.patterns.labels), (count,), generator=generator)
        weights = self.patterns.weights[which]
        _, parts = self.skeleton(rotations, betas)
        points = skinned(self.patterns.template[which], self.patterns.directions[which], weights, betas, parts)
        labels = self.patterns.labels[which]
        normals = self._normals(which, weights, rotations)
        points, labels = self._seen(points, labels, normals, generator)
        low, high = self.corruption.noise
        size = low + (high - low) * torch.rand(count, 1, 1, generator=generator)
        points = points + size * torch.randn(points.shape, generator=generator)
        points, labels = self._with_outliers(points, labels, generator)
        pelvis = torch.randn(count, 3, generator=generator)
        return Scans(points + pelvis[:, None], labels, rotations, betas, pelvis)

    def _normals(self, which: Tensor, weights: Tensor, rotations: Tensor) -> Tensor | None:
        if not self.corruption.one_sided:
            return None
        blended = (weights @ rotations.flatten(2)).unflatten(2, (3, 3))
        return (blended @ self.patterns.normals[which][..., None])[..., 0]

    def _seen(
        self, points: Tensor, labels: Tensor, normals: Tensor | None, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """Keep the points that the scanner sees, as many in each scan of the batch, in their order."""
        corruption, (B, N, _) = self.corruption, points.shape
        event = float(torch.rand((), generator=generator))
        direction = torch.randn(B, 3, 1, generator=generator)
        direction = direction / direction.norm(dim=1, keepdim=True)
        if normals is not None and event < corruption.one_sided:
            score, kept = (normals @ direction)[..., 0], N // 2
        elif event < corruption.one_sided + corruption.cropped:
            score, kept = (points @ direction)[..., 0], N
            lost = 0.05 + 0.4 * torch.rand((), generator=generator)
            kept = int(N * (1 - lost))
        elif event < corruption.one_sided + corruption.cropped + corruption.fewer:
            kept = int(torch.randint(N // 2, N, (), generator=generator))
            return points[:, :kept], labels[:, :kept]
        else:
            return points, labels
        best = score.topk(kept, dim=1, sorted=False).indices.sort(dim=1).values
        return points.gather(1, best[..., None].expand(-1, -1, 3)), labels.gather(1, best)

    def _with_outliers(self, points: Tensor, labels: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        if not self.corruption.outliers:
            return points, labels
        B, N, _ = points.shape
        share = 0.05 * torch.rand(B, 1, generator=generator)
        share = share * (torch.rand(B, 1, generator=generator) < self.corruption.outliers)
        outlier = torch.rand(B, N, generator=generator) < share
        # Farthest-point order takes what lies far out first.
        place = points.mean(1, keepdim=True) + torch.randn(B, N, 3, generator=generator) * 0.6
        return torch.where(outlier[..., None], place, points), labels.masked_fill(outlier, NO_PART)
