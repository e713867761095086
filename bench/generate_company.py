"""A picture does not depend on its company: random requests to a running server, together, alone, after a restart.

`make generate-company`: for every generator of the zoo, requests of random solver, steps, class, guidance, angle, mode,
seed and count are sent at random moments, while others hang up in the middle. Each answer's bytes must be those of the
same request sent alone, to the same server and to a new one. Exit code 1 on any difference.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bench.generate_traffic import SOLVERS, batch_sizes, events, generate
from bench.server import ServerProcess

from equiserve.artifact import read_manifest
from equiserve.numerics.rotation import ROTATION_MODES

ZOO = Path(__file__).parents[1] / "models" / "zoo"
RAW = "application/octet-stream"
TOGETHER = 24  # requests under way at once; more wait for their turn in this process
LEAVING = 0.1  # share of further requests that hang up after a few steps


@dataclass(frozen=True)
class Outcome:
    """What one model's requests came to.

    Args:
        model: Its name.
        batch_invariance: What the server says of its rows.
        requests: How many were compared.
        left: How many hung up meanwhile.
        rows_a_batch: Mean while they shared batches.
        differ_alone: How many gave other bytes alone.
        differ_restarted: How many gave other bytes alone after a restart.
    """

    model: str
    batch_invariance: str
    requests: int
    left: int
    rows_a_batch: float
    differ_alone: int
    differ_restarted: int


def random_request(random: np.random.Generator) -> dict[str, Any]:
    """Return one request of any parameters that a model conditioned on class and angle takes."""
    request: dict[str, Any] = {
        "solver": str(random.choice(SOLVERS)),
        "steps": int(random.integers(1, 21)),
        "angle": float(random.choice([0.0, 90.0, float(random.uniform(-720, 720))])),
        "mode": str(random.choice(ROTATION_MODES)),
        "n": int(random.choice([1, 1, 2, 5])),
        "seed": int(random.integers(2**64, dtype=np.uint64)),
    }
    if random.random() < 0.8:
        request["label"] = int(random.integers(10))
        if random.random() < 0.7:
            request["guidance"] = float(random.choice([0.0, 1.0, 1.3, 2.0]))
    return request


def in_company(server: ServerProcess, model: str, requests: Sequence[dict[str, Any]], leaving: int) -> list[bytes]:
    """Return the answers of requests that are sent at random moments, among others that hang up."""
    random = np.random.default_rng(1)
    pauses = random.uniform(0, 0.05, len(requests) + leaving)
    leave = [
        (random_request(random) | {"steps": 20, "previews": 0}, int(random.integers(1, 8))) for _ in range(leaving)
    ]

    def one(place: int) -> bytes:
        time.sleep(pauses[place])
        return generate(server, model, requests[place], RAW)

    def hang_up(place: int) -> None:
        time.sleep(pauses[len(requests) + place])
        request, after = leave[place]
        with closing(events(server, model, request, f"leaves-{place}")) as stream:
            for _, content in stream:
                if content.get("step", 0) >= after:
                    break

    with ThreadPoolExecutor(TOGETHER) as stay, ThreadPoolExecutor(2) as go:
        gone = go.map(hang_up, range(leaving))
        answers = list(stay.map(one, range(len(requests))))
        list(gone)
    return answers


def compare(models: Path, model: str, count: int, folder: Path) -> Outcome:
    """Send `count` random requests to a model three times.

    Args:
        models: Model repository.
        model: A generator of classes and angles.
        count: Requests.
        folder: For logs, calibration and jobs.
    """
    random = np.random.default_rng(0)
    requests = [random_request(random) for _ in range(count)]
    leaving = round(LEAVING * count)
    settings = {"EQUISERVE_LOAD": model, "EQUISERVE_JOBS_DIR": str(folder / "jobs")}

    def serve() -> ServerProcess:
        return ServerProcess(models, log=folder / "server.log", cache=folder / "cache", environment=settings)

    with serve() as server:
        server.wait_until_calibrated()
        invariance = server.properties(model)["batch_invariance"]
        before = batch_sizes(server, model)
        together = in_company(server, model, requests, leaving)
        ran = batch_sizes(server, model) - before
        alone = [generate(server, model, request, RAW) for request in requests]
    with serve() as server:
        server.wait_until_calibrated()
        restarted = [generate(server, model, request, RAW) for request in requests]
    return Outcome(
        model,
        invariance,
        count,
        leaving,
        sum(size * times for size, times in ran.items()) / ran.total(),
        sum(a != b for a, b in zip(together, alone, strict=True)),
        sum(a != b for a, b in zip(together, restarted, strict=True)),
    )


def generators(models: Path) -> list[str]:
    """Return the names of the generators of a repository that know classes and angles."""
    manifests = [read_manifest(path) for path in sorted(models.glob("*/model.yaml"))]
    return [one.name for one in manifests if one.task == "generate" and one.task_options["angle"] == "conditioned"]


def main() -> int:
    """Compare every model that is asked for; returns 1 on any difference."""
    parser = argparse.ArgumentParser(prog="python -m bench.generate_company", description=__doc__)
    parser.add_argument("--models", type=Path, default=ZOO)
    parser.add_argument("--model", nargs="+", help="generators; all of the repository where none is named")
    parser.add_argument("--requests", type=int, default=200)
    arguments = parser.parse_args()
    differ = 0
    print("| model | requests | hung up meanwhile | rows a batch | differ alone | differ after a restart | rows |")
    print("|" + " --- |" * 7, flush=True)
    for model in arguments.model or generators(arguments.models):
        with tempfile.TemporaryDirectory(prefix="equiserve-bench-") as name:
            found = compare(arguments.models, model, arguments.requests, Path(name))
        differ += found.differ_alone + found.differ_restarted
        print(
            f"| {model} | {found.requests} | {found.left} | {found.rows_a_batch:.1f} | {found.differ_alone} | "
            f"{found.differ_restarted} | {found.batch_invariance} |",
            flush=True,
        )
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
