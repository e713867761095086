"""What one model version did so far. Plain integers, written on the event loop only."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

from equiserve.engine.core import Batch
from equiserve.errors import Cancelled, DeadlineExceeded, EquiServeError, InternalError, Overloaded

#: Reasons of failure, with Triton's names.
REASONS = ("REJECTED", "CANCELED", "BACKEND", "OTHER")


def failure_reason(error: BaseException) -> str:
    """Return Triton's name for why a request failed."""
    if isinstance(error, Overloaded):
        return "REJECTED"
    if isinstance(error, (Cancelled, DeadlineExceeded, asyncio.CancelledError)):
        return "CANCELED"
    return "OTHER" if isinstance(error, EquiServeError) and not isinstance(error, InternalError) else "BACKEND"


@dataclass(slots=True)
class Stage:
    """How often a stage ran and for how long in all."""

    count: int = 0
    ns: int = 0

    def add(self, ns: int) -> None:
        """Count one run."""
        self.count += 1
        self.ns += ns


@dataclass(slots=True)
class ModelStatistics:
    """Counts and durations of one model version, in the terms of the v2 statistics extension."""

    success: Stage = field(default_factory=Stage)
    failure: Stage = field(default_factory=Stage)
    queue: Stage = field(default_factory=Stage)
    compute_input: Stage = field(default_factory=Stage)
    compute_infer: Stage = field(default_factory=Stage)
    compute_output: Stage = field(default_factory=Stage)
    failures: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    padded_rows: int = 0
    executions: int = 0
    background_rows: int = 0
    batch_sizes: Counter[int] = field(default_factory=Counter)
    batch_infer_ns: Counter[int] = field(default_factory=Counter)
    last_inference_ms: int = 0

    def ran(self, batch: Batch) -> None:
        """Count a batch that ran and is about to be handed back."""
        self.executions += 1
        self.rows += batch.rows
        self.padded_rows += batch.padded_to - batch.rows
        infer_ns = batch.computed_ns - batch.assembled_ns
        self.batch_sizes[batch.padded_to] += 1
        self.batch_infer_ns[batch.padded_to] += infer_ns
        input_ns = batch.assembled_ns - batch.started_ns
        output_ns = time.perf_counter_ns() - batch.computed_ns
        for call in batch.calls:
            self.queue.add(batch.started_ns - call.enqueued_ns)
            self.compute_input.add(input_ns)
            self.compute_infer.add(infer_ns)
            self.compute_output.add(output_ns)
        if batch.calls[0].background:
            self.background_rows += batch.rows

    def succeeded(self, total_ns: int) -> None:
        """Count a request that was answered."""
        self.success.add(total_ns)
        self.last_inference_ms = time.time_ns() // 1_000_000

    def failed(self, error: BaseException, total_ns: int) -> None:
        """Count a request that was not answered."""
        self.failure.add(total_ns)
        self.failures[failure_reason(error)] += 1
