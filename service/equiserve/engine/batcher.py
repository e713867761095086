"""The queue of one loaded model: which calls run together next.

Plain data on the event loop, no locks, no timers of its own. A batch is whatever waits when a worker is free: best
priority, then deadline, then arrival, joined while the shapes agree, up to the largest useful batch. Rows count, not
calls. A background call runs alone and exactly as it came, so that a check's numbers do not depend on its neighbours.
A request of many steps says with each when its turn comes (`Call.turn`); to age it, the heap needs no new order.
"""

from __future__ import annotations

import time
from heapq import heapify, heappop, heappush
from itertools import count, pairwise

from equiserve.engine.core import Batch, Call
from equiserve.errors import Overloaded

_Order = tuple[bool, int, float, float, int]

#: One counter for all queues, so that arrivals compare across models.
_arrivals = count()

# Calls of other shapes that one batch looks past: a queue of nothing but unlike calls must not cost its length a batch.
_LOOK_PAST = 32
# Calls that nobody waits for any more may lie in the queue until there are as many as those that somebody waits for.
_FEW = 64


class Batcher:
    """Waiting calls of one model.

    Args:
        max_batch: Most rows in one batch; 1 for a model without a batch axis.
        min_batch: Smallest batch whose bits do not depend on company: smaller ones are padded to it.
        max_queued_rows: Bound of the foreground's queue, and of the background's; what does not fit is refused.

    Attributes:
        queued_rows: Foreground rows that wait.
        background_rows: Background rows that wait: they hold up no foreground call, so they count apart.
        queued_calls: Calls of both that wait.
    """

    def __init__(self, *, max_batch: int, min_batch: int = 1, max_queued_rows: int = 4096) -> None:
        self.max_batch = max_batch
        self.min_batch = min_batch
        self.max_queued_rows = max_queued_rows
        self.queued_rows = 0
        self.background_rows = 0
        self.queued_calls = 0
        self._heap: list[tuple[_Order, Call]] = []

    def make_room(self, rows: int, retry_after_s: float, *, background: bool = False) -> None:
        """Raise Overloaded where a request's rows do not fit (an empty queue takes any request)."""
        waiting = self.background_rows if background else self.queued_rows
        if waiting and waiting + rows > self.max_queued_rows:
            raise Overloaded(
                f"queue full: {waiting} rows wait, {rows} more came, at most {self.max_queued_rows} may",
                code="queue_full",
                retry_after_s=retry_after_s,
            )

    def put(self, call: Call) -> None:
        """Queue a call."""
        call.sequence = next(_arrivals)
        call.enqueued_ns = time.perf_counter_ns()
        self._push(call)

    def head(self) -> Call | None:
        """Return the call that must run next, after dropping those that nobody waits for any more."""
        heap = self._heap
        while heap:
            call = heap[0][1]
            if not call.future.done():
                return call
            self._pop()
        return None

    def take(self) -> Batch | None:
        """Remove and return the next batch, or None where nothing waits."""
        first = self.head()
        if first is None:
            return None
        self._pop()
        calls, rows = [first], first.rows
        if not first.alone:
            unlike: list[Call] = []
            while rows < self.max_batch and (call := self.head()) is not None and not call.alone:
                if call.key != first.key:
                    if len(unlike) == _LOOK_PAST:
                        break
                    unlike.append(call)
                elif rows + call.rows <= self.max_batch:
                    calls.append(call)
                    rows += call.rows
                else:
                    break
                self._pop()
            for call in unlike:
                self._push(call)
        padded = rows if first.background else max(rows, min(self.min_batch, self.max_batch))
        return Batch(calls, rows, padded)

    def give_up(self, call: Call) -> None:
        """Free what a call holds that nobody waits for any more; its future is done."""
        if not call.queued:
            return
        self._uncount(call)
        call.inputs = ()
        if len(self._heap) > 2 * self.queued_calls + _FEW:
            self._heap = [entry for entry in self._heap if entry[1].queued]
            heapify(self._heap)

    def drain(self, error: BaseException) -> None:
        """Fail everything that waits."""
        while self._heap:
            call = self._pop()
            if not call.future.done():
                call.future.set_exception(error)

    def _push(self, call: Call) -> None:
        heappush(self._heap, (call.order(), call))
        call.queued = True
        self.queued_calls += 1
        if call.background:
            self.background_rows += call.rows
        else:
            self.queued_rows += call.rows

    def _pop(self) -> Call:
        call = heappop(self._heap)[1]
        if call.queued:
            self._uncount(call)
        return call

    def _uncount(self, call: Call) -> None:
        call.queued = False
        self.queued_calls -= 1
        if call.background:
            self.background_rows -= call.rows
        else:
            self.queued_rows -= call.rows


def split_rows(rows: int, max_batch: int) -> list[slice]:
    """Return slices of at most `max_batch` rows, as even as possible (17 rows by 16 are 9 + 8, not 16 + 1)."""
    parts = -(-rows // max_batch)
    edges = [rows * part // parts for part in range(parts + 1)]
    return [slice(start, stop) for start, stop in pairwise(edges)]
