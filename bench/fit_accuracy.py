"""`python -m bench.fit_accuracy`: how good served fits are, with and without refinement, and how honest.

A data plane in this process over the exported file; clouds of 5,000 points with 1 mm of noise, poses that no training
saw, any orientation, random shapes; then surfaces outside the shape space, and one-sided scans with 5 % outliers. V2V
in millimetres; `wrong`: V2V above 50 mm; `ok but wrong`: of all, believed nonetheless. CPU seconds of this process.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import numpy as np
from bench.fit_serving import WRONG_MM, fit_plane, fits

from equiserve.dataplane import DataPlane

SETS = (("in", "whole"), ("out", "whole"), ("out", "lumpy"), ("out", "one-sided"))


async def line(plane: DataPlane, model: str, which: str, kind: str, count: int, seed: int, *, refine: bool) -> str:
    """Return the line of one set."""
    errors, believed, seconds, mirrored = [], [], [], 0
    async for found, off_mm, cpu_s in fits(plane, model, which, kind, count, seed, refine=refine):
        seconds.append(cpu_s)
        errors.append(off_mm)
        believed.append(found.quality.level == "ok")
        mirrored += found.beginning not in (None, "start")
    off, trusted = np.array(errors), np.array(believed)
    wrong = off > WRONG_MM
    return (
        f"| {which} | {kind} | {'yes' if refine else 'no'} | {off.mean():.1f} | {np.median(off):.1f} "
        f"| {np.quantile(off, 0.9):.1f} | {(off < 30).mean():.0%} | {wrong.mean():.0%} | {(~trusted).mean():.0%} "
        f"| {(wrong & trusted).mean():.1%} | {mirrored} | {np.median(seconds):.2f} |"
    )


async def measure(options: argparse.Namespace) -> None:
    """Print the table."""
    async with fit_plane(options.models, options.model) as plane:
        print(
            "| poses | scans | refined | mean | median | p90 | < 30 mm | wrong | low | ok but wrong | mirrored | CPU s "
            "|\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
        )
        for which, kind in SETS:
            for refine in (False, True):
                row = line(plane, options.model, which, kind, options.clouds, options.seed, refine=refine)
                print(await row, flush=True)


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(prog="python -m bench.fit_accuracy", description=__doc__)
    parser.add_argument("--models", type=Path, default=Path("models/zoo"))
    parser.add_argument("--model", default="articulated-body")
    parser.add_argument("--clouds", type=int, default=50, help="a line")
    parser.add_argument("--seed", type=int, default=0)
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
