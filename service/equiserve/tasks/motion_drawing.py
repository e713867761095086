"""A moving body as a picture: where it was, where a regressor says that it will be, and where it went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from equiserve.artifact import Manifest
from equiserve.errors import InvalidRequest, Unsupported
from equiserve.tasks.regress import Regression

_WIDTH, _HEIGHT, _MARGIN, _HEAD = 760, 470, 44, 74
_INK, _FAINT, _GRID = "#1f2430", "#5b6472", "#d5d9e0"
# Okabe and Ito's palette; solid and dashed lines tell the two apart without colours too.
_PREDICTED, _TRUE, _PAST = "#0072b2", "#d55e00", "#8a929e"


class MotionOptions(BaseModel):
    """`task_options.motion` of a manifest: what there is to draw.

    Attributes:
        past: Inputs of points [batch, (time,) item, coord], oldest first.
        future: The output of points [batch, item, coord].
        bones: Pairs of items that a line joins.
        ahead: How far the future is from the last of the past, in words ("0.27 s").
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    past: list[str] = Field(min_length=1)
    future: str
    bones: list[tuple[int, int]] = []
    ahead: str = ""


@dataclass(frozen=True, slots=True)
class _View:
    """A projection of space onto the sheet: to the right, and up."""

    title: str
    right: NDArray[np.float64]
    up: NDArray[np.float64]


def motion_options(manifest: Manifest) -> MotionOptions:
    """Return what a manifest says of drawing; Unsupported (`nothing_to_draw`) where it says nothing that fits."""
    given = manifest.task_options.get("motion")
    if given is None:
        raise Unsupported(
            f"model {manifest.name} has no task_options.motion in its manifest, so there is nothing to draw",
            code="nothing_to_draw",
            field="accept",
        )
    try:
        options = MotionOptions.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, ("task_options", "motion", *first["loc"])))
        raise Unsupported(f"{place}: {first['msg']}", code="nothing_to_draw", field=place) from None
    known = {spec.name for spec in manifest.inputs}
    if missing := [name for name in options.past if name not in known]:
        raise Unsupported(
            f"task_options.motion.past: {missing[0]!r} is no input", code="nothing_to_draw", field="task_options.motion"
        )
    if options.future not in {spec.name for spec in manifest.outputs}:
        raise Unsupported(
            f"task_options.motion.future: {options.future!r} is no output",
            code="nothing_to_draw",
            field="task_options.motion",
        )
    return options


def draw_motion(
    regression: Regression, inputs: dict[str, np.ndarray], truth: dict[str, np.ndarray], row: int = 0
) -> str:
    """Return one row of a regression as an SVG document, seen from the side and from the front.

    Args:
        regression: The answer.
        inputs: What it answers.
        truth: What came true, where that is known.
        row: Which row of the batch.

    Raises:
        Unsupported: The manifest does not say what to draw.
        InvalidRequest: No such row.
    """
    manifest = regression.model.manifest
    options = motion_options(manifest)
    future = regression.outputs[options.future]
    if not 0 <= row < len(future.array):
        raise InvalidRequest(f"row: got {row}, expected 0 to {len(future.array) - 1}", field="row")
    poses = np.concatenate([inputs[name][row].reshape(-1, *future.array.shape[1:]) for name in options.past])
    predicted, true = future.array[row], truth[options.future][row] if options.future in truth else None
    everything = np.concatenate([poses, predicted[None], *([] if true is None else [true[None]])])
    if not np.isfinite(everything).all():
        raise InvalidRequest("inputs: they or the answer are not finite, so there is nothing to draw", field="inputs")
    frame = manifest.frames.get(future.spec.frame or next(iter(manifest.frames), ""))
    up = np.array((frame.up if frame is not None else None) or (0.0, 1.0, 0.0), np.float64)
    panels = _panels(_views(everything.astype(np.float64), up), everything, options.bones, poses, predicted, true)
    ahead = f" {options.ahead} ahead" if options.ahead else ""
    units = future.spec.units or "units"
    error = "" if future.error is None else f"; root mean square error {_rms(predicted, true):.3g} {units}"
    title = f"{manifest.name} {regression.model.version}: pose{ahead}"
    return _sheet(title, f"{len(poses)} poses of the past{error}", panels, units, true is not None)


def _rms(a: np.ndarray, b: np.ndarray | None) -> float:
    assert b is not None
    return float(np.sqrt(np.mean((a.astype(np.float64) - b) ** 2)))


def _views(points: NDArray[np.float64], up: NDArray[np.float64]) -> list[_View]:
    """Return the view across the way that the body goes, and the one along it."""
    up = up / np.linalg.norm(up)
    way = points[-1].mean(axis=0) - points[0].mean(axis=0)
    way -= up * (way @ up)
    if np.linalg.norm(way) < 1e-6:
        way = np.roll(up, 1)
    way /= np.linalg.norm(way)
    return [_View("from the side", way, up), _View("from the front", np.cross(up, way), up)]


def _panels(
    views: Sequence[_View],
    everything: np.ndarray,
    bones: Sequence[tuple[int, int]],
    poses: np.ndarray,
    predicted: np.ndarray,
    true: np.ndarray | None,
) -> list[str]:
    parts: list[str] = []
    flat = [np.stack([everything @ view.right, everything @ view.up], -1) for view in views]
    wide = [float(np.ptp(points[..., 0])) for points in flat]
    tall = max(float(np.ptp(points[..., 1])) for points in flat)
    room = _WIDTH - 3 * _MARGIN
    scale = min(room / max(sum(wide), 1e-9), (_HEIGHT - _HEAD - 78) / max(tall, 1e-9))
    left = _MARGIN + (room - scale * sum(wide)) / 2
    ground = _HEIGHT - 62
    for view, points, width in zip(views, flat, wide, strict=True):
        low = points.reshape(-1, 2).min(axis=0)
        shift = np.array([left, ground]), np.array([scale, -scale])

        def place(pose: np.ndarray, view: _View = view, low: NDArray[Any] = low, shift: Any = shift) -> NDArray[Any]:
            return np.asarray((np.stack([pose @ view.right, pose @ view.up], -1) - low) * shift[1] + shift[0])

        parts.append(f'<path d="M{left - 8:.1f} {ground}H{left + scale * width + 8:.1f}" stroke="{_GRID}"/>')
        for age, pose in enumerate(poses):
            parts.append(_bones(place(pose), bones, _PAST, 1.4, 0.25 + 0.6 * (age + 1) / len(poses)))
        if true is not None:
            parts.append(_bones(place(true), bones, _TRUE, 2.6, 1.0))
        parts.append(_bones(place(predicted), bones, _PREDICTED, 2.2, 1.0, dashed=True))
        parts.append(_text(left + scale * width / 2, ground + 20, view.title, anchor="middle", fill=_FAINT))
        left += scale * width + _MARGIN
    parts.append(_scale_bar(scale))
    return parts


def _bones(
    points: NDArray[Any],
    bones: Sequence[tuple[int, int]],
    colour: str,
    width: float,
    opacity: float,
    dashed: bool = False,
) -> str:
    known = [(a, b) for a, b in bones if max(a, b) < len(points) and min(a, b) >= 0]
    path = "".join(f"M{points[a][0]:.1f} {points[a][1]:.1f}L{points[b][0]:.1f} {points[b][1]:.1f}" for a, b in known)
    dots = "" if known else "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in points)
    dash = ' stroke-dasharray="5 3"' if dashed else ""
    return (
        f'<g opacity="{opacity:.2f}"><path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}" '
        f'stroke-linecap="round"{dash}/>{dots}</g>'
    )


def _scale_bar(scale: float) -> str:
    length = next((size for size in (1.0, 0.5, 0.2, 0.1) if scale * size <= 160), 0.1)
    y, x = _HEIGHT - 20, _MARGIN
    return f'<path d="M{x} {y - 4}v4h{scale * length:.1f}v-4" fill="none" stroke="{_INK}"/>' + _text(
        x + scale * length + 8, y, f"{length:g} UNITS", fill=_INK
    )


def _sheet(title: str, line: str, panels: list[str], units: str, has_truth: bool) -> str:
    body = "".join(panels).replace("UNITS", escape(units))
    legend, x = [], 262.0
    entries = [("past, darker is later", _PAST, ""), ("prediction", _PREDICTED, ' stroke-dasharray="5 3"')]
    entries += [("what came true", _TRUE, "")] if has_truth else []
    for words, colour, dash in entries:
        legend.append(f'<path d="M{x} {_HEIGHT - 24}h26" stroke="{colour}" stroke-width="2.6"{dash}/>')
        legend.append(_text(x + 32, _HEIGHT - 20, words))
        x += 58 + 6.6 * len(words)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'font-family="system-ui, sans-serif" role="img"><title>{escape(title)}</title>'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>'
        + _text(_MARGIN, 34, title, size=17)
        + _text(_MARGIN, 56, line, fill=_FAINT)
        + body
        + "".join(legend)
        + "</svg>"
    )


def _text(x: float, y: float, words: str, *, size: float = 12, fill: str = _INK, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{fill}" text-anchor="{anchor}">'
        f"{escape(words)}</text>"
    )
