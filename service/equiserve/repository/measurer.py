"""Measures models that no cache knows yet, one after the other, while nothing else runs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from equiserve.engine import ServedModel
from equiserve.errors import EquiServeError, Unavailable
from equiserve.repository.loader import Loader

log = logging.getLogger("equiserve.repository")

_LOOK_S = 0.02


class Measurer:
    """A thread that measures served models, and the tasks that give them the result.

    Args:
        loader: Measures a model and keeps the result.
        idle: Whether it may go on now; asked from its thread.
        measured: Told of a model that was measured.
    """

    def __init__(self, loader: Loader, idle: Callable[[], bool], measured: Callable[[ServedModel], None]) -> None:
        self._loader = loader
        self._idle = idle
        self._measured = measured
        self._closed = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="calibration")
        self._tasks: dict[ServedModel, asyncio.Task[None]] = {}

    def begin(self, served: ServedModel) -> None:
        """Measure a model as soon as nothing else runs; it takes over the result by itself."""
        task = asyncio.create_task(self._measure(served))
        self._tasks[served] = task
        task.add_done_callback(lambda _: self._tasks.pop(served, None))

    def end(self, models: Iterable[ServedModel]) -> None:
        """Stop measuring models that are not served any more."""
        for served in models:
            task = self._tasks.pop(served, None)
            if task is not None:
                task.cancel()

    def close(self) -> None:
        """Stop measuring; what runs of a model ends by itself."""
        self._closed = True
        self.end(list(self._tasks))
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _measure(self, served: ServedModel) -> None:
        measure = partial(self._loader.measure, served, partial(self._wait_for_idleness, served))
        try:
            calibration, runtime = await asyncio.get_running_loop().run_in_executor(self._thread, measure)
        except EquiServeError as error:
            log.error("calibration failed", extra={"model": served.name, "error": error.message})
            return
        served.replace_runtime(runtime)
        served.calibrate(calibration)
        log.info(
            "model calibrated",
            extra={
                "model": served.name,
                "batch_invariance": calibration.batch_invariance,
                "threads": calibration.threads,
                "max_batch": calibration.max_batch,
                "row_ms": round(calibration.per_row_s * 1e3, 4),
                "batch_ms": round(calibration.fixed_s * 1e3, 4),
            },
        )
        self._measured(served)

    def _wait_for_idleness(self, served: ServedModel) -> None:
        """Hold the measuring thread back while requests run or models are loaded; raises when it is in vain."""
        while not self._closed and served in self._tasks and not self._idle():
            time.sleep(_LOOK_S)
        if self._closed or served not in self._tasks:
            raise Unavailable("the server is stopping, or the model is not served any more", code="stopping")
