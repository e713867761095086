"""Measured against declared: what independent elements of one candidate symmetry say of what a manifest claims."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from equiserve.artifact.manifest import Level, Symmetry
from equiserve.symmetry.clustered import Interval, error_interval

#: The name of the figure in manifests and reports.
METRIC = "relative_l2"
#: The largest error of a symmetry that is declared exact, unless its `tolerance` says otherwise.
EXACT_ERROR = 1e-4
#: Relative tolerance of a declared level, unless its `tolerance` says otherwise.
LEVEL_TOLERANCE = 0.1
# A model whose error is certainly below this share of what is declared is more symmetric than declared.
_STRONGLY_BELOW = 0.5
# With fewer inputs than this the interval is over the elements, and is about these inputs.
_ENOUGH_INPUTS = 16
_FLOORS = 10.0
_NEGLIGIBLE = 1e-12

Status = Literal["holds", "violated", "more_symmetric", "inconclusive", "not_claimed"]


def relative_l2(moved: NDArray[Any], expected: NDArray[Any]) -> NDArray[np.float64]:
    """Return |A - B| / (|A| + |B|) in Euclidean norms, the symmetric measure of EMLP and RPP.

    Args:
        moved: What the model says of the moved input, pulled back, [k, ...].
        expected: What it says of the input, [k, ...].

    Returns:
        [k] in [0, 1]; 0 where both are nothing, 1 for what is not finite.
    """
    a, b = (np.asarray(side, np.float64).reshape(len(moved), -1) for side in (moved, expected))
    finite = np.isfinite(a).all(axis=1) & np.isfinite(b).all(axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        size = np.linalg.norm(a, axis=1) + np.linalg.norm(b, axis=1)
        difference = np.linalg.norm(a - b, axis=1)
    errors = np.divide(difference, size, out=np.zeros(len(a)), where=finite & (size > _NEGLIGIBLE))
    return np.where(finite, errors, 1.0)


@dataclass(frozen=True, slots=True)
class CandidateFigures:
    """The errors of independent (element, input) pairs.

    Attributes:
        mean: Mean error.
        p95: 95th percentile.
        largest: Largest error.
        interval: For the mean, 95 %.
        over: What the interval is over: further ``inputs`` of their kind, or further ``elements`` for these inputs.
        elements: Number of elements, one a pair.
        inputs: Number of inputs.
    """

    mean: float
    p95: float
    largest: float
    interval: Interval
    over: Literal["inputs", "elements"]
    elements: int
    inputs: int

    @classmethod
    def of(cls, errors: NDArray[np.float64], inputs: int) -> CandidateFigures:
        """Return the figures.

        Args:
            errors: [K], pair k with input k modulo ``inputs``.
            inputs: Number of inputs, at most K.
        """
        by_input = inputs >= _ENOUGH_INPUTS
        units = np.array([errors[k::inputs].mean() for k in range(inputs)]) if by_input else errors
        return cls(
            mean=float(errors.mean()),
            p95=float(np.quantile(errors, 0.95)),
            largest=float(errors.max()),
            interval=error_interval(units, worst=1.0),
            over="inputs" if by_input else "elements",
            elements=len(errors),
            inputs=inputs,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {
            "metric": METRIC,
            "mean": self.mean,
            "p95": self.p95,
            "max": self.largest,
            "interval": self.interval.to_json() | {"over": self.over},
            "elements": self.elements,
            "inputs": self.inputs,
        }


@dataclass(frozen=True, slots=True)
class CandidateJudgement:
    """A status, and why in one sentence."""

    status: Status
    reason: str


def judge_candidate(
    level: Level | None, declared: Symmetry | None, figures: CandidateFigures, floor: float
) -> CandidateJudgement:
    """Compare what was measured with what is declared.

    Args:
        level: What stands of the declaration; None where nothing is declared.
        declared: The manifest's entry, for its `value` and `tolerance`.
        figures: What was measured.
        floor: Error of the same input twice.

    Returns:
        ``holds``; ``violated``; ``more_symmetric`` than declared; ``inconclusive`` where more elements would tell;
        ``not_claimed`` where nothing is declared that could be compared.
    """
    exact = max(EXACT_ERROR, _FLOORS * floor)
    if level == "exact":
        limit = exact if declared is None or declared.tolerance is None else max(declared.tolerance, _FLOORS * floor)
        said = f"the largest error is {figures.largest:.2g}, {limit:.1g} is allowed of an exact symmetry"
        return CandidateJudgement("holds" if figures.largest <= limit else "violated", said)
    if figures.largest <= exact:
        return CandidateJudgement(
            "more_symmetric", f"the largest error is {figures.largest:.2g}: it holds exactly, declare it or snap to it"
        )
    mean, low, high = figures.mean, figures.interval.low, figures.interval.high
    measured = f"the mean error is {mean:.3g}, {low:.3g} to {high:.3g} at 95 % confidence"
    if level is None or level == "none" or declared is None:
        return CandidateJudgement("not_claimed", f"{measured}; nothing is claimed of it")
    if declared.value is None or declared.metric not in (None, METRIC):
        other = "no value" if declared.value is None else f"a value of {declared.metric}"
        return CandidateJudgement("not_claimed", f"{measured}; declared is {other}, expected one of {METRIC}")
    tolerance = LEVEL_TOLERANCE if declared.tolerance is None else declared.tolerance
    limit = declared.value * (1 + tolerance)
    measured += f"; declared is {declared.value:.3g}"
    if low > limit:
        return CandidateJudgement("violated", f"{measured}, at most {limit:.3g} is allowed")
    if high < _STRONGLY_BELOW * declared.value:
        return CandidateJudgement("more_symmetric", f"{measured}: less than half of it")
    if high <= limit:
        return CandidateJudgement("holds", measured)
    more = "unbounded" if math.isinf(high) else f"{high:.3g}"
    return CandidateJudgement("inconclusive", f"{measured}; {more} is above {limit:.3g}: raise elements or inputs")
