"""How far a fit is to be believed, from what it explains of its cloud: nobody knows the truth when it is served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from equiserve.numerics.restarting_refinement import Misfit


@dataclass(frozen=True, slots=True)
class Limits:
    """Beyond which a fit is low; `python -m bench.fit_confidence` prints what others would give.

    Attributes:
        residual: Mean distance of the points to the surface, metres.
        outliers: Share of the points that the surface is 5 cm or more from.
        unseen: Share of the surface that no point is within 5 cm of.
        limb: Support of a limb, see `limb_support`, below which it is not where it was fitted.
    """

    residual: float
    outliers: float
    unseen: float
    limb: float = 0.3


#: Of what the network said as it stands.
UNREFINED = Limits(residual=0.014, outliers=0.024, unseen=0.04)
#: Points that judge what is not refined: these need 5 ms, all of a cloud 20.
JUDGED_POINTS = 512
#: Of what was refined: more is expected of it.
REFINED = Limits(residual=0.006, outliers=0.02, unseen=0.008)
# A shape coefficient is a standard deviation.
_SHAPE = 4.0


@dataclass(frozen=True, slots=True)
class Quality:
    """`ok`, or `low` with what speaks against the fit, a sentence each."""

    level: Literal["ok", "low"]
    reasons: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it for an answer."""
        return {"level": self.level, "reasons": list(self.reasons)}


def judge(misfit: Misfit, betas: NDArray[Any], limits: Limits, limbs: Mapping[str, float] | None = None) -> Quality:
    """Judge a fit.

    Args:
        misfit: Of the body and the cloud that the model saw.
        betas: The shape.
        limits: `UNREFINED` or `REFINED`.
        limbs: From `limb_support`; None where nobody named the points.
    """
    residual, outliers, unseen = limits.residual, limits.outliers, limits.unseen
    reasons = []
    if misfit.to_surface > residual:
        reasons.append(
            f"points are {1e3 * misfit.to_surface:.1f} mm from the surface on average, above {1e3 * residual:.0f}"
        )
    if misfit.outliers > outliers:
        reasons.append(f"{misfit.outliers:.0%} of the points are 5 cm or more from the surface, above {outliers:.0%}")
    if misfit.unseen > unseen:
        reasons.append(f"{misfit.unseen:.1%} of the surface have no point within 5 cm, above {unseen:.1%}")
    largest = float(np.abs(betas).max())
    if largest > _SHAPE:
        reasons.append(f"a shape coefficient is {largest:.1f} standard deviations out, above {_SHAPE:.0f}")
    reasons += [
        f"the {limb} was fitted where {share:.0%} of the points are called it, below {limits.limb:.0%}"
        for limb, share in (limbs or {}).items()
        if share < limits.limb
    ]
    return Quality("low" if reasons else "ok", tuple(reasons))
