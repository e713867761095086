"""The check as the server offers it: finds the models, keeps the outputs, counts what was found."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import numpy as np

from equiserve.checks.comparison import AnyCheckEvent, stream_comparison
from equiserve.checks.estimate import batch_of, estimate_check
from equiserve.checks.events import Completed, Started
from equiserve.checks.named_tensors import TensorCheckRequest, TensorStarted, stream_tensor_check
from equiserve.checks.named_tensors.planner import plan_tensor_check
from equiserve.checks.output_cache import OutputCache
from equiserve.checks.planner import plan_check
from equiserve.checks.preview import OrbitPreview, preview
from equiserve.checks.request import CheckRequest
from equiserve.checks.run import report_of, stream_check
from equiserve.checks.statistics import CheckStatistics, Source
from equiserve.classifier import PictureClassifier
from equiserve.engine import ComputePool, RequestContext, ServedModel
from equiserve.errors import InvalidRequest

#: What a check can be asked of: one picture and a classifier, or the named tensors of any model.
AnyCheckRequest = CheckRequest | TensorCheckRequest

#: Name, version and runtime of a model (empty and None: the newest, its first) to the model.
Find = Callable[[str, str, str | None], Awaitable[ServedModel]]


class Checker:
    """Equivariance checks of the server's models.

    Args:
        find: Returns a loaded model; raises NotFound or Unavailable.
        compute: Decodes, transforms and writes reports.
        max_pixels: Largest picture.
        max_orbit: Most elements of one check.
        cache_bytes: Bound of the outputs that are kept for later checks of the same picture; 0 keeps none.

    Attributes:
        statistics: What was found so far.
    """

    def __init__(
        self, find: Find, compute: ComputePool, *, max_pixels: int, max_orbit: int, cache_bytes: int = 0
    ) -> None:
        self.statistics = CheckStatistics()
        self.compute = compute
        self.max_pixels = max_pixels
        self.max_orbit = max_orbit
        self.cache = OutputCache(cache_bytes)
        self._find = find

    async def events(
        self,
        request: AnyCheckRequest,
        context: RequestContext,
        *,
        source: Source = "request",
        max_orbit: int | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> AsyncGenerator[AnyCheckEvent, None]:
        """Run a check, or the comparison that `compare_with` asks for; see `stream_check`, `stream_tensor_check` and
        `stream_comparison`.

        Args:
            request: What to check.
            context: Whose deadline holds.
            source: Who asks, for the statistics.
            max_orbit: Another bound than the server's.
            cancelled: Asked before each batch whether the caller wants what there is.
        """
        limit = max_orbit or self.max_orbit

        async def stream(model: ServedModel, asked: AnyCheckRequest) -> AsyncGenerator[AnyCheckEvent, None]:
            one: AsyncGenerator[AnyCheckEvent, None]
            if isinstance(asked, TensorCheckRequest):
                one = stream_tensor_check(
                    model, asked, context, compute=self.compute, max_orbit=limit, cancelled=cancelled
                )
            else:
                one = stream_check(
                    model,
                    asked,
                    context,
                    compute=self.compute,
                    max_pixels=self.max_pixels,
                    max_orbit=limit,
                    cache=self.cache,
                    cancelled=cancelled,
                )
            async with aclosing(one):
                async for event in one:
                    if isinstance(event, Completed):
                        self.statistics.record(event.report.content, source)
                    yield event

        model = await self._find(request.model, request.version, request.runtime)
        events = stream(model, request)
        if request.compare_with is not None:
            other = await self._find_other(request)

            def second(elements: list[Any], group: str) -> AsyncGenerator[AnyCheckEvent, None]:
                return stream(other, _again(request, elements, group))

            events = stream_comparison(events, second)
        async with aclosing(events):
            async for event in events:
                yield event

    async def check_model(
        self, model: ServedModel, request: AnyCheckRequest, context: RequestContext, source: Source
    ) -> dict[str, Any]:
        """Return the report on this very model, whatever is loaded under its name by now: what the server checks by
        itself. Nothing is taken from the cache, or kept; errors as `events`.
        """
        if isinstance(request, TensorCheckRequest):
            events: AsyncGenerator[Any, None] = stream_tensor_check(
                model, request, context, compute=self.compute, max_orbit=self.max_orbit
            )
        else:
            events = stream_check(
                model,
                request,
                context,
                compute=self.compute,
                max_pixels=self.max_pixels,
                max_orbit=self.max_orbit,
            )
        content = (await report_of(events)).to_json()
        self.statistics.record(content, source)
        return content

    async def estimate(self, request: AnyCheckRequest, *, max_orbit: int | None = None) -> dict[str, Any]:
        """Return what a check would be, as its first event says it, without running anything; errors as `events`."""
        model, limit = await self._find(request.model, request.version, request.runtime), max_orbit or self.max_orbit
        planned = await self.compute.run(self._plan, model, request, limit)
        content = planned.to_json()
        del content["id"]
        if request.compare_with is not None:
            elements = [element.to_json() for element in planned.plan.orbit.elements]
            again = _again(request, elements, planned.plan.group.name)
            other = (await self.compute.run(self._plan, await self._find_other(request), again, limit)).to_json()
            content["comparison"] = {key: other[key] for key in ("model", "version", "runtime", "estimate")}
        return content

    async def rows_of(self, request: TensorCheckRequest) -> list[dict[str, np.ndarray]]:
        """Return the inputs that a request of n rows holds, one row each; of a model without a batch axis the only one.

        Raises:
            InvalidRequest: The tensors have different numbers of rows.
        """
        model = await self._find(request.model, request.version, request.runtime)
        if not model.batched:
            return [dict(request.inputs)]
        counts = {name: len(array) if array.ndim else 0 for name, array in request.inputs.items()}
        first = next(iter(counts), "")
        if unlike := next((name for name in counts if counts[name] != counts[first]), None):
            raise InvalidRequest(
                f"inputs.{unlike}: got {counts[unlike]} rows, expected {counts[first]} as {first} has",
                field=f"inputs.{unlike}",
            )
        return [{name: array[k : k + 1] for name, array in request.inputs.items()} for k in range(counts.get(first, 0))]

    async def preview(self, request: CheckRequest, count: int) -> OrbitPreview:
        """Return `count` of the pictures that a check would give the model; errors as `events`."""
        model = await self._find(request.model, request.version, request.runtime)

        def draw() -> OrbitPreview:
            return preview(self._planned(model, request, self.max_orbit).plan, count)

        return await self.compute.run(draw)

    async def _find_other(self, request: AnyCheckRequest) -> ServedModel:
        name, _, version = (request.compare_with or "").partition(":")
        return await self._find(name, version, request.runtime)

    def _plan(self, model: ServedModel, request: AnyCheckRequest, max_orbit: int) -> Started | TensorStarted:
        if isinstance(request, TensorCheckRequest):
            return TensorStarted("", model, plan_tensor_check(model, request, max_orbit=max_orbit))
        return self._planned(model, request, max_orbit)

    def _planned(self, model: ServedModel, request: CheckRequest, max_orbit: int) -> Started:
        classifier = PictureClassifier.of(model)
        plan = plan_check(classifier, request, max_pixels=self.max_pixels, max_orbit=max_orbit)
        batch = batch_of(classifier, plan.orbit, self.max_pixels)
        return Started("", classifier, plan, estimate_check(classifier, plan.orbit, batch, plan.searched))


def _again(request: AnyCheckRequest, elements: list[Any], group: str) -> AnyCheckRequest:
    """Return the request for the second of two models."""
    if isinstance(request, TensorCheckRequest):
        return replace(request, elements=elements, group=group)
    return replace(request, elements=elements, group=group, search=False)
