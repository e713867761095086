"""Traces: what a request and its model calls leave behind, and that nothing of it runs where nobody asked."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from equiserve.checks import CheckRequest
from equiserve.dataplane import DataPlane, InferRequest
from equiserve.engine import RequestContext
from equiserve.errors import InvalidRequest
from equiserve.tasks.classify import ClassifyRequest
from planes import served_plane
from small_models import brightness_model

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def extra(name: str):  # type: ignore[no-untyped-def]
    return pytest.importorskip(name, reason="the extra `otel` is not installed: no traces to test")


@pytest.fixture
def spans():  # type: ignore[no-untyped-def]
    extra("opentelemetry.sdk.trace")
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    return InMemorySpanExporter()


@pytest_asyncio.fixture
async def traced(spans, repository_folder: Path, tmp_path: Path) -> AsyncIterator[DataPlane]:  # type: ignore[no-untyped-def]
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    from equiserve.observe.tracing import TracedDataPlane

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    models = tmp_path / "models"
    brightness_model(models / "brightness" / "1" / "model.onnx")
    (models / "tiny").symlink_to(repository_folder / "tiny")
    async with served_plane(models, tmp_path, threads=1) as plain:
        scheduler = plain.repository.scheduler
        yield TracedDataPlane(plain.repository, plain.admission, plain.compute, plain.settings, scheduler, provider)


def request(rows: int = 2, width: int = 4) -> InferRequest:
    return InferRequest("tiny", inputs={"x": np.ones((rows, width), np.float32)})


async def test_a_request_and_its_model_call_are_spans_of_the_callers_trace(traced: DataPlane, spans) -> None:  # type: ignore[no-untyped-def]
    await traced.infer(request(rows=2), RequestContext("seven", traceparent=f"00-{TRACE}-{SPAN}-01"))
    model, whole = spans.get_finished_spans()
    assert (whole.name, model.name) == ("request", "model")
    assert f"{whole.context.trace_id:032x}" == f"{model.context.trace_id:032x}" == TRACE
    assert f"{whole.parent.span_id:016x}" == SPAN
    assert model.parent.span_id == whole.context.span_id
    assert whole.attributes["equiserve.request.id"] == "seven"
    assert whole.attributes["equiserve.task"] == "infer"
    for span in (whole, model):
        assert span.attributes["equiserve.model.name"] == "tiny"
        assert span.attributes["equiserve.model.version"] == "2"
    assert model.attributes["equiserve.rows"] == 2
    assert model.attributes["equiserve.batch.rows"] >= 2
    assert model.start_time <= model.end_time
    assert whole.start_time <= model.end_time <= whole.end_time + 1_000_000


@pytest.mark.parametrize("header", [None, "", "garbage", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{SPAN}"])
async def test_a_missing_or_broken_trace_context_begins_a_trace(traced: DataPlane, spans, header: str | None) -> None:  # type: ignore[no-untyped-def]
    await traced.infer(request(), RequestContext("seven", traceparent=header))
    model, whole = spans.get_finished_spans()
    assert whole.parent is None
    assert model.context.trace_id == whole.context.trace_id


async def test_the_caller_decides_against_sampling(traced: DataPlane, spans) -> None:  # type: ignore[no-untyped-def]
    await traced.infer(request(), RequestContext("seven", traceparent=f"00-{TRACE}-{SPAN}-00"))
    assert spans.get_finished_spans() == ()


async def test_a_refused_request_is_a_failed_span_with_the_errors_code_and_no_stack(traced: DataPlane, spans) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidRequest):
        await traced.infer(request(width=5), RequestContext("seven"))
    (whole,) = spans.get_finished_spans()
    assert whole.attributes["error.type"] == "wrong_shape"
    assert whole.status.status_code.name == "ERROR"
    assert whole.events == ()


async def test_requests_that_share_a_batch_have_a_span_each_under_their_own_trace(traced: DataPlane, spans) -> None:  # type: ignore[no-untyped-def]
    import asyncio

    await asyncio.gather(*(traced.infer(request(rows=1), RequestContext(str(index))) for index in range(3)))
    finished = spans.get_finished_spans()
    models = [span for span in finished if span.name == "model"]
    requests = {span.context.span_id: span.context.trace_id for span in finished if span.name == "request"}
    assert len(models) == len(requests) == 3
    assert {span.parent.span_id: span.context.trace_id for span in models} == requests
    # The second and third wait together while the first one runs, or all three run together.
    assert {span.attributes["equiserve.batch.calls"] for span in models} <= {1, 2, 3}


@pytest.mark.parametrize("task", ["classify", "check"])
async def test_every_model_call_of_a_task_is_a_span_under_its_request(traced: DataPlane, spans, task: str) -> None:  # type: ignore[no-untyped-def]
    picture, context = np.arange(16, dtype=np.uint8).reshape(4, 4), RequestContext("seven")
    if task == "classify":
        await traced.classify(ClassifyRequest("brightness", pictures=[picture], top_k=1), context)
        batches = 1
    else:
        report = await traced.check(CheckRequest("brightness", picture, group="CyclicShift"), context)
        batches = report.content["cost"]["batches"]
    *models, whole = spans.get_finished_spans()
    assert (whole.name, whole.attributes["equiserve.task"]) == ("request", task)
    assert whole.attributes["equiserve.model.version"] == "1"
    assert {(span.name, span.parent.span_id) for span in models} == {("model", whole.context.span_id)}
    assert len(models) == batches
    assert {span.attributes["equiserve.background"] for span in models} == {task == "check"}


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """An OTLP collector on loopback: its address, and what it was sent."""
    received: list[tuple[str, bytes]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    thread.join()
    server.server_close()


async def test_the_standard_variables_send_spans_to_a_collector_by_otlp(
    collector: tuple[str, list[tuple[str, bytes]]],
    repository_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    extra("opentelemetry.exporter.otlp.proto.http")
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    from equiserve.observe import tracing

    url, received = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
    providers = []
    made = tracing.provider_from_environment
    monkeypatch.setattr(tracing, "provider_from_environment", lambda: providers.append(made()) or providers[0])
    async with served_plane(repository_folder, tmp_path, threads=1, load=["tiny"]) as plane:
        await plane.infer(request(), RequestContext("seven"))
        providers[0].shutdown()

    assert {path for path, _ in received} == {"/v1/traces"}
    resources = [part for _, body in received for part in ExportTraceServiceRequest.FromString(body).resource_spans]
    named = {item.key: item.value.string_value for item in resources[0].resource.attributes}
    assert (named["service.name"], named["deployment.environment"]) == ("equiserve", "test")
    assert {span.name for part in resources for scope in part.scope_spans for span in scope.spans} == {
        "request",
        "model",
    }


async def test_without_an_endpoint_the_data_plane_is_the_plain_one_and_nobody_observes(
    repository_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", raising=False)
    async with served_plane(repository_folder, tmp_path, threads=1, load=[]) as plane:
        assert type(plane) is DataPlane
        assert plane.repository.scheduler.observer is None


def test_an_endpoint_without_the_extra_is_a_warning_and_the_server_goes_on(tmp_path: Path) -> None:
    program = (
        "import asyncio, logging, sys; sys.modules['opentelemetry.sdk.trace'] = None; logging.basicConfig()\n"
        "from equiserve.dataplane import DataPlane\n"
        "from equiserve.server import build_plane\n"
        "from equiserve.settings import Settings\n"
        "async def main():\n"
        f"    plane, _ = build_plane(Settings(models={str(tmp_path)!r}, cache={str(tmp_path)!r}, threads=1))\n"
        "    print(type(plane) is DataPlane)\n"
        "asyncio.run(main())\n"
    )
    environment = os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "True"), done.stderr
    assert "the extra `otel` is not installed" in done.stderr
