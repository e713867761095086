"""Checks a share of the live inputs against the symmetry that their model declares: no labels are needed.

In the background, one at a time; where more come than can be checked they are dropped and counted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import numpy as np

from equiserve.checks.checker import AnyCheckRequest, Checker
from equiserve.checks.job_store import JobInput
from equiserve.checks.named_tensors import TensorCheckRequest
from equiserve.checks.request import CheckRequest
from equiserve.engine import RequestContext, ServedModel
from equiserve.errors import EquiServeError

log = logging.getLogger("equiserve.checks")

_ELEMENTS = 16
_MOST_WAITING = 8


class TrafficMonitor:
    """Samples inputs that models were asked about.

    Args:
        checker: Whose bounds and statistics are used.
        share: Of the inputs that are offered, in (0, 1]: every 1 / share-th is checked.
    """

    def __init__(self, checker: Checker, share: float) -> None:
        self._checker = checker
        self._share = share
        self._due = 0.0
        self._waiting: asyncio.Queue[tuple[ServedModel, JobInput]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def offer(self, model: ServedModel, given: JobInput) -> None:
        """Take an input that a model was asked about, or leave it; costs a request next to nothing.

        Args:
            model: The model; left alone where it declares no symmetry.
            given: A picture file, uint8 [C, H, W], or named tensors of one row; arrays are copied where they are taken.
        """
        if not model.manifest.symmetries:
            return
        self._due += self._share
        if self._due < 1:
            return
        self._due -= 1
        if self._waiting.qsize() >= _MOST_WAITING:
            self._checker.statistics.dropped += 1
            return
        self._waiting.put_nowait((model, _copied(given)))
        if self._task is None:
            self._task = asyncio.create_task(self._check_all())

    def offer_rows(self, model: ServedModel, inputs: list[np.ndarray]) -> None:
        """Offer the first row of a tensor request; of a classifier of pictures only pixels, UINT8."""
        names = [spec.name for spec in model.runtime.inputs]
        if len(inputs) == 1 and inputs[0].ndim == 4 and model.manifest.inputs[0].takes_pictures:
            if inputs[0].dtype == np.uint8:
                self.offer(model, inputs[0][0])
        elif all(array.dtype.kind in "fiub" for array in inputs):
            rows = [array[:1] for array in inputs] if model.batched else inputs
            self.offer(model, dict(zip(names, rows, strict=True)))

    def close(self) -> None:
        """Stop checking."""
        if self._task is not None:
            self._task.cancel()

    async def _check_all(self) -> None:
        checker = self._checker
        while True:
            model, given = await self._waiting.get()
            request: AnyCheckRequest
            if isinstance(given, Mapping):
                request = TensorCheckRequest(model.name, given, model.version, elements=_ELEMENTS)
            else:
                request = CheckRequest(model.name, given, model.version, elements=_ELEMENTS)
            context = RequestContext(f"monitor-{model.name}-{model.version}")
            try:
                await checker.check_model(model, request, context, "monitor")
            except EquiServeError as error:
                log.info("live input not checked", extra={"model": model.name, "error": error.message})


def _copied(given: JobInput) -> JobInput:
    if isinstance(given, Mapping):
        return {name: array.copy() for name, array in given.items()}
    return given if isinstance(given, bytes) else given.copy()
