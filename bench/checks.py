"""`make bench-checks`: what an equivariance check costs, and what others feel of a long one.

- **Cost**: server CPU of a check of 360 rotations over that of bare ONNX Runtime on the same pictures in the batches
  that suit it best; windows of checks and of the bound alternate, nothing is kept between checks.
- **Company**: foreground traffic at 30 % of what the 10 ms model can do arrives as a Poisson process, with and without
  a check of 10,000 rotations under way, in alternating windows of the same arrivals; and how late the server's event
  loop runs meanwhile (`equiserve_event_loop_lag_seconds`). Once the check is of the model that the traffic asks, and
  once of the shipped one, whose checks end within a window, so that their plans and reports are part of it.

What the search for the worst element finds with 60 evaluations, and a grid with 360, prints `python -m bench.search`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from bench.check_company import (
    FOREGROUND,
    CompanyPair,
    CompanyWindow,
    lag_percentile_ms,
    measure_company,
)
from bench.check_cost import measure_cost
from bench.cpu import QUIET_CORES, cores_used_by_others, interpreter_loop_ms
from bench.load_process import LoadProcess
from bench.models import write_repository
from bench.report import Figure, Interval, facts, median_interval, write_figures
from bench.server import ServerProcess

ZOO = Path("models/zoo")
RESULTS = Path("bench/results")
SHIPPED = "fashion-mnist-vit-apa"
FOREGROUND_SHARE = 0.3
COST_BAR, TRANSFORM_BAR, P99_BAR, LAG_BAR_MS = 1.3, 0.3, 1.5, 5.0

T = TypeVar("T")


@dataclass(frozen=True)
class Effort:
    """How long to measure: rounds of pairs, and seconds of a window, of the cost and of the company."""

    cost_rounds: int
    cost_s: float
    company_rounds: int
    company_s: float


FULL = Effort(cost_rounds=8, cost_s=1.5, company_rounds=6, company_s=20.0)
QUICK = Effort(cost_rounds=3, cost_s=0.6, company_rounds=2, company_s=5.0)


def cost_figures(server: ServerProcess, effort: Effort) -> tuple[list[Figure], float]:
    """Return what a check costs, and the cores that others used at most."""
    newest = max(
        (path for path in (server.models / SHIPPED).iterdir() if path.is_dir()), key=lambda path: int(path.name)
    )
    pairs = measure_cost(server, SHIPPED, newest / "model.onnx", effort.cost_rounds, effort.cost_s)
    figures = [
        Figure("bare ONNX Runtime, 360 rotations", median_interval([pair.bound_ms for pair in pairs]), "ms CPU"),
        Figure("a check of them", median_interval([pair.check_ms for pair in pairs]), "ms CPU"),
        Figure("rows that it computed", median_interval([pair.forward_passes for pair in pairs]), "rows"),
        Figure(
            "the check over the bound", median_interval([p.check_ms / p.bound_ms for p in pairs]), "times", COST_BAR
        ),
        Figure(
            "turning the pictures over the bound",
            median_interval([pair.transform_ms / pair.bound_ms for pair in pairs]),
            "times",
            TRANSFORM_BAR,
        ),
    ]
    return figures, max(pair.others_cores for pair in pairs)


def company_figures(server: ServerProcess, effort: Effort) -> tuple[list[Figure], float]:
    """Return what foreground traffic feels of a long check, and the cores that others used at most."""
    with LoadProcess(server.http, server.grpc, server.pid) as load:
        window = load.window("binary", FOREGROUND, 8, effort.cost_s * 2)
    rate = FOREGROUND_SHARE * window.requests / window.seconds
    figures, others = [Figure("foreground traffic", median_interval([rate]), "requests/s")], window.others_cores
    for checked, name in ((FOREGROUND, "the same model"), (SHIPPED, "the shipped one")):
        pairs = asyncio.run(measure_company(server, checked, rate, effort.company_rounds, effort.company_s))
        others = max(others, *(one.others_cores for pair in pairs for one in pair))
        without, beside = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        figures += [
            Figure("foreground p99 alone", over_rounds(without, latency_p99), "ms"),
            Figure(f"foreground p99 beside a check of {name}", over_rounds(beside, latency_p99), "ms"),
            Figure("the second over the first", over_rounds(pairs, latency_ratio), "times", P99_BAR),
            Figure("event loop's lag p99 alone", over_rounds(without, lag_p99), "ms"),
            Figure("event loop's lag p99 meanwhile", over_rounds(beside, lag_p99), "ms", LAG_BAR_MS),
        ]
    return figures, others


def latency_p99(windows: Sequence[CompanyWindow]) -> float:
    """Return the 99th percentile of all windows' latencies together."""
    return float(np.percentile(np.concatenate([window.latencies_ms for window in windows]), 99))


def latency_ratio(pairs: Sequence[CompanyPair]) -> float:
    """Return the 99th percentile with a check under way over that without."""
    return latency_p99([beside for _, beside in pairs]) / latency_p99([alone for alone, _ in pairs])


def lag_p99(windows: Sequence[CompanyWindow]) -> float:
    """Return the 99th percentile of the event loop's lag over all windows together, ms."""
    return lag_percentile_ms(windows[0].lag_edges_s, np.sum([window.lag_counts for window in windows], axis=0), 99)


def over_rounds(rounds: Sequence[T], statistic: Callable[[Sequence[T]], float], resamples: int = 1000) -> Interval:
    """Return a statistic of all rounds together, and its 95 % bootstrap interval over rounds."""
    places = np.random.default_rng(0).integers(0, len(rounds), (resamples, len(rounds)))
    values = [statistic([rounds[index] for index in chosen]) for chosen in places]
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(statistic(rounds), float(low), float(high))


def main() -> int:
    """Run the benchmark; returns 1 where a bar is missed, 2 where the machine is too busy to measure."""
    parser = argparse.ArgumentParser(prog="python -m bench.checks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one minute: shows that it works, not what it costs")
    parser.add_argument("--force", action="store_true", help="measure on a busy machine; the figures are not valid")
    arguments = parser.parse_args()
    effort = QUICK if arguments.quick else FULL
    others = cores_used_by_others()
    if others > QUIET_CORES and not arguments.force:
        print(f"other programs use {others:.2f} cores, at most {QUIET_CORES} may: not measured (--force to try)")
        return 2
    speed = [interpreter_loop_ms()]
    with tempfile.TemporaryDirectory(prefix="equiserve-bench-") as name:
        folder = Path(name)
        write_repository(folder / "models", zoo=ZOO)
        settings = {"EQUISERVE_CHECK_CACHE_BYTES": "0", "EQUISERVE_JOBS_DIR": str(folder / "jobs")}
        with ServerProcess(
            folder / "models", log=folder / "server.log", cache=folder / "cache", environment=settings
        ) as server:
            server.wait_until_calibrated()
            cost, cost_others = cost_figures(server, effort)
            company, company_others = company_figures(server, effort)
            threads = {model: server.properties(model)["threads"] for model in server.loaded()}
    speed.append(interpreter_loop_ms())
    busiest = max(others, cost_others, company_others)
    about = facts(threads, others, speed, quick=arguments.quick, valid=busiest <= QUIET_CORES)
    about["others_cores_at_most"] = round(busiest, 3)
    return write_figures(RESULTS, "checks", [*cost, *company], about)


if __name__ == "__main__":
    sys.exit(main())
