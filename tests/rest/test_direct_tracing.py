"""Traces of direct requests: driven without a task, each keeps its own context over its waits and its neighbours."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from direct_peer import BODY, Hold, Peer, request, serving

from equiserve.engine import Scheduler
from equiserve.rest.app import build_app
from planes import until

pytest.importorskip("opentelemetry.sdk.trace", reason="the extra `otel` is not installed: no traces to test")


def traceparent(number: int) -> str:
    return f"Traceparent: 00-{number:032x}-{number:016x}-01"


async def test_spans_of_direct_requests_nest_under_their_own_callers(
    hold: Hold, caplog: pytest.LogCaptureFixture
) -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from equiserve.observe.tracing import TracedDataPlane

    spans, provider, held = InMemorySpanExporter(), TracerProvider(), hold()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    plane = held.app.plane
    scheduler: Scheduler = held.model._scheduler
    traced = TracedDataPlane(plane.repository, plane.admission, plane.compute, plane.settings, scheduler, provider)
    edge = SimpleNamespace(app=build_app(traced, lambda: b""), runtime=held.runtime)
    async with serving(edge) as first:
        second, third = Peer(first.server), Peer(first.server)
        await second.connect()
        await third.connect()
        # All three wait for the model at the same time; the first connection has another request after that one.
        for number, peer in enumerate((first, second, third), start=1):
            peer.send(request(BODY, traceparent(number)))
        await until(lambda: held.admission.inflight_requests == 3)
        third.writer.close()
        await until(lambda: held.admission.inflight_requests == 2)
        held.runtime.gate.set()
        for peer in (first, second):
            assert (await peer.answer())[0] == 200
        first.send(request(BODY.replace(b"FP32", b"FP16"), traceparent(4)))
        assert (await first.answer())[0] == 400
        first.send(request(BODY, traceparent(5)))
        assert (await first.answer())[0] == 200
        second.writer.close()
    finished = spans.get_finished_spans()
    requests = {span.context.trace_id: span for span in finished if span.name == "request"}
    assert {number: span.parent.span_id for number, span in requests.items()} == {n: n for n in range(1, 6)}
    failed = {number: span.attributes.get("error.type") for number, span in requests.items()}
    assert failed == {1: None, 2: None, 3: "CancelledError", 4: "wrong_datatype", 5: None}
    for span in finished:
        if span.name == "model":
            assert span.parent.span_id == requests[span.context.trace_id].context.span_id
    assert caplog.records == []
    scheduler.observer = None
