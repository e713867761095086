"""Threads for work that would hold up the event loop: decoding pictures, parsing large JSON, transforming orbits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from equiserve.errors import Overloaded

P = ParamSpec("P")
R = TypeVar("R")


class ComputePool:
    """A bounded thread pool.

    Args:
        threads: Number of threads.
        max_waiting: Jobs that may wait; one more is refused.
    """

    def __init__(self, threads: int, max_waiting: int = 1024) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="compute")
        self._max_waiting = max_waiting
        self._under_way = 0

    async def run(self, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work` on a thread; raises Overloaded where too much waits already."""
        if self._under_way >= self._max_waiting:
            raise Overloaded(f"{self._under_way} decoding jobs are under way", code="compute_pool_full")
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: work(*args, **kwargs))
        finally:
            self._under_way -= 1

    def stop(self) -> None:
        """Drop what waits; what runs ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)
