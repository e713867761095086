"""Shares the device among all loaded models: one obvious loop.

CPU threads are tokens. A batch of a model that computes with t threads takes t of them; the best head among all
models' queues goes next. A freed worker takes what waits at once; nothing waits for a timer unless a manifest says so.
A lone call of a model that is known to be brief runs at once on the event loop, where nothing else runs or waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from math import inf

from equiserve.engine.batcher import Batcher
from equiserve.engine.brevity import Brevity, Shapes
from equiserve.engine.core import Batch, Call, CallObserver
from equiserve.engine.workers import WorkerPool, run_batch
from equiserve.runtimes import Runtime


class Lane:
    """A model's place at the device: its queue, its runtime, and what runs of it now.

    Args:
        batcher: What waits.
        runtime: What runs it.
        instances: Batches of it that may run at the same time.
        delay_s: How long a batch that is not full waits for company.
        on_batch: Called on the event loop after each batch.

    Attributes:
        running: Batches of it that run.
        returning: Batches of it that ended this turn, whose callers are about to queue their next steps.
    """

    def __init__(
        self,
        batcher: Batcher,
        runtime: Runtime,
        *,
        instances: int,
        delay_s: float,
        on_batch: Callable[[Batch], None],
    ) -> None:
        self.batcher = batcher
        self.runtime = runtime
        self.instances = instances
        self.delay_s = delay_s
        self.on_batch = on_batch
        self.running = 0
        self.returning = 0
        self.linger: asyncio.TimerHandle | None = None
        self.brevity = Brevity()

    def runs_here(self, batch: Batch) -> bool:
        """Return whether a batch that has the device to itself is over before a worker would have begun it."""
        runtime = self.runtime
        shapes = self._lone_shapes(batch)
        return shapes is not None and self.brevity.proven(shapes) and runtime.threads == 1 and runtime.device == "cpu"

    def observe(self, batch: Batch) -> None:
        """Take in a batch that ran."""
        shapes = self._lone_shapes(batch)
        if shapes is not None:
            self.brevity.observe(shapes, (batch.computed_ns - batch.started_ns) * 1e-9)

    def _lone_shapes(self, batch: Batch) -> Shapes | None:
        """Return the shapes of a foreground call that is no larger than the smallest batch; None for other batches."""
        call = batch.calls[0]
        if len(batch.calls) > 1 or batch.padded_to > self.batcher.min_batch or call.background:
            return None
        return tuple([array.shape for array in call.inputs])


class RecentBatches:
    """The typical duration of a stream of batches, as long as it lasts; to be read from any thread.

    Args:
        memory: Weight that older batches keep at each new one; 0.9 remembers about ten.
        expires_s: Seconds after the last batch for which the stream still counts as one.
    """

    def __init__(self, memory: float = 0.9, expires_s: float = 1.0) -> None:
        self._memory = memory
        self._expires_s = expires_s
        self._seconds = 0.0
        self._at = -inf

    def observe(self, seconds: float) -> None:
        """Take in one batch that has just ended."""
        stale = self.typical_s() is None
        self._seconds = seconds if stale else self._memory * self._seconds + (1 - self._memory) * seconds
        self._at = time.monotonic()

    def typical_s(self) -> float | None:
        """Return the mean duration of the last batches; None where there was none for a while."""
        return self._seconds if time.monotonic() - self._at < self._expires_s else None


class Scheduler:
    """Hands batches to workers.

    Args:
        threads: CPU threads of this process in all.

    Attributes:
        observer: Sees the calls and batches of all models; None = nobody does.
        foreground: How long the foreground's batches last, whichever model's: a background batch holds up any of them.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.observer: CallObserver | None = None
        self.foreground = RecentBatches()
        self._free = threads
        self._loop = asyncio.get_running_loop()
        self._pool = WorkerPool(threads)
        self._waiting: dict[Lane, None] = {}
        self._returning = 0
        self._scheduled = False

    @property
    def idle(self) -> bool:
        """Whether nothing runs and nothing waits; may be read from any thread."""
        return self._free == self.threads and not self._waiting

    @property
    def busy_threads(self) -> int:
        """CPU threads that compute now."""
        return self.threads - self._free

    def put(self, lane: Lane, call: Call) -> None:
        """Queue a call; it starts within this turn of the event loop where a worker is free."""
        batcher = lane.batcher
        lone = not batcher.queued_calls
        batcher.put(call)
        if lone:
            self._waiting[lane] = None
            if lane.delay_s:
                if lane.linger is not None:
                    lane.linger.cancel()
                lane.linger = self._loop.call_later(lane.delay_s, self._waited, lane)
        if self._free and not self._scheduled:
            # One turn later: requests that already lie in socket buffers join this batch.
            self._scheduled = True
            self._loop.call_soon(self.dispatch)

    def dispatch(self) -> None:
        """Start batches until no thread is free or nothing waits."""
        self._scheduled = False
        while self._free:
            lane = self._next_lane()
            if lane is None:
                return
            needed = min(lane.runtime.threads, self.threads)
            if needed > self._free:
                return
            batch = lane.batcher.take()
            if batch is None:
                continue
            alone = self._free == self.threads and len(self._waiting) == 1 and not lane.batcher.queued_calls
            self._free -= needed
            lane.running += 1
            if alone and lane.runs_here(batch):
                run_batch(batch, lane.runtime)
                self._finished(lane, needed, batch)
            else:
                self._pool.submit(batch, lane.runtime, partial(self._finished, lane, needed))

    def _next_lane(self) -> Lane | None:
        best, best_order = None, None
        for lane in tuple(self._waiting):
            head = lane.batcher.head()
            if head is None:
                del self._waiting[lane]
            elif head.background and self._returning:
                continue  # foreground steps are on their way
            elif lane.running < lane.instances and not lane.returning and not self._lingers(lane):
                order = head.urgency()
                if best_order is None or order < best_order:
                    best, best_order = lane, order
        return best

    def _waited(self, lane: Lane) -> None:
        # Not read off the clock: a loop may fire a timer early by as much as its resolution, and never again.
        lane.linger = None
        self.dispatch()

    @staticmethod
    def _lingers(lane: Lane) -> bool:
        return lane.linger is not None and lane.batcher.queued_rows < lane.batcher.max_batch

    def _finished(self, lane: Lane, held: int, batch: Batch) -> None:
        self._free += held
        lane.running -= 1
        lane.observe(batch)
        if batch.error is None and not batch.calls[0].background:
            self.foreground.observe((batch.computed_ns - batch.started_ns) * 1e-9)
        steps = any(call.turn for call in batch.calls)
        lane.returning += steps
        self._returning += steps
        # The next batch starts before this one's answers are written: the device never waits for the edges.
        if self._waiting:
            self.dispatch()
        lane.on_batch(batch)
        if steps:
            # Next steps are queued two turns from now: without them others would go first, every other time.
            self._loop.call_soon(self._loop.call_soon, self._returned, lane)

    def _returned(self, lane: Lane) -> None:
        lane.returning -= 1
        self._returning -= 1
        if self._waiting:
            self.dispatch()

    def retire(self, lane: Lane, error: BaseException) -> None:
        """Fail what waits in a lane and forget it; what runs of it ends by itself."""
        lane.batcher.drain(error)
        if lane.linger is not None:
            lane.linger.cancel()
            lane.linger = None
        self._waiting.pop(lane, None)

    def stop(self, timeout_s: float) -> None:
        """Stop the workers after what they are running now."""
        self._pool.stop(timeout_s)
