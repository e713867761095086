"""`python -m bench.fit_confidence`: what `ok` is worth where nothing was refined, and what other limits would give.

Fits of the exported file, as `bench.fit_accuracy` makes them. A cell is the share that is `low`, and the share that is
`ok` and yet wrong (V2V above 50 mm), both of all fits of a set.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from bench.fit_serving import WRONG_MM, fit_plane, fits

from equiserve.numerics.fit_quality import REFINED, UNREFINED, Limits, Quality, judge

SETS = (("in", "whole"), ("out", "whole"), ("in", "lumpy"), ("out", "lumpy"), ("in", "one-sided"), ("out", "one-sided"))
FACTORS = (0.8, 0.9, 1.0, 1.1, 1.25, 1.5)
# Of each fit whether it is wrong, and what judges it.
Fits = list[tuple[bool, Callable[[Limits], Quality]]]


def cell(found: Fits, limits: Limits) -> str:
    """Return the share that is low, and that is ok and yet wrong."""
    low = np.array([judged(limits).level == "low" for _, judged in found])
    wrong = np.array([wrong for wrong, _ in found])
    return f"{low.mean():.0%}, {(wrong & ~low).mean():.1%}"


def others(limits: Limits) -> list[Limits]:
    """Return the limits, each in turn times each factor."""
    return [limits] + [
        replace(limits, **{name: getattr(limits, name) * factor})
        for name in ("residual", "outliers", "unseen", "limb")
        for factor in FACTORS
        if factor != 1
    ]


async def measure(options: argparse.Namespace) -> None:
    """Print the table."""
    async with fit_plane(options.models, options.model) as plane:
        found: dict[tuple[str, str], Fits] = {key: [] for key in SETS}
        for (which, kind), of_set in found.items():
            asked = fits(plane, options.model, which, kind, options.clouds, options.seed, refine=options.refine)
            async for fit, off_mm, _ in asked:
                of_set.append((off_mm > WRONG_MM, partial(judge, fit.misfit, fit.betas, limbs=fit.limbs)))
    print(f"| residual | outliers | unseen | limb | {' | '.join(' '.join(key) for key in found)} |")
    print("| --- " * (4 + len(found)) + "|")
    wrong = [f"{np.mean([wrong for wrong, _ in of_set]):.0%}" for of_set in found.values()]
    print(f"| wrong | | | | {' | '.join(wrong)} |")
    for limits in others(REFINED if options.refine else UNREFINED):
        cells = [cell(of_set, limits) for of_set in found.values()]
        head = f"{1e3 * limits.residual:.1f} mm | {limits.outliers:.1%} | {limits.unseen:.1%} | {limits.limb:.0%}"
        print(f"| {head} | {' | '.join(cells)} |")


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(prog="python -m bench.fit_confidence", description=__doc__)
    parser.add_argument("--models", type=Path, default=Path("models/zoo"))
    parser.add_argument("--model", default="articulated-body")
    parser.add_argument("--clouds", type=int, default=100, help="a set")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--refine", action="store_true", help="of refined fits; ten times as long")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
