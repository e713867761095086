"""What a model is measured for at load: does company change its bits, how many threads pay, what does a batch cost.

The result depends on the file, the runtime's version, the device, the CPU, the thread budget, and what the manifest
fixes of batches and threads; it is cached under all of these. Batch invariance (`exact` or `floor`) is published in
the metadata and in every check report.
"""

from __future__ import annotations

import hashlib
import math
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from equiserve.artifact import TensorSpec
from equiserve.artifact.datatypes import NUMPY_OF
from equiserve.runtimes import Runtime

#: Server time that a batch costs beside the model: queue, two thread hand-overs, scattering (`make bench` shows it).
_HANDOVER_S = 100e-6
#: The same for a batch of a check, which goes through more hands (`make bench-checks`), and its longest batch.
_CHECK_HANDOVER_S, _LONGEST_CHECK_BATCH_S = 500e-6, 30e-3
#: Rows that smaller batches are padded to until the model is measured: some CPUs' kernels change at five rows.
_GUESSED_STABLE_BATCH = 8
#: A call shorter than this runs on one thread.
_WORTH_WAKING_S = 5e-3
#: Share of the ideal speed-up that several threads must reach.
_SPEED_UP_SHARE = 0.75


class Useful(NamedTuple):
    """What makes a batch large enough.

    Attributes:
        rows: At least so many: timing noise must not talk a model out of batching altogether.
        excess: What its row may cost, over a row of the largest batch.
    """

    rows: int
    excess: float


USEFUL = Useful(8, 1.02)
#: Of a model that is called step by step: larger batches make the shortest request wait for the others at every step.
USEFUL_STEPS = Useful(4, 1.1)

#: Sizes to try for axes that a graph leaves open: not every network takes pictures of one pixel.
_OPEN_SIZES = (1, 32, 224)


@dataclass(frozen=True)
class Calibration:
    """Measured properties of one file under one runtime on one CPU.

    Attributes:
        measured: False while the measurement has not run yet (the guesses below are safe ones).
        stable_batch: Smallest batch size from which on no tested size or place changes a row's bits.
        floor: Largest difference of a row alone to the same row in company, relative to the output's largest
            magnitude; 0 where stable_batch is 1.
        exact_in_batches: Whether all tested sizes >= stable_batch agree to the last bit.
        max_batch: Largest useful batch: beyond it a row does not get cheaper.
        per_row_s: Seconds a row, a of a*n + b.
        fixed_s: Seconds a batch, b of a*n + b.
        threads: Threads a call that pay.
        cpu: The CPU's name.
        runtime: Runtime and version.
        check_batch: Largest batch of a check: one up to which bits were compared, too; 0 = `max_batch`.
    """

    measured: bool
    stable_batch: int
    floor: float
    exact_in_batches: bool
    max_batch: int
    per_row_s: float
    fixed_s: float
    threads: int
    cpu: str
    runtime: str
    check_batch: int = 0

    @property
    def batch_invariance(self) -> str:
        """`exact` where company never changes bits; else `floor` and the measured difference."""
        if not self.measured:
            return "not measured yet"
        if self.exact_in_batches and self.stable_batch == 1:
            return "exact"
        if self.exact_in_batches:
            return f"exact from {self.stable_batch} rows, floor {self.floor:.1e} alone"
        return f"floor {self.floor:.1e}"


def unmeasured(runtime: Runtime, max_batch: int) -> Calibration:
    """Return the safe guesses to serve with until the measurement has run."""
    return Calibration(
        False,
        min(_GUESSED_STABLE_BATCH, max_batch),
        float("nan"),
        False,
        max_batch,
        0.0,
        0.0,
        runtime.threads,
        cpu_name(),
        runtime.version,
    )


def open_size(runtime: Runtime, told: int | None = None) -> int:
    """Return the size for axes beyond the batch that a model leaves open: the smallest tried one at which it runs.

    Args:
        runtime: The model.
        told: What the manifest says; a body fitter cannot run on fewer points, and never sees others.
    """
    if told is not None:
        return told
    if any(-1 in spec.shape[1:] for spec in runtime.inputs):
        for size in _OPEN_SIZES[:-1]:
            try:
                runtime.run(golden_inputs(runtime.inputs, 1, size))
            except Exception:  # noqa: BLE001 - each runtime raises its own types
                continue
            return size
        return _OPEN_SIZES[-1]
    return 1


def golden_inputs(
    specs: tuple[TensorSpec, ...], rows: int, open_size: int = 1, *, seed: int = 0
) -> dict[str, np.ndarray]:
    """Return reproducible inputs that the model's declaration allows; -1 beyond the batch becomes `open_size`."""
    generator = np.random.Generator(np.random.Philox(seed))
    inputs: dict[str, np.ndarray] = {}
    for spec in specs:
        batched = bool(spec.shape) and spec.shape[0] == -1
        tail = tuple(open_size if size == -1 else size for size in (spec.shape[1:] if batched else spec.shape))
        shape = (rows, *tail) if batched else tail
        dtype = NUMPY_OF[spec.datatype]
        if spec.datatype == "BYTES":
            inputs[spec.name] = np.full(shape, b"golden", dtype=object)
        elif dtype.kind == "b":
            inputs[spec.name] = generator.integers(0, 2, shape).astype(bool)
        elif dtype.kind in "iu":
            low, high = spec.value_range or ((0, 255) if spec.datatype == "UINT8" else (0, 1))
            inputs[spec.name] = generator.integers(int(low), int(high) + 1, shape).astype(dtype)
        elif spec.value_range:
            inputs[spec.name] = generator.uniform(*spec.value_range, shape).astype(dtype)
        elif spec.kind == "noise_level":
            # No logarithm of it may be NaN: what compares NaN with NaN proves nothing.
            inputs[spec.name] = generator.lognormal(size=shape).astype(dtype)
        else:
            inputs[spec.name] = generator.standard_normal(shape).astype(dtype)
    return inputs


def measure(
    open_with: Callable[[int], Runtime],
    *,
    max_batch: int,
    threads: int,
    fixed_threads: int | None,
    specs: tuple[TensorSpec, ...] | None = None,
    useful: Useful = USEFUL,
    told_size: int | None = None,
    wait_for_idleness: Callable[[], None] = lambda: None,
) -> Calibration:
    """Measure a model.

    Args:
        open_with: Opens the file with a number of threads.
        max_batch: The manifest's cap; 0 = no batch axis, nothing to compare.
        threads: The process's CPU budget.
        fixed_threads: The manifest's choice of threads, or None to choose by measurement.
        specs: What the manifest says of the inputs; None = what the file says.
        useful: What makes a batch large enough.
        told_size: See `open_size`.
        wait_for_idleness: Called before each run of the model: holds it back while requests run, and may raise.
    """

    def timed(session: Runtime, inputs: Mapping[str, np.ndarray]) -> float:
        return _fastest(session, inputs, wait_for_idleness)

    runtime = open_with(fixed_threads or 1)
    wait_for_idleness()
    size, specs = open_size(runtime, told_size), specs or runtime.inputs
    chosen = fixed_threads or 1
    if fixed_threads is None and threads > 1 and runtime.device == "cpu":
        lone = golden_inputs(specs, 1, size)
        narrow_s = timed(runtime, lone)
        # More threads must pay for the cores they take from the event loop and from other models; waking them for
        # short calls never does.
        if narrow_s > _WORTH_WAKING_S:
            wide = open_with(threads)
            if timed(wide, lone) * _SPEED_UP_SHARE * threads < narrow_s:
                runtime, chosen = wide, threads
    if max_batch == 0:
        seconds = timed(runtime, golden_inputs(specs, 1, size))
        return Calibration(True, 1, 0.0, True, 1, seconds, 0.0, chosen, cpu_name(), runtime.version)
    largest, per_row, fixed = _cost(runtime, specs, max_batch, size, useful, timed)
    # No batch of requests is ever larger than the useful one: what is published holds up to it.
    stable, floor, exact = _company(runtime, golden_inputs(specs, largest, size), largest, wait_for_idleness)
    check = min(max(largest, _check_batch(per_row, fixed, max_batch)), max_batch)
    if check > largest:
        found = _company(runtime, golden_inputs(specs, check, size), check, wait_for_idleness)
        if (found[0], found[2]) != (stable, exact):
            check = largest
    return Calibration(True, stable, floor, exact, largest, per_row, fixed, chosen, cpu_name(), runtime.version, check)


def _check_batch(per_row: float, fixed: float, most: int) -> int:
    """Return the rows from which on the hand-over adds less than 3 % to a check, if they are not too long a batch."""
    if not per_row:
        return most
    enough = math.ceil(_CHECK_HANDOVER_S / (0.03 * per_row))
    return max(1, min(enough, int((_LONGEST_CHECK_BATCH_S - fixed) / per_row), most))


def _company(
    runtime: Runtime, rows: Mapping[str, np.ndarray], max_batch: int, wait_for_idleness: Callable[[], None]
) -> tuple[int, float, bool]:
    """Compare each row alone with itself in every batch size up to the cap, from the front and from the back."""
    wait_for_idleness()
    whole = runtime.run(rows)
    scale = [float(np.abs(array).max(initial=0.0)) or 1.0 if array.dtype.kind == "f" else 1.0 for array in whole]
    unstable_up_to, floor = 0, 0.0
    for size in range(1, max_batch + 1):
        for start in {0, max_batch - size}:
            wait_for_idleness()
            part = runtime.run({name: array[start : start + size] for name, array in rows.items()})
            for expected, got, unit in zip(whole, part, scale, strict=True):
                inside = expected[start : start + size]
                if not np.array_equal(inside, got, equal_nan=inside.dtype.kind == "f"):
                    unstable_up_to = size
                    # Text that differs has no distance.
                    apart = 1.0 if inside.dtype == object else float(np.nanmax(np.abs(inside.astype(float) - got)))
                    floor = max(floor, apart / unit)
    if unstable_up_to and unstable_up_to >= max_batch // 2:
        return 1, floor, False
    return unstable_up_to + 1, floor, True


def _cost(
    runtime: Runtime,
    specs: tuple[TensorSpec, ...],
    max_batch: int,
    open_size: int,
    enough: Useful,
    timed: Callable[[Runtime, Mapping[str, np.ndarray]], float],
) -> tuple[int, float, float]:
    """Fit a*n + b and return the smallest batch, with enough rows, that comes close to the cheapest row."""
    sizes = [size for size in (1, 2, 4, 8, 16, 32, 64, 128, 256) if size < max_batch] + [max_batch]
    seconds = [timed(runtime, golden_inputs(specs, size, open_size)) for size in sizes]
    per_row, fixed = np.polyfit(sizes, seconds, 1) if len(sizes) > 1 else (seconds[0] / sizes[0], 0.0)
    per_row, fixed = max(float(per_row), 0.0), max(float(fixed), 0.0)

    def row(size: int) -> float:
        return per_row + (fixed + _HANDOVER_S) / size

    useful = next(size for size in sizes if row(size) <= enough.excess * row(max_batch))
    return min(max(useful, enough.rows), max_batch), per_row, fixed


def _fastest(
    runtime: Runtime, inputs: Mapping[str, np.ndarray], wait_for_idleness: Callable[[], None], budget_s: float = 0.05
) -> float:
    wait_for_idleness()
    runtime.run(inputs)
    best, until = float("inf"), time.perf_counter() + budget_s
    for _ in range(50):
        wait_for_idleness()
        start = time.perf_counter()
        runtime.run(inputs)
        end = time.perf_counter()
        best = min(best, end - start)
        if end > until:
            break
    return best


@cache
def cpu_name() -> str:
    """Return the CPU's name, family, model and instruction sets' fingerprint: what kernels are chosen by."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").split("\n\n", 1)[0].splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = hashlib.sha256(facts.get("flags", facts.get("Features", "")).encode()).hexdigest()[:8]
    name = facts.get("model name", platform.machine())
    return f"{name} (family {facts.get('cpu family', '?')}, model {facts.get('model', '?')}, flags {flags})"
