"""How far points are from a triangle mesh."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.numerics.nearest_points import point_tree

Floats = NDArray[np.float64]


def distances_to_surface(points: NDArray[Any], vertices: NDArray[Any], faces: NDArray[Any]) -> Floats:
    """Return each point's distance to the triangles at its two nearest vertices, [n].

    That is the distance to the mesh wherever the nearest triangle touches one of these vertices, and more by less than
    an edge elsewhere.

    Args:
        points: [n, 3].
        vertices: [V, 3], at least two.
        faces: [F, 3], indices of vertices.
    """
    points, vertices = np.asarray(points, np.float64), np.asarray(vertices, np.float64)
    # Faces of each vertex in one list, `starts[v]` to `starts[v + 1]`.
    at_vertex = np.argsort(faces.ravel(), kind="stable") // 3
    starts = np.concatenate([[0], np.cumsum(np.bincount(faces.ravel(), minlength=len(vertices)))])
    _, nearest = point_tree(vertices).query(points, k=2)
    counts = starts[nearest + 1] - starts[nearest]
    total = counts.sum(axis=1)
    owner = np.repeat(np.arange(len(points)), total)
    first = np.repeat(starts[nearest].ravel(), counts.ravel())
    within = np.arange(len(first)) - np.repeat(np.cumsum(counts.ravel()) - counts.ravel(), counts.ravel())
    triangles = vertices[faces[at_vertex[first + within]]]
    squares = np.full(len(points), np.inf)
    np.minimum.at(squares, owner, _square_distances(points[owner], triangles))
    return np.asarray(np.sqrt(squares))


def _square_distances(points: Floats, triangles: Floats) -> Floats:
    """Return the squared distance of each point [n, 3] to its triangle [n, 3, 3]."""
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    normal = np.cross(b - a, c - a)
    area = np.einsum("ij,ij->i", normal, normal)
    above = np.einsum("ij,ij->i", points - a, normal)
    inside = area > 0
    squares = np.full(len(points), np.inf)
    for start, end in ((a, b), (b, c), (c, a)):
        edge, arm = end - start, points - start
        inside &= np.einsum("ij,ij->i", np.cross(edge, arm), normal) >= 0
        length = np.einsum("ij,ij->i", edge, edge)
        along = np.einsum("ij,ij->i", arm, edge) / np.where(length > 0, length, 1.0)
        off = arm - np.clip(along, 0, 1)[:, None] * edge
        np.minimum(squares, np.einsum("ij,ij->i", off, off), out=squares)
    return np.where(inside, above**2 / np.where(area > 0, area, 1.0), squares)
