"""A fit as a picture: the cloud, and the body with the cloud on it, from the front and from the person's left."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from equiserve.numerics.surface_distance import distances_to_surface, mesh_of
from equiserve.symmetry.quaternions import from_vector, to_matrix
from equiserve.tasks.fit.rasteriser import rasterise
from equiserve.tasks.fit.result import BodyFit

_PANEL, _HEIGHT, _TOP, _BOTTOM = 300, 440, 52, 44
_MARGIN = 0.06
_INK, _PAPER, _GRID = (30, 30, 30), (255, 255, 255), (200, 200, 200)
# Blue and vermilion of the palette for all kinds of colour vision (Okabe and Ito 2008).
_BODY, _FAR = np.array([0x9C, 0xC3, 0xE0]), (0xD5, 0x5E, 0x00)
_FAR_OFF = 0.02
_LIGHT = np.array([0.35, 0.45, 0.82])
# Points this much behind the body's surface are hidden by it.
_HIDDEN = 0.015
# Columns: right and up on paper, and away from the viewer, in the pelvis' frame (x left, y up, z ahead).
_VIEWS = (
    ("front", np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, -1.0]]).T),
    ("from the left", np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]).T),
)


def to_png(fit: BodyFit) -> bytes:
    """Return the picture as PNG, 1,200 x 536 pixels; a quarter of a second, not for the event loop.

    Four panels in the frame of the fitted pelvis, at one scale: cloud and fit from the front, cloud and fit from the
    person's left. Points more than 2 cm from the surface are vermilion.
    """
    turn = to_matrix(from_vector(fit.global_orient))
    points = (fit.cloud.points.astype(np.float64) + fit.cloud.origin - fit.joints[0]) @ turn
    vertices = (fit.vertices - fit.joints[0]) @ turn
    far = distances_to_surface(points, vertices, mesh_of(fit.body)) > _FAR_OFF
    everything = np.concatenate([points, vertices])
    low, high = everything.min(axis=0), everything.max(axis=0)
    span = max(_spread(low, high, view) for _, view in _VIEWS)
    scale = (1 - 2 * _MARGIN) / span
    picture = Image.new("RGB", (4 * _PANEL, _TOP + _HEIGHT + _BOTTOM), _PAPER)
    for number, (name, view) in enumerate(_VIEWS):
        place = _on_paper(points, view, (low + high) / 2, scale)
        mesh = _on_paper(vertices, view, (low + high) / 2, scale)
        left = 2 * number * _PANEL
        picture.paste(_cloud(place), (left, _TOP))
        picture.paste(_body(mesh, fit.body.faces, place, far), (left + _PANEL, _TOP))
        _caption(picture, left, f"cloud, {name}")
        _caption(picture, left + _PANEL, f"fit, {name}")
    _legend(picture, fit, scale, int(far.sum()), len(points))
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=False, compress_level=6)
    return file.getvalue()


def _spread(low: np.ndarray, high: np.ndarray, view: np.ndarray) -> float:
    """Return how many metres one pixel-independent unit must hold: the panel is higher than wide."""
    size = np.abs((high - low) @ view)
    return max(float(size[0]) / _PANEL, float(size[1]) / _HEIGHT)


def _on_paper(points: np.ndarray, view: np.ndarray, centre: np.ndarray, scale: float) -> np.ndarray:
    """Return column, row and depth in pixels, [n, 3]."""
    turned: np.ndarray = (points - centre) @ view * scale
    turned[:, 1] *= -1
    turned[:, :2] += (_PANEL / 2, _HEIGHT / 2)
    return turned


def _cloud(place: np.ndarray) -> Image.Image:
    """Draw points, nearer ones darker."""
    pixels = np.full((_HEIGHT, _PANEL, 3), 255, np.uint8)
    depth = place[:, 2]
    share = (depth - depth.min()) / max(float(np.ptp(depth)), 1e-9)
    for point in np.argsort(-depth):
        _dot(pixels, place[point], np.full(3, 40 + 150 * share[point]))
    return Image.fromarray(pixels)


def _body(mesh: np.ndarray, faces: np.ndarray, place: np.ndarray, far: np.ndarray) -> Image.Image:
    """Draw the shaded body, and on it the points that it does not hide."""
    corners = mesh[faces]
    owner, depth = rasterise(corners, _HEIGHT, _PANEL)
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(across, axis=1, keepdims=True)
    # Rows grow downwards and depth away from the viewer: a face that looks at the viewer has a negative depth.
    lit = np.clip(-(across / np.where(lengths > 0, lengths, 1)) @ _LIGHT, 0, 1)
    shade = 0.45 + 0.55 * lit
    pixels = np.full((_HEIGHT, _PANEL, 3), 255, np.uint8)
    shown = owner >= 0
    pixels[shown] = _BODY * shade[owner[shown], None]
    columns, rows = np.clip(place[:, :2].round().astype(int), 0, (_PANEL - 1, _HEIGHT - 1)).T
    hidden = place[:, 2] > depth[rows, columns] + _HIDDEN_PIXELS
    for point in np.flatnonzero(~hidden & ~far):
        pixels[rows[point], columns[point]] = _INK
    for point in np.flatnonzero(~hidden & far):
        _dot(pixels, place[point], np.array(_FAR))
    return Image.fromarray(pixels)


# In pixels of a person of 1.7 m on this paper.
_HIDDEN_PIXELS = _HIDDEN * _HEIGHT / 1.9


def _dot(pixels: np.ndarray, place: np.ndarray, colour: np.ndarray) -> None:
    column, row = int(place[0]), int(place[1])
    pixels[max(row, 0) : row + 2, max(column, 0) : column + 2] = colour


def _caption(picture: Image.Image, left: int, text: str) -> None:
    draw = ImageDraw.Draw(picture)
    draw.text((left + _PANEL / 2, _TOP + 2), text, fill=_INK, font=ImageFont.load_default(14), anchor="mt")
    if left:
        draw.line([(left, _TOP), (left, _TOP + _HEIGHT)], fill=_GRID)


def _legend(picture: Image.Image, fit: BodyFit, scale: float, far: int, points: int) -> None:
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(14)
    first, *reasons = fit.statement.split("; ", 2)
    draw.text((12, 8), first, fill=_INK, font=font)
    draw.text((12, 27), "; ".join(reasons)[:180], fill=_INK, font=font)
    base, length = _TOP + _HEIGHT + 14, 0.5 * scale
    draw.line([(12, base), (12 + length, base)], fill=_INK, width=3)
    for end in (12, 12 + length):
        draw.line([(end, base - 5), (end, base + 5)], fill=_INK, width=1)
    draw.text((12 + length + 8, base), "0.5 m, in the frame of the fitted pelvis", fill=_INK, font=font, anchor="lm")
    x = 2 * _PANEL
    draw.rectangle([x, base - 4, x + 8, base + 4], fill=_FAR)
    share = f"{far} of {points} points are more than 2 cm from the surface"
    draw.text((x + 14, base), share, fill=_INK, font=font, anchor="lm")
