"""The curves of several inputs over the same elements: their mean with its band, and where each input lies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equiserve.checks.plots.columns import drawn_columns, words_of
from equiserve.checks.plots.elements import ElementJson
from equiserve.checks.plots.plot import NeroPlot, Sheet

_RESAMPLES = 1000
_LEVELS = (0.025, 0.975)


@dataclass(frozen=True, eq=False)
class Curves:
    """Curves of n inputs over m elements.

    Attributes:
        elements: The m elements that every input was checked under, as JSON values.
        exact: [m] bool.
        probabilities: [n, m] of each input's own reference class; 0 where the output was not finite.
        agrees: [n, m] bool, whether the answer is the input's reference class.
        places: For each input, where its report has the m elements.
    """

    elements: Sequence[ElementJson]
    exact: np.ndarray
    probabilities: np.ndarray
    agrees: np.ndarray
    places: Sequence[Sequence[int]]

    @classmethod
    def of(cls, reports: Sequence[Mapping[str, Any]]) -> Curves:
        """Return the curves of n >= 1 reports over the elements that all of them checked, in the first one's order."""
        # Where a search went differs from input to input: no mean holds it.
        columns = [drawn_columns(report, searched=len(reports) == 1) for report in reports]
        rows = [{_key(element): k for k, element in enumerate(column["element"])} for column in columns]
        shared = [key for key in rows[0] if all(key in row for row in rows)]
        places = [[row[key] for key in shared] for row in rows]
        first = columns[0]
        return cls(
            [first["element"][k] for k in places[0]],
            np.array([first["exact"][k] for k in places[0]], np.bool_),
            np.array(
                [[c["probability"][k] or 0.0 for k in ks] for c, ks in zip(columns, places, strict=True)], np.float64
            ),
            np.array([[c["agrees"][k] for k in ks] for c, ks in zip(columns, places, strict=True)], np.bool_),
            places,
        )

    @property
    def mean(self) -> np.ndarray:
        """[m] mean over the inputs."""
        return np.asarray(self.probabilities.mean(axis=0))

    def band(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the pointwise 95 % band of the mean, [m] and [m]; None for fewer than two inputs.

        Whole inputs are drawn anew (a percentile bootstrap clustered by input, 1,000 times, reproducibly): the elements
        of one orbit are not independent.
        """
        n = len(self.probabilities)
        if n < 2:
            return None
        drawn = np.random.Generator(np.random.Philox(0)).multinomial(n, np.full(n, 1 / n), _RESAMPLES) / n
        low, high = np.quantile(drawn @ self.probabilities, _LEVELS, axis=0)
        return low, high

    def overview(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Return where each input lies on the two largest principal components of all curves.

        Returns:
            Coordinates [n, 2] and the shares [2] of the variance that the components explain; None for fewer than three
            inputs, or where all curves are alike.

        The sign of a component is that which makes its largest loading positive, so that two runs give one picture.
        """
        n, m = self.probabilities.shape
        if n < 3 or m < 2:
            return None
        _, sizes, loadings = np.linalg.svd(self.probabilities - self.mean, full_matrices=False)
        variance = float((sizes**2).sum())
        if variance <= n * m * np.finfo(np.float32).eps ** 2:
            return None
        main = loadings[:2]
        main *= np.sign(main[[0, 1], np.abs(main).argmax(axis=1)])[:, None]
        return (self.probabilities - self.mean) @ main.T, sizes[:2] ** 2 / variance

    def plot(self, report: Mapping[str, Any]) -> NeroPlot:
        """Return the plot of the mean, under the words of a report; what most inputs answer otherwise is marked."""
        n = len(self.probabilities)
        agreeing = self.agrees.sum(axis=0)
        mean = self.mean
        return NeroPlot(
            Sheet.of(report),
            report["group"]["parameters"],
            self.elements,
            self.exact,
            mean,
            2 * agreeing >= n,
            [f"{count} of {n} agree" for count in agreeing],
            int(mean.argmin()) if len(mean) and mean.min() < mean.max() else None,
            words_of(report["inputs"][0]).mean,
            words_of(report["inputs"][0]),
            np.zeros(len(self.elements), np.bool_),
            n,
            self.band(),
        )


def _key(element: ElementJson) -> str:
    return repr(sorted(element.items()))
