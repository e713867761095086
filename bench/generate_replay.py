"""A day of denoising requests on a virtual clock: the server's own queue against one request at a time.

The queue is `equiserve.engine.batcher.Batcher` itself, ordered by `equiserve.tasks.generate.turns`; only the model is
replaced by its cost a * rows + b. Nothing is measured here but waiting, so the machine may be as busy as it likes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from equiserve.engine.batcher import Batcher
from equiserve.engine.core import Call
from equiserve.tasks.generate.turns import AGEING, turn

#: Steps of a request, and how often they are asked for: half of all want a quick look.
STEPS = (10, 20, 50, 250)
SHARES = (0.5, 0.3, 0.15, 0.05)


class _Waiting:
    """A future that nobody has answered."""

    def done(self) -> bool:
        return False


_WAITING = _Waiting()


@dataclass(frozen=True)
class Cost:
    """What a batch costs: seconds a row and seconds a batch."""

    per_row_s: float
    fixed_s: float

    def batch_s(self, rows: int) -> float:
        """Return the seconds of a batch."""
        return self.per_row_s * rows + self.fixed_s


@dataclass(frozen=True)
class Arrivals:
    """When requests come, and how many steps each wants."""

    times_s: np.ndarray
    steps: np.ndarray


def arrivals(cost: Cost, load: float, requests: int, seed: int) -> Arrivals:
    """Return Poisson arrivals that keep a server of one request at a time busy for the share `load` of its time."""
    random = np.random.default_rng(seed)
    steps = random.choice(STEPS, requests, p=SHARES)
    mean_s = float(np.dot(STEPS, SHARES)) * cost.batch_s(1)
    return Arrivals(np.cumsum(random.exponential(mean_s / load, requests)), steps)


def one_at_a_time(asked: Arrivals, cost: Cost) -> np.ndarray:
    """Return each request's latency where each is served to its end, in the order of arrival."""
    latencies, free = np.empty(len(asked.steps)), 0.0
    for place, (came, steps) in enumerate(zip(asked.times_s, asked.steps, strict=True)):
        free = max(free, came) + steps * cost.batch_s(1)
        latencies[place] = free - came
    return latencies


def step_by_step(asked: Arrivals, cost: Cost, cap: int, ageing: float = AGEING) -> np.ndarray:
    """Return each request's latency where requests join and leave batches between steps, as in the server."""
    batcher, now, coming = Batcher(max_batch=cap, max_queued_rows=1 << 30), 0.0, 0
    left, latencies = asked.steps.copy(), np.empty(len(asked.steps))
    # Times of the clock are offset: turn 0 means "no step".
    origin = 1e6

    def queue(request: int) -> None:
        when = turn(origin + asked.times_s[request], left[request] * cost.batch_s(1), ageing=ageing)
        batcher.put(Call((), 1, (), _WAITING, turn=when, trace=request))  # type: ignore[arg-type]

    while True:
        while coming < len(left) and asked.times_s[coming] <= now:
            queue(coming)
            coming += 1
        batch = batcher.take()
        if batch is None:
            if coming == len(left):
                return latencies
            now = asked.times_s[coming]
            continue
        now += cost.batch_s(batch.rows)
        while coming < len(left) and asked.times_s[coming] <= now:
            queue(coming)
            coming += 1
        for call in batch.calls:
            request = call.trace
            left[request] -= 1
            if left[request]:
                queue(request)
            else:
                latencies[request] = now - asked.times_s[request]


def mean_by_steps(asked: Arrivals, latencies: np.ndarray) -> dict[int, float]:
    """Return the mean latency of the requests of each number of steps, seconds."""
    return {steps: float(latencies[asked.steps == steps].mean()) for steps in STEPS}


def main() -> None:
    """Print the mean waits of a fixed cost: the same figures on every machine."""
    parser = argparse.ArgumentParser(prog="python -m bench.generate_replay", description=__doc__)
    parser.add_argument("--row-ms", type=float, default=2.75, help="cost of a row (a network of a million parameters)")
    parser.add_argument("--batch-ms", type=float, default=0.3, help="cost of a batch beside its rows")
    parser.add_argument("--cap", type=int, default=4, help="most rows in a batch")
    parser.add_argument("--load", type=float, default=0.85, help="of a server of one request at a time")
    parser.add_argument("--requests", type=int, default=4000)
    arguments = parser.parse_args()
    cost = Cost(arguments.row_ms * 1e-3, arguments.batch_ms * 1e-3)
    rounds = [arrivals(cost, arguments.load, arguments.requests, seed) for seed in range(5)]
    print(f"| mean latency, ms | {' | '.join(f'{steps} steps' for steps in STEPS)} |")
    print(f"|{' --- |' * (len(STEPS) + 1)}")
    policies: dict[str, Callable[[Arrivals], np.ndarray]] = {
        "one request at a time": lambda asked: one_at_a_time(asked, cost),
        "steps, shortest first": lambda asked: step_by_step(asked, cost, arguments.cap, ageing=1e6),
        f"steps, shortest first, ageing {AGEING:g}": lambda asked: step_by_step(asked, cost, arguments.cap),
    }
    for name, policy in policies.items():
        means = [mean_by_steps(asked, policy(asked)) for asked in rounds]
        medians = (np.median([mean[steps] for mean in means]) * 1e3 for steps in STEPS)
        print(f"| {name} | {' | '.join(f'{median:.0f}' for median in medians)} |", flush=True)


if __name__ == "__main__":
    main()
