"""How late the event loop runs what is due: the time that every request waits before anything looks at it."""

from __future__ import annotations

import asyncio
from bisect import bisect_left

# Fifty beats a second would take most of the 1 % of a core that an idle server may use.
PERIOD_S = 0.1
#: Upper edges of the histogram, in seconds; a last bucket has none.
EDGES_S = (0.001, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class LoopLag:
    """A heartbeat every 100 ms, and how late each beat came. Create it on the running loop; `stop` ends it.

    A loop that was held up for long has missed several beats: each is counted, by its own lateness. To count only the
    first would hide what a request sees that came in the middle.

    Attributes:
        counts: Beats in each bucket of `EDGES_S`, and beyond the last edge.
        total_s: Sum of what they were late.
    """

    def __init__(self) -> None:
        self.counts = [0] * (len(EDGES_S) + 1)
        self.total_s = 0.0
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time() + PERIOD_S
        self._timer = self._loop.call_at(self._due, self._beat)

    def stop(self) -> None:
        """Count no more."""
        self._timer.cancel()

    def _beat(self) -> None:
        now = self._loop.time()
        # Timers of whole milliseconds may fire early.
        self._count(max(0.0, now - self._due))
        self._due += PERIOD_S
        while self._due <= now:
            self._count(now - self._due)
            self._due += PERIOD_S
        self._timer = self._loop.call_at(self._due, self._beat)

    def _count(self, late_s: float) -> None:
        self.counts[bisect_left(EDGES_S, late_s)] += 1
        self.total_s += late_s
