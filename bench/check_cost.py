"""What a check costs over the bare model: server CPU of checks, and of ONNX Runtime on the same turned pictures."""

from __future__ import annotations

import json
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bench.bare import bare_session
from bench.cpu import machine_cpu_s, tree_cpu_s
from bench.pictures import fixed_picture, picture_png
from bench.server import ServerProcess

from equiserve.symmetry import Orbit, group_from_spec

GROUP, ELEMENTS = "SO2", 360
BATCHES = (1, 2, 4, 8, 16, 32, 64, 120, 360)


@dataclass(frozen=True)
class CostPair:
    """One window of checks and the window of the bound after it; milliseconds a check.

    Attributes:
        check_ms: CPU of the server's process tree.
        transform_ms: What the report says that turning the pictures took.
        forward_passes: Rows that the server's model computed, controls and padding included.
        bound_ms: CPU of bare ONNX Runtime over the orbit's pictures.
        others_cores: Cores that all other programs used while the server was measured.
    """

    check_ms: float
    transform_ms: float
    forward_passes: int
    bound_ms: float
    others_cores: float


class BareOrbit:
    """The same model file in this process, over the pictures of the same orbit.

    Args:
        file: The ONNX file.
        threads: Threads a call, as the server chose them.

    Attributes:
        batch: The batch size, of `BATCHES`, that costs the least CPU a row.
    """

    def __init__(self, file: Path, threads: int) -> None:
        self._session = bare_session(file, threads)
        self._input = self._session.get_inputs()[0].name
        # The server's background: the lower end of the model's value range.
        orbit = Orbit.of(fixed_picture()[None], group_from_spec(GROUP), elements=ELEMENTS, background=0)
        (chunk,) = orbit.chunks(len(orbit))
        self._pictures = chunk.pictures
        self.batch = min(BATCHES, key=lambda size: min(self._cpu_ms(size) for _ in range(3)))

    def window(self, seconds: float) -> float:
        """Return the CPU milliseconds of one pass over the orbit, over as many passes as the time allows."""
        costs, until = [], time.perf_counter() + seconds
        while not costs or time.perf_counter() < until:
            costs.append(self._cpu_ms(self.batch))
        return float(np.mean(costs))

    def outputs(self) -> np.ndarray:
        """Return the model's first output for the orbit's pictures [n, K]."""
        result: np.ndarray = self._session.run(None, {self._input: self._pictures})[0]
        return result

    def _cpu_ms(self, size: int) -> float:
        began = time.process_time()
        for start in range(0, len(self._pictures), size):
            self._session.run(None, {self._input: self._pictures[start : start + size]})
        return (time.process_time() - began) * 1e3


def measure_cost(server: ServerProcess, model: str, file: Path, rounds: int, seconds: float) -> list[CostPair]:
    """Measure pairs of windows: checks one after the other, then the bound.

    Raises:
        RuntimeError: A check was not whole and fresh, or its outputs are not those of bare ONNX Runtime.
    """
    bare = BareOrbit(file, int(server.properties(model)["threads"]))
    outputs = _check(server, model, outputs=True)["elements"]["output"]
    if not np.allclose(outputs, bare.outputs(), rtol=1e-4, atol=1e-4):
        raise RuntimeError(f"{model}: the outputs of the check are not those of ONNX Runtime")
    return [_pair(server, model, bare, seconds) for _ in range(rounds)]


def _pair(server: ServerProcess, model: str, bare: BareOrbit, seconds: float) -> CostPair:
    reports: list[dict[str, Any]] = []
    cpu, machine, mine = tree_cpu_s(server.pid), machine_cpu_s(), time.process_time()
    began = time.perf_counter()
    while not reports or time.perf_counter() - began < seconds:
        reports.append(_check(server, model))
    elapsed = time.perf_counter() - began
    cpu, mine = tree_cpu_s(server.pid) - cpu, time.process_time() - mine
    others = (machine_cpu_s() - machine - cpu - mine) / elapsed
    return CostPair(
        check_ms=cpu * 1e3 / len(reports),
        transform_ms=float(np.mean([report["cost"]["transform_ms"] for report in reports])),
        forward_passes=reports[0]["cost"]["forward_passes"],
        bound_ms=bare.window(seconds),
        others_cores=others,
    )


def _check(server: ServerProcess, model: str, *, outputs: bool = False) -> dict[str, Any]:
    query = f"group={GROUP}&elements={ELEMENTS}&outputs={str(outputs).lower()}"
    path = f"http://{server.http}/v2/models/{model}/equivariance?{query}"
    request = urllib.request.Request(path, picture_png(), {"content-type": "image/png"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        report: dict[str, Any] = json.load(answer)
    if report["coverage"]["checked"] != ELEMENTS or report["cost"]["cached"]:
        raise RuntimeError(f"not a whole, fresh check: {report['coverage']}, {report['cost']}")
    return report
