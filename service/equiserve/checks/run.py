"""Runs a check as a stream of events; the report alone is the stream's end."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from equiserve.checks.deadline import finish_by, time_to_stop
from equiserve.checks.estimate import batch_of, estimate_check
from equiserve.checks.events import CheckEvent, Completed, Judged, Progress, Started
from equiserve.checks.findings import Findings
from equiserve.checks.follow_up import follow_up
from equiserve.checks.orbit_run import OrbitRun
from equiserve.checks.output_cache import OutputCache
from equiserve.checks.planner import plan_check
from equiserve.checks.report import CheckReport, write_report
from equiserve.checks.request import CheckRequest
from equiserve.classifier import PictureClassifier
from equiserve.engine import ComputePool, RequestContext, ServedModel


async def run_check(
    model: ServedModel,
    request: CheckRequest,
    context: RequestContext,
    *,
    compute: ComputePool,
    max_pixels: int,
    max_orbit: int,
) -> CheckReport:
    """Run an equivariance check of one picture and return its report; arguments and errors as `stream_check`."""
    events = stream_check(model, request, context, compute=compute, max_pixels=max_pixels, max_orbit=max_orbit)
    return await report_of(events)


async def report_of(events: AsyncGenerator[Any, None]) -> CheckReport:
    """Return the report at the end of a check's events."""
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Completed):
                return event.report
    raise AssertionError("a check ends with its report")


async def stream_check(
    model: ServedModel,
    request: CheckRequest,
    context: RequestContext,
    *,
    compute: ComputePool,
    max_pixels: int,
    max_orbit: int,
    cache: OutputCache | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> AsyncGenerator[CheckEvent, None]:
    """Run an equivariance check of one picture.

    A deadline that passes on the way gives a report on what was checked until then, and so does `cancelled`. To
    close the stream, or to cancel the task that waits for it, stops the check between two batches.

    Args:
        model: A classifier of pictures.
        request: What to check; `compare_with` is not looked at (see `comparison`).
        context: Whose deadline holds; its request id becomes the report's.
        compute: Decodes, transforms and writes the report.
        max_pixels: Largest picture.
        max_orbit: Most elements.
        cache: Outputs of earlier checks; None = nothing is kept.
        cancelled: Asked before each batch whether the caller wants what there is.

    Yields:
        `Started`, a `Progress` a batch, `Judged`, `Completed`.

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
    batch = batch_of(classifier, plan.orbit, max_pixels)
    run = OrbitRun(classifier, plan, compute, batch, cache or OutputCache(0))
    measured = run.measured
    yield Started(context.request_id, classifier, plan, estimate_check(classifier, plan.orbit, batch, plan.searched))
    stop_at = time_to_stop(context.deadline)
    try:
        members = await finish_by(stop_at, run.recall())
        await finish_by(stop_at, run.controls())
        if measured.answered[0]:
            yield Progress(classifier, plan, measured, members, len(members))
        while not cancelled():
            fresh = await finish_by(stop_at, run.next_batch())
            if fresh is None:
                break
            if measured.answered[0]:
                yield Progress(classifier, plan, measured, fresh, int(measured.answered.sum()))
        else:
            measured.stopped = "cancelled"
        if measured.stopped is None:
            await finish_by(stop_at, follow_up(Findings(classifier, plan, measured, request), run, compute, cancelled))
    except TimeoutError:
        measured.stopped = "deadline"
    finally:
        run.close()
    measured.wall_s = time.perf_counter() - began
    report = await compute.run(write_report, classifier, plan, measured, request, context.request_id)
    yield Judged(report)
    yield Completed(report)
