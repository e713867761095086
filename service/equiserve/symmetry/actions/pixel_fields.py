"""Actions on what lies on the pixel grid: pictures, fields of vectors, maps of class ids.

All move as `PictureAction` says: x to the right, y down, about the middle of the grid.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import InvalidRequest
from equiserve.numerics import resampling
from equiserve.numerics.resampling import Fill
from equiserve.symmetry.actions.action import Action, Arrays, TensorAction, array_named, does_not_act
from equiserve.symmetry.actions.picture import PictureAction, background_of, restrict_to_disc
from equiserve.symmetry.elements import Element, Rotation, Scale, Shift
from equiserve.symmetry.groups.continuous_rotations import O2
from equiserve.symmetry.groups.group import Group


@dataclass(frozen=True)
class PixelGrid:
    """Where the grid is among a tensor's axes, counted from the end, and its size.

    Args:
        height: Rows.
        width: Columns.
        rows: Axis of the rows.
        columns: Axis of the columns.
        channels: Axis of channels or components; None where there is none.
    """

    height: int
    width: int
    rows: int = -2
    columns: int = -1
    channels: int | None = -3

    def planes(self, name: str, array: NDArray[Any]) -> NDArray[Any]:
        """Return the tensor as [..., C, H, W]; InvalidRequest naming the axis where the size is another."""
        for axis, place, size in (("height", self.rows, self.height), ("width", self.columns, self.width)):
            if array.ndim < -place or array.shape[place] != size:
                got = array.shape[place] if array.ndim >= -place else "none"
                raise wrong_size(name, axis, got, size)
        if self.channels is None:
            return np.moveaxis(array, (self.rows, self.columns), (-2, -1))[..., None, :, :]
        return np.moveaxis(array, (self.channels, self.rows, self.columns), (-3, -2, -1))

    def restored(self, planes: NDArray[Any]) -> NDArray[Any]:
        """Return [..., C, H, W] in the tensor's own order of axes."""
        if self.channels is None:
            return np.moveaxis(planes[..., 0, :, :], (-2, -1), (self.rows, self.columns))
        return np.moveaxis(planes, (-3, -2, -1), (self.channels, self.rows, self.columns))


class PixelField(TensorAction):
    """What pictures, vector fields and segmentation maps share."""

    name: str
    group: Group[Any]
    grid: PixelGrid

    def exact(self, element: Element) -> bool:
        """See `Action.exact`."""
        return PictureAction(self.group).exact(self.group.canonical(element), (self.grid.height, self.grid.width))

    def move(self, element: Element, array: NDArray[Any]) -> NDArray[Any]:
        """See `TensorAction.move`."""
        return self.grid.restored(self._moved(element, self.grid.planes(self.name, array)))

    @abstractmethod
    def _moved(self, element: Element, planes: NDArray[Any]) -> NDArray[Any]: ...

    def valid(self, element: Element, arrays: Arrays) -> dict[str, NDArray[np.bool_]]:
        """See `Action.valid`: what was inside; of a resampled rotation, the inscribed disc."""
        if self.exact(element):
            return {}
        mask = inside(self.group, self.group.canonical(element), self.grid.height, self.grid.width)
        array = array_named(self.name, arrays)
        planes = np.broadcast_to(mask, self.grid.planes(self.name, array).shape)
        return {self.name: self.grid.restored(planes)}


@dataclass(frozen=True)
class PictureField(PixelField):
    """Pictures: samples that move and keep their values.

    Args:
        name: The tensor.
        group: Acts on pictures.
        grid: Where the pixels are.
        fill: See `PictureAction`.
        background: See `PictureAction`; filled in by `prepare`.
        lowest: The value of the background where it is known; None = the median of the border.
    """

    name: str
    group: Group[Any]
    grid: PixelGrid
    fill: Fill = "edge"
    background: tuple[float, ...] | None = None
    lowest: float | None = None

    def _moved(self, element: Element, planes: NDArray[Any]) -> NDArray[Any]:
        return PictureAction(self.group, self.fill, self.background).apply(element, planes)

    def orbit(self, elements: Sequence[Element], arrays: Arrays) -> dict[str, NDArray[Any]]:
        """See `Action.orbit`; the pictures are upsampled once for all elements."""
        planes = self.grid.planes(self.name, array_named(self.name, arrays))
        moved = PictureAction(self.group, self.fill, self.background).orbit(planes, elements)
        return {self.name: self.grid.restored(moved)}

    def prepare(self, elements: Sequence[Element], arrays: Arrays) -> tuple[Action, dict[str, NDArray[Any]]]:
        """Restrict the picture to its inscribed disc where some element turns it by other than quarter turns."""
        if not any(isinstance(self.group.canonical(g), Rotation) and not self.exact(g) for g in elements):
            return self, {}
        planes = self.grid.planes(self.name, array_named(self.name, arrays))
        values = background_of(planes, self.lowest)
        disc = self.grid.restored(restrict_to_disc(planes, values))
        return replace(self, background=values), {self.name: disc}


@dataclass(frozen=True)
class VectorField(PixelField):
    """Fields of vectors such as flows: they move **and** turn, mirror and scale.

    Component 0 points right (along x), component 1 **down** (along y), in pixels.

    Args:
        name: The tensor.
        group: Acts on pictures.
        grid: Where the pixels are; its channels are the two components.
        fill: See `PictureAction`.
    """

    name: str
    group: Group[Any]
    grid: PixelGrid
    fill: Fill = "edge"

    def _moved(self, element: Element, planes: NDArray[Any]) -> NDArray[Any]:
        if planes.shape[-3] != 2:
            raise wrong_size(self.name, "channel", planes.shape[-3], 2)
        if planes.dtype.kind != "f":
            raise does_not_act(self.name, self.group, f"its dtype is {planes.dtype}, expected floating components")
        carried = PictureAction(self.group, self.fill).apply(element, planes)
        turn = turning(element)
        if (turn == np.eye(2)).all():
            return carried
        return np.asarray(np.einsum("ij,...jhw->...ihw", turn, carried)).astype(planes.dtype)


@dataclass(frozen=True)
class SegmentationMap(PixelField):
    """Maps of class ids, which are never interpolated: permuted where the element is exact, else the nearest pixel's.

    Args:
        name: The tensor.
        group: Acts on pictures.
        grid: Where the pixels are.
        void: Id of pixels that show nothing that was there before.
    """

    name: str
    group: Group[Any]
    grid: PixelGrid
    void: int = 0

    def _moved(self, element: Element, planes: NDArray[Any]) -> NDArray[Any]:
        action = PictureAction(self.group, "zero")
        if self.exact(element):
            return action.apply(element, planes)
        mask = inside(self.group, element, *planes.shape[-2:])
        if isinstance(element, Shift):
            moved = action.apply(element, planes)
        else:
            rows, columns = _nearest(element, *planes.shape[-2:])
            moved = planes[..., rows, columns]
        return np.where(mask, moved, planes.dtype.type(self.void))


def turning(element: Element) -> NDArray[np.float64]:
    """Return the element's matrix on vectors (x, y) in pixels, y down, [2, 2]."""
    if isinstance(element, Rotation):
        mirror = np.diag([1.0, -1.0])
        return np.asarray(mirror @ O2().matrix(element) @ mirror) + 0.0
    return np.eye(2) * (element.factor if isinstance(element, Scale) else 1.0)


def inside(group: Group[Any], element: Element, height: int, width: int) -> NDArray[np.bool_]:
    """Return [H, W]: which pixels of the moved grid show what the grid held before."""
    if isinstance(element, Shift):
        ones = np.ones((1, height, width), np.uint8)
        return np.asarray(PictureAction(group, "zero").apply(element, ones)[0] == 1)
    if isinstance(element, Rotation):
        return np.asarray(resampling.disc_mask(height, width) == 1.0)
    y, x = np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2
    scale = element.factor if isinstance(element, Scale) else 1.0
    rows, columns = np.abs(y) <= scale * (height - 1) / 2, np.abs(x) <= scale * (width - 1) / 2
    return np.asarray(rows[:, None] & columns[None])


def wrong_size(name: str, axis: str, got: object, expected: object) -> InvalidRequest:
    """Return the error for an axis of another size."""
    return InvalidRequest(f"{name}: got {axis} {got}, expected {expected}", field=name)


def _nearest(element: Element, height: int, width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    y, x = np.mgrid[:height, :width].astype(np.float64)
    y -= (height - 1) / 2
    x -= (width - 1) / 2
    source = np.linalg.inv(turning(element)) @ np.stack([x, y]).reshape(2, -1)
    columns = np.clip(np.rint(source[0] + (width - 1) / 2), 0, width - 1).astype(np.int64)
    rows = np.clip(np.rint(source[1] + (height - 1) / 2), 0, height - 1).astype(np.int64)
    return rows.reshape(height, width), columns.reshape(height, width)
