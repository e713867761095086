"""Boxes and key points in the coordinates of a picture's pixels: x to the right, y down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.symmetry.actions.action import Arrays, TensorAction, array_named
from equiserve.symmetry.actions.pixel_fields import turning, wrong_size
from equiserve.symmetry.elements import Element, Rotation, Shift
from equiserve.symmetry.groups.group import Group
from equiserve.symmetry.groups.translations import CyclicShift


@dataclass(frozen=True)
class PixelCoordinates:
    """The picture that coordinates refer to.

    Args:
        height: Rows, pixels.
        width: Columns, pixels.
        first_centre: Coordinate of the middle of the first pixel: 0 where coordinates are pixel indices, 0.5 where
            the picture spans 0 to its width, as in COCO. Half a pixel of difference is an error of one pixel under
            a half turn.
    """

    height: int
    width: int
    first_centre: float = 0.0

    @property
    def centre(self) -> NDArray[np.float64]:
        """(x, y) of the middle of the picture."""
        return np.array([self.width - 1, self.height - 1]) / 2 + self.first_centre

    def moved(self, element: Element, points: NDArray[Any]) -> NDArray[np.float64]:
        """Return points (x, y), [..., 2], where the element brings them; what leaves the picture keeps going."""
        if isinstance(element, Shift):
            return np.asarray(points + np.array([element.dx, element.dy], np.float64))
        return np.asarray((points - self.centre) @ turning(element).T + self.centre)

    def wrapped(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the points on the torus, within half a pixel of the picture's pixels."""
        low = self.first_centre - 0.5
        return np.asarray((points - low) % np.array([self.width, self.height]) + low)


@dataclass(frozen=True)
class Keypoints(TensorAction):
    """Points (x, y) of a picture, [..., 2] or [..., items, 2].

    Args:
        name: The tensor.
        group: Acts on pictures.
        picture: What the coordinates refer to.
        mirrored: Under a mirror image item i becomes item ``mirrored[i]`` (left eye, right eye); None = none do.
    """

    name: str
    group: Group[Any]
    picture: PixelCoordinates
    mirrored: tuple[int, ...] | None = None

    def move(self, element: Element, array: NDArray[Any]) -> NDArray[Any]:
        """See `TensorAction.move`."""
        if array.shape[-1] != 2:
            raise wrong_size(self.name, "coord", array.shape[-1], 2)
        points = self.picture.moved(element, array.astype(np.float64))
        if isinstance(self.group, CyclicShift):
            points = self.picture.wrapped(points)
        if self.mirrored is not None and isinstance(element, Rotation) and element.reflected:
            if points.ndim < 2 or points.shape[-2] != len(self.mirrored):
                raise wrong_size(self.name, "item", points.shape[-2:-1], len(self.mirrored))
            points = points[..., np.argsort(self.mirrored), :]
        return _in_dtype(points, array.dtype)

    def valid(self, element: Element, arrays: Arrays) -> dict[str, NDArray[np.bool_]]:
        """See `Action.valid`: coordinates of points that are still in the picture."""
        points = self.move(self.group.canonical(element), array_named(self.name, arrays))
        low = self.picture.first_centre - 0.5
        size = np.array([self.picture.width, self.picture.height])
        seen = ((points >= low) & (points <= low + size)).all(axis=-1, keepdims=True)
        return {self.name: np.broadcast_to(seen, points.shape)}


@dataclass(frozen=True)
class Boxes(TensorAction):
    """Boxes (x1, y1, x2, y2) of a picture, [..., 4], upright.

    A turn by other than a quarter makes an upright box into a slanted one; its enclosing upright box is returned,
    which is larger, so that even a perfect detector does not agree with it: `iou_ceiling` says how well it can.

    Args:
        name: The tensor.
        group: Acts on pictures.
        picture: What the coordinates refer to.
        least_visible: A box of which less than this share is left in the picture is not `valid`.
    """

    name: str
    group: Group[Any]
    picture: PixelCoordinates
    least_visible: float = 0.25

    def move(self, element: Element, array: NDArray[Any]) -> NDArray[Any]:
        """See `TensorAction.move`."""
        if array.shape[-1] != 4:
            raise wrong_size(self.name, "coord", array.shape[-1], 4)
        x1, y1, x2, y2 = np.moveaxis(array.astype(np.float64), -1, 0)
        corners = np.stack([np.stack([x, y], axis=-1) for x in (x1, x2) for y in (y1, y2)], axis=-2)
        moved = self.picture.moved(element, corners)
        low, high = moved.min(axis=-2), moved.max(axis=-2)
        if isinstance(self.group, CyclicShift):
            middle = (low + high) / 2
            carried = self.picture.wrapped(middle) - middle
            low, high = low + carried, high + carried
        return _in_dtype(np.concatenate([low, high], axis=-1), array.dtype)

    def exact(self, element: Element) -> bool:
        """See `Action.exact`: false where the enclosing box is larger than the box."""
        return not isinstance(element, Rotation) or element.angle_deg % 90 == 0

    def valid(self, element: Element, arrays: Arrays) -> dict[str, NDArray[np.bool_]]:
        """See `Action.valid`: boxes that stay in the picture, by the share that is seen.

        On a torus a box that the border splits is none, for it is two.
        """
        boxes = self.move(self.group.canonical(element), array_named(self.name, arrays)).astype(np.float64)
        low = self.picture.first_centre - 0.5
        size = np.array([self.picture.width, self.picture.height])
        seen = np.clip(boxes[..., 2:], low, low + size) - np.clip(boxes[..., :2], low, low + size)
        share = 1.0 if isinstance(self.group, CyclicShift) else self.least_visible
        area = (boxes[..., 2:] - boxes[..., :2]).prod(axis=-1)
        enough = seen.prod(axis=-1) >= share * area - 1e-6
        return {self.name: np.broadcast_to(enough[..., None], boxes.shape)}

    def iou_ceiling(self, element: Element, boxes: NDArray[Any]) -> NDArray[np.float64]:
        """Return the overlap (IoU) of each box with itself moved and moved back, [...]: 1 where nothing is lost.

        No detector can be asked for more after its answer was pulled back.
        """
        there = self.move(self.group.canonical(element), boxes.astype(np.float64))
        back = self.move(self.group.canonical(self.group.inverse(element)), there)
        area, grown = ((b[..., 2:] - b[..., :2]).prod(axis=-1) for b in (boxes.astype(np.float64), back))
        return np.asarray(area / np.where(grown > 0, grown, 1.0))


def _in_dtype(values: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    return (np.rint(values) if dtype.kind in "ui" else values).astype(dtype)
