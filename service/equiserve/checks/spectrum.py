"""The orbit spectrum of a check, where its elements are a whole C_n: which subgroup holds exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from equiserve.checks.findings import Findings
from equiserve.symmetry import SO2, AboutAxis, Cyclic, Element, Group, Rotation, YDown
from equiserve.symmetry.spectrum import OrbitSpectrum, orbit_spectrum

_SAME_DEG = 1e-6


def spectrum_of(findings: Findings) -> OrbitSpectrum | None:
    """Return the spectrum of the scores over C_n, the evenly spaced rotations that were checked; else None."""
    whole = findings.checked == len(findings.plan.orbit) and findings.finite.all()
    return spectrum_over(findings.group, findings.elements, findings.scores) if whole else None


def spectrum_over(group: Group[Any], elements: Sequence[Element], outputs: np.ndarray) -> OrbitSpectrum | None:
    """Return the spectrum of finite outputs [n, ...], pulled back, where the elements are a whole C_n; else None."""
    turning = group.group if isinstance(group, AboutAxis | YDown) else group
    n = len(elements)
    if not isinstance(turning, SO2 | Cyclic) or n < 2:
        return None
    angles = np.array([g.angle_deg for g in elements if isinstance(g, Rotation)])
    if len(angles) < n or np.abs(angles - np.arange(n) * 360 / n).max() > _SAME_DEG:
        return None
    return orbit_spectrum(outputs)


def spectrum_json(spectrum: OrbitSpectrum | None, tolerance: float) -> dict[str, Any] | None:
    """Return a spectrum as JSON values.

    Args:
        spectrum: None = there is none.
        tolerance: See `OrbitSpectrum.exact_subgroup`.
    """
    if spectrum is None:
        return None
    return {
        "statement": spectrum.statement(tolerance),
        "exact_subgroup": spectrum.exact_subgroup(tolerance),
        "elements": spectrum.elements,
        "shares": spectrum.shares.tolist(),
    }
