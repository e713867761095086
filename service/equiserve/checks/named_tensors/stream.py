"""Runs a check of named tensors as a stream of events."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable

from equiserve.checks.deadline import finish_by, time_to_stop
from equiserve.checks.events import Completed, Judged
from equiserve.checks.named_tensors.events import TensorProgress, TensorStarted
from equiserve.checks.named_tensors.orbit_run import TensorOrbitRun
from equiserve.checks.named_tensors.planner import plan_tensor_check
from equiserve.checks.named_tensors.report import write_tensor_report
from equiserve.checks.named_tensors.request import TensorCheckRequest
from equiserve.engine import ComputePool, RequestContext, ServedModel


async def stream_tensor_check(
    model: ServedModel,
    request: TensorCheckRequest,
    context: RequestContext,
    *,
    compute: ComputePool,
    max_orbit: int,
    cancelled: Callable[[], bool] = lambda: False,
) -> AsyncGenerator[TensorStarted | TensorProgress | Judged | Completed, None]:
    """Run an equivariance check of one input of any kind; deadline, cancelling and closing are as in `stream_check`.

    Args:
        model: Any model whose manifest says how its tensors move.
        request: What to check.
        context: Whose deadline holds; its request id becomes the report's.
        compute: Moves tensors there and back, and writes the report.
        max_orbit: Most elements.
        cancelled: Asked before each batch whether the caller wants what there is.

    Yields:
        `TensorStarted`, a `TensorProgress` a batch, `Judged`, `Completed`.

    Raises:
        InvalidRequest, TooLarge, Unsupported: See `plan_tensor_check`; TooLarge also for outputs that would not fit.
        Overloaded: The model's queue had no room for the first batch.
        Unavailable, InternalError: See `ServedModel.infer`.
    """
    began = time.perf_counter()
    plan = await compute.run(plan_tensor_check, model, request, max_orbit=max_orbit)
    run = TensorOrbitRun(model, plan, compute)
    measured = run.measured
    yield TensorStarted(context.request_id, model, plan)
    stop_at = time_to_stop(context.deadline)
    try:
        await finish_by(stop_at, run.controls())
        while not cancelled():
            members = await finish_by(stop_at, run.next_batch())
            if members is None:
                break
            yield TensorProgress(model, plan, measured, members)
        else:
            measured.stopped = "cancelled"
    except TimeoutError:
        measured.stopped = "deadline"
    measured.wall_s = time.perf_counter() - began
    report = await compute.run(write_tensor_report, model, plan, measured, request, context.request_id)
    yield Judged(report)
    yield Completed(report)
