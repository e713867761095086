"""One loaded model version under one runtime: the only door to running it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from math import inf

import numpy as np

from equiserve.artifact import Manifest
from equiserve.engine.batcher import Batcher, split_rows
from equiserve.engine.brevity import Brevity
from equiserve.engine.calibration import Calibration
from equiserve.engine.core import DEFAULT_PRIORITY, Batch, Call, CancelToken
from equiserve.engine.cost import BatchCost
from equiserve.engine.scheduler import Lane, Scheduler
from equiserve.engine.statistics import ModelStatistics
from equiserve.errors import DeadlineExceeded, EquiServeError, InternalError, Overloaded, Unavailable
from equiserve.runtimes import Runtime

# However idle the server is when a check begins, a request that comes later waits no longer than this for its batch.
_LONGEST_BACKGROUND_S = 0.03


class ServedModel:
    """A model version that takes calls.

    Args:
        manifest: What the model is; for a plain ONNX file, what its graph says.
        version: Version number as text.
        runtime: The loaded file.
        calibration: What was measured of it at load.
        scheduler: The device that it shares with all other models.
        file_digest: SHA-256 of the file that runs.
        max_queued_rows: Bound of its queue.
    """

    def __init__(
        self,
        manifest: Manifest,
        version: str,
        runtime: Runtime,
        calibration: Calibration,
        scheduler: Scheduler,
        *,
        file_digest: str,
        max_queued_rows: int,
    ) -> None:
        self.manifest = manifest = manifest.as_served()
        self.file_digest = file_digest
        self.name = manifest.name
        self.version = version
        self.statistics = ModelStatistics()
        self.batched = manifest.batching.max_batch > 0
        self.cost = BatchCost()
        self._scheduler = scheduler
        self._batcher = Batcher(max_batch=max(manifest.batching.max_batch, 1), max_queued_rows=max_queued_rows)
        self._lane = Lane(
            self._batcher,
            runtime,
            instances=manifest.batching.instances,
            delay_s=manifest.batching.delay_us * 1e-6,
            on_batch=self._on_batch,
        )
        self._retired: EquiServeError | None = None
        self.calibrate(calibration)

    def calibrate(self, calibration: Calibration) -> None:
        """Take over what was measured: the largest useful batch, the padding, the first guess of the cost."""
        self.calibration = calibration
        self._batcher.max_batch = calibration.max_batch if self.batched else 1
        pads = self.batched and self.manifest.keeps_batch_invariance()
        self._batcher.min_batch = calibration.stable_batch if pads else 1
        if calibration.per_row_s or calibration.fixed_s:
            self.cost = BatchCost(calibration.per_row_s, calibration.fixed_s)

    def replace_runtime(self, runtime: Runtime) -> None:
        """Run what starts from now on with another session of the same file (another thread count)."""
        self._lane.runtime = runtime
        self._lane.brevity = Brevity()  # what the other session did proves nothing of this one

    @property
    def runtime(self) -> Runtime:
        """The loaded file."""
        return self._lane.runtime

    @property
    def max_batch(self) -> int:
        """Largest useful number of rows in one call."""
        return self._batcher.max_batch

    @property
    def min_batch(self) -> int:
        """Rows that a smaller batch is padded to."""
        return self._batcher.min_batch

    @property
    def pending_calls(self) -> int:
        """Calls that wait."""
        return self._batcher.queued_calls

    @property
    def pending_rows(self) -> int:
        """Rows that wait, background ones with them."""
        return self._batcher.queued_rows + self._batcher.background_rows

    async def infer(
        self,
        inputs: Sequence[np.ndarray],
        *,
        priority: int = DEFAULT_PRIORITY,
        deadline: float = inf,
        queue_timeout_s: float | None = None,
    ) -> list[np.ndarray]:
        """Run rows of one foreground request.

        Args:
            inputs: Arrays in the order of the model's inputs, validated, batch first.
            priority: 1 is the most urgent.
            deadline: Event-loop time (s) by which the answer must be there.
            queue_timeout_s: Longest wait before the call starts.

        Returns:
            The outputs in the order of the model's outputs; views into the batch's arrays, not to be written to.

        Raises:
            Overloaded: The queue is full, or the learned cost says that the deadline cannot be met.
            DeadlineExceeded: It was not met.
            Unavailable: The model is being unloaded.
            InternalError: The model failed on these rows.
        """
        loop = asyncio.get_running_loop()
        rows = inputs[0].shape[0] if self.batched else 1
        if deadline != inf:
            self._refuse_hopeless(deadline - loop.time(), rows)
        if self._batcher.queued_rows:
            waiting_s = self.cost.estimate_queue(self._batcher.queued_rows, self.max_batch)
            self._batcher.make_room(rows, waiting_s)
        start_by = inf if queue_timeout_s is None else loop.time() + queue_timeout_s
        if not self.batched or rows <= self.max_batch:
            call = self._submit(inputs, rows, priority, deadline, start_by)
            try:
                return await call.future
            finally:
                self._batcher.give_up(call)
        answered: list[list[np.ndarray]] = []
        # Never more of it at once than the queue is meant to hold: a body of a million tiny rows is one request, too.
        for piece in split_rows(rows, max(self._batcher.max_queued_rows, self.max_batch)):
            answered += await self._infer_piece([array[piece] for array in inputs], priority, deadline, start_by)
        return [np.concatenate(column) for column in zip(*answered, strict=True)]

    async def _infer_piece(
        self, inputs: Sequence[np.ndarray], priority: int, deadline: float, start_by: float
    ) -> list[list[np.ndarray]]:
        """Return the outputs of each batch's worth of rows, in order."""
        calls = [
            self._submit([array[part] for array in inputs], part.stop - part.start, priority, deadline, start_by)
            for part in split_rows(inputs[0].shape[0], self.max_batch)
        ]
        try:
            return await asyncio.gather(*(call.future for call in calls))
        finally:
            for call in calls:
                call.future.cancel()
                self._batcher.give_up(call)

    async def infer_step(
        self,
        inputs: Sequence[np.ndarray],
        *,
        turn: float,
        token: CancelToken,
        priority: int = DEFAULT_PRIORITY,
        deadline: float = inf,
    ) -> list[np.ndarray]:
        """Run rows of one step of a request that was admitted as a whole; it shares batches with any other call.

        Args:
            inputs: As in `infer`.
            turn: When its turn comes among the calls of this model, `time.perf_counter` seconds, greater than 0: the
                earliest goes first.
            token: Ends the request between steps, and while one waits.
            priority: 1 is the most urgent.
            deadline: Event-loop time (s) of the request's end. It sorts no step before other requests.

        Raises:
            DeadlineExceeded, Unavailable, InternalError: As `infer`.
            EquiServeError: The token's.
        """
        rows = inputs[0].shape[0] if self.batched else 1
        parts = split_rows(rows, self.max_batch) if self.batched else [slice(0, 1)]
        calls: list[Call] = []
        token.watch(calls)
        try:
            for part in parts:
                piece = inputs if len(parts) == 1 else [array[part] for array in inputs]
                calls.append(self._submit(piece, part.stop - part.start, priority, deadline, inf, turn=turn))
            if len(calls) == 1:
                return await calls[0].future
            answered = await asyncio.gather(*(call.future for call in calls))
        finally:
            for call in calls:
                call.future.cancel()
                self._batcher.give_up(call)
        return [np.concatenate(column) for column in zip(*answered, strict=True)]

    async def infer_background(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run rows alone, in one batch exactly as given, when no foreground call waits (checks and jobs).

        Raises:
            Overloaded: Too many background rows wait.
            Unavailable, InternalError: As `infer`.
        """
        rows = inputs[0].shape[0] if self.batched else 1
        waiting_s = self.cost.estimate_queue(self.pending_rows, self.max_batch)
        self._batcher.make_room(rows, waiting_s, background=True)
        call = self._submit(inputs, rows, DEFAULT_PRIORITY, inf, inf, background=True)
        try:
            return await call.future
        finally:
            self._batcher.give_up(call)

    def background_rows(self) -> int:
        """Return how many rows a background batch may have now.

        No more than last as long as a typical foreground batch of whichever model, where any ran in the last second;
        never more than last `_LONGEST_BACKGROUND_S` (a request may come in the middle), nor more than the largest batch
        whose bits were compared; at least the smallest one.
        """
        typical = self._scheduler.foreground.typical_s()
        most = max(self.max_batch, self.calibration.check_batch) if self.batched else 1
        if not self.cost.per_row_s:
            return most if typical is None else self.min_batch
        longest = _LONGEST_BACKGROUND_S if typical is None else min(typical, _LONGEST_BACKGROUND_S)
        # A tenth more: what is learned of both wavers.
        rows = int((1.1 * longest - self.cost.fixed_s) / self.cost.per_row_s)
        return max(self.min_batch, min(most, rows))

    def retire(self) -> None:
        """Refuse new calls and fail those that wait; running batches end."""
        self._retired = Unavailable(
            f"model {self.name} version {self.version} is being unloaded", code="model_unloading"
        )
        self._scheduler.retire(self._lane, self._retired)

    def _submit(
        self,
        inputs: Sequence[np.ndarray],
        rows: int,
        priority: int,
        deadline: float,
        start_by: float,
        *,
        turn: float = 0.0,
        background: bool = False,
    ) -> Call:
        if self._retired is not None:
            raise self._retired
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[np.ndarray]] = loop.create_future()
        key = tuple(array.shape[1:] for array in inputs)
        # A step stands where its turn is: with its deadline it would stand before all that came without one.
        expires = inf if turn else min(deadline, start_by)
        call = Call(inputs, rows, key, future, priority, expires, turn, background, alone=background)
        if self._scheduler.observer is not None:
            self._scheduler.observer.queued(call)
        self._scheduler.put(self._lane, call)
        if deadline != inf:
            _expire_at(loop, deadline, call, even_started=True)
        if start_by < deadline:
            _expire_at(loop, start_by, call, even_started=False)
        return call

    def _refuse_hopeless(self, left_s: float, rows: int) -> None:
        if left_s <= 0:
            raise DeadlineExceeded("the deadline had passed when the request came", code="deadline_exceeded")
        waiting = self._batcher.queued_rows
        needed = self.cost.estimate_queue(waiting + rows, self.max_batch)
        if needed > left_s:
            raise Overloaded(
                f"cannot meet the deadline: {left_s * 1e3:.0f} ms are left, {waiting} rows wait and the "
                f"answer would take about {needed * 1e3:.0f} ms",
                code="deadline_unreachable",
                retry_after_s=needed,
            )

    def _on_batch(self, batch: Batch) -> None:
        if self._scheduler.observer is not None:
            self._scheduler.observer.ran(self.name, self.version, batch)
        outputs = batch.outputs or []
        if self.batched:
            for spec, array in zip(self.runtime.outputs, outputs, strict=False):
                if array.shape[:1] != (batch.padded_to,):
                    # Cut up all the same, one caller would get another's numbers.
                    batch.error = InternalError(
                        f"output {spec.name!r} has shape {list(array.shape)} for a batch of {batch.padded_to} rows"
                    )
        if batch.error is not None:
            self._on_failure(batch)
            return
        self.statistics.ran(batch)
        self.cost.observe(batch.padded_to, (batch.computed_ns - batch.started_ns) * 1e-9)
        if len(batch.calls) == 1 and (batch.padded_to == batch.rows or not self.batched):
            if not batch.calls[0].future.done():
                batch.calls[0].future.set_result(outputs)
            return
        start = 0
        for call in batch.calls:
            stop = start + call.rows
            if not call.future.done():
                call.future.set_result([array[start:stop] for array in outputs])
            start = stop

    def _on_failure(self, batch: Batch) -> None:
        if len(batch.calls) > 1:
            # One poisoned row must not harm its neighbours: run each call of the batch by itself once.
            for call in batch.calls:
                if not call.future.done():
                    call.alone = True
                    self._scheduler.put(self._lane, call)
            return
        future = batch.calls[0].future
        if not future.done():
            future.set_exception(
                InternalError(f"model {self.name} failed on this input: {batch.error}", code="model_failed")
            )


def _expire_at(loop: asyncio.AbstractEventLoop, when: float, call: Call, *, even_started: bool) -> None:
    """Fail a call at an event-loop time, unless it was answered (or, for a queue timeout, started) before."""

    def expire() -> None:
        if not call.future.done() and (even_started or call.queued):
            where = "before the answer was there" if even_started else "while the request waited for the model"
            call.future.set_exception(DeadlineExceeded(f"the deadline passed {where}", code="deadline_exceeded"))

    timer = loop.call_at(when, expire)
    call.future.add_done_callback(lambda _: timer.cancel())
