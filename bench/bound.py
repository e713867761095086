"""The bound that no server can beat: bare ONNX Runtime on the batch sizes that the server really used."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
from bench.bare import bare_session


@dataclass(frozen=True)
class BoundWindow:
    """What bare calls cost: CPU milliseconds a row, and the median call in wall-clock milliseconds."""

    cpu_ms_per_row: float
    p50_ms: float


class Bound:
    """One model file in this process, with the threads that the server uses for it.

    Args:
        file: The ONNX file.
        threads: Threads a call.
        row: One input row [1, ...].
    """

    def __init__(self, file: Path, threads: int, row: np.ndarray) -> None:
        self._session = bare_session(file, threads)
        self._input = self._session.get_inputs()[0].name
        self._row = row
        self._batches: dict[int, np.ndarray] = {}

    def outputs(self) -> np.ndarray:
        """Return the model's first output for the row alone, flat."""
        result: np.ndarray = self._session.run(None, {self._input: self._row})[0]
        return result.ravel()

    def window(self, executions: Mapping[int, int], seconds: float) -> BoundWindow:
        """Run batches of these sizes in these proportions, in a fixed shuffled order, for so long."""
        sizes = _sample(executions)
        for size in set(sizes):
            self._run(size)
        rows, walls = 0, []
        cpu, until = time.process_time(), time.perf_counter() + seconds
        for size in cycle(sizes):
            began = time.perf_counter()
            self._run(size)
            ended = time.perf_counter()
            walls.append(ended - began)
            rows += size
            if ended > until:
                break
        cpu = time.process_time() - cpu
        return BoundWindow(cpu * 1e3 / rows, float(np.median(walls)) * 1e3)

    def _run(self, size: int) -> None:
        batch = self._batches.get(size)
        if batch is None:
            batch = self._batches[size] = np.repeat(self._row, size, axis=0)
        self._session.run(None, {self._input: batch})


def _sample(executions: Mapping[int, int], length: int = 40) -> list[int]:
    """Return `length` batch sizes at even steps through the server's, so in its proportions."""
    sizes = np.repeat(sorted(executions), [executions[size] for size in sorted(executions)])
    places = (np.arange(length) + 0.5) * sizes.size / length
    sample = sizes[places.astype(int)]
    np.random.default_rng(0).shuffle(sample)
    return [int(size) for size in sample]
