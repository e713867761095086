"""Named tensors beyond one request: jobs, comparisons, gates; over REST, gRPC and the client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import numpy as np
import orjson
import pytest
import pytest_asyncio

from equiserve.checks import TensorCheckRequest
from equiserve.checks.formats import FORMATS
from equiserve.engine import RequestContext
from equiserve.errors import InvalidRequest
from equiserve.rpc.generated import equivariance_pb2 as messages
from equiserve.rpc.generated import jobs_pb2
from equiserve.rpc.generated.equivariance_pb2_grpc import EquivarianceStub
from equiserve.rpc.generated.jobs_pb2_grpc import JobsStub
from planes import Edges, both_edges, served_plane
from tensor_models import write_repository

CLOUDS = np.random.default_rng(0).uniform(0.2, 1.0, (4, 5, 3)).astype(np.float32)
INPUT = {"name": "x", "datatype": "FP32", "shape": [4, 5, 3], "data": CLOUDS.tolist()}
TENSOR = messages.Tensor(name="x", datatype="FP32", shape=[4, 5, 3], data=CLOUDS.tobytes())
CONTEXT = RequestContext("check-1")
ENDED = ("done", "failed", "cancelled")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def edges(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edges]:
    root = tmp_path_factory.mktemp("tensors")
    write_repository(root)
    folders = {name: tmp_path_factory.mktemp(name) for name in ("cache", "jobs_dir")}
    async with served_plane(root, **folders) as plane, both_edges(plane) as edges:
        yield edges


async def ended(edges: Edges, job: str) -> dict[str, Any]:
    for _ in range(10_000):
        status = (await edges.http.get(f"/v2/jobs/{job}")).json()
        if status["state"] in ENDED:
            return status
        await asyncio.sleep(0.005)
    raise AssertionError("the job did not end")


async def test_a_job_checks_every_row_of_named_tensors_and_reports_over_inputs(edges: Edges):
    submitted = await edges.http.post(
        "/v2/jobs", json={"model": "radial", "inputs": [INPUT], "group": "SO3", "elements": 60}
    )
    assert submitted.status_code == 202
    job = await ended(edges, submitted.json()["id"])
    assert (job["state"], job["progress"]["done"], job["progress"]["planned"]) == ("done", 240, 240)
    result = job["result"]
    assert result["coverage"]["inputs"] == 4
    assert result["verdict"]["status"] == "pass"
    assert "on 4 of 4 inputs; the outputs follow the input on 100.00%" in result["statement"]
    assert len(result["elements"]["relative_error_p95"]) == 60
    one = await edges.plane.check(TensorCheckRequest("radial", {"x": CLOUDS[2:3]}, group="SO3", elements=60), CONTEXT)
    assert result["inputs"][2]["elements"]["relative_error"] == one.to_json()["elements"]["relative_error"]


async def test_the_result_of_such_a_job_can_be_had_in_every_form(edges: Edges):
    submitted = await edges.http.post("/v2/jobs", json={"model": "squares", "inputs": [INPUT], "elements": 12})
    job = await ended(edges, submitted.json()["id"])
    assert job["result"]["verdict"]["status"] == "fail"
    assert "input " in job["result"]["verdict"]["reason"]
    for form in FORMATS:
        if form.suffix != ".png":
            accept = {"accept": form.media_type}
            reply = await edges.http.get(f"/v2/jobs/{job['id']}", headers=accept)
            assert reply.headers["content-type"].partition(";")[0] == form.media_type
    assert "input 0" in (await edges.http.get(f"/v2/jobs/{job['id']}", headers={"accept": "text/csv"})).text


async def test_grpc_takes_the_same_job(edges: Edges):
    stub = JobsStub(edges.channel)
    check = messages.CheckRequest(model="radial", inputs=[TENSOR], count=12)
    job = (await stub.SubmitJob(jobs_pb2.SubmitJobRequest(check=check))).job
    assert job.progress.pictures == 4
    await ended(edges, job.id)
    result = orjson.loads((await stub.GetJob(jobs_pb2.GetJobRequest(id=job.id))).result_json)
    assert result["verdict"]["status"] == "pass"
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.SubmitJob(jobs_pb2.SubmitJobRequest(check=check, labels=[1, 2, 3, 4]))
    assert "labels" in refused.value.details()


async def test_the_client_sends_arrays_by_name_where_it_would_send_a_picture(edges: Edges):
    report = await edges.client.check("radial", {"x": CLOUDS[:1]}, elements=12)
    assert report["verdict"]["status"] == "pass"
    assert "relative error" in await edges.client.check_plot("radial", {"x": CLOUDS[:1]}, elements=12)
    assert (await edges.client.estimate_check("radial", {"x": CLOUDS[:1]}, elements=12))["estimate"]["elements"] == 12
    events = [event async for event in edges.client.check_stream("radial", {"x": CLOUDS[:1]}, elements=12)]
    assert (events[0].name, events[-1].name) == ("started", "completed")
    job = await edges.client.jobs.submit_check("radial", {"x": CLOUDS}, elements=12)
    assert (await edges.client.jobs.wait(job["id"], poll_s=0.01))["result"]["coverage"]["inputs"] == 4
    with pytest.raises(InvalidRequest, match="a check takes one input, got 4 rows"):
        await edges.client.check("radial", {"x": CLOUDS})


async def test_two_models_are_compared_on_the_same_elements_of_the_same_input(edges: Edges):
    options = {"elements": 24, "compare_with": "squares", "group": "SO3"}
    report = await edges.client.check("radial", {"x": CLOUDS[:1]}, **options)
    other = report["comparison"]
    assert other["paired"]["only_this_agrees"] == 23
    assert "radial version 1 is more consistent for this input: 24 of 24 elements against 1" in other["statement"]
    assert len(other["difference"]["relative_error"]) == 24
    estimate = await edges.client.estimate_check("radial", {"x": CLOUDS[:1]}, **options)
    assert estimate["comparison"]["model"] == "squares"
    message = await EquivarianceStub(edges.channel).Check(
        messages.CheckRequest(
            model="radial",
            inputs=[messages.Tensor(name="x", datatype="FP32", shape=[1, 5, 3], data=CLOUDS[:1].tobytes())],
            count=24,
            compare_with="squares",
            group=messages.Group(name="SO3"),
        )
    )
    assert message.comparison.statement == other["statement"]
    assert message.comparison.paired.only_this_agrees == 23
    for form in FORMATS:
        if form.suffix != ".png":
            assert form.render(report)
    track = {"x": np.zeros((1, 4, 2), np.float32) + np.arange(4, dtype=np.float32)[:, None]}
    with pytest.raises(InvalidRequest) as refused:
        await edges.client.check("velocity", track, compare_with="radial")
    assert (refused.value.code, refused.value.field) == ("not_comparable", "compare_with")


async def test_a_gate_on_a_metric_of_tensors_decides(edges: Edges):
    for model, status in (("radial", "pass"), ("squares", "fail")):
        gate = {"relative_error": {"max": 1e-3}}
        report = await edges.client.check(model, {"x": CLOUDS[:1]}, elements=12, gate=gate)
        assert (report["verdict"]["status"], report["gates"][0]["status"]) == (status, status)


async def test_rows_that_do_not_fit_together_are_refused_before_a_job_is_made(edges: Edges):
    other = {**INPUT, "name": "y", "shape": [3, 5, 3], "data": CLOUDS[:3].tolist()}
    reply = await edges.http.post("/v2/jobs", json={"model": "radial", "inputs": [INPUT, other]})
    assert (reply.status_code, reply.json()["error"]) == (400, "inputs.y: got 3 rows, expected 4 as x has")
    reply = await edges.http.post("/v2/jobs", json={"model": "radial", "inputs": [INPUT], "labels": [1]})
    assert (reply.status_code, reply.json()["field"]) == (400, "labels")


async def test_a_job_of_tensors_lies_on_disk_under_the_names_of_its_tensors(edges: Edges):
    store = edges.plane.jobs._store  # what a next process would read
    job = store.add("0" * 12, "equivariance", {"model": "radial"}, [{"x": CLOUDS[:1], "a/b": CLOUDS[1:2]}, b"PNG"], 2)
    first = store.given(job, 0)
    assert first.keys() == {"x", "a/b"}
    np.testing.assert_array_equal(first["a/b"], CLOUDS[1:2])
    assert store.given(job, 1) == b"PNG"
    store.remove(job)
