"""A fit: read the cloud, bring it to what the model takes, one call of the model, then a body, refined where asked.

All that computes runs in the compute pool; refinement in slices of some 20 ms, so that other work comes between and a
caller who hangs up, or whose deadline passes, ends it there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from equiserve.clouds import PreparedCloud, prepare_cloud, read_cloud
from equiserve.engine import ComputePool, RequestContext, ServedModel
from equiserve.engine.core import DEFAULT_PRIORITY
from equiserve.errors import DeadlineExceeded, InvalidRequest
from equiserve.numerics.body_model import BodyModel
from equiserve.numerics.fit_quality import JUDGED_POINTS
from equiserve.numerics.nearest_points import point_tree
from equiserve.numerics.posed_surface import BodyParameters
from equiserve.numerics.restarting_refinement import Misfit, misfit, refine
from equiserve.tasks.fit.fitter import BodyFitter, NetworkAnswer, shape_for
from equiserve.tasks.fit.registry import BodyRegistry
from equiserve.tasks.fit.result import BodyFit

T = TypeVar("T")

_SLICE_S = 0.02


@dataclass(slots=True)
class FitRequest:
    """A cloud for one model.

    Attributes:
        model: Name of the model.
        points: A file, or numbers [n, 3]; see `read_cloud`.
        version: Its version; empty = the newest that is loaded.
        runtime: Runtime to use; None = the model's first.
        file_format: Of the file; None = its content tells.
        unit: `m`, `cm`, `mm` or `auto`.
        refine: Whether to draw the body onto the cloud, some 0.6 s of one core.
        labels: Whether to say which part each point belongs to.
        body: Name of the body to fit; None = the model's own.
        priority: 1 is the most urgent; 0 = the default.
    """

    model: str
    points: bytes | np.ndarray
    version: str = ""
    runtime: str | None = None
    file_format: str | None = None
    unit: str = "auto"
    refine: bool = False
    labels: bool = False
    body: str | None = None
    priority: int = 0


async def fit(
    model: ServedModel,
    request: FitRequest,
    context: RequestContext,
    *,
    compute: ComputePool,
    bodies: BodyRegistry,
) -> BodyFit:
    """Fit a body to the cloud of one request.

    Args:
        model: A body fitter.
        request: What to fit.
        context: Whose deadline holds.
        compute: Does all that is not the model.
        bodies: The bodies that may be asked for.

    Raises:
        Unsupported: The model is no body fitter (`not_a_body_fitter`).
        InvalidRequest: The file (`invalid_cloud`), the points (see `prepare_cloud`), an option.
        NotFound: `unknown_body`.
        DeadlineExceeded: Between two slices.
        Overloaded, Unavailable, InternalError: See `BodyFitter.infer`.
    """
    fitter = BodyFitter.of(model)
    if isinstance(request.priority, bool) or not isinstance(request.priority, int) or request.priority < 0:
        raise InvalidRequest(
            f"priority: got {request.priority!r}, expected a whole number >= 0",
            code="invalid_parameter",
            field="priority",
        )
    own = await compute.run(bodies.get, fitter.options.body)
    body = own if request.body is None else await compute.run(bodies.get, request.body)
    points = await compute.run(read_cloud, request.points, request.file_format)
    options = fitter.options
    cloud = await compute.run(
        prepare_cloud, points, count=options.points, prefix=options.labelled_points, unit=request.unit
    )
    answer = await fitter.infer(cloud.points, priority=request.priority or DEFAULT_PRIORITY, deadline=context.deadline)
    start = shape_for(body, own, answer.parameters)
    if request.refine:
        steps = _refined(body, cloud, start, answer)
    else:
        steps = _as_answered(body, cloud, start)
    parameters, agreement, beginning = await _in_slices(steps, compute, context.deadline)
    labels = await compute.run(_labels, points, cloud, answer) if request.labels else None
    return await compute.run(
        BodyFit.made,
        model=model,
        body=body,
        parameters=parameters,
        cloud=cloud,
        misfit=agreement,
        answer=answer,
        beginning=beginning,
        labels=labels,
    )


async def cloud_inputs(
    model: ServedModel,
    content: bytes | np.ndarray,
    *,
    compute: ComputePool,
    file_format: str | None = None,
    unit: str = "auto",
) -> dict[str, np.ndarray]:
    """Return what a fitter would be given for a cloud, `points` [1, N, 3] float32 about the centroid."""
    options = BodyFitter.of(model).options
    points = await compute.run(read_cloud, content, file_format)
    cloud = await compute.run(prepare_cloud, points, count=options.points, prefix=options.labelled_points, unit=unit)
    return {"points": cloud.points[None]}


_Fitted = tuple[BodyParameters, Misfit, str | None]


def _as_answered(body: BodyModel, cloud: PreparedCloud, start: BodyParameters) -> Generator[None, None, _Fitted]:
    yield
    return start, misfit(body, start, cloud.points.astype(np.float64), points=JUDGED_POINTS), None


def _refined(
    body: BodyModel, cloud: PreparedCloud, start: BodyParameters, answer: NetworkAnswer
) -> Generator[None, None, _Fitted]:
    points = cloud.points.astype(np.float64)
    nearest = point_tree(points[: len(answer.probabilities)]).query(points)[1]
    refined = yield from refine(body, points, start, answer.probabilities[nearest] if answer.knows_parts else None)
    return refined.parameters, refined.misfit, refined.beginning


def _labels(points: np.ndarray, cloud: PreparedCloud, answer: NetworkAnswer) -> np.ndarray:
    """Return the part of each input point, uint8 [n]: that of the nearest point that the network labelled."""
    labelled = cloud.points[: len(answer.probabilities)].astype(np.float64) + cloud.origin
    parts = answer.probabilities.argmax(axis=1).astype(np.uint8)
    return np.asarray(parts[point_tree(labelled).query(points * cloud.scale.metres)[1]])


async def _in_slices(steps: Generator[None, None, T], compute: ComputePool, deadline: float) -> T:
    """Run a generator to its end, slice by slice, with everything else between; raises DeadlineExceeded."""
    loop = asyncio.get_running_loop()
    while True:
        done, value = await compute.run(_slice, steps)
        if done:
            assert value is not None
            return value
        if loop.time() > deadline:
            raise DeadlineExceeded("the deadline passed while the body was refined", code="deadline_exceeded")


def _slice(steps: Generator[None, None, T]) -> tuple[bool, T | None]:
    began = time.perf_counter()
    while time.perf_counter() - began < _SLICE_S:
        try:
            next(steps)
        except StopIteration as end:
            return True, end.value
    return False, None
