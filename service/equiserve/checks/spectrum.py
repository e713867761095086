"""The orbit spectrum of a check, where its elements are a whole C_n: which subgroup holds exactly."""

from __future__ import annotations

import numpy as np

from equiserve.checks.findings import Findings
from equiserve.symmetry import SO2, Cyclic, Rotation
from equiserve.symmetry.spectrum import OrbitSpectrum, orbit_spectrum

_SAME_DEG = 1e-6


def spectrum_of(findings: Findings) -> OrbitSpectrum | None:
    """Return the spectrum of the scores over C_n, the evenly spaced rotations that were checked; else None."""
    n = findings.checked
    if not isinstance(findings.group, SO2 | Cyclic) or n < 2 or n < len(findings.plan.orbit):
        return None
    angles = np.array([g.angle_deg for g in findings.elements if isinstance(g, Rotation)])
    if not findings.finite.all() or np.abs(angles - np.arange(n) * 360 / n).max() > _SAME_DEG:
        return None
    return orbit_spectrum(findings.scores)
