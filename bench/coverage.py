"""`python -m bench.coverage`: do the 95 % intervals over data sets hold 95 % of the time?

1,000 simulated data sets a cell: inputs whose consistency differs from one to the next, orbits of 72 elements, a mean
consistency that is known. An interval is honest if it contains that mean in 93 to 97 % of the data sets, or in more
where at most ten inputs show any failure: from so few nobody can tell how badly the others fail, and the interval is
conservative. Beside it stands the naive one, Wilson's over all elements as if they were independent. Exit code 1 if a
cell is not honest.

A second table shows where the method ends: errors that every input has, log-normal ones, the more skewed the less
covered by few inputs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from equiserve.symmetry.clustered import consistency_interval, error_interval
from equiserve.symmetry.statistics import wilson_interval

ELEMENTS = 72
INPUTS = (5, 10, 30, 100)
CONSISTENCIES = (0.90, 0.99, 0.999)
HONEST = (0.93, 0.97)
#: Inputs with a failure, on average, up to which an interval may be conservative.
FEW_FAILING = 10

SKEWNESSES = (0.5, 1.0, 1.5, 2.0)

#: From a generator, a true mean consistency and a number of inputs to each input's true consistency.
Population = Callable[[np.random.Generator, float, int], np.ndarray]


def _beta(correlation: float) -> Population:
    """Return inputs of beta-distributed consistency, whose elements correlate so much within an input."""

    def draw(rng: np.random.Generator, mean: float, inputs: int) -> np.ndarray:
        size = 1 / correlation - 1
        return rng.beta(mean * size, (1 - mean) * size, inputs)

    return draw


def _few_bad(rng: np.random.Generator, mean: float, inputs: int) -> np.ndarray:
    """Return inputs that are perfect but for a few, which fail on 30 % of their orbit on average."""
    bad = rng.random(inputs) < (1 - mean) / 0.3
    return np.where(bad, 1 - rng.beta(1.2, 2.8, inputs), 1.0)


POPULATIONS: dict[str, Population] = {
    "beta, correlation 0.05": _beta(0.05),
    "beta, correlation 0.2": _beta(0.2),
    "beta, correlation 0.5": _beta(0.5),
    "perfect but for a few": _few_bad,
}


@dataclass(frozen=True)
class Coverage:
    """How often intervals contained the truth.

    Attributes:
        clustered: Share of data sets whose clustered interval contains the true mean.
        naive: The same for the element-wise interval.
        above: Share whose clustered interval lies wholly above the truth: a model made better than it is.
        failing: Mean number of inputs on which some element failed.
        width: Median width of the clustered interval.
    """

    clustered: float
    naive: float
    above: float
    failing: float
    width: float

    @property
    def honest(self) -> bool:
        """Whether coverage is nominal, or more than that where few inputs fail."""
        return HONEST[0] <= self.clustered and (self.clustered <= HONEST[1] or self.failing <= FEW_FAILING)


def coverage(population: Population, consistency: float, inputs: int, repetitions: int, seed: int = 0) -> Coverage:
    """Simulate data sets and count the intervals that contain the truth."""
    rng = np.random.default_rng((seed, inputs))
    inside = naive = above = failing = 0
    widths = []
    for _ in range(repetitions):
        agreeing = rng.binomial(ELEMENTS, population(rng, consistency, inputs))
        interval = consistency_interval(agreeing / ELEMENTS)
        low, high = wilson_interval(int(agreeing.sum()), inputs * ELEMENTS)
        inside += interval.low <= consistency <= interval.high
        naive += low <= consistency <= high
        above += interval.low > consistency
        failing += int((agreeing < ELEMENTS).sum())
        widths.append(interval.high - interval.low)
    counts = np.array([inside, naive, above, failing]) / repetitions
    return Coverage(*counts.tolist(), width=float(np.median(widths)))


def error_coverage(
    skewness: float, inputs: int, repetitions: int, *, bounded: bool, seed: int = 0
) -> tuple[float, float]:
    """Return how often intervals contain the mean of log-normal errors, whose logarithms spread by ``skewness``.

    Args:
        skewness: Standard deviation of the logarithms.
        inputs: Number of inputs.
        repetitions: Simulated data sets.
        bounded: Whether the errors have a median of 0.02 and end at 1, as relative errors do; else there is no end.
        seed: Of the draws.

    Returns:
        The share of intervals that contain the mean, and their median width in units of it.
    """
    rng = np.random.default_rng((seed, inputs))
    median, worst = (0.02, 1.0) if bounded else (1.0, np.inf)
    # E min(X, 1) of a log-normal X, in closed form.
    end, cut = np.log(worst / median) / skewness, NormalDist()
    mean = median * np.exp(skewness**2 / 2)
    if bounded:
        mean = mean * cut.cdf(end - skewness) + worst * (1 - cut.cdf(end))
    drawn = [np.minimum(median * np.exp(skewness * rng.standard_normal(inputs)), worst) for _ in range(repetitions)]
    intervals = [error_interval(errors, worst=worst) for errors in drawn]
    inside = float(np.mean([interval.low <= mean <= interval.high for interval in intervals]))
    return inside, float(np.median([interval.high - interval.low for interval in intervals]) / mean)


def main() -> int:
    """Print the table; returns 1 where an interval is not honest."""
    parser = argparse.ArgumentParser(prog="python -m bench.coverage", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=1000, help="simulated data sets a cell (default: 1000)")
    repetitions = parser.parse_args().repetitions
    print("| inputs differ as | consistency | inputs | coverage | too good | naive | inputs that fail | median width |")
    print("|---|---|---|---|---|---|---|---|")
    cells = []
    for name, population in POPULATIONS.items():
        for consistency in CONSISTENCIES:
            for inputs in INPUTS:
                cell = coverage(population, consistency, inputs, repetitions)
                cells.append(cell)
                remark = "" if cell.clustered <= HONEST[1] else " (conservative)"
                print(
                    f"| {name} | {consistency} | {inputs} | {100 * cell.clustered:.1f} %{remark} | "
                    f"{100 * cell.above:.1f} % | {100 * cell.naive:.1f} % | {cell.failing:.1f} | "
                    f"{cell.width:.3f} |",
                    flush=True,
                )
    print("\n| spread of the errors' logarithm | inputs | relative errors | width over mean | errors without end | |")
    print("|---|---|---|---|---|---|")
    for skewness in SKEWNESSES:
        for inputs in INPUTS:
            found = [error_coverage(skewness, inputs, repetitions, bounded=bounded) for bounded in (True, False)]
            shown = " | ".join(f"{100 * share:.1f} % | {width:.2g}" for share, width in found)
            print(f"| {skewness} | {inputs} | {shown} |", flush=True)
    dishonest = sum(not cell.honest for cell in cells)
    naive = [cell.naive for cell in cells]
    print(
        f"\ncoverage {100 * min(c.clustered for c in cells):.1f} to {100 * max(c.clustered for c in cells):.1f} %; "
        f"naive {100 * min(naive):.1f} to {100 * max(naive):.1f} %, below {HONEST[0]:.0%} in "
        f"{sum(share < HONEST[0] for share in naive)} of {len(cells)} cells; {dishonest} cells not honest"
    )
    return int(dishonest > 0)


if __name__ == "__main__":
    sys.exit(main())
