"""Draws the orbit, some elements at a time in lockstep, as background calls of one size."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from equiserve.checks.deadline import finish_by, time_to_stop
from equiserve.engine import ComputePool, RequestContext, ServedModel
from equiserve.generator_check.plan import GeneratorCheckRequest, GeneratorPlan, plan_generator_check
from equiserve.generator_check.report import Drawn, GeneratorCheckReport, write_generator_report
from equiserve.numerics.sampling import Sampling
from equiserve.numerics.solvers import SolverState
from equiserve.tasks.generate.generator import Rows


async def check_generator(
    model: ServedModel,
    request: GeneratorCheckRequest,
    context: RequestContext,
    *,
    compute: ComputePool,
    max_orbit: int,
    max_pictures: int,
) -> GeneratorCheckReport:
    """Draw the same seeds at every angle of the orbit and report how the pictures turned.

    Args:
        model: A generator of pictures.
        request: What to check.
        context: Whose deadline holds; what was drawn until then is reported.
        compute: Solver steps, registration, and the report.
        max_orbit: Most pictures of one check.
        max_pictures: Most seeds.

    Raises:
        InvalidRequest, TooLarge, Unsupported: See `plan_generator_check`.
        Overloaded, Unavailable, InternalError: See `ServedModel.infer_background`.
    """
    began = time.perf_counter()
    plan = await compute.run(plan_generator_check, model, request, max_orbit=max_orbit, max_pictures=max_pictures)
    at_once = max(1, model.background_rows() // len(plan.generation.rows.labels))
    at_once = min(at_once, len(plan.elements))
    drawn = Drawn(batch=at_once * len(plan.generation.rows.labels))
    stop_at = time_to_stop(context.deadline)
    try:
        for start in range(0, len(plan.elements), at_once):
            part = plan.elements[start : start + at_once]
            plans = [plan.sampling(element) for element in part]
            # A call of another size could give other bits: the last one is filled up.
            plans += plans[:1] * (at_once - len(plans))
            pictures = await finish_by(stop_at, _draw(plan, plans, drawn, compute))
            drawn.pictures += pictures[: len(part)]
    except TimeoutError:
        drawn.stopped = True
    drawn.wall_s = time.perf_counter() - began
    return await compute.run(write_generator_report, plan, drawn, context.request_id)


async def _draw(plan: GeneratorPlan, plans: Sequence[Sampling], drawn: Drawn, compute: ComputePool) -> list[np.ndarray]:
    """Return each plan's pictures [n, C, H, W]."""
    generation = plan.generation
    rows = _rows(plan, plans)
    states = await compute.run(lambda: [one.start() for one in plans])
    for _ in range(generation.plan.calls):
        x = np.concatenate([state.x for state in states])
        outputs = await generation.generator.model.infer_background(rows.inputs(x, plans[0].level(states[0])))
        drawn.batches += 1
        states = await compute.run(_advanced, plans, states, rows.estimate(outputs[0]))
    return await compute.run(lambda: [one.finished(state.x) for one, state in zip(plans, states, strict=True)])


def _advanced(plans: Sequence[Sampling], states: Sequence[SolverState], denoised: np.ndarray) -> list[SolverState]:
    parts = np.split(denoised, len(plans))
    return [one.advance(state, part) for one, state, part in zip(plans, states, parts, strict=True)]


def _rows(plan: GeneratorPlan, plans: Sequence[Sampling]) -> Rows:
    """Return what the model is told of all plans' pictures: with guidance those of all, and again without class."""
    each = [plan.generation.generator.rows(one, plan.generation.parameters.label, 1.0) for one in plans]
    labels, angles = (np.concatenate([getattr(one, name) for one in each]) for name in ("labels", "angles"))
    guidance = plan.generation.rows.guidance
    if guidance is not None:
        nothing = np.full_like(labels, plan.generation.generator.no_class)
        labels, angles = np.concatenate((labels, nothing)), np.concatenate((angles, angles))
    return Rows(plan.generation.rows.names, labels, angles, guidance, plan.generation.rows.band)
