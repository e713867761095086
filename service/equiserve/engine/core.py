"""The nouns that everybody in the server shares: a request as admission saw it, and rows that wait for a model."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from equiserve.errors import EquiServeError

#: Priority of a request that names none; 1 is the most urgent, as in the v2 schedule policy extension.
DEFAULT_PRIORITY = 100


@dataclass(slots=True)
class RequestContext:
    """What admission found out about a request before anything of it was decoded.

    Attributes:
        request_id: From the caller's `x-request-id`, or made here; every log line and error carries it.
        deadline: Event-loop time (seconds) by which the answer must be out; inf = none.
        traceparent: W3C trace context, passed on untouched.
        body_bytes: Bytes accounted to this request until it ends.
        credential: The `authorization` that it came with, whether or not one was needed: jobs belong to it.
    """

    request_id: str
    deadline: float = math.inf
    traceparent: str | None = None
    body_bytes: int = 0
    credential: str = field(default="", repr=False)


@dataclass(slots=True, eq=False)
class Call:
    """Rows of one request that wait for one model.

    Attributes:
        inputs: Arrays in the order of the model's inputs, all with `rows` rows (no batch axis: rows = 1).
        key: Shapes beyond the batch; only calls of equal key share a batch.
        future: Gets the outputs, in the order of the model's outputs.
        priority: 1 is the most urgent.
        expires: Event-loop time (s) after which it must not start any more; inf = never.
        turn: For a step of a longer request, when its turn comes (`time.perf_counter` seconds, may lie ahead): the
            earliest goes first. 0 = no step; its turn came when it was queued.
        background: Runs only when no foreground call waits, and exactly as it came (checks and jobs).
        alone: Shares its batch with nobody: background calls, and calls of a batch that failed.
        queued: It waits in the queue; not yet, or no longer, where a worker has it or its caller gave up.
        enqueued_ns: `time.perf_counter_ns` at submission.
        sequence: Order of arrival.
        trace: What the observer wants to find again when the call has run.
    """

    inputs: Sequence[np.ndarray]
    rows: int
    key: tuple[tuple[int, ...], ...]
    future: asyncio.Future[list[np.ndarray]]
    priority: int = DEFAULT_PRIORITY
    expires: float = math.inf
    turn: float = 0.0
    background: bool = False
    alone: bool = False
    queued: bool = False
    enqueued_ns: int = 0
    sequence: int = 0
    trace: Any = None

    def order(self) -> tuple[bool, int, float, float, int]:
        """Return the sort key among the calls of one model: foreground, then priority, deadline, turn, arrival."""
        return (self.background, self.priority, self.expires, self.turn or self.enqueued_ns * 1e-9, self.sequence)

    def urgency(self) -> tuple[bool, int, float, int]:
        """Return the sort key among models: a step is a call like any other, and came when it was queued."""
        return (self.background, self.priority, self.expires, self.sequence)


class CancelToken:
    """Lets somebody else end a request that makes one call after another.

    Attributes:
        error: Why it was ended; None while it was not.
    """

    __slots__ = ("_waiting", "error")

    def __init__(self) -> None:
        self.error: EquiServeError | None = None
        self._waiting: Sequence[Call] = ()

    def cancel(self, error: EquiServeError) -> None:
        """End the request: what waits of it fails with this error now, what it does next fails at once."""
        self.error = self.error or error
        for call in self._waiting:
            if not call.future.done():
                call.future.set_exception(self.error)

    def watch(self, calls: Sequence[Call]) -> None:
        """Take note of what the request waits for; raises the error of one that was ended."""
        self._waiting = calls
        if self.error is not None:
            raise self.error


@dataclass(slots=True)
class Batch:
    """Calls that run together, and how long each stage of that took (nanoseconds)."""

    calls: list[Call]
    rows: int
    padded_to: int
    started_ns: int = 0
    assembled_ns: int = 0
    computed_ns: int = 0
    outputs: list[np.ndarray] | None = None
    error: BaseException | None = field(default=None)


class CallObserver(Protocol):
    """Sees calls and batches on the event loop: tracing, which lives on a floor above the engine's."""

    def queued(self, call: Call) -> None:
        """See a call as it is queued, in the task of its request."""

    def ran(self, model: str, version: str, batch: Batch) -> None:
        """See a batch that ran, or failed."""
