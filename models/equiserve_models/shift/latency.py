"""What a picture costs on one CPU thread: all files in one run, in turns, so that a busy machine slows all alike."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from equiserve_models.export import Runner, onnx_runner

BATCHES = (4, 8, 16, 32)


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one CPU core for a picture.

    Args:
        lone: A picture alone, padded as it is served.
        best: A picture in the batch of fewest milliseconds a picture.
        batch: Rows of that batch.
    """

    lone: float
    best: float
    batch: int


def latencies(files: dict[str, tuple[Path, int]], shape: dict[str, tuple[int, ...]], rounds: int) -> dict[str, Latency]:
    """Measure ONNX files of uint8 pictures.

    CPU time of the calling thread, on which ONNX Runtime computes: on an idle core that is the latency, on a busy one
    the waiting is left out. Median over the rounds; in each round every file and batch size is visited once, in random
    order, and the first call of a visit, which finds another network's weights in the cache, is not counted.

    Args:
        files: By name, the file and the rows to which a lone picture is padded.
        shape: By name, shape of one picture, [C, H, W].
        rounds: Visits of each file and batch size.
    """
    runners = {name: onnx_runner(path) for name, (path, _) in files.items()}
    visits = [(name, rows) for name, (_, lone) in files.items() for rows in (lone, *BATCHES)]
    seconds: dict[tuple[str, int], list[float]] = {visit: [] for visit in visits}
    generator = np.random.default_rng(0)
    for _ in range(rounds):
        for index in generator.permutation(len(visits)):
            name, rows = visits[index]
            seconds[name, rows].append(_visit(runners[name], rows, shape[name], generator))
    median = {visit: 1e3 * float(np.median(found)) for visit, found in seconds.items()}
    results = {}
    for name, (_, lone) in files.items():
        best = min(BATCHES, key=lambda rows: median[name, rows] / rows)
        results[name] = Latency(median[name, lone], median[name, best] / best, best)
    return results


def _visit(runner: Runner, rows: int, shape: tuple[int, ...], generator: np.random.Generator) -> float:
    pictures = generator.integers(0, 256, (rows, *shape), dtype=np.uint8)
    runner(pictures)
    began = time.thread_time()
    runner(pictures)
    runner(pictures)
    return (time.thread_time() - began) / 2
