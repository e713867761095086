"""Sizes that a step divides, and steps that divide sizes: what to choose instead where the two do not fit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def common_divisors_near(step: int, sizes: Sequence[int]) -> list[int]:
    """Return the nearest common divisors of some sizes, the smaller one first: at most one on each side of ``step``."""
    common = math.gcd(*sizes)
    small = [divisor for divisor in range(1, math.isqrt(common) + 1) if common % divisor == 0]
    divisors = sorted({*small, *(common // divisor for divisor in small)})
    return [d for d in divisors if d <= step][-1:] + [d for d in divisors if d > step][:1]


def multiples_near(size: int, step: int) -> list[int]:
    """Return the nearest multiples of a step, the smaller one first: ``size`` itself where it is one; none is 0."""
    below = size // step * step
    return [multiple for multiple in dict.fromkeys((below, -(-size // step) * step)) if multiple > 0]


def patches_that_fit(patch: int, sizes: Mapping[str, int]) -> str:
    """Return what would fit where ``patch`` does not divide every size, as a clause for an error.

    Args:
        patch: Side of the patches, pixels.
        sizes: By axis, pixels.
    """
    divisors = common_divisors_near(patch, list(sizes.values()))
    clause = f"patch {_one_of(divisors)} divides {_all_of(sizes)}"
    if patch < 1:
        return clause
    wrong = {axis: size for axis, size in sizes.items() if size % patch}
    others = " and ".join(f"{axis} {_one_of(multiples_near(size, patch))}" for axis, size in wrong.items())
    return f"{clause}; patch {patch} divides {others}"


def _one_of(numbers: list[int]) -> str:
    return " or ".join(map(str, numbers))


def _all_of(sizes: Mapping[str, int]) -> str:
    return " and ".join(f"{axis} {size}" for axis, size in sizes.items())
