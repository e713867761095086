"""Runs one orbit and its controls through the engine, in the background, a fixed number of rows at a time."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator

import numpy as np

from equiserve.checks.controls import control_layouts, round_trips, unrelated_pictures
from equiserve.checks.measurement import Measurement
from equiserve.checks.planner import CheckPlan, plan_check
from equiserve.checks.report import CheckReport, write_report
from equiserve.checks.request import CheckRequest
from equiserve.classifier import PictureClassifier
from equiserve.engine import ComputePool, RequestContext, ServedModel
from equiserve.errors import Overloaded
from equiserve.pictures import background_of
from equiserve.symmetry import Element, OrbitChunk

# Pictures that are transformed in one go: few hand-overs to a thread, and never the whole of a large orbit.
_BLOCK_BYTES = 4 << 20
# Kept back from the deadline for writing the report: a share of what is left, but no more than this.
_RESERVE_SHARE, _RESERVE_S = 0.2, 0.25


async def run_check(
    model: ServedModel,
    request: CheckRequest,
    context: RequestContext,
    *,
    compute: ComputePool,
    max_pixels: int,
    max_orbit: int,
) -> CheckReport:
    """Run an equivariance check of one picture.

    A deadline that passes on the way gives a report on what was checked until then. Cancelling stops the check
    between two batches.

    Args:
        model: A classifier of pictures.
        request: What to check.
        context: Whose deadline holds; its request id becomes the report's.
        compute: Decodes, transforms and writes the report.
        max_pixels: Largest picture.
        max_orbit: Most elements.

    Raises:
        Unsupported: The model is no classifier of pictures (`not_a_classifier`).
        InvalidRequest: A field of the request, or the picture.
        TooLarge: The picture, or the orbit (`orbit_too_large`).
        Overloaded: The model's queue had no room for the first batch.
        Unavailable, InternalError: See `ServedModel.infer`.
    """
    began = time.perf_counter()
    classifier = PictureClassifier.of(model)
    plan = await compute.run(plan_check, classifier, request, max_pixels=max_pixels, max_orbit=max_orbit)
    run = _Run(classifier, plan, compute, max_pixels)
    try:
        async with asyncio.timeout_at(_stop_at(context.deadline)):
            await run.controls()
            await run.orbit()
            await run.round_trip()
    except TimeoutError:
        pass  # the report states its coverage
    run.measured.wall_s = time.perf_counter() - began
    return await compute.run(write_report, classifier, plan, run.measured, request, context.request_id)


def _stop_at(deadline: float) -> float | None:
    if deadline == math.inf:
        return None
    left = deadline - asyncio.get_running_loop().time()
    return deadline - min(_RESERVE_SHARE * left, _RESERVE_S)


class _Run:
    """One check under way; `measured` fills up as it goes."""

    def __init__(self, classifier: PictureClassifier, plan: CheckPlan, compute: ComputePool, max_pixels: int) -> None:
        model = classifier.model
        self._classifier = classifier
        self._plan = plan
        self._compute = compute
        self._identity = classifier.rows(plan.orbit.picture[None])
        picture = plan.orbit.picture
        # A model of open height and width could be sent a batch of pictures that are each as large as one may be.
        most = min(model.background_rows(), len(plan.orbit), max_pixels // picture[0].size)
        rows = max(model.min_batch, most)
        self.measured = Measurement(rows if model.batched else 1)

    async def controls(self) -> None:
        """Run the repeats and the unrelated pictures."""
        stack = await self._compute.run(self._control_rows)
        smallest = self._classifier.model.min_batch if self._classifier.model.batched else 1
        for layout in control_layouts(self.measured.batch, smallest):
            self.measured.controls.add(layout, await self._infer(stack[layout]))

    async def orbit(self) -> None:
        """Run every element, in order."""
        batch, picture = self.measured.batch, self._plan.orbit.picture
        blocks = self._plan.orbit.chunks(max(1, _BLOCK_BYTES // picture.nbytes // batch) * batch)
        while (block := await self._compute.run(self._next, blocks)) is not None:
            chunk, rows = block
            for start in range(0, len(rows), batch):
                self.measured.scores.append(await self._infer_part(rows[start : start + batch]))
                self.measured.changed.append(chunk.changed[start : start + batch])

    async def round_trip(self) -> None:
        """Move and move back, where elements are not exact."""
        elements, rows = await self._compute.run(self._round_trip_rows)
        if not elements:
            return
        batch = self.measured.batch
        parts = [await self._infer_part(rows[start : start + batch]) for start in range(0, len(rows), batch)]
        self.measured.round_trip_elements = elements
        self.measured.controls.round_trip = np.concatenate(parts)

    def _control_rows(self) -> np.ndarray:
        unrelated = unrelated_pictures(self._plan.orbit.picture, background_of(self._classifier.input))
        return np.concatenate([self._identity, self._classifier.rows(unrelated)])

    def _round_trip_rows(self) -> tuple[list[Element], np.ndarray]:
        elements, pictures = round_trips(self._plan.orbit)
        return elements, self._classifier.rows(pictures)

    def _next(self, blocks: Iterator[OrbitChunk]) -> tuple[OrbitChunk, np.ndarray] | None:
        began = time.perf_counter()
        chunk = next(blocks, None)
        if chunk is None:
            return None
        rows = self._classifier.rows(chunk.pictures)
        self.measured.transform_s += time.perf_counter() - began
        return chunk, rows

    async def _infer_part(self, rows: np.ndarray) -> np.ndarray:
        """Return the scores of at most a batch of rows, padded with the identity: all batches are of one size."""
        missing = self.measured.batch - len(rows)
        padded = np.concatenate([rows, np.repeat(self._identity, missing, axis=0)]) if missing else rows
        return (await self._infer(padded))[: len(rows)]

    async def _infer(self, rows: np.ndarray) -> np.ndarray:
        """Return the scores of one batch; a queue that is full is waited for once the check has begun."""
        while True:
            try:
                outputs = await self._classifier.model.infer_background([rows])
                break
            except Overloaded as error:
                if not self.measured.batches:
                    raise
                await asyncio.sleep(min(max(error.retry_after_s, 0.05), 1.0))
        self.measured.batches += 1
        self.measured.forward_passes += len(rows)
        return self._classifier.scores(outputs)
