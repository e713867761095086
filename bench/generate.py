"""What drawing pictures costs beside the model, and what step-level batching gives: `make bench-generate`.

Prints a table and writes `runs/bench/generate.md`; exit code 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bench.bare import bare_session
from bench.check_company import event_loop_lag, lag_percentile_ms
from bench.cpu import QUIET_CORES, cores_used_by_others, interpreter_loop_ms, tree_cpu_s
from bench.denoiser import NAME, write_denoiser
from bench.generate_replay import STEPS, Cost, arrivals, mean_by_steps, one_at_a_time, step_by_step
from bench.generate_traffic import all_at_once, batch_sizes, calls_after_cancel, first_preview, mixed_requests, poisson
from bench.report import Figure, facts, median_interval, write_figures
from bench.server import ServerProcess

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "runs" / "bench"
ZOO = ROOT / "models" / "zoo"
MODEL = "mnist-diffusion"

REQUESTS = 24
RATIO_BAR = 1.15
LAG_BAR_MS = 5.0
PREVIEW_BAR = 3
CANCEL_BAR = 1
SHORT_BAR = 1 / 4
LONG_BAR = 2.5
LOAD = 0.85


@dataclass(frozen=True)
class Pair:
    """One round: the CPU milliseconds of the server, and of bare ONNX Runtime on the same batches."""

    server_ms: float
    bound_ms: float
    rows: int
    batches: int
    lag_ms: float


class Bare:
    """The model file in this process, with the threads that the server uses for it."""

    def __init__(self, file: Path, threads: int) -> None:
        self._session = bare_session(file, threads)
        self._shape = self._session.get_inputs()[0].shape[1:]
        self._batches: dict[int, dict[str, np.ndarray]] = {}

    def cpu_ms(self, sizes: dict[int, int]) -> float:
        """Return the CPU milliseconds of so many batches of each size, in a shuffled order."""
        order = np.repeat(list(sizes), list(sizes.values()))
        np.random.default_rng(0).shuffle(order)
        for size in sizes:
            self.run(size)
        began = time.process_time()
        for size in order:
            self.run(int(size))
        return (time.process_time() - began) * 1e3

    def cost(self) -> Cost:
        """Return a * rows + b as measured here: the least CPU time of each size, fitted."""
        sizes, best = (1, 2, 4, 8), []
        for size in sizes:
            self.run(size)
            times = []
            for _ in range(15):
                began = time.process_time()
                self.run(size)
                times.append(time.process_time() - began)
            best.append(min(times))
        per_row, fixed = np.polyfit(sizes, best, 1)
        return Cost(float(per_row), max(float(fixed), 0.0))

    def run(self, size: int) -> None:
        """Run one batch."""
        if size not in self._batches:
            random = np.random.default_rng(size)
            self._batches[size] = {
                "x": random.standard_normal((size, *self._shape), np.float32),
                "sigma": np.full(size, 1.0, np.float32),
                "label": np.zeros(size, np.int64),
                "angle": np.tile(np.array([1, 0, 1], np.float32), (size, 1)),
            }
        self._session.run(None, self._batches[size])


def measure(server: ServerProcess, model: str, bare: Bare, seed: int) -> Pair:
    """Draw the mixed requests once, and run the same batches bare."""
    requests = mixed_requests(REQUESTS, seed)
    sizes = batch_sizes(server, model)
    edges, lag = event_loop_lag(server)
    cpu = tree_cpu_s(server.pid)
    all_at_once(server, model, requests)
    used = (tree_cpu_s(server.pid) - cpu) * 1e3
    late = event_loop_lag(server)[1] - lag
    ran = batch_sizes(server, model) - sizes
    rows = sum(size * count for size, count in ran.items())
    return Pair(used, bare.cpu_ms(ran), rows, ran.total(), lag_percentile_ms(edges, late, 99))


def replay_figures(cost: Cost, cap: int, requests: int) -> list[Figure]:
    """Return the mean latencies of the replay, and how they stand to one request at a time."""
    short, long, figures = [], [], []
    rounds = [arrivals(cost, LOAD, requests, seed) for seed in range(5)]
    for asked in rounds:
        alone = mean_by_steps(asked, one_at_a_time(asked, cost))
        together = mean_by_steps(asked, step_by_step(asked, cost, cap))
        short.append(together[STEPS[0]] / alone[STEPS[0]])
        long.append(together[STEPS[-1]] / alone[STEPS[-1]])
    for name, policy in (("one at a time", one_at_a_time), ("step by step", lambda a, c: step_by_step(a, c, cap))):
        means = [mean_by_steps(asked, policy(asked, cost)) for asked in rounds]
        figures += [
            Figure(f"replay, {name}: mean of {steps} steps", median_interval([m[steps] * 1e3 for m in means]), "ms")
            for steps in STEPS
        ]
    return [
        *figures,
        Figure("replay: 10 steps over one at a time", median_interval(short), "times", SHORT_BAR),
        Figure("replay: 250 steps over one at a time", median_interval(long), "times", LONG_BAR),
    ]


def main() -> int:
    """Run the benchmark; returns 1 where a bar is missed, 2 where the machine is too busy to measure."""
    parser = argparse.ArgumentParser(prog="python -m bench.generate", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds: shows that it works, not what it costs")
    parser.add_argument("--force", action="store_true", help="measure on a busy machine; the figures are not valid")
    parser.add_argument("--models", type=Path, default=ZOO, help="repository that holds --model")
    parser.add_argument("--model", default=MODEL, help="a generator; a stand-in where it is not there")
    arguments = parser.parse_args()
    others = cores_used_by_others()
    if others > QUIET_CORES and not arguments.force:
        print(f"other programs use {others:.2f} cores, at most {QUIET_CORES} may: not measured (--force to try)")
        return 2
    speed = [interpreter_loop_ms()]
    rounds, replayed, sent = (3, 1500, 20) if arguments.quick else (9, 4000, 60)
    with tempfile.TemporaryDirectory(prefix="equiserve-bench-") as name:
        folder = Path(name)
        models, model = arguments.models, arguments.model
        if not (models / model / "model.yaml").is_file():
            models, model = folder / "models", NAME
            write_denoiser(models)
        settings = {"EQUISERVE_LOAD": model, "EQUISERVE_JOBS_DIR": str(folder / "jobs")}
        with ServerProcess(models, log=folder / "server.log", cache=folder / "cache", environment=settings) as server:
            server.wait_until_calibrated()
            properties = server.properties(model)
            cap = server.get(f"/v2/models/{model}/config")["max_batch_size"]
            newest = max(
                (path for path in (models / model).iterdir() if path.is_dir()), key=lambda path: int(path.name)
            )
            bare = Bare(newest / "model.onnx", int(properties["threads"]))
            edges, before = event_loop_lag(server)
            time.sleep(5)
            idle_lag_ms = lag_percentile_ms(edges, event_loop_lag(server)[1] - before, 99)
            all_at_once(server, model, mixed_requests(4))
            pairs = [measure(server, model, bare, seed) for seed in range(rounds)]
            cost = bare.cost()
            preview = first_preview(server, model, {"steps": 12, "label": 3})
            cancelled = [calls_after_cancel(server, model, id=f"cancel-{place}") for place in range(rounds)]
            rate = LOAD / (float(np.dot(STEPS, (0.5, 0.3, 0.15, 0.05))) * cost.batch_s(1))
            real = poisson(server, model, rate / 2, sent)
    speed.append(interpreter_loop_ms())
    figures = [
        Figure(f"{REQUESTS} mixed requests: server", median_interval([pair.server_ms for pair in pairs]), "ms CPU"),
        Figure("the same model calls, bare", median_interval([pair.bound_ms for pair in pairs]), "ms CPU"),
        Figure("rows", median_interval([pair.rows for pair in pairs]), "rows"),
        Figure("rows a batch", median_interval([pair.rows / pair.batches for pair in pairs]), "rows"),
        Figure(
            "the server over bare ONNX Runtime",
            median_interval([pair.server_ms / pair.bound_ms for pair in pairs]),
            "times",
            RATIO_BAR,
        ),
        Figure("event loop's lag p99, idle", median_interval([idle_lag_ms]), "ms"),
        Figure("event loop's lag p99 meanwhile", median_interval([p.lag_ms for p in pairs]), "ms", LAG_BAR_MS),
        Figure("first preview", median_interval([preview]), "steps", PREVIEW_BAR),
        Figure("batches after a cancellation", median_interval(cancelled), "batches", CANCEL_BAR),
        Figure("measured cost of a row", median_interval([cost.per_row_s * 1e3]), "ms"),
        Figure("measured cost of a batch", median_interval([cost.fixed_s * 1e3]), "ms"),
        *replay_figures(cost, cap, replayed),
        *(
            Figure(f"real server, illustration: mean of {steps} steps", median_interval([mean * 1e3]), "ms")
            for steps, mean in real.items()
        ),
    ]
    about = facts({model: properties["threads"]}, others, speed, quick=arguments.quick, valid=others <= QUIET_CORES)
    about["model"], about["cap"], about["batch_invariance"] = model, cap, properties["batch_invariance"]
    print(f"model {model}, at most {cap} rows a batch, batch invariance: {properties['batch_invariance']}")
    return write_figures(RESULTS, "generate", figures, about)


if __name__ == "__main__":
    sys.exit(main())
