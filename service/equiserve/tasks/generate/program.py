"""The program of one generation: ask the model, take a step, until the pictures are drawn.

Whatever else the model is asked meanwhile, by other generations at other steps or by anybody, shares its batches: a
step is an ordinary call, and between two of them a generation holds nothing but a few small arrays.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from itertools import accumulate
from math import inf
from typing import ParamSpec, TypeVar

import numpy as np

from equiserve.engine import ComputePool, RequestContext
from equiserve.engine.core import DEFAULT_PRIORITY
from equiserve.errors import Overloaded
from equiserve.numerics.noise import seeds_from
from equiserve.numerics.sampling import Sampling
from equiserve.numerics.solvers import SOLVERS
from equiserve.tasks.generate.events import Completed, GenerateEvent, Preview, Progress
from equiserve.tasks.generate.generator import PictureGenerator, Rows
from equiserve.tasks.generate.parameters import GenerateParameters, GenerateRequest
from equiserve.tasks.generate.turns import turn
from equiserve.tasks.generate.under_way import UnderWay

P = ParamSpec("P")
R = TypeVar("R")

# Numbers that a step of a solver, or a turn, moves in less than a millisecond: no hand-over to a thread.
_INLINE = 32_768
_INLINE_RESAMPLED = 4_096
# A long generation does not tell of each of its steps.
_MOST_PROGRESS = 100


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation that was checked and planned, and has not begun.

    Attributes:
        generator: The model.
        parameters: What the pictures are a function of.
        plan: How they come about.
        rows: What the model is told beside x and sigma.
        priority: 1 is the most urgent.
        previews: Previews at most.
    """

    generator: PictureGenerator
    parameters: GenerateParameters
    plan: Sampling
    rows: Rows
    priority: int
    previews: int

    @property
    def environment(self) -> dict[str, str]:
        """What bits depend on beside the parameters."""
        model = self.generator.model
        calibration = model.calibration
        return {
            "runtime": model.runtime.version,
            "cpu": calibration.cpu,
            "numpy": np.__version__,
            "batch_invariance": calibration.batch_invariance,
            "padded_to": str(model.min_batch),
            **self.generator.options.described,
        }

    @property
    def identity(self) -> dict[str, str]:
        """The part of the environment that an ETag may depend on: what does not change while a server runs."""
        environment = self.environment
        return {name: environment[name] for name in ("runtime", "cpu", "numpy", *self.generator.options.described)}


def plan_generation(generator: PictureGenerator, request: GenerateRequest, *, max_pictures: int) -> Generation:
    """Check and plan a request; nothing is drawn yet.

    Raises:
        InvalidRequest: The field, what came and what is taken.
    """
    parameters = GenerateParameters.of(request, generator, max_pictures=max_pictures)
    options = generator.options
    plan = Sampling.of(
        SOLVERS[parameters.solver],
        parameters.steps,
        (options.sigma_min, options.sigma_max),
        shape=generator.shape,
        seeds=seeds_from(parameters.seed, parameters.n),
        mode=parameters.mode,
        angle_deg=parameters.angle,
        band=options.drift_band,
    )
    rows = generator.rows(plan, parameters.label, parameters.guidance)
    return Generation(generator, parameters, plan, rows, request.priority or DEFAULT_PRIORITY, request.previews)


async def generate_events(
    generation: Generation,
    context: RequestContext,
    *,
    compute: ComputePool,
    under_way: UnderWay,
    progress: bool = False,
) -> AsyncGenerator[GenerateEvent, None]:
    """Draw the pictures of a generation and tell how it goes; closing the stream frees its rows.

    Args:
        generation: What to draw.
        context: Whose id and deadline hold.
        compute: Runs the steps of large pictures.
        under_way: Counts the generation, and may cancel it.
        progress: Whether to tell of progress: one event before the first step, and at most a hundred others.

    Yields:
        `Progress` and `Preview` where they are wanted, and last `Completed`.

    Raises:
        Overloaded: Too much is under way, or the deadline cannot be met.
        Cancelled: By its id.
        DeadlineExceeded, Unavailable, InternalError: See `ServedModel.infer_step`.
    """
    came, plan, rows, generator = time.perf_counter(), generation.plan, generation.rows, generation.generator
    calls, height = plan.calls, len(rows.labels)
    ahead = _rows_ahead(generation)
    latest = _latest(context, came, ahead[0] * generator.row_s)
    work = np.prod(plan.shape, dtype=int) * len(plan.seeds)
    shown = _shown(calls, generation.previews)
    every = -(-calls // _MOST_PROGRESS)

    async def off_loop(step: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        if work > (_INLINE_RESAMPLED if plan.resamples else _INLINE):
            return await compute.run(step, *args, **kwargs)
        return step(*args, **kwargs)

    with under_way.admitted(generation.parameters, context, rows=height, calls=calls, row_s=generator.row_s) as token:
        if progress:
            yield _progress(generation, context, 0, ahead[0])
        state = await off_loop(plan.start)
        for call in range(calls):
            left_s = ahead[call] * generator.row_s
            outputs = await generator.model.infer_step(
                rows.inputs(state.x, plan.level(state)),
                turn=turn(came, left_s, latest_s=latest),
                token=token,
                priority=generation.priority,
                deadline=context.deadline,
            )
            denoised = rows.estimate(outputs[0])
            state = await off_loop(plan.advance, state, denoised)
            if progress and (call + 1) % every == 0:
                yield _progress(generation, context, call + 1, ahead[call + 1])
            if call in shown:
                pictures = await off_loop(plan.finished, denoised)
                yield Preview(context.request_id, call + 1, calls, pictures)
        pictures = await off_loop(plan.finished, state.x)
        completed = Completed(
            id=context.request_id,
            parameters=generation.parameters,
            pictures=pictures,
            calls=calls,
            rows=height,
            seconds=time.perf_counter() - came,
            environment=generation.environment,
        )
    yield completed


def _latest(context: RequestContext, now: float, needed_s: float) -> float:
    """Return the request's deadline on the clock of turns; raises Overloaded where even alone it would be late."""
    if context.deadline == inf:
        return inf
    left_s = context.deadline - asyncio.get_running_loop().time()
    if needed_s > left_s:
        raise Overloaded(
            f"cannot meet the deadline: {left_s * 1e3:.0f} ms are left, the steps take about {needed_s * 1e3:.0f} ms",
            code="deadline_unreachable",
            retry_after_s=needed_s,
        )
    return now + left_s


def _shown(calls: int, previews: int) -> frozenset[int]:
    """Return after which calls a preview is sent: the first within three, then evenly, none after the last."""
    if not previews or calls < 2:
        return frozenset()
    last = calls - 2
    first = min(2, last)
    return frozenset(round(place) for place in np.linspace(first, last, previews).tolist())


def _rows_ahead(generation: Generation) -> list[int]:
    """Return, a call, the rows of it and of those that follow it; 0 after the last."""
    plan, rows = generation.plan, generation.rows
    each = [rows.count(plan.solver.level(call, plan.sigmas)) for call in range(plan.calls)]
    return [0, *accumulate(reversed(each))][::-1]


def _progress(generation: Generation, context: RequestContext, call: int, rows_ahead: int) -> Progress:
    plan, calls = generation.plan, generation.plan.calls
    remaining_s = rows_ahead * generation.generator.row_s
    sigma = plan.solver.level(call, plan.sigmas) if call < calls else 0.0
    return Progress(context.request_id, call, calls, sigma, remaining_s)
