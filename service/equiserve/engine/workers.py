"""Worker threads: they own the device, assemble a batch, run the model, hand the outputs back.

Both runtimes release the GIL while they compute, so threads suffice. A batch costs one hand-over each way.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

import numpy as np

from equiserve.engine.core import Batch, Call
from equiserve.runtimes import Runtime

Job = tuple[Batch, Runtime, Callable[[Batch], None]]
_Inbox = SimpleQueue[Job | None]


class WorkerPool:
    """A fixed number of daemon threads; results come back on the event loop.

    The thread that was busy last works next: its core's caches still hold the model.

    Args:
        size: Number of threads; no more batches may run at the same time.
    """

    def __init__(self, size: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._inboxes: list[_Inbox] = [SimpleQueue() for _ in range(size)]
        self._idle = list(self._inboxes)
        self._threads = [
            threading.Thread(target=self._work, args=(inbox,), name=f"worker-{index}", daemon=True)
            for index, inbox in enumerate(self._inboxes)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, batch: Batch, runtime: Runtime, done: Callable[[Batch], None]) -> None:
        """Run a batch; `done(batch)` is called on the event loop with its outputs or its error set."""
        self._idle.pop().put((batch, runtime, done))

    def stop(self, timeout_s: float) -> None:
        """Let running batches end and join the threads."""
        for inbox in self._inboxes:
            inbox.put(None)
        until = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _work(self, inbox: _Inbox) -> None:
        get, back = inbox.get, self._loop.call_soon_threadsafe
        while (job := get()) is not None:
            batch, runtime, done = job
            run_batch(batch, runtime)
            try:
                back(self._returned, inbox, batch, done)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return
            # Nothing of the last request may live on while the thread waits for the next one.
            del job, batch, runtime, done

    def _returned(self, inbox: _Inbox, batch: Batch, done: Callable[[Batch], None]) -> None:
        self._idle.append(inbox)
        done(batch)


def run_batch(batch: Batch, runtime: Runtime) -> None:
    """Assemble, run and check one batch; sets `outputs` or `error` and the times of the stages."""
    batch.started_ns = time.perf_counter_ns()
    try:
        names = [spec.name for spec in runtime.inputs]
        inputs = dict(zip(names, assemble(batch.calls, batch.padded_to), strict=True))
        batch.assembled_ns = time.perf_counter_ns()
        batch.outputs = list(runtime.run(inputs))
    except BaseException as error:  # noqa: BLE001 - whatever a model raises must reach its callers, not kill the worker
        batch.error = error
        batch.assembled_ns = batch.assembled_ns or time.perf_counter_ns()
    batch.computed_ns = time.perf_counter_ns()


def assemble(calls: list[Call], padded_to: int) -> list[np.ndarray]:
    """Return the calls' inputs, joined along the batch and padded with copies of the first row."""
    rows = sum(call.rows for call in calls)
    if len(calls) == 1 and padded_to == rows:
        return list(calls[0].inputs)
    joined = []
    for index, first in enumerate(calls[0].inputs):
        whole = np.empty((padded_to, *first.shape[1:]), first.dtype)
        np.concatenate([call.inputs[index] for call in calls], out=whole[:rows])
        if padded_to > rows:
            whole[rows:] = first[0]
        joined.append(whole)
    return joined
