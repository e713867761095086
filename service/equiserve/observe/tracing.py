"""OpenTelemetry traces: a span `request` for each request, and under it a span `model` for each call of a model.

The module needs the extra `otel`; a server that sends no traces never imports it and pays one `is None` a call
(`Scheduler.observer`). Where traces go is said by the standard `OTEL_*` variables; they leave by OTLP over HTTP.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from equiserve import __version__
from equiserve.checks import AnyCheckRequest, CheckReport
from equiserve.dataplane import DataPlane, InferRequest, InferResponse
from equiserve.engine import Admission, ComputePool, RequestContext, Scheduler
from equiserve.engine.core import Batch, Call
from equiserve.errors import EquiServeError
from equiserve.repository import Repository
from equiserve.settings import Settings
from equiserve.tasks.classify import Classification, ClassifyRequest
from equiserve.tasks.fit import BodyFit, FitRequest
from equiserve.tasks.generate import Completed, GenerateParameters, Generation

_PROPAGATOR = TraceContextTextMapPropagator()


def provider_from_environment() -> TracerProvider:
    """Return what exports spans in batches from a thread of its own, as the `OTEL_*` variables say."""
    ours = Resource({"service.name": "equiserve", "service.version": __version__})
    provider = TracerProvider(resource=Resource.create().merge(ours).merge(OTELResourceDetector().detect()))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class TracedDataPlane(DataPlane):
    """A data plane whose requests and model calls leave spans.

    Args:
        repository: See `DataPlane`.
        admission: See `DataPlane`.
        compute: See `DataPlane`.
        settings: See `DataPlane`.
        scheduler: The device; its observer becomes this tracing's.
        provider: Where spans go.
    """

    def __init__(
        self,
        repository: Repository,
        admission: Admission,
        compute: ComputePool,
        settings: Settings,
        scheduler: Scheduler,
        provider: TracerProvider,
    ) -> None:
        super().__init__(repository, admission, compute, settings)
        self._tracer = provider.get_tracer("equiserve", __version__)
        scheduler.observer = ModelSpans(self._tracer)

    async def infer(self, request: InferRequest, context: RequestContext) -> InferResponse:
        """Run one v2 inference request; see `DataPlane.infer`."""
        with self._span("infer", request, context) as span:
            response = await super().infer(request, context)
            span.set_attribute("equiserve.model.version", response.model.version)
            return response

    async def classify(self, request: ClassifyRequest, context: RequestContext) -> Classification:
        """Classify pictures; see `DataPlane.classify`."""
        with self._span("classify", request, context) as span:
            classification = await super().classify(request, context)
            span.set_attribute("equiserve.model.version", classification.version)
            return classification

    async def fit(self, request: FitRequest, context: RequestContext) -> BodyFit:
        """Fit a body to a point cloud; see `DataPlane.fit`."""
        with self._span("fit", request, context) as span:
            found = await super().fit(request, context)
            span.set_attribute("equiserve.model.version", found.version)
            return found

    async def generate(self, generation: Generation, context: RequestContext) -> Completed:
        """Draw pictures; see `DataPlane.generate`."""
        with self._span("generate", generation.parameters, context):
            return await super().generate(generation, context)

    async def check(self, request: AnyCheckRequest, context: RequestContext) -> CheckReport:
        """Run an equivariance check; see `DataPlane.check`."""
        with self._span("check", request, context) as span:
            report = await super().check(request, context)
            span.set_attribute("equiserve.model.version", report.content["version"])
            return report

    @contextmanager
    def _span(
        self,
        task: str,
        request: InferRequest | ClassifyRequest | FitRequest | GenerateParameters | AnyCheckRequest,
        context: RequestContext,
    ) -> Iterator[Span]:
        attributes = {
            "equiserve.task": task,
            "equiserve.request.id": context.request_id,
            "equiserve.model.name": request.model,
        }
        if request.version:
            attributes["equiserve.model.version"] = request.version
        span = self._tracer.start_span("request", _parent(context), SpanKind.SERVER, attributes)
        # A failure is written down here, with our code and without a stack trace that would go to another system.
        with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            try:
                yield span
            except BaseException as error:
                _fail(span, error)
                raise


class ModelSpans:
    """Turns batches that ran into spans: one for each call, under the request that made it.

    A span begins when the call is queued and ends when its batch is computed.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def queued(self, call: Call) -> None:
        """Remember whose call it is; runs in the task of its request."""
        call.trace = otel_context.get_current()

    def ran(self, model: str, version: str, batch: Batch) -> None:
        """Write the spans of a batch."""
        # The engine's clock is not the wall's.
        offset = time.time_ns() - time.perf_counter_ns()
        for call in batch.calls:
            attributes: dict[str, Any] = {
                "equiserve.model.name": model,
                "equiserve.model.version": version,
                "equiserve.rows": call.rows,
                "equiserve.batch.calls": len(batch.calls),
                "equiserve.batch.rows": batch.padded_to,
                "equiserve.background": call.background,
                "equiserve.queue_us": (batch.started_ns - call.enqueued_ns) // 1000,
                "equiserve.compute_us": (batch.computed_ns - batch.started_ns) // 1000,
            }
            parent: Context | None = call.trace
            span = self._tracer.start_span("model", parent, attributes=attributes, start_time=call.enqueued_ns + offset)
            if batch.error is not None:
                _fail(span, batch.error)
            span.end(batch.computed_ns + offset)


def _parent(context: RequestContext) -> Context:
    # An empty context, not the current one: a server's task may still carry another request's.
    return _PROPAGATOR.extract({"traceparent": context.traceparent or ""}, Context())


def _fail(span: Span, error: BaseException) -> None:
    if isinstance(error, EquiServeError):
        span.set_attribute("error.type", error.code)
        span.set_status(Status(StatusCode.ERROR, error.message))
    else:
        span.set_attribute("error.type", type(error).__name__)
        span.set_status(Status(StatusCode.ERROR))
