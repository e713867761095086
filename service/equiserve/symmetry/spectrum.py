"""The orbit spectrum: along C_n, the discrete Fourier transform of g -> F_g.

A model that is exactly C_k-equivariant (k a divisor of n) repeats itself every n / k elements: all energy lies at
frequencies that are multiples of k. Frequency 0 is the group average; energy elsewhere is non-equivariance, and its
frequencies tell structure from accident: all of it at multiples of 4 means "exactly C4, the rest is grid or kernel".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class OrbitSpectrum:
    """Energy of an orbit by frequency.

    Args:
        shares: [n // 2 + 1] share of the orbit's energy at each number of periods a turn; they sum to 1.
        elements: n.
    """

    shares: NDArray[np.float64]
    elements: int

    @property
    def variance_ratio(self) -> float:
        """Energy away from frequency 0: the same as `metrics.orbit_variance_ratio` (Parseval)."""
        return float(self.shares[1:].sum())

    def share_outside(self, order: int) -> float:
        """Return the share of energy at frequencies that are no multiples of ``order``: what C_order does not allow.

        Args:
            order: A divisor of the number of elements.
        """
        frequencies = np.arange(len(self.shares))
        return float(self.shares[frequencies % order != 0].sum())

    def exact_subgroup(self, tolerance: float = 1e-8) -> int:
        """Return the order of the largest cyclic subgroup that the orbit obeys; 1 for none, n for all of C_n.

        Args:
            tolerance: Share of the *energy* that counts as nothing: the square of a relative error.
        """
        orders = [k for k in range(1, self.elements + 1) if self.elements % k == 0]
        return max(k for k in orders if self.share_outside(k) <= tolerance)

    def statement(self, tolerance: float = 1e-8) -> str:
        """Return the finding in one sentence for a person."""
        order, rest = self.exact_subgroup(tolerance), self.variance_ratio
        if order == self.elements:
            return f"Equivariant under all of C{self.elements}."
        if order == 1:
            return f"Equivariant under no rotation of C{self.elements}; {rest:.2g} of the energy varies over the orbit."
        return (
            f"Exactly C{order}: all variation, {rest:.2g} of the energy, lies at multiples of {order} periods a turn; "
            f"between these rotations grid, kernel or model let it in."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the spectrum as JSON values."""
        return {"shares": self.shares.tolist(), "elements": self.elements, "exact_subgroup": self.exact_subgroup()}


def orbit_spectrum(outputs: NDArray[Any]) -> OrbitSpectrum:
    """Return the spectrum of an orbit under C_n.

    Args:
        outputs: [n, ...] pulled-back outputs, finite, in the order of the angles 0, 360 / n, ...; of SO(2) a uniform
            grid.
    """
    rows = np.asarray(outputs, np.float64).reshape(len(outputs), -1)
    n, largest = len(rows), float(np.abs(rows).max(initial=0.0))
    # Scaled first: squares of tiny or huge outputs leave the range of a float.
    energy = (np.abs(np.fft.rfft(rows / largest, axis=0)) ** 2).sum(axis=1) if largest else np.eye(n // 2 + 1)[0]
    # Frequencies f and n - f are one; 0 and n / 2 stand alone.
    energy[1 : (n + 1) // 2] *= 2
    return OrbitSpectrum(energy / energy.sum(), n)
