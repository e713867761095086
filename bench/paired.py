"""Two checkouts against one another, in alternating windows of one run: whether a change of the front end pays.

    python -m bench.paired ../equiserve-before binary:tiny:32 grpc:vit:8 --rounds 8

Both servers run at the same time and are asked in turn, each window followed by one of the bound. What a busy machine
does to one it does to the other: the ratio of what they cost over the bound is worth more than either figure.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.bound import Bound
from bench.load_process import LoadProcess
from bench.models import row, write_repository
from bench.server import ServerProcess


@dataclass
class Arm:
    """One checkout: its server, what asks it, and what was measured of it in one cell (milliseconds)."""

    name: str
    server: ServerProcess
    load: LoadProcess
    over: list[float] = field(default_factory=list)
    p50_over: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)


def start(name: str, checkout: Path, folder: Path, stack: ExitStack) -> Arm:
    """Start the server of a checkout, with this environment's packages."""
    paths = [str((checkout / part).resolve()) for part in ("service", "models")]
    environment = {"PYTHONPATH": ":".join(paths), "EQUISERVE_DRAIN_S": "0", "EQUISERVE_SMOKE_CHECK": "false"}
    # One cache: both must have as many threads and as large batches.
    server = stack.enter_context(
        ServerProcess(folder / "models", log=folder / f"{name}.log", cache=folder / "cache", environment=environment)
    )
    server.wait_until_calibrated()
    return Arm(name, server, stack.enter_context(LoadProcess(server.http, server.grpc, server.pid)))


def measure(cell: str, arms: list[Arm], bounds: dict[str, Bound], rounds: int, seconds: float) -> None:
    """Measure one cell, `kind:model:in flight`, and print a line for each checkout."""
    kind, model, concurrency = cell.split(":")
    for arm in arms:
        arm.over, arm.p50_over, arm.p99 = [], [], []
    for done in range(rounds + 1):
        for arm in arms if done % 2 else arms[::-1]:
            window = arm.load.window(kind, model, int(concurrency), seconds)
            bound = bounds[model].window(window.executions, seconds / 2)
            if done:  # the first one is warm-up
                rows = sum(size * count for size, count in window.executions.items())
                arm.over.append(window.server_cpu_ms - bound.cpu_ms_per_row * rows / window.requests)
                arm.p50_over.append(window.p50_ms - bound.p50_ms)
                arm.p99.append(window.p99_ms)
    before = arms[0]
    for arm in arms:
        ratio = statistics.median(mine / its for mine, its in zip(arm.over, before.over, strict=True))
        print(
            f"{cell:16} {arm.name:7} CPU over the bound {statistics.median(arm.over):.3f} ms "
            f"[{min(arm.over):.3f}, {max(arm.over):.3f}], {ratio:.2f} of before; "
            f"p50 over the bound's {statistics.median(arm.p50_over):.2f} ms, p99 {statistics.median(arm.p99):.2f} ms",
            flush=True,
        )


def main() -> int:
    """Compare this checkout with another."""
    parser = argparse.ArgumentParser(description="Compare this checkout's server with another's.")
    parser.add_argument("before", type=Path, help="the other checkout")
    parser.add_argument("cells", nargs="+", help="kind:model:in flight, as binary:tiny:32, json:vit:8, grpc:tiny:1")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=0.8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="equiserve-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        write_repository(folder / "models")
        checkouts = {"before": arguments.before, "after": Path(__file__).parents[1]}
        arms = [start(name, checkout, folder, stack) for name, checkout in checkouts.items()]
        bounds = {
            model: Bound(
                folder / "models" / model / "1" / "model.onnx",
                int(arms[0].server.properties(model)["threads"]),
                row(model),
            )
            for model in ("tiny", "vit")
        }
        for cell in arguments.cells:
            measure(cell, arms, bounds, arguments.rounds, arguments.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
