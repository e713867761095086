"""Intervals over a data set: inputs are resampled, never the elements of their orbits.

Elements of one orbit share their input, so a thousand of them are worth little more than that one input: an interval
that counts elements is several times too short (`python -m bench.coverage` prints how badly it fails). Here every
input gives one figure, its mean over the orbit, and the interval is for the mean over all inputs of that kind:

- The limit on the good side (a mean deficit is at least ...) and the limit on the bad side while fewer than
  `ENOUGH_FAILING` inputs show any failure: Gaffke's bound, the quantile of the Dirichlet-weighted mean of the inputs
  and one more input of the worst possible figure. It is Clopper and Pearson's exact bound where every input is all
  right or all wrong, and the exact bound over clean inputs where none fails. It is conservative: with so few failing
  inputs the data do not say how badly the unseen ones fail (Gaffke 2005, "Three test statistics for a nonparametric
  one-sided hypothesis on the mean of a nonnegative variable"; Phan, Thomas and Learned-Miller 2021, "Towards practical
  mean bounds for small samples").
- The limit on the bad side otherwise: bootstrap-t over inputs (Efron and Tibshirani 1993, section 12.5), which
  follows the skewness that Student's interval and the percentile bootstrap miss. Like them it knows only what the
  inputs show: where all have some small error, a rare input that is far worse and is not among them goes unnoticed.
- Errors with a largest possible value that spread by more than `SKEWED` times their mean: Gaffke's bound on both sides,
  because the bootstrap-t misses the mean of so skewed errors too often (the second table of `python -m bench.coverage`;
  of errors without a largest value there is no better one, and few inputs are too few).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from equiserve.symmetry.statistics import clopper_pearson_interval, elements_needed

# With fewer failing inputs the bootstrap-t flatters the model; `python -m bench.coverage` tests the choice.
ENOUGH_FAILING = 5
#: Standard deviation over mean of errors beyond which they count as very skewed.
SKEWED = 1.25

_DRAWS = 2000
_CACHED_INPUTS = 200
_BLOCK = 100

Method = Literal["exact", "distribution-free", "bootstrap-t"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A two-sided interval for a mean over inputs.

    Args:
        low: Lower limit.
        mean: Mean of the inputs that were tried.
        high: Upper limit; infinity where the data bound nothing.
        confidence: Of both limits together; each one alone is missed half as often as both.
        inputs: Number of inputs m.
        method: ``exact`` (Clopper and Pearson), ``distribution-free`` (Gaffke, conservative) or ``bootstrap-t``.
    """

    low: float
    mean: float
    high: float
    confidence: float
    inputs: int
    method: Method

    def to_json(self) -> dict[str, Any]:
        """Return the interval as JSON values; None for an infinite limit."""
        return {
            "low": self.low,
            "mean": self.mean,
            "high": self.high if math.isfinite(self.high) else None,
            "confidence": self.confidence,
            "inputs": self.inputs,
            "method": self.method,
        }


def consistency_interval(values: NDArray[Any] | Sequence[float], confidence: float = 0.95) -> Interval:
    """Return the interval for a mean consistency over inputs.

    Args:
        values: [m], m >= 1, the mean over each input's orbit, in [0, 1]; 1 is perfect, NaN (a failure) counts as 0.
        confidence: Two-sided.
    """
    deficits = 1 - np.nan_to_num(np.asarray(values, np.float64), nan=0.0)
    interval = _interval(deficits, confidence, worst=1.0, negligible=0.0, skewed=math.inf)
    return Interval(
        1 - interval.high, 1 - interval.mean, 1 - interval.low, confidence, interval.inputs, interval.method
    )


def error_interval(
    errors: NDArray[Any] | Sequence[float],
    confidence: float = 0.95,
    *,
    worst: float = math.inf,
    negligible: float = 0.0,
) -> Interval:
    """Return the interval for a mean error over inputs.

    Args:
        errors: [m], m >= 1, not negative, 0 is perfect; NaN (a failure) counts as ``worst``.
        confidence: Two-sided.
        worst: The largest possible error. Where it is infinite nothing can be said of unseen inputs, and the bootstrap
            goes by those it has, if they are at least `ENOUGH_FAILING`.
        negligible: Up to this an error is rounding, and its input shows no failure.
    """
    return _interval(errors, confidence, worst, negligible, SKEWED)


def _interval(
    errors: NDArray[Any] | Sequence[float], confidence: float, worst: float, negligible: float, skewed: float
) -> Interval:
    e = np.nan_to_num(np.asarray(errors, np.float64), nan=worst, posinf=worst)
    m, miss = len(e), (1 - confidence) / 2
    if not np.isfinite(e).all():
        return Interval(0.0, math.inf, math.inf, confidence, m, "distribution-free")
    mean = float(e.mean())
    if np.isin(e, (0.0, worst)).all() and math.isfinite(worst):
        low, high = clopper_pearson_interval(int(np.count_nonzero(e)), m, confidence)
        return Interval(worst * low, mean, worst * high, confidence, m, "exact")
    low = _quantile(_dirichlet_means(e, 0.0), miss, "lower")
    deviation = float(e.std())
    few = np.count_nonzero(e > negligible) < ENOUGH_FAILING
    if math.isfinite(worst) and (few or deviation == 0 or deviation > skewed * mean):
        high = _quantile(_dirichlet_means(e, worst), 1 - miss, "higher")
        return Interval(low, mean, high, confidence, m, "distribution-free")
    if m < ENOUGH_FAILING:
        return Interval(low, mean, math.inf, confidence, m, "distribution-free")
    # Without any spread every resample is the sample.
    high = mean - deviation * _quantile(_studentised_means(e), miss, "lower") if deviation else mean
    return Interval(low, mean, min(high, worst), confidence, m, "bootstrap-t")


def curve_band(curves: NDArray[Any], confidence: float = 0.95) -> list[Interval]:
    """Return the interval for the mean of each element over inputs, the band of an aggregate NERO plot.

    Pointwise: each element's interval holds by itself, not all of them at once.

    Args:
        curves: [m, n] in [0, 1], m inputs by n elements, e.g. whether each agrees with its reference.
        confidence: Two-sided.
    """
    return [consistency_interval(column, confidence) for column in np.asarray(curves).T]


def inputs_needed(values: NDArray[Any] | Sequence[float], bound: float, confidence: float = 0.95) -> int:
    """Return how many inputs would put a mean consistency on one side of ``bound``, if inputs go on as they did.

    A plan, not a promise: by the normal approximation, or by `elements_needed` where no input fails.

    Args:
        values: [m] as in `consistency_interval`.
        bound: In (0, 1).
        confidence: One-sided.
    """
    v = np.asarray(values, np.float64)
    if (v == 1).all():
        return elements_needed(bound, confidence)
    z = NormalDist().inv_cdf(confidence)
    spread = z * float(v.std())
    # Closer to the bound is a tie, for which a hundred times as many inputs are as good an answer as any.
    gap = max(abs(float(v.mean()) - bound), spread / math.sqrt(100 * len(v)), 1e-9)
    return max(len(v) + 1, math.ceil((spread / gap) ** 2))


def _dirichlet_means(values: NDArray[np.float64], extra: float) -> NDArray[np.float64]:
    """Return weighted means [draws] of the values and one extra value, under uniform Dirichlet weights."""
    return np.concatenate([w[:, :-1] @ values + w[:, -1] * extra for w in _dirichlet_weights(len(values))])


def _studentised_means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (mean* - mean) / standard deviation* [draws] of resampled inputs; infinite where there is no spread."""
    parts = []
    for w in _resampling_weights(len(values)):
        means = w @ values
        deviations = np.sqrt(np.maximum(w @ values**2 - means**2, 0.0))
        # A resample of equal values has a deviation of nothing but rounding.
        deviations[deviations < 1e-9 * values.std()] = 0.0
        shifts = means - values.mean()
        with np.errstate(divide="ignore", invalid="ignore"):
            parts.append(np.where(shifts == 0, 0.0, shifts / deviations))
    return np.concatenate(parts)


def _quantile(draws: NDArray[np.float64], level: float, side: Literal["lower", "higher"]) -> float:
    return float(np.quantile(draws, level, method=side))


def _dirichlet_weights(inputs: int) -> Iterator[NDArray[np.float64]]:
    if inputs <= _CACHED_INPUTS:
        yield _cached_weights(inputs)[0]
    else:
        for block in range(_DRAWS // _BLOCK):
            yield _draw_dirichlet(inputs, _BLOCK, block)


def _resampling_weights(inputs: int) -> Iterator[NDArray[np.float64]]:
    if inputs <= _CACHED_INPUTS:
        yield _cached_weights(inputs)[1]
    else:
        for block in range(_DRAWS // _BLOCK):
            yield _draw_counts(inputs, _BLOCK, block)


@lru_cache(maxsize=4)
def _cached_weights(inputs: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return _draw_dirichlet(inputs, _DRAWS, 0), _draw_counts(inputs, _DRAWS, 0)


# The draws are fixed: the same figures give the same interval wherever they are computed.
def _draw_dirichlet(inputs: int, draws: int, block: int) -> NDArray[np.float64]:
    rng = np.random.Generator(np.random.Philox(key=block))
    weights: NDArray[np.float64] = rng.dirichlet(np.ones(inputs + 1), draws)
    return weights


def _draw_counts(inputs: int, draws: int, block: int) -> NDArray[np.float64]:
    rng = np.random.Generator(np.random.Philox(key=block))
    counts = rng.multinomial(inputs, np.full(inputs, 1 / inputs), draws)
    return np.asarray(counts / inputs)
