"""Runs jobs one after the other, in the background, and writes down what they find.

A job that runs when the server stops goes on after the next start: inputs that have a report keep it, the one that was
under way is begun anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from equiserve.checks.checker import AnyCheckRequest, Checker
from equiserve.checks.comparison import AnyCheckEvent
from equiserve.checks.data_set import aggregate
from equiserve.checks.events import Completed, Progress
from equiserve.checks.gated import gates_over
from equiserve.checks.job_store import Job, JobStore
from equiserve.checks.named_tensors import TensorCheckRequest, TensorProgress
from equiserve.checks.request import CheckRequest
from equiserve.engine import RequestContext
from equiserve.errors import EquiServeError, InternalError, InvalidRequest, Overloaded, TooLarge
from equiserve.symmetry import Verdict
from equiserve.symmetry.gates import gates_from_json

log = logging.getLogger("equiserve.checks")

# How often the record on disk follows the progress, for other processes and for the next start.
_SAVE_S = 1.0
_SWEEP_S = 60.0


class JobRunner:
    """What of a store's jobs this process runs.

    Args:
        checker: Runs checks.
        store: Where jobs lie.
        max_elements: Most elements of one job.

    Attributes:
        active: The jobs that wait or run here, by id, fresher than their records on disk.
    """

    def __init__(self, checker: Checker, store: JobStore, max_elements: int) -> None:
        self.active: dict[str, Job] = {}
        self._checker = checker
        self._store = store
        self._max_elements = max_elements
        self._compute = checker.compute
        self._waiting: asyncio.Queue[tuple[Job, int]] = asyncio.Queue()
        self._locks: set[int] = set()
        self._task: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Stop running; what is not finished goes on after the next start."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for lock in self._locks:
            os.close(lock)
        self._locks.clear()

    async def run(self, job: Job) -> None:
        """Run a job after those that came before it, unless another process has it."""
        lock = await self._compute.run(self._store.claim, job)
        if lock is None:
            return
        self._locks.add(lock)
        self.active[job.id] = job
        self._waiting.put_nowait((job, lock))
        if self._task is None:
            self._task = asyncio.create_task(self._run_all())

    async def _run_all(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_SWEEP_S):
                    job, lock = await self._waiting.get()
            except TimeoutError:
                await self._compute.run(self._store.sweep)
                continue
            try:
                await self._run_one(job)
            except OSError as error:
                log.error("job lost", extra={"job": job.id, "error": str(error)})
            self.active.pop(job.id, None)
            self._locks.discard(lock)
            os.close(lock)

    async def _run_one(self, job: Job) -> None:
        store, compute = self._store, self._compute
        job.state, job.started = "running", job.started or time.time()
        await compute.run(store.save, job)
        try:
            reports = await compute.run(store.reports, job)
            # What the last process had of a picture that it did not finish is run again.
            job.pictures_done, job.done = len(reports), sum(map(_checked, reports.values()))
            for index in range(job.pictures):
                if index not in reports and not store.is_cancelled(job):
                    reports[index] = await self._check(job, index)
                    await compute.run(store.save_report, job, index, reports[index])
                    job.pictures_done = len(reports)
            result = await compute.run(_result, job, reports)
            cancelled = store.is_cancelled(job) and _is_partial(result)
            await compute.run(store.save_result, job, result)
            job.state = "cancelled" if cancelled else "done"
        except Exception as error:
            known = error if isinstance(error, EquiServeError) else InternalError("internal error; the log has it")
            job.state, job.error = "failed", known.body()
            if known is not error:
                log.error("job failed", exc_info=error, extra={"job": job.id})
        job.ended = time.time()
        await compute.run(store.save, job)
        log.info("job ended", extra={"job": job.id, "state": job.state, "elements": job.done})

    async def _check(self, job: Job, index: int) -> dict[str, Any]:
        """Return one picture's report with its `index`, or `{"index": ..., "error": ...}` where it cannot be read."""
        store, before, saved = self._store, job.done, time.monotonic()
        given = await self._compute.run(store.given, job, index)
        fields = {key: value for key, value in job.request.items() if key != "labels"}
        if job.request["labels"] is not None:
            fields["label"] = job.request["labels"][index]
        request: AnyCheckRequest
        if isinstance(given, Mapping):
            request = TensorCheckRequest(**fields, inputs=given)
        else:
            request = CheckRequest(**fields, picture=given)
        while True:
            events = self._checker.events(
                request,
                RequestContext(f"{job.id}/{index}"),
                source="job",
                max_orbit=self._max_elements,
                cancelled=lambda: store.is_cancelled(job),
            )
            try:
                async with contextlib.aclosing(events):
                    return await self._follow(job, index, events, before, saved)
            except Overloaded as error:
                # The queue is full of other checks: a job has time.
                await asyncio.sleep(min(max(error.retry_after_s, 0.1), 5.0))
            except (InvalidRequest, TooLarge) as error:
                if job.pictures == 1:
                    raise
                return {"index": index, "error": error.body()}

    async def _follow(
        self, job: Job, index: int, events: AsyncIterator[AnyCheckEvent], before: int, saved: float
    ) -> dict[str, Any]:
        counts: dict[str, int] = {}
        async for event in events:
            if isinstance(event, Progress | TensorProgress):
                model = event.classifier.model if isinstance(event, Progress) else event.model
                counts[model.name] = event.done
                job.done = before + sum(counts.values())
                if time.monotonic() - saved > _SAVE_S:
                    saved = time.monotonic()
                    await self._compute.run(self._store.save, job)
            elif isinstance(event, Completed):
                return {**event.report.to_json(), "index": index}
        raise AssertionError("a check ends with its report")


def _result(job: Job, reports: Mapping[int, dict[str, Any]]) -> dict[str, Any]:
    """Return the only picture's report, or what all together say; raises the first error where none was checked."""
    good = [report for _, report in sorted(reports.items()) if "error" not in report]
    failures = {index: report["error"] for index, report in reports.items() if "error" in report}
    if not good:
        if failures:
            first = failures[min(failures)]
            raise InvalidRequest(f"no picture could be checked: {first['error']}", code=first["code"], field="file")
        coverage = {"checked": 0, "planned": job.planned}
        return {"statement": "Cancelled before any picture was checked.", "coverage": coverage}
    if job.pictures == 1:
        return {key: value for key, value in good[0].items() if key != "index"}
    result = aggregate(good, failures, job.pictures)
    gated = gates_over(good, gates_from_json(job.request.get("gate")))
    missing = job.pictures - len(good)
    if missing and "verdict" in gated and gated["verdict"]["status"] == "pass":
        reason = f"{missing} of {job.pictures} pictures have no report. Of the others: {gated['verdict']['reason']}"
        gated["verdict"] = Verdict("inconclusive", reason, "See `inputs` for the reasons.").to_json()
    return result | gated


def _is_partial(result: Mapping[str, Any]) -> bool:
    coverage = result["coverage"]
    pictures = coverage.get("inputs", 1) + coverage.get("failed_inputs", 0)
    return bool(coverage["checked"] < coverage["planned"] or pictures < coverage.get("planned_inputs", 1))


def _checked(report: Mapping[str, Any]) -> int:
    both = [report, report.get("comparison") or {}]
    return sum(one.get("coverage", {}).get("checked", 0) for one in both)
