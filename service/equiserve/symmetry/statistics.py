"""What a finite number of group elements, or of inputs, says about all of them.

These bounds hold for what was drawn independently at random: the elements of one orbit, or the inputs of a data set. An
enumerated finite group needs no interval. The elements of *several* inputs are not independent draws (an input that
fails once fails often): over a data set see `clustered`.
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
    """Return how many random draws without a failure certify ``share`` (in (0, 1)); inverse of `certified_share`."""
    return math.ceil(math.log(1 - confidence) / math.log(share))


def certificate(n: int, confidence: float = 0.95) -> str:
    """Return what ``n`` random elements without a failure are worth, as the words of a contract about one input.

    >>> certificate(299)
    '299 clean random elements: at least 99 % of the group at 95 % confidence, for this input'
    """
    share = percent(certified_share(n, confidence))
    return (
        f"{n} clean random elements: at least {share} of the group at {percent(confidence)} confidence, for this input"
    )


def inputs_certificate(inputs: int, confidence: float = 0.95) -> str:
    """Return what ``inputs`` independent inputs without a failure say about further inputs of their kind.

    >>> inputs_certificate(59)
    '59 clean inputs: at least 95 % of inputs drawn like these, at 95 % confidence, for the elements that were tried'
    """
    share = percent(certified_share(inputs, confidence))
    plural = "s" if inputs != 1 else ""
    return (
        f"{inputs} clean input{plural}: at least {share} of inputs drawn like these, at {percent(confidence)} "
        "confidence, for the elements that were tried"
    )


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's two-sided score interval for a proportion (Wilson 1927), within [0, 1]; (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, spread = successes / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def clopper_pearson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact two-sided interval for a proportion (Clopper and Pearson 1934); (0, 1) for n = 0.

    Each end is missed with probability (1 - confidence) / 2 at most, whatever the true share.
    """
    if n == 0:
        return 0.0, 1.0
    miss = (1 - confidence) / 2
    low = 0.0 if successes == 0 else _share_with_upper_tail(successes, n, miss)
    high = 1.0 if successes == n else 1 - _share_with_upper_tail(n - successes, n, miss)
    return low, high


def percent(share: float) -> str:
    """Return a share in percent, rounded down to a tenth, so that 100 % means all.

    >>> percent(0.9996)
    '99.9 %'
    """
    return f"{math.floor(share * 1000 + 1e-9) / 10:g} %"


def _share_with_upper_tail(successes: int, n: int, tail: float) -> float:
    """Return the share p of which P(at least ``successes`` of n) = ``tail``; successes >= 1."""
    low, high = 0.0, 1.0
    while (middle := (low + high) / 2) not in (low, high):
        below = _upper_tail(successes, n, middle) < tail
        low, high = (middle, high) if below else (low, middle)
    return low


def _upper_tail(successes: int, n: int, share: float) -> float:
    """Return P(X >= successes) for X ~ Binomial(n, share), share in (0, 1)."""
    log_terms = [
        math.lgamma(n + 1)
        - math.lgamma(k + 1)
        - math.lgamma(n - k + 1)
        + k * math.log(share)
        + (n - k) * math.log1p(-share)
        for k in range(successes, n + 1)
    ]
    return math.fsum(math.exp(term) for term in log_terms)
