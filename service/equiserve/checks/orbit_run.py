"""One orbit and its controls on their way through the engine: in the background, a fixed number of rows at a time."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from equiserve.checks.controls import round_trip_members, round_trips, unrelated_pictures
from equiserve.checks.estimate import layouts_of
from equiserve.checks.measurement import Measurement
from equiserve.checks.output_cache import OrbitOutputs, OutputCache
from equiserve.checks.planner import CheckPlan
from equiserve.classifier import PictureClassifier
from equiserve.engine import ComputePool
from equiserve.errors import Overloaded
from equiserve.pictures import background_of
from equiserve.symmetry import OrbitChunk

# Pictures that are transformed in one go: few hand-overs to a thread, and never the whole of a large orbit.
_BLOCK_BATCHES, _BLOCK_BYTES = 8, 4 << 20
# Batches that the engine has at a time: while one runs, the next pictures are transformed.
_UNDER_WAY = 2


class OrbitRun:
    """One check under way; `measured` fills up as it goes.

    Args:
        classifier: The model.
        plan: The orbit.
        compute: Transforms pictures.
        batch: Rows of each batch.
        cache: Outputs of earlier checks.
    """

    def __init__(
        self, classifier: PictureClassifier, plan: CheckPlan, compute: ComputePool, batch: int, cache: OutputCache
    ) -> None:
        self._classifier = classifier
        self._plan = plan
        self._compute = compute
        self._cache = cache
        self._orbit = plan.orbit
        self._identity: np.ndarray = np.zeros(0)
        self._outputs: OrbitOutputs | None = None
        self._repeatable = True
        self._missing: np.ndarray = np.zeros(0, np.intp)
        self._blocks: Iterator[OrbitChunk] = iter(())
        self._waiting: deque[tuple[np.ndarray, np.ndarray, np.ndarray]] = deque()
        self._under_way: deque[tuple[np.ndarray, np.ndarray, asyncio.Future[np.ndarray]]] = deque()
        self.measured = Measurement.of(len(plan.orbit), batch)

    async def recall(self) -> np.ndarray:
        """Begin: take what earlier checks of this picture left; returns the indices [k] of the elements found."""
        found = await self._compute.run(self._recall)
        self._missing = np.flatnonzero(~self.measured.answered)
        if len(self._missing):
            elements = tuple(self._orbit.elements[index] for index in self._missing)
            rest = replace(self._orbit, elements=elements, exact=self._orbit.exact[self._missing])
            batch = self.measured.batch
            batches = min(_BLOCK_BATCHES, _BLOCK_BYTES // (self._orbit.picture.nbytes * batch))
            self._blocks = rest.chunks(max(1, batches) * batch)
        return found

    async def controls(self) -> None:
        """Run the repeats, the unrelated pictures, and those that are moved and moved back."""
        trips = [self._orbit.elements[index] for index in round_trip_members(self._orbit)]
        self.measured.controls.trips = trips
        layouts = layouts_of(self._classifier.model, self._orbit, self.measured.batch)
        key = (str(layouts), tuple(trips))
        kept = self._outputs and self._outputs.find_controls(key)
        if kept:
            for layout, scores in zip(layouts, kept, strict=True):
                self.measured.controls.add(layout, scores)
                self.measured.cached += len(scores)
            return
        stack = await self._compute.run(self._control_rows)
        answers = []
        for layout in layouts:
            answers.append(await self._infer(stack[layout]))
            self.measured.controls.add(layout, answers[-1])
        first, second = self.measured.controls.repeats[:2]
        # Outputs of a model that rolls dice are of no use to anybody later.
        self._repeatable = first.tobytes() == second.tobytes()
        if self._outputs and self._repeatable:
            self._outputs.keep_controls(key, *answers)

    async def next_batch(self) -> np.ndarray | None:
        """Run the next batch of elements; returns their indices [k], or None after the last."""
        while len(self._under_way) < _UNDER_WAY:
            if not self._waiting and not await self._compute.run(self._prepare):
                break
            members, rows, changed = self._waiting.popleft()
            self._under_way.append((members, changed, asyncio.ensure_future(self._infer_part(rows))))
        if not self._under_way:
            return None
        members, changed, answer = self._under_way[0]
        scores = await answer
        self._under_way.popleft()
        elements = tuple(self._orbit.elements[index] for index in members)
        self.measured.add(members, self._plan.pull_back(elements, scores), changed)
        if self._outputs and self._repeatable:
            self._outputs.keep(elements, scores, changed)
        return members

    async def ask(self, pictures: Callable[[], np.ndarray]) -> np.ndarray:
        """Return the scores [n, K] of n >= 1 other pictures, in batches like those of the orbit.

        Args:
            pictures: Makes them, uint8 [n, C, H, W], on a thread.
        """
        rows = await self._compute.run(self._timed_rows, pictures)
        batch = self.measured.batch
        parts = [await self._infer_part(rows[start : start + batch]) for start in range(0, len(rows), batch)]
        return np.concatenate(parts)

    def close(self) -> None:
        """Take back what is under way."""
        for _, _, answer in self._under_way:
            answer.cancel()
            # Of several that failed, the first one's error is told.
            answer.add_done_callback(lambda done: done.cancelled() or done.exception())

    # ---------------------------------------------------------------- on threads

    def _recall(self) -> np.ndarray:
        self._identity = self._classifier.rows(self._orbit.picture[None])
        if not self._cache.max_bytes:
            return np.zeros(0, np.intp)
        batch, elements = self.measured.batch, self._orbit.elements
        self._outputs = OrbitOutputs(self._cache, self._classifier, self._orbit, batch)
        for start, stop in self._outputs.units(elements, batch):
            kept = self._outputs.find(elements[start:stop])
            if kept:
                scores, changed = kept
                self.measured.add(np.arange(start, stop), self._plan.pull_back(elements[start:stop], scores), changed)
        found = np.flatnonzero(self.measured.answered)
        self.measured.cached += len(found)
        return found

    def _control_rows(self) -> np.ndarray:
        unrelated = unrelated_pictures(self._orbit.picture, background_of(self._classifier.input))
        trips = self._timed_rows(lambda: round_trips(self._orbit))
        return np.concatenate([self._identity, self._classifier.rows(unrelated), trips])

    def _timed_rows(self, pictures: Callable[[], np.ndarray]) -> np.ndarray:
        began = time.thread_time()
        rows = self._classifier.rows(pictures())
        self.measured.transform_s += time.thread_time() - began
        return rows

    def _prepare(self) -> bool:
        """Transform the next pictures and cut them into batches; returns whether there were any."""
        began = time.thread_time()
        chunk = next(self._blocks, None)
        if chunk is None:
            return False
        rows = self._classifier.rows(chunk.pictures)
        batch = self.measured.batch
        for start in range(0, len(rows), batch):
            part = slice(start, start + batch)
            members = self._missing[chunk.start + start : chunk.start + min(start + batch, len(rows))]
            self._waiting.append((members, rows[part], chunk.changed[part]))
        self.measured.transform_s += time.thread_time() - began
        return True

    # ---------------------------------------------------------------- through the engine

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
