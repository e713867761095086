"""What a finite number of group elements says about all of them.

These hold for elements drawn independently at random; an enumerated finite group needs no interval. They are about one
input: over a data set the members of one orbit are not independent, and inputs, not elements, must be resampled.
"""

from __future__ import annotations

import math
from statistics import NormalDist


def certified_share(n: int, confidence: float = 0.95) -> float:
    """Return the exact lower bound on the share of the group that passes, after ``n`` random passes and no failure.

    A share p passes n times running with probability p**n, so every p below (1 - confidence)**(1 / n) is refuted
    (Clopper and Pearson's bound at zero failures): 59 clean elements certify 95 %, 299 certify 99 %.
    """
    return float((1 - confidence) ** (1 / n)) if n else 0.0


def elements_needed(share: float, confidence: float = 0.95) -> int:
    """Return how many random elements without a failure certify ``share`` (in (0, 1)); inverse of `certified_share`."""
    return math.ceil(math.log(1 - confidence) / math.log(share))


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's two-sided score interval for a proportion (Wilson 1927), within [0, 1]; (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, spread = successes / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    return max(0.0, centre - half), min(1.0, centre + half)
