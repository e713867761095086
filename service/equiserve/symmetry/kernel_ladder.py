"""The kernel control: the same elements through other interpolation kernels, and whether the finding survives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.numerics import kernels, resampling
from equiserve.numerics.kernels import KERNELS, Kernel
from equiserve.symmetry.elements import Rotation
from equiserve.symmetry.verdict import Verdict

#: The reference that the others are held against.
REFERENCE: Kernel = "bspline3"

# A kernel may move a figure by this share of its distance to the threshold, and the finding stands.
_ALLOWED_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class LadderFinding:
    """What exchanging the kernel did to one figure.

    Args:
        values: The figure by kernel.
        moved: Largest change between what the checks use (``upsample4``) and the reference.
        limited: Whether that is more than a tenth of the distance to the threshold: the kernel decides, not the model.
    """

    values: dict[str, float]
    moved: float
    limited: bool

    def verdict(self, metric: str) -> Verdict | None:
        """Return the verdict that overrules all others where the kernel decides, else None."""
        if not self.limited:
            return None
        shown = ", ".join(f"{kernel} {value:.4g}" for kernel, value in self.values.items())
        return Verdict(
            "not_informative",
            f"{metric} depends on the interpolation kernel ({shown}) by more than a tenth of its distance to the "
            "threshold: the transformation is being measured, not the model.",
            "Check an exact group (C4, D4, Flip, CyclicShift), or submit a larger or smoother picture.",
        )


def ladder_pictures(
    picture: NDArray[Any], elements: Sequence[Rotation], ladder: Sequence[Kernel] = KERNELS
) -> dict[str, NDArray[Any]]:
    """Return the picture moved by each element through each kernel.

    Args:
        picture: [C, H, W], already restricted to its disc as the orbit's is (`Orbit.picture`).
        elements: n rotations that are not exact: a dozen of the worst.
        ladder: Kernels.

    Returns:
        [n, C, H, W] by kernel, in the dtype of the picture; integer dtypes are rounded and clipped.
    """
    pullbacks = np.stack([resampling.rotation_pullback(g.angle_deg, g.reflected) for g in elements])
    moved = {}
    for kernel in ladder:
        values = kernels.transform(picture, pullbacks, kernel)
        if np.issubdtype(picture.dtype, np.integer):
            limits = np.iinfo(picture.dtype)
            values = np.clip(np.rint(values), limits.min, limits.max)
        moved[str(kernel)] = values.astype(picture.dtype)
    return moved


def ladder_finding(values: Mapping[str, float], threshold: float) -> LadderFinding:
    """Judge one figure that was measured with several kernels on the same elements.

    Args:
        values: By kernel, with ``upsample4`` and `REFERENCE` among them.
        threshold: What the figure is held to.
    """
    moved = abs(values["upsample4"] - values[REFERENCE])
    return LadderFinding(dict(values), moved, moved > _ALLOWED_SHARE * abs(values[REFERENCE] - threshold))
