"""Metrics: Triton's names, our own beside them, and counts that are right."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from equiserve.dataplane import DataPlane, InferRequest
from equiserve.engine import Admission, RequestContext, Scheduler, ServedModel
from equiserve.engine.calibration import unmeasured
from equiserve.errors import InvalidRequest
from equiserve.observe.metrics import metrics_renderer
from fake_runtime import DoublingRuntime, doubling_manifest
from planes import served_plane

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]

# Triton's metrics.md, the names that dashboards and autoscalers use.
TRITON = [
    "nv_inference_request_success",
    "nv_inference_count",
    "nv_inference_exec_count",
    "nv_inference_request_duration_us",
    "nv_inference_queue_duration_us",
    "nv_inference_compute_input_duration_us",
    "nv_inference_compute_infer_duration_us",
    "nv_inference_compute_output_duration_us",
    "nv_inference_pending_request_count",
]


@pytest_asyncio.fixture
async def served(repository_folder: Path, tmp_path: Path) -> AsyncIterator[tuple[DataPlane, Callable[[], Samples]]]:
    """A data plane over `tiny` that nobody used yet, and what its `/metrics` says, by the names on the wire."""
    async with served_plane(repository_folder, tmp_path, threads=1, load=["tiny"]) as plane:
        render = metrics_renderer(plane.repository.models, plane.repository.scheduler, plane.admission)

        def samples() -> Samples:
            text = render().decode()
            wire = {line.partition("{")[0].partition(" ")[0] for line in text.splitlines()}
            return {
                # The parser puts `_total` behind the name of every counter that has none.
                (
                    sample.name if sample.name in wire else sample.name.removesuffix("_total"),
                    frozenset(sample.labels.items()),
                ): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            }

        yield plane, samples


def key(name: str, version: str = "2", **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset({"model": "tiny", "version": version, **labels}.items())


async def ask(plane: DataPlane, rows: int, width: int = 4) -> None:
    request = InferRequest("tiny", inputs={"x": np.zeros((rows, width), np.float32)})
    await plane.infer(request, RequestContext("seven"))


async def test_every_name_of_triton_is_there_without_a_suffix(
    served: tuple[DataPlane, Callable[[], Samples]],
) -> None:
    plane, samples = served
    await ask(plane, rows=1)
    names = {name for name, _ in samples()}
    assert set(TRITON) <= names
    assert key("nv_inference_request_failure", reason="OTHER") in samples()
    assert not {name for name in names if name.startswith("nv_") and name.endswith(("_total", "_created"))}


async def test_counts_are_those_of_the_requests_that_were_sent(
    served: tuple[DataPlane, Callable[[], Samples]],
) -> None:
    plane, samples = served
    for rows in (1, 2, 3):
        await ask(plane, rows)
    with pytest.raises(InvalidRequest):
        await ask(plane, 1, width=5)
    seen = samples()
    assert seen[key("nv_inference_request_success")] == 3
    assert seen[key("nv_inference_request_failure", reason="OTHER")] == 1
    assert seen[key("nv_inference_request_failure", reason="REJECTED")] == 0
    assert seen[key("nv_inference_count")] == 6
    assert seen[key("nv_inference_exec_count")] == 3
    assert seen[key("equiserve_batch_rows_count", runtime="onnx")] == 3
    padded = seen[key("equiserve_padded_rows_total", runtime="onnx")]
    assert seen[key("equiserve_batch_rows_sum", runtime="onnx")] == 6 + padded
    assert seen[key("equiserve_batch_rows_bucket", runtime="onnx", le="+Inf")] == 3
    assert seen[key("nv_inference_request_duration_us")] >= seen[key("nv_inference_compute_infer_duration_us")] > 0
    assert seen[key("nv_inference_compute_output_duration_us")] > 0
    assert seen[key("nv_inference_pending_request_count")] == seen[key("equiserve_pending_rows", runtime="onnx")] == 0
    # The other version was asked nothing.
    assert seen[key("nv_inference_request_success", version="1")] == 0


async def test_what_admission_holds_is_shown_while_it_is_held(
    served: tuple[DataPlane, Callable[[], Samples]],
) -> None:
    plane, samples = served
    context = plane.admission.admit("inference", {}, 1000)
    during = samples()
    plane.admission.release(context)
    after = samples()
    for name, value in (("equiserve_inflight_requests", 1), ("equiserve_inflight_bytes", 1000)):
        assert (during[name, frozenset()], after[name, frozenset()]) == (value, 0)


async def test_an_unloaded_model_leaves_the_metrics(served: tuple[DataPlane, Callable[[], Samples]]) -> None:
    plane, samples = served
    await plane.unload_model("tiny")
    assert not [name for name, labels in samples() if ("model", "tiny") in labels]


async def test_a_version_under_two_runtimes_is_one_series_for_tritons_names_and_two_for_ours() -> None:
    scheduler, served = Scheduler(threads=1), []
    for name in ("onnx", "torchscript"):
        runtime = DoublingRuntime()
        runtime.name = name
        found = replace(unmeasured(runtime, 4), stable_batch=1)
        bounds = {"file_digest": "0" * 64, "max_queued_rows": 64}
        served.append(ServedModel(doubling_manifest(), "1", runtime, found, scheduler, **bounds))
    for model in served:
        await model.infer([np.ones((3, 2), np.float32)])
    lines = metrics_renderer(lambda: served, scheduler, Admission())().decode().splitlines()
    series = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
    assert len(series) == len(set(series)), "no series comes twice"
    assert 'nv_inference_count{model="doubling",version="1"} 6.0' in lines
    for name in ("onnx", "torchscript"):
        assert f'equiserve_batch_rows_count{{model="doubling",runtime="{name}",version="1"}} 1.0' in lines
    scheduler.stop(timeout_s=5)
