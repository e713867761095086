"""The orbit of one picture under a group, produced piece by piece."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import InvalidRequest
from equiserve.numerics import resampling
from equiserve.numerics.resampling import Fill
from equiserve.symmetry.actions import PictureAction, background_of, restrict_to_disc
from equiserve.symmetry.elements import Element, Rotation
from equiserve.symmetry.groups import Group

# Every 5 degrees; a multiple of 8, so that C2, C4 and C8 lie inside.
DEFAULT_CONTINUOUS_GRID = 72


@dataclass(frozen=True)
class OrbitChunk:
    """Consecutive members of an orbit.

    Args:
        start: Index of the first of them in ``Orbit.elements``.
        pictures: [k, C, H, W] in the dtype of the picture.
        changed: [k] bool, whether the element changed the picture at all.
    """

    start: int
    pictures: NDArray[Any]
    changed: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Orbit:
    """What a group makes of one picture; build it with `Orbit.of`.

    Args:
        picture: [C, H, W], the picture that is acted on: what was submitted, or its disc (see ``prepared``).
        action: The group and how it acts.
        elements: Distinct canonical elements; the identity is always the first.
        exact: [n] bool, whether the element merely permutes pixels.
        prepared: ``disc`` where the picture was restricted to its inscribed disc because some element turns it by
            other than quarter turns; every element, identity and exact ones included, then acts on that disc, so
            that content which leaves a corner is never taken for a failure of the model.
    """

    picture: NDArray[Any]
    action: PictureAction
    elements: tuple[Element, ...]
    exact: NDArray[np.bool_]
    prepared: Literal["disc"] | None

    @classmethod
    def of(
        cls,
        picture: NDArray[Any],
        group: Group[Any],
        *,
        elements: int | Sequence[Element] | None = None,
        fill: Fill = "edge",
        background: float | Sequence[float] | None = None,
    ) -> Orbit:
        """Plan the orbit of a picture; nothing is transformed yet.

        Args:
            picture: [C, H, W], any real dtype.
            group: Whose elements act.
            elements: A number (the group's grid of that size), the elements themselves (the identity is put first
                and duplicates are dropped), or None for all of a finite group and for a grid of 72 of a continuous
                one. The caller bounds the size first, by ``group.order``: a finite group is enumerated.
            fill: See `PictureAction`.
            background: See `background_of`.

        Raises:
            InvalidRequest: The picture is not [C, H, W], or an element is not in the group or cannot act on it.
        """
        if picture.ndim != 3 or 0 in picture.shape:
            raise InvalidRequest(f"inputs.shape: got {list(picture.shape)}, expected [C, H, W]", field="inputs.shape")
        if elements is None:
            elements = DEFAULT_CONTINUOUS_GRID if group.order is None else group.order
        chosen = group.grid(elements) if isinstance(elements, int) else map(group.canonical, elements)
        distinct = tuple(dict.fromkeys([group.identity, *chosen]))
        height, width = picture.shape[1:]
        action = PictureAction(group, fill)
        exact = np.array([action.exact(element, (height, width)) for element in distinct], np.bool_)
        turned = any(isinstance(g, Rotation) and not sure for g, sure in zip(distinct, exact, strict=True))
        if turned:
            values = background_of(picture, background)
            picture, action = restrict_to_disc(picture, values), PictureAction(group, fill, values)
        return cls(picture, action, distinct, exact, "disc" if turned else None)

    @property
    def group(self) -> Group[Any]:
        """The group whose elements act."""
        return self.action.group

    def __len__(self) -> int:
        return len(self.elements)

    def chunks(self, size: int) -> Iterator[OrbitChunk]:
        """Yield the orbit in order, at most ``size`` members at a time; no more than one chunk is ever held."""
        for start in range(0, len(self), size):
            members = self.elements[start : start + size]
            upsampled = None if self.exact[start : start + size].all() else self._upsampled
            pictures = self.action.orbit(self.picture, members, upsampled=upsampled)
            yield OrbitChunk(start, pictures, (pictures != self.picture).any(axis=(1, 2, 3)))

    @cached_property
    def _upsampled(self) -> NDArray[Any]:
        return resampling.upsample(self.picture)
