"""Checks a share of the live pictures against the symmetry that their model declares: no labels are needed.

In the background, one at a time; where more come than can be checked they are dropped and counted.
"""

from __future__ import annotations

import asyncio
import logging

import numpy as np

from equiserve.checks.checker import Checker
from equiserve.checks.request import CheckRequest
from equiserve.checks.run import run_check
from equiserve.engine import RequestContext, ServedModel
from equiserve.errors import EquiServeError

log = logging.getLogger("equiserve.checks")

_ELEMENTS = 16
_MOST_WAITING = 8


class TrafficMonitor:
    """Samples pictures that models were asked about.

    Args:
        checker: Whose bounds and statistics are used.
        share: Of the pictures that are offered, in (0, 1]: every 1 / share-th is checked.
    """

    def __init__(self, checker: Checker, share: float) -> None:
        self._checker = checker
        self._share = share
        self._due = 0.0
        self._waiting: asyncio.Queue[tuple[ServedModel, bytes | np.ndarray]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def offer(self, model: ServedModel, picture: bytes | np.ndarray) -> None:
        """Take a picture that a model was asked about, or leave it; costs a request next to nothing.

        Args:
            model: The model; left alone where it declares no symmetry.
            picture: A file, or uint8 [C, H, W], which is copied where it is taken.
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
        self._waiting.put_nowait((model, picture if isinstance(picture, bytes) else picture.copy()))
        if self._task is None:
            self._task = asyncio.create_task(self._check_all())

    def offer_rows(self, model: ServedModel, inputs: list[np.ndarray]) -> None:
        """Offer the first picture of a tensor request, where it holds pictures as pixels."""
        if len(inputs) == 1 and inputs[0].dtype == np.uint8 and inputs[0].ndim == 4:
            self.offer(model, inputs[0][0])

    def close(self) -> None:
        """Stop checking."""
        if self._task is not None:
            self._task.cancel()

    async def _check_all(self) -> None:
        checker = self._checker
        while True:
            model, picture = await self._waiting.get()
            request = CheckRequest(model.name, picture, model.version, elements=_ELEMENTS)
            try:
                report = await run_check(
                    model,
                    request,
                    RequestContext(f"monitor-{model.name}-{model.version}"),
                    compute=checker.compute,
                    max_pixels=checker.max_pixels,
                    max_orbit=checker.max_orbit,
                )
            except EquiServeError as error:
                log.info("live picture not checked", extra={"model": model.name, "error": error.message})
            else:
                checker.statistics.record(report.to_json(), "monitor")
