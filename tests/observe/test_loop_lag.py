"""The heartbeat of the event loop counts what it should, and `/metrics` shows it."""

from __future__ import annotations

import asyncio
import time

from equiserve.observe.loop_lag import EDGES_S, PERIOD_S, LoopLag
from equiserve.observe.metrics import LoopLagCollector


def test_a_loop_that_is_held_up_counts_every_beat_that_it_missed() -> None:
    async def hold_up() -> LoopLag:
        lag = LoopLag()
        await asyncio.sleep(0)
        time.sleep(0.45)  # noqa: ASYNC251 - what the heartbeat is there to see
        await asyncio.sleep(PERIOD_S / 10)
        lag.stop()
        return lag

    lag = asyncio.run(hold_up())
    # Due after 100, 200, 300 and 400 ms, all seen after 450 ms or later: late by 350 ms or more, 250, 150, 50.
    assert sum(lag.counts) >= 4
    assert sum(lag.counts[EDGES_S.index(0.1) + 1 :]) >= 3
    assert lag.total_s >= 0.8 - 1e-6


def test_a_stopped_heartbeat_beats_no_more() -> None:
    async def stopped() -> int:
        lag = LoopLag()
        lag.stop()
        await asyncio.sleep(1.5 * PERIOD_S)
        return sum(lag.counts)

    assert asyncio.run(stopped()) == 0


def test_the_metric_is_a_cumulative_histogram_of_seconds() -> None:
    async def scrape() -> dict[tuple[str, str], float]:
        lag = LoopLag()
        lag.stop()
        lag.counts, lag.total_s = [5, *[0] * (len(EDGES_S) - 1), 2], 3.0
        (family,) = LoopLagCollector(lag).collect()
        return {(sample.name, sample.labels.get("le", "")): sample.value for sample in family.samples}

    samples = asyncio.run(scrape())
    name = "equiserve_event_loop_lag_seconds"
    assert samples[f"{name}_bucket", "0.001"] == samples[f"{name}_bucket", "1.0"] == 5
    assert samples[f"{name}_bucket", "+Inf"] == samples[f"{name}_count", ""] == 7
    assert samples[f"{name}_sum", ""] == 3.0
