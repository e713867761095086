"""`make bench`: what the server costs over bare ONNX Runtime, and the figures that docs/performance.md prints.

Each window of load on the server is followed at once by a window of the bound: bare ONNX Runtime in this process, on
the batch sizes that the server ran in that window, with the threads that it chose. A figure is the median over these
pairs with a bootstrap interval. The rounds go through all cells in turn, so that a slow minute touches every cell.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from bench.bound import Bound, BoundWindow
from bench.cpu import QUIET_CORES, cores_used_by_others, interpreter_loop_ms, tree_cpu_s, tree_rss_bytes
from bench.grpc_floor import measure_grpc_floor
from bench.json_floor import measure_json_floor
from bench.load import Window
from bench.load_process import LoadProcess
from bench.models import row, write_repository, zoo_models
from bench.pictures import fixed_picture
from bench.report import Figure, Line, facts, median_interval, write_report
from bench.server import ServerProcess

ZOO = Path("models/zoo")
RESULTS = Path("bench/results")
PICTURE_MODEL = "fashion-mnist-vit-apa"

#: CPU milliseconds a request over the bound that the tiny model may cost at 32 in flight.
OVER_BOUND_MS = {"binary": 0.15, "json": 0.22, "grpc": 0.33}
#: Share of the bound that the server may cost on top where a request is real work.
OVER_BOUND_SHARE = 0.05
#: Milliseconds over the bound's median that a lone binary request to the tiny model may take.
ALONE_OVER_MS = 0.35
IDLE_SHARE, READY_S, RSS_MB = 0.01, 3.0, 200.0


@dataclass(frozen=True)
class Effort:
    """How long to measure: rounds of pairs, seconds of a server and of a bound window, of idling; starts timed."""

    rounds: int
    server_s: float
    bound_s: float
    idle_s: float
    starts: int


FULL = Effort(rounds=6, server_s=1.5, bound_s=0.8, idle_s=10.0, starts=3)
QUICK = Effort(rounds=2, server_s=0.4, bound_s=0.3, idle_s=2.0, starts=1)


@dataclass
class Cell:
    """One way of asking one model at one concurrency, and the pairs measured of it."""

    model: str
    kind: str
    concurrency: int
    pairs: list[tuple[Window, BoundWindow]] = field(default_factory=list)

    def bound_ms(self) -> list[float]:
        """Return the bound's CPU a request, a pair; the rows that only padded a batch are part of it."""
        return [bound.cpu_ms_per_row * _rows(window) / window.requests for window, bound in self.pairs]

    def over_ms(self) -> list[float]:
        """Return the server's CPU a request over the bound's, a pair."""
        return [window.server_cpu_ms - bound for (window, _), bound in zip(self.pairs, self.bound_ms(), strict=True)]

    def alone_over_ms(self) -> list[float]:
        """Return the median latency over the bound's median call, a pair."""
        return [window.p50_ms - bound.p50_ms for window, bound in self.pairs]


def _rows(window: Window) -> int:
    """Return the rows of a window's batches, padding included."""
    return sum(size * count for size, count in window.executions.items())


def measure_cells(server: ServerProcess, effort: Effort) -> list[Cell]:
    """Measure every cell in turn, round after round."""
    bounds = {model: _bound(server, model) for model in ("tiny", "vit")}
    cells = [Cell(model, kind, n) for model in bounds for kind in OVER_BOUND_MS for n in (1, 8, 32)]
    if PICTURE_MODEL in server.loaded():
        bounds[PICTURE_MODEL] = _bound(server, PICTURE_MODEL)
        cells += [Cell(PICTURE_MODEL, "picture", n) for n in (1, 8)]
    with LoadProcess(server.http, server.grpc, server.pid) as load:
        for done in range(effort.rounds):
            for cell in cells:
                window = load.window(cell.kind, cell.model, cell.concurrency, effort.server_s)
                _same_answer(cell, window, bounds[cell.model])
                cell.pairs.append((window, bounds[cell.model].window(window.executions, effort.bound_s)))
            print(f"round {done + 1} of {effort.rounds}", file=sys.stderr)
    return cells


def _bound(server: ServerProcess, model: str) -> Bound:
    newest = max((path for path in (server.models / model).iterdir() if path.is_dir()), key=lambda path: int(path.name))
    picture = model == PICTURE_MODEL
    one = fixed_picture()[None, None] if picture else row(model)
    return Bound(newest / "model.onnx", int(server.properties(model)["threads"]), one)


def _same_answer(cell: Cell, window: Window, bound: Bound) -> None:
    expected = bound.outputs()
    if cell.kind == "picture":
        exponentials = np.exp(expected.astype(float) - expected.max())
        expected = np.sort(exponentials / exponentials.sum())[::-1][: len(window.first)]
    if not np.allclose(window.first, expected, rtol=1e-4, atol=1e-4):
        raise RuntimeError(f"{cell.model} by {cell.kind} answered {window.first}, ONNX Runtime says {expected}")


def cell_line(cell: Cell) -> Line:
    """Return a cell's line of the table, with the figure that its bar is about."""
    windows = [window for window, _ in cell.pairs]

    def typical(values: list[float]) -> float:
        return float(np.median(values))

    bound = typical(cell.bound_ms())
    over = median_interval(cell.over_ms())
    figures = [Figure("CPU over the bound", over, "ms", _over_bar(cell, bound))]
    if cell.concurrency == 1 and cell.kind != "picture":
        bar = ALONE_OVER_MS if (cell.model, cell.kind) == ("tiny", "binary") else None
        figures.append(Figure("p50 over the bound's", median_interval(cell.alone_over_ms()), "ms", bar))
    return Line(
        model=cell.model,
        kind=cell.kind,
        concurrency=cell.concurrency,
        requests_per_s=typical([window.requests / window.seconds for window in windows]),
        p50_ms=typical([window.p50_ms for window in windows]),
        p99_ms=typical([window.p99_ms for window in windows]),
        cpu_ms=typical([window.server_cpu_ms for window in windows]),
        bound_ms=bound,
        batch=typical([_rows(window) / sum(window.executions.values()) for window in windows]),
        client_ms=typical([window.client_cpu_ms for window in windows]),
        others_cores=typical([window.others_cores for window in windows]),
        figures=figures,
    )


def _over_bar(cell: Cell, bound_ms: float) -> float | None:
    if cell.model == "tiny" and cell.concurrency == 32:
        return OVER_BOUND_MS[cell.kind]
    if cell.model == "vit" and cell.concurrency > 1:
        return OVER_BOUND_SHARE * bound_ms
    return None


def measure_process(models: Path, effort: Effort, folder: Path) -> list[Figure]:
    """Measure a server without traffic: time to ready with a warm cache, memory, CPU while idle."""

    def start() -> ServerProcess:
        return ServerProcess(models, log=folder / "process.log", cache=folder / "cache")

    with start() as server:
        server.wait_until_calibrated()
    ready, resident = [], []
    for last in [False] * (effort.starts - 1) + [True]:
        with start() as server:
            ready.append(server.seconds_to_ready)
            resident.append(tree_rss_bytes(server.pid) / 1e6)
            if last:
                time.sleep(1)
                cpu, began = tree_cpu_s(server.pid), time.perf_counter()
                time.sleep(effort.idle_s)
                idle = (tree_cpu_s(server.pid) - cpu) / (time.perf_counter() - began)
    return [
        Figure("time to ready", median_interval(ready), "s", READY_S),
        Figure("resident memory", median_interval(resident), "MB", RSS_MB),
        Figure("CPU while idle", median_interval([idle * 100]), "% of a core", IDLE_SHARE * 100),
    ]


def main() -> int:
    """Run the benchmark; returns 1 where a bar is missed, 2 where the machine is too busy to measure."""
    parser = argparse.ArgumentParser(description="Measure the server against bare ONNX Runtime.")
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
        models = folder / "models"
        write_repository(models, zoo=ZOO)
        with ServerProcess(models, log=folder / "server.log", cache=folder / "cache") as server:
            server.wait_until_calibrated()
            lines = [cell_line(cell) for cell in measure_cells(server, effort)]
            speed.append(interpreter_loop_ms())
            threads = {model: server.properties(model)["threads"] for model in server.loaded()}
        floors = [measure_grpc_floor(effort.rounds, effort.server_s), measure_json_floor(effort.rounds)]
        process = measure_process(ZOO if zoo_models(ZOO) else models, effort, folder)
    busiest = max(others, *(line.others_cores for line in lines))
    if busiest > QUIET_CORES:
        print(f"other programs used up to {busiest:.2f} cores: figures not valid")
    about = facts(threads, others, speed, quick=arguments.quick, valid=busiest <= QUIET_CORES)
    return write_report(RESULTS, lines, [*floors, *process], about)


if __name__ == "__main__":
    sys.exit(main())
