"""The action of rigid motions on the parameters of a posed body in SMPL's layout.

The root turns about the **pelvis** J of the unposed body, not about the origin: vertices are R (v - J) + J + t, so that
a t which merely turns with the body misses by gJ - J. Body pose and shape are invariant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from equiserve.symmetry.actions.action import Action, Arrays, array_named
from equiserve.symmetry.actions.coordinates import Orientations, proper
from equiserve.symmetry.actions.pixel_fields import wrong_size
from equiserve.symmetry.elements import Element
from equiserve.symmetry.groups.linear import LinearGroup


@dataclass(frozen=True, eq=False)
class PivotedPoint(Action):
    """The translation t of what turns about its own point J, under p -> g p + s: t -> g(t + J) - J + s.

    Args:
        translation: The tensor, [..., 3], metres.
        group: Acts on 3 coordinates, in metres; only rotations and translations.
        pivot: J for shape coefficients 0, [3], metres.
        shape: Tensor of the shape coefficients, [..., betas], if J depends on it.
        pivot_of_shape: dJ / dbeta, [3, betas], metres.
    """

    translation: str
    group: LinearGroup[Any]
    pivot: NDArray[np.float64]
    shape: str | None = None
    pivot_of_shape: NDArray[np.float64] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """See `Action.names`."""
        return (self.translation,)

    def apply(self, element: Element, arrays: Arrays) -> dict[str, NDArray[Any]]:
        """See `Action.apply`."""
        element = self.group.canonical(element)
        given = array_named(self.translation, arrays)
        if given.shape[-1] != 3:
            raise wrong_size(self.translation, "coord", given.shape[-1], 3)
        turn = proper(self.translation, self.group, element)
        joint = self.pivot
        if self.shape is not None and self.pivot_of_shape is not None:
            betas = array_named(self.shape, arrays).astype(np.float64)
            if betas.shape[-1] != self.pivot_of_shape.shape[1]:
                raise wrong_size(self.shape, "coefficient", betas.shape[-1], self.pivot_of_shape.shape[1])
            joint = joint + betas @ self.pivot_of_shape.T
        moved = (given.astype(np.float64) + joint) @ turn.T - joint + self.group.translation(element)
        return {self.translation: moved.astype(given.dtype)}


@dataclass(frozen=True, eq=False)
class BodyAction(Action):
    """The root orientation R and translation t of a body under p -> g p + s: R -> gR, t -> g(t + J) - J + s.

    Args:
        group: Acts on 3 coordinates, in metres; only rotations and translations.
        orientation: The root's, as `Orientations`.
        translation: t, [..., 3], metres.
        pelvis: J of the mean shape, [3], metres.
        shape: Tensor of the shape coefficients, [..., betas], if J depends on it.
        pelvis_of_shape: dJ / dbeta, [3, betas], metres.
        form: Of the orientation.
    """

    group: LinearGroup[Any]
    orientation: str
    translation: str
    pelvis: NDArray[np.float64]
    shape: str | None = None
    pelvis_of_shape: NDArray[np.float64] | None = None
    form: Literal["matrix", "vector"] = "vector"

    @property
    def names(self) -> tuple[str, ...]:
        """See `Action.names`."""
        return (self.orientation, self.translation)

    def apply(self, element: Element, arrays: Arrays) -> dict[str, NDArray[Any]]:
        """See `Action.apply`."""
        place = PivotedPoint(self.translation, self.group, self.pelvis, self.shape, self.pelvis_of_shape)
        return Orientations(self.orientation, self.group, self.form).apply(element, arrays) | place.apply(
            element, arrays
        )
