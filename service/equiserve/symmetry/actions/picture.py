"""How group elements act on pictures.

A picture is [C, H, W] with x to the right and y **down** (rows count from the top). A positive angle turns the content
counter-clockwise as seen on the screen, about the centre ((H - 1) / 2, (W - 1) / 2): `Rotation(90)` is
`numpy.rot90(picture, 1, axes=(-2, -1))`, so what was on the right edge comes to the top edge. `Shift(dy, dx)` moves
content down by dy and right by dx: `numpy.roll` where it is circular. `Scale(2)` enlarges about the same centre.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from equiserve.errors import InvalidRequest
from equiserve.numerics import resampling
from equiserve.numerics.resampling import Fill
from equiserve.symmetry.elements import Element, Rotation, Scale, Shift
from equiserve.symmetry.groups.group import Group
from equiserve.symmetry.groups.planes import EmbeddedGroup
from equiserve.symmetry.groups.translations import CyclicShift


@dataclass(frozen=True)
class PictureAction:
    """The left action of a group on pictures: rho(gh) = rho(g) rho(h), bit for bit wherever both are exact.

    Args:
        group: Whose elements act.
        fill: What comes in from beyond the border under a crop shift or a resampled rotation: 0, the nearest
            pixel, or the mirror image about the border pixel. Circular shifts and quarter turns need none.
        background: One value a channel, for pictures that `restrict_to_disc` has prepared: a resampled rotation then
            leaves everything beyond the inscribed disc at it, so that no ripple of the interpolation stays there.
    """

    group: Group[Any]
    fill: Fill = "edge"
    background: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.fill not in get_args(Fill):
            raise InvalidRequest(f"fill: got {self.fill!r}, expected one of {get_args(Fill)}", field="fill")

    def exact(self, element: Element, shape: tuple[int, int]) -> bool:
        """Return whether the element merely permutes the pixels of a picture of ``shape`` = (H, W).

        Raises:
            InvalidRequest: The element cannot act on this shape; the message names the axis.
        """
        moving = self._require_fit(element, shape)
        if isinstance(moving, Shift):
            return isinstance(self.group, CyclicShift) or moving == Shift(0, 0)
        if isinstance(moving, Scale):
            return moving.factor == 1.0
        return moving.angle_deg % 90 == 0

    def apply(self, element: Element, pictures: NDArray[Any]) -> NDArray[Any]:
        """Return rho(element) of every picture.

        Args:
            element: An element of the group.
            pictures: [..., C, H, W], any real dtype.

        Returns:
            A new array of the same shape and dtype. Exact elements keep every value; others round and clip
            integer dtypes, and leave floating values unclipped (a band-limited edge overshoots).

        Raises:
            InvalidRequest: As `exact`.
        """
        moved: NDArray[Any] = self.orbit(pictures, [element])[0]
        return moved

    def orbit(
        self, picture: NDArray[Any], elements: Sequence[Element], *, upsampled: NDArray[Any] | None = None
    ) -> NDArray[Any]:
        """Return rho(g) of the picture for every g, stacked in front.

        Args:
            picture: [..., C, H, W], any real dtype.
            elements: n elements of the group.
            upsampled: ``resampling.upsample(picture)``, if the caller keeps it for several calls.

        Returns:
            [n, ..., C, H, W] in the picture's dtype; as `apply` for each element.

        Raises:
            InvalidRequest: As `exact`.
        """
        height, width = picture.shape[-2:]
        moving = [self._require_fit(self.group.canonical(element), (height, width)) for element in elements]
        # The elements of one group are all of one kind.
        if shifts := [element for element in moving if isinstance(element, Shift)]:
            return self._shifted(picture, np.array([(shift.dy, shift.dx) for shift in shifts]))
        if scales := [element for element in moving if isinstance(element, Scale)]:
            return np.stack([self._scaled(picture, scale) for scale in scales])
        return self._rotated(picture, [element for element in moving if isinstance(element, Rotation)], upsampled)

    def _require_fit(self, element: Element, shape: tuple[int, int]) -> Shift | Rotation | Scale:
        """Return the element, if it is one that moves pixels and can move those of this shape."""
        height, width = shape
        if not isinstance(element, Shift | Rotation | Scale) or isinstance(self.group, EmbeddedGroup):
            raise InvalidRequest(
                f"group: {self.group.name} does not act on pictures (height, width), expected shifts, or rotations, "
                "mirror images or scalings of the picture plane",
                code="group_does_not_act",
                field="group",
            )
        if isinstance(self.group, CyclicShift):
            self._require_size("height", shape)
            self._require_size("width", shape)
        elif isinstance(element, Shift) and (abs(element.dy) >= height or abs(element.dx) >= width):
            raise InvalidRequest(
                f"elements: {self.group.describe(element)} leaves nothing of a picture of height {height} and "
                f"width {width}; shifts by up to {height - 1} along the height and {width - 1} along the width fit, "
                f"or this one with height {max(height, abs(element.dy) + 1)} and width "
                f"{max(width, abs(element.dx) + 1)}",
                field="elements",
            )
        elif isinstance(element, Rotation) and element.angle_deg % 180 != 0 and height != width:
            shorter, longer = ("height", "width") if width > height else ("width", "height")
            raise InvalidRequest(
                f"inputs.shape: {self.group.describe(element)} needs a square picture, got height {height} and "
                f"width {width}; crop the {longer} to {min(shape)}, or pad the {shorter} to {max(shape)}",
                field="inputs.shape",
            )
        return element

    def _require_size(self, axis: Literal["height", "width"], shape: tuple[int, int]) -> None:
        expected, got = self.group.parameters()[axis], dict(zip(("height", "width"), shape, strict=True))[axis]
        if got != expected:
            raise InvalidRequest(
                f"group.{axis}: {self.group.name} shifts pictures of {axis} {expected}, got {axis} {got}; "
                f"{CyclicShift(*shape).name} fits them",
                field=f"group.{axis}",
            )

    def _shifted(self, picture: NDArray[Any], shifts: NDArray[np.int64]) -> NDArray[Any]:
        """Cut each shifted picture out of one canvas that already shows what comes in."""
        height, width = picture.shape[-2:]
        mode = "wrap" if isinstance(self.group, CyclicShift) else {"zero": "constant"}.get(self.fill, self.fill)
        low, high = shifts.min(axis=0, initial=0), shifts.max(axis=0, initial=0)
        border = [(0, 0)] * (picture.ndim - 2) + [(int(high[k]), int(-low[k])) for k in (0, 1)]
        canvas = np.pad(picture, border, mode=mode)  # type: ignore[call-overload]
        windows = sliding_window_view(canvas, (height, width), axis=(-2, -1))
        rows, columns = (high - shifts).T
        return np.ascontiguousarray(np.moveaxis(windows[..., rows, columns, :, :], -3, 0))

    def _scaled(self, picture: NDArray[Any], scale: Scale) -> NDArray[Any]:
        if scale.factor == 1.0:
            return picture
        # Shrinking brings frequencies beyond what the pixels can hold: they must go first.
        source = picture if scale.factor > 1 else _low_passed(picture, scale.factor)
        pullback = np.eye(2)[None] / scale.factor
        return _as_dtype(resampling.resample(resampling.upsample(source), pullback, self.fill)[0], picture.dtype)

    def _rotated(
        self, picture: NDArray[Any], rotations: Sequence[Rotation], upsampled: NDArray[Any] | None
    ) -> NDArray[Any]:
        shape = picture.shape[-2], picture.shape[-1]
        moved = np.empty((len(rotations), *picture.shape), picture.dtype)
        resampled = []
        for k, rotation in enumerate(rotations):
            if self.exact(rotation, shape):
                moved[k] = _turned(picture, rotation)
            else:
                resampled.append(k)
        if resampled:
            fine = resampling.upsample(picture) if upsampled is None else upsampled
            pullbacks = np.stack(
                [resampling.rotation_pullback(rotations[k].angle_deg, rotations[k].reflected) for k in resampled]
            )
            values = resampling.resample(fine, pullbacks, self.fill)
            if self.background is not None:
                outside = resampling.disc_mask(*shape) == 0
                values[..., outside] = np.asarray(self.background, values.dtype)[:, None]
            moved[resampled] = _as_dtype(values, picture.dtype)
        return moved


def restrict_to_disc(picture: NDArray[Any], background: float | Sequence[float] | None = None) -> NDArray[Any]:
    """Replace what lies outside the inscribed disc, so that no rotation brings content in or pushes it out.

    Args:
        picture: [..., C, H, W], any real dtype.
        background: As `background_of`.

    Returns:
        A picture of the same shape and dtype; integer dtypes are rounded.

    Raises:
        InvalidRequest: As `background_of`.
    """
    values = np.array(background_of(picture, background))
    mask = resampling.disc_mask(picture.shape[-2], picture.shape[-1])
    return _as_dtype(values[:, None, None] * (1 - mask) + picture * mask, picture.dtype)


def background_of(picture: NDArray[Any], background: float | Sequence[float] | None = None) -> tuple[float, ...]:
    """Return the value outside the disc, one a channel.

    Args:
        picture: [..., C, H, W].
        background: One value or C of them; by default the median of each channel's border pixels, which no exact
            element changes.

    Raises:
        InvalidRequest: ``background`` has neither one value nor one a channel.
    """
    channels, height, width = picture.shape[-3:]
    if background is None:
        border = np.ones((height, width), np.bool_)
        border[1:-1, 1:-1] = False
        rims = np.moveaxis(picture[..., border], -2, 0).reshape(channels, -1)
        return tuple(np.median(rims, axis=1).tolist())
    values = np.asarray(background, np.float64).reshape(-1)
    if len(values) not in (1, channels):
        raise InvalidRequest(f"background: got {len(values)} values, expected 1 or {channels}", field="background")
    return tuple(np.broadcast_to(values, channels).tolist())


def _turned(picture: NDArray[Any], element: Rotation) -> NDArray[Any]:
    mirrored = picture[..., ::-1] if element.reflected else picture
    return np.rot90(mirrored, round(element.angle_deg / 90), axes=(-2, -1))


def _low_passed(picture: NDArray[Any], cutoff: float) -> NDArray[np.float64]:
    """Return the picture without the cosines above ``cutoff`` times the highest, which fall off over a quarter."""
    values = np.asarray(picture, np.float64)
    for axis in (-2, -1):
        size = values.shape[axis]
        frequency = np.arange(size)
        basis = np.cos(np.pi / size * np.outer(frequency + 0.5, frequency))
        kept = np.clip((1.125 * cutoff - frequency / size) / (0.25 * cutoff), 0.0, 1.0)
        matrix = (basis * (kept * np.where(frequency == 0, 1.0, 2.0) / size)) @ basis.T
        values = np.moveaxis(np.moveaxis(values, axis, -1) @ matrix.T, -1, axis)
    return values


def _as_dtype(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        values = np.clip(np.rint(values), limits.min, limits.max)
    return values.astype(dtype)
