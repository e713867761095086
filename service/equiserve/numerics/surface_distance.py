"""How far points are from a triangle mesh."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from equiserve.numerics.body_model import BodyModel
from equiserve.numerics.nearest_points import point_tree

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class VertexFaces:
    """The triangles at each vertex of a mesh: made once, whatever shape the mesh takes.

    Attributes:
        corners: Vertices of the triangles at vertex 0, then at vertex 1, and so on, [3 F, 3].
        starts: Where each vertex's triangles start in that list, and where the last one's end, [V + 1].
    """

    corners: NDArray[np.int64]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, faces: NDArray[Any], vertices: int) -> Self:
        """Return those of a mesh with faces [F, 3], indices of so many vertices."""
        at_vertex = np.argsort(faces.ravel(), kind="stable") // 3
        counts = np.bincount(faces.ravel(), minlength=vertices)
        return cls(faces[at_vertex].astype(np.int64), np.concatenate([[0], np.cumsum(counts)]))


@lru_cache(maxsize=8)
def mesh_of(body: BodyModel) -> VertexFaces:
    """Return the triangles of a body."""
    return VertexFaces.of(body.faces, len(body.template))


def distances_to_surface(points: NDArray[Any], vertices: NDArray[Any], mesh: VertexFaces) -> Floats:
    """Return each point's distance to the triangles at its two nearest vertices, [n].

    That is the distance to the mesh wherever the nearest triangle touches one of these vertices, and more by less than
    an edge elsewhere.

    Args:
        points: [n, 3].
        vertices: [V, 3], at least two.
        mesh: Their triangles.
    """
    points, vertices = np.asarray(points, np.float64), np.asarray(vertices, np.float64)
    _, nearest = point_tree(vertices).query(points, k=2)
    counts = mesh.starts[nearest + 1] - mesh.starts[nearest]
    owner = np.repeat(np.arange(len(points)), counts.sum(axis=1))
    first = np.repeat(mesh.starts[nearest].ravel(), counts.ravel())
    within = np.arange(len(first)) - np.repeat(np.cumsum(counts.ravel()) - counts.ravel(), counts.ravel())
    corners = vertices.T[:, mesh.corners[first + within].T]  # [axis, corner, triangle]
    squares = np.full(len(points), np.inf)
    np.minimum.at(squares, owner, _square_distances(points.T[:, owner], corners))
    return np.asarray(np.sqrt(squares))


def _square_distances(points: Floats, corners: Floats) -> Floats:
    """Return the squared distance of each point [3, n] to its triangle [3, 3, n]: axis, corner, triangle."""
    a, b, c = np.moveaxis(corners, 1, 0)
    normal = _cross(b - a, c - a)
    area = _dot(normal, normal)
    above = _dot(points - a, normal)
    inside = area > 0
    squares = np.full(points.shape[1], np.inf)
    for start, end in ((a, b), (b, c), (c, a)):
        edge, arm = end - start, points - start
        inside &= _dot(_cross(edge, arm), normal) >= 0
        length = _dot(edge, edge)
        along = _dot(arm, edge) / np.where(length > 0, length, 1.0)
        off = arm - np.clip(along, 0, 1) * edge
        np.minimum(squares, _dot(off, off), out=squares)
    return np.where(inside, above**2 / np.where(area > 0, area, 1.0), squares)


def _dot(left: Floats, right: Floats) -> Floats:
    return np.asarray(np.einsum("in,in->n", left, right))


def _cross(left: Floats, right: Floats) -> Floats:
    """Return the cross products of vectors [3, n]; `numpy.cross` takes twice as long."""
    (lx, ly, lz), (rx, ry, rz) = left, right
    return np.stack([ly * rz - lz * ry, lz * rx - lx * rz, lx * ry - ly * rx])
