"""Named tensors beyond one request: jobs, comparisons, gates; over REST, gRPC and the client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
import numpy as np
import orjson
import pytest
import pytest_asyncio

from equiserve.checks import TensorCheckRequest
from equiserve.checks.formats import FORMATS
from equiserve.client import AsyncClient
from equiserve.dataplane import DataPlane
from equiserve.engine import RequestContext
from equiserve.errors import InvalidRequest
from equiserve.rest.app import build_app
from equiserve.rpc.generated import equivariance_pb2 as messages
from equiserve.rpc.generated import jobs_pb2
from equiserve.rpc.generated.equivariance_pb2_grpc import EquivarianceStub
from equiserve.rpc.generated.jobs_pb2_grpc import JobsStub
from equiserve.rpc.server import build_server
from equiserve.server import build_plane
from equiserve.settings import Settings
from tensor_models import write_repository

CLOUDS = np.random.default_rng(0).uniform(0.2, 1.0, (4, 5, 3)).astype(np.float32)
INPUT = {"name": "x", "datatype": "FP32", "shape": [4, 5, 3], "data": CLOUDS.tolist()}
TENSOR = messages.Tensor(name="x", datatype="FP32", shape=[4, 5, 3], data=CLOUDS.tobytes())
CONTEXT = RequestContext("check-1")
ENDED = ("done", "failed", "cancelled")


@dataclass
class House:
    plane: DataPlane
    http: httpx.AsyncClient
    channel: grpc.aio.Channel
    client: AsyncClient


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    root = tmp_path_factory.mktemp("tensors")
    write_repository(root)
    folders = {name: tmp_path_factory.mktemp(name) for name in ("cache", "jobs_dir")}
    plane, scheduler = build_plane(Settings(models=root, **folders))
    await plane.repository.load_all()
    server = build_server(plane)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    app = build_app(plane, lambda: b"")
    transport = httpx.ASGITransport(app=app)
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://equiserve") as http,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
        AsyncClient(transport=httpx.ASGITransport(app=app)) as client,
    ):
        yield House(plane, http, channel, client)
    await server.stop(None)
    await plane.close()
    plane.repository.close()
    plane.compute.stop()
    scheduler.stop(timeout_s=5)


async def ended(house: House, job: str) -> dict[str, Any]:
    for _ in range(10_000):
        status = (await house.http.get(f"/v2/jobs/{job}")).json()
        if status["state"] in ENDED:
            return status
        await asyncio.sleep(0.005)
    raise AssertionError("the job did not end")


async def test_a_job_checks_every_row_of_named_tensors_and_reports_over_inputs(house: House):
    submitted = await house.http.post(
        "/v2/jobs", json={"model": "radial", "inputs": [INPUT], "group": "SO3", "elements": 60}
    )
    assert submitted.status_code == 202
    job = await ended(house, submitted.json()["id"])
    assert (job["state"], job["progress"]["done"], job["progress"]["planned"]) == ("done", 240, 240)
    result = job["result"]
    assert result["coverage"]["inputs"] == 4
    assert result["verdict"]["status"] == "pass"
    assert "on 4 of 4 inputs; the outputs follow the input on 100.00%" in result["statement"]
    assert len(result["elements"]["relative_error_p95"]) == 60
    one = await house.plane.check(TensorCheckRequest("radial", {"x": CLOUDS[2:3]}, group="SO3", elements=60), CONTEXT)
    assert result["inputs"][2]["elements"]["relative_error"] == one.to_json()["elements"]["relative_error"]


async def test_the_result_of_such_a_job_can_be_had_in_every_form(house: House):
    submitted = await house.http.post("/v2/jobs", json={"model": "squares", "inputs": [INPUT], "elements": 12})
    job = await ended(house, submitted.json()["id"])
    assert job["result"]["verdict"]["status"] == "fail"
    assert "input " in job["result"]["verdict"]["reason"]
    for form in FORMATS:
        if form.suffix != ".png":
            accept = {"accept": form.media_type}
            reply = await house.http.get(f"/v2/jobs/{job['id']}", headers=accept)
            assert reply.headers["content-type"].partition(";")[0] == form.media_type
    assert "input 0" in (await house.http.get(f"/v2/jobs/{job['id']}", headers={"accept": "text/csv"})).text


async def test_grpc_takes_the_same_job(house: House):
    stub = JobsStub(house.channel)
    check = messages.CheckRequest(model="radial", inputs=[TENSOR], count=12)
    job = (await stub.SubmitJob(jobs_pb2.SubmitJobRequest(check=check))).job
    assert job.progress.pictures == 4
    await ended(house, job.id)
    result = orjson.loads((await stub.GetJob(jobs_pb2.GetJobRequest(id=job.id))).result_json)
    assert result["verdict"]["status"] == "pass"
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.SubmitJob(jobs_pb2.SubmitJobRequest(check=check, labels=[1, 2, 3, 4]))
    assert "labels" in refused.value.details()


async def test_the_client_sends_arrays_by_name_where_it_would_send_a_picture(house: House):
    report = await house.client.check("radial", {"x": CLOUDS[:1]}, elements=12)
    assert report["verdict"]["status"] == "pass"
    assert "relative error" in await house.client.check_plot("radial", {"x": CLOUDS[:1]}, elements=12)
    assert (await house.client.estimate_check("radial", {"x": CLOUDS[:1]}, elements=12))["estimate"]["elements"] == 12
    events = [event async for event in house.client.check_stream("radial", {"x": CLOUDS[:1]}, elements=12)]
    assert (events[0].name, events[-1].name) == ("started", "completed")
    job = await house.client.jobs.submit_check("radial", {"x": CLOUDS}, elements=12)
    assert (await house.client.jobs.wait(job["id"], poll_s=0.01))["result"]["coverage"]["inputs"] == 4
    with pytest.raises(InvalidRequest, match="a check takes one input, got 4 rows"):
        await house.client.check("radial", {"x": CLOUDS})


async def test_two_models_are_compared_on_the_same_elements_of_the_same_input(house: House):
    options = {"elements": 24, "compare_with": "squares", "group": "SO3"}
    report = await house.client.check("radial", {"x": CLOUDS[:1]}, **options)
    other = report["comparison"]
    assert other["paired"]["only_this_agrees"] == 23
    assert "radial version 1 is more consistent for this input: 24 of 24 elements against 1" in other["statement"]
    assert len(other["difference"]["relative_error"]) == 24
    estimate = await house.client.estimate_check("radial", {"x": CLOUDS[:1]}, **options)
    assert estimate["comparison"]["model"] == "squares"
    message = await EquivarianceStub(house.channel).Check(
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
        await house.client.check("velocity", track, compare_with="radial")
    assert (refused.value.code, refused.value.field) == ("not_comparable", "compare_with")


async def test_a_gate_on_a_metric_of_tensors_decides(house: House):
    for model, status in (("radial", "pass"), ("squares", "fail")):
        gate = {"relative_error": {"max": 1e-3}}
        report = await house.client.check(model, {"x": CLOUDS[:1]}, elements=12, gate=gate)
        assert (report["verdict"]["status"], report["gates"][0]["status"]) == (status, status)


async def test_rows_that_do_not_fit_together_are_refused_before_a_job_is_made(house: House):
    other = {**INPUT, "name": "y", "shape": [3, 5, 3], "data": CLOUDS[:3].tolist()}
    reply = await house.http.post("/v2/jobs", json={"model": "radial", "inputs": [INPUT, other]})
    assert (reply.status_code, reply.json()["error"]) == (400, "inputs.y: got 3 rows, expected 4 as x has")
    reply = await house.http.post("/v2/jobs", json={"model": "radial", "inputs": [INPUT], "labels": [1]})
    assert (reply.status_code, reply.json()["field"]) == (400, "labels")


async def test_a_job_of_tensors_lies_on_disk_under_the_names_of_its_tensors(house: House):
    store = house.plane.jobs._store  # what a next process would read
    job = store.add("0" * 12, "equivariance", {"model": "radial"}, [{"x": CLOUDS[:1], "a/b": CLOUDS[1:2]}, b"PNG"], 2)
    first = store.given(job, 0)
    assert first.keys() == {"x", "a/b"}
    np.testing.assert_array_equal(first["a/b"], CLOUDS[1:2])
    assert store.given(job, 1) == b"PNG"
    store.remove(job)
