"""The check's streams and jobs over real sockets, on both edges: what is told, what hanging up does, who owns what."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
import pytest_asyncio
import uvicorn
from bench.server import ServerProcess

from equiserve.client import AsyncClient, Client
from equiserve.client.pictures import encode_png
from equiserve.dataplane import DataPlane
from equiserve.engine import Admission, ComputePool, Scheduler
from equiserve.errors import InvalidRequest, NotFound
from equiserve.rest.app import build_app
from equiserve.rest.protocol import DirectHttp
from equiserve.rpc.generated import equivariance_pb2, jobs_pb2
from equiserve.rpc.generated.equivariance_pb2_grpc import EquivarianceStub
from equiserve.rpc.generated.jobs_pb2_grpc import JobsStub
from equiserve.rpc.generated.picture_pb2 import Picture, Pixels
from equiserve.rpc.server import build_server
from equiserve.settings import Settings
from picture_runtimes import EXACT_SHIFTS, SHIFTS, PictureRuntime, by_position, histogram, serve
from planes import until
from small_models import brightness_model

PIXELS = np.random.default_rng(2).integers(0, 256, (1, 28, 28), np.uint8)
MESSAGE = Picture(pixels=Pixels(channels=1, height=28, width=28, data=PIXELS.tobytes()))
STREAM, CHECK = "/v2/models/{}/equivariance_stream", "/v2/models/{}/equivariance"
CONTROLS = 3


class Models:
    """A repository of numpy classifiers."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.ready = True
        self.runtimes = {"blind": PictureRuntime(histogram), "positional": PictureRuntime(by_position)}
        self.served = {
            name: serve(scheduler, runtime, groups=SHIFTS, symmetries=EXACT_SHIFTS)
            for name, runtime in self.runtimes.items()
        }
        for name, model in self.served.items():
            model.name, model.file_digest = name, name

    async def get(self, name: str, version: str = "", runtime: str | None = None) -> Any:
        if name not in self.served:
            raise NotFound(f"unknown model {name}", code="unknown_model", field="model")
        return self.served[name]


class House:
    """A data plane over `Models` with both edges on free ports of the loopback."""

    def __init__(self, folder: Path) -> None:
        self.scheduler = Scheduler(1)
        self.compute = ComputePool(2)
        self.models = Models(self.scheduler)
        settings = Settings(jobs_dir=folder, max_orbit=1000, max_job_elements=5000)
        self.plane = DataPlane(self.models, Admission(), self.compute, settings)  # type: ignore[arg-type]

    @property
    def runtime(self) -> PictureRuntime:
        return self.models.runtimes["blind"]

    async def start(self) -> None:
        app = build_app(self.plane, lambda: b"")
        self.rest = uvicorn.Server(
            uvicorn.Config(app, http=DirectHttp, lifespan="off", log_config=None, access_log=False, port=0)
        )
        self.serving = asyncio.ensure_future(self.rest.serve())
        await until(lambda: self.rest.started)
        self.url = f"http://127.0.0.1:{self.rest.servers[0].sockets[0].getsockname()[1]}"
        self.rpc = build_server(self.plane)
        port = self.rpc.add_insecure_port("127.0.0.1:0")
        await self.rpc.start()
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        self.http = httpx.AsyncClient(base_url=self.url, timeout=60)

    async def stop(self) -> None:
        for runtime in self.models.runtimes.values():
            runtime.gate.set()
        await self.http.aclose()
        await self.channel.close()
        await self.rpc.stop(None)
        self.rest.should_exit = True
        await self.serving
        await self.plane.close()
        self.compute.stop()
        self.scheduler.stop(5)

    async def ended(self, location: str) -> dict[str, Any]:
        for _ in range(5000):
            job = (await self.http.get(location)).json()
            if job["state"] in ("done", "failed", "cancelled"):
                return job
            await asyncio.sleep(0.01)
        raise AssertionError("the job did not end")


@pytest_asyncio.fixture(loop_scope="session")
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path / "jobs")
    await house.start()
    yield house
    await house.stop()


def body(**options: Any) -> dict[str, Any]:
    return {"pixels": PIXELS.tolist(), **options}


def events_of(text: str) -> list[tuple[str, Any]]:
    events = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        assert int(fields["id"]) == len(events) + 1
        events.append((fields["event"], json.loads(fields["data"])))
    return events


def png(pixels: np.ndarray) -> str:
    return base64.b64encode(encode_png(pixels)).decode()


# ---------------------------------------------------------------- streams


async def test_both_edges_tell_the_same_events_with_the_same_figures(house: House) -> None:
    answer = await house.http.post(STREAM.format("positional"), json=body(elements=40, reference="identity"))
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-request-id"]
    rest = events_of(answer.text)
    house.plane.checker.cache = type(house.plane.checker.cache)(0)
    check = equivariance_pb2.CheckRequest(
        model="positional", picture=MESSAGE, count=40, reference=equivariance_pb2.REFERENCE_IDENTITY, include_svg=True
    )
    call = EquivarianceStub(house.channel).CheckStream(equivariance_pb2.CheckStreamRequest(check=check))
    rpc = [event async for event in call]
    names = ["started", *["progress"] * 5, "verdict", "completed"]
    assert [name for name, _ in rest] == [event.WhichOneof("event") for event in rpc] == names
    assert rest[0][1]["estimate"]["forward_passes"] == rpc[0].started.estimate.forward_passes
    assert rest[0][1]["group"]["name"] == rpc[0].started.group.name == "CyclicShift:28x28"
    for (_, told), event in zip(rest[1:6], rpc[1:6], strict=True):
        assert told["done"] == event.progress.done
        assert told["elements"]["index"] == list(event.progress.indices)
        assert told["elements"]["probability"] == pytest.approx(list(event.progress.elements.probabilities))
        assert told["reference"]["index"] == event.progress.reference.index
    report, response = rest[-1][1], rpc[-1].completed
    assert report["statement"] == response.statement == rpc[-2].verdict.statement
    assert report["elements"]["probability"] == pytest.approx(list(response.elements.probabilities))
    assert response.svg.startswith("<svg")
    unary = (await house.http.post(CHECK.format("positional"), json=body(elements=40, reference="identity"))).json()
    assert {**report, "id": 0, "cost": 0} == {**unary, "id": 0, "cost": 0}


async def test_a_client_that_hangs_up_stops_its_check_over_http(house: House) -> None:
    house.runtime.free = CONTROLS + 3
    async with house.http.stream("POST", STREAM.format("blind"), json=body()) as answer:
        lines = answer.aiter_lines()
        seen = 0
        while seen < 2:
            seen += (await anext(lines)) == "event: progress"
        await until(lambda: len(house.runtime.batches) == CONTROLS + 4)
    await until(lambda: house.plane.admission.inflight_requests == 0)
    house.runtime.gate.set()
    await until(lambda: house.scheduler.idle)
    assert len(house.runtime.batches) == CONTROLS + 4


async def test_a_client_that_hangs_up_stops_its_check_over_grpc(house: House) -> None:
    house.runtime.free = CONTROLS + 3
    check = equivariance_pb2.CheckRequest(model="blind", picture=MESSAGE)
    call = EquivarianceStub(house.channel).CheckStream(equivariance_pb2.CheckStreamRequest(check=check))
    while (await call.read()).WhichOneof("event") != "progress":
        pass
    await until(lambda: len(house.runtime.batches) == CONTROLS + 4)
    call.cancel()
    await until(lambda: house.plane.admission.inflight_requests == 0)
    house.runtime.gate.set()
    await until(lambda: house.scheduler.idle)
    assert len(house.runtime.batches) == CONTROLS + 4


async def test_what_cannot_be_checked_is_an_ordinary_error_of_the_stream_route(house: House) -> None:
    answer = await house.http.post(STREAM.format("blind"), json=body(group="SO17"))
    assert (answer.status_code, answer.json()["field"]) == (400, "group")
    answer = await house.http.post(STREAM.format("nobody"), json=body())
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_model")
    answer = await house.http.post(STREAM.format("blind"), json=body(group="SO2", elements=1001))
    assert (answer.status_code, answer.json()["code"]) == (413, "orbit_too_large")
    check = equivariance_pb2.CheckRequest(model="blind", picture=MESSAGE, group=equivariance_pb2.Group(name="SO17"))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await EquivarianceStub(house.channel).CheckStream(equivariance_pb2.CheckStreamRequest(check=check)).read()
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_model_that_fails_on_the_way_ends_the_stream_with_an_error(house: House) -> None:
    def fragile(pictures: np.ndarray) -> np.ndarray:
        if len(house.runtime.batches) > CONTROLS + 2:
            raise ValueError("out of luck")
        return histogram(pictures)

    house.runtime.scores = fragile
    events = events_of((await house.http.post(STREAM.format("blind"), json=body())).text)
    assert [name for name, _ in events] == ["started", "progress", "progress", "error"]
    assert (events[-1][1]["status"], events[-1][1]["code"]) == (500, "model_failed")
    async with AsyncClient(house.url) as client:
        house.runtime.batches.clear()
        with pytest.raises(Exception, match="out of luck"):
            _ = [event async for event in client.check_stream("blind", PIXELS ^ 1)]


async def test_a_deadline_ends_the_stream_with_a_partial_report(house: House) -> None:
    house.runtime.free = CONTROLS + 3
    headers = {"x-request-timeout-ms": "4000"}
    answer = await house.http.post(STREAM.format("blind"), json=body(), headers=headers)
    report = events_of(answer.text)[-1][1]
    assert report["coverage"]["checked"] == 24
    assert report["verdict"]["status"] == "inconclusive"


async def test_both_clients_read_the_stream(house: House) -> None:
    async with AsyncClient(house.url) as client:
        events = [event async for event in client.check_stream("blind", PIXELS, elements=16)]
        assert [event.name for event in events] == ["started", "progress", "progress", "verdict", "completed"]
        assert events[-1].data["verdict"]["status"] == "pass"
        with pytest.raises(InvalidRequest):
            _ = [event async for event in client.check_stream("blind", PIXELS, "SO17")]
        estimate = await client.estimate_check("blind", PIXELS, elements=16)
        assert estimate["estimate"]["elements"] == 16

    def blocking() -> list[str]:
        with Client(house.url) as client:
            return [event.name for event in client.check_stream("blind", PIXELS, elements=16)]

    assert await asyncio.to_thread(blocking) == ["started", "progress", "verdict", "completed"]


# ---------------------------------------------------------------- estimate, preview, comparison


async def test_estimate_and_preview_run_nothing_on_either_edge(house: House) -> None:
    rest = (await house.http.post(CHECK.format("blind"), json=body(group="D4", estimate=True))).json()
    shown = (await house.http.post(CHECK.format("blind"), json=body(group="D4", preview=3))).json()
    sheet = await house.http.post(
        CHECK.format("blind"), json=body(group="D4", preview=3), headers={"accept": "image/png"}
    )
    stub, group = EquivarianceStub(house.channel), equivariance_pb2.Group(name="D4")
    check = equivariance_pb2.CheckRequest(model="blind", picture=MESSAGE, group=group)
    rpc = await stub.EstimateCheck(equivariance_pb2.EstimateCheckRequest(check=check))
    moved = await stub.PreviewCheck(equivariance_pb2.PreviewCheckRequest(check=check, count=3))
    assert house.runtime.batches == []
    assert rest["estimate"]["elements"] == rpc.plan.estimate.elements == 8
    assert len(shown["pictures"]) == len(moved.pictures) == 3
    assert moved.pictures[0].png.startswith(b"\x89PNG")
    assert sheet.content.startswith(b"\x89PNG")


async def test_a_comparison_is_the_same_on_both_edges(house: House) -> None:
    rest = (await house.http.post(CHECK.format("blind"), json=body(elements=40, compare_with="positional"))).json()
    check = equivariance_pb2.CheckRequest(model="blind", picture=MESSAGE, count=40, compare_with="positional")
    rpc = await EquivarianceStub(house.channel).Check(check)
    told, message = rest["comparison"], rpc.comparison
    assert message.statement == told["statement"]
    assert message.model == told["model"] == "positional"
    assert message.paired.only_this_agrees == told["paired"]["only_this_agrees"]
    assert list(message.difference.probabilities) == pytest.approx(told["difference"]["probability"])
    assert list(message.elements.labels) == told["elements"]["label"]


# ---------------------------------------------------------------- jobs


async def test_a_data_set_sent_as_files_is_accepted_followed_and_reported(house: House) -> None:
    samples = Path(__file__).parents[1] / "data"
    files = [("file", (samples / name).read_bytes()) for name in ("ankle_boot.png", "bag.png", "trouser.png")]
    form = {"model": "positional", "group": "CyclicShift", "elements": "16"}
    answer = await house.http.post("/v2/jobs", data=form, files=files)
    assert answer.status_code == 202
    job = await house.ended(answer.headers["location"])
    assert job["progress"] == {"done": 48, "planned": 48, "pictures_done": 3, "pictures": 3}
    assert [row["index"] for row in job["result"]["inputs"]] == [0, 1, 2]
    listed = (await house.http.get("/v2/jobs")).json()["jobs"]
    assert [one["id"] for one in listed] == [job["id"]]
    assert "result" not in listed[0]
    assert (await house.http.delete(answer.headers["location"])).json()["state"] == "done"
    gone = await house.http.get(answer.headers["location"])
    assert (gone.status_code, gone.json()["code"]) == (404, "unknown_job")


@pytest.mark.parametrize("form", ["npy", "npz"])
async def test_a_data_set_sent_as_an_array_is_taken_apart(house: House, form: str) -> None:
    pictures, file = np.stack([PIXELS, PIXELS ^ 1, PIXELS ^ 2]), io.BytesIO()
    if form == "npy":
        np.save(file, pictures)
    else:
        np.savez_compressed(file, pictures=pictures, labels=np.array([2, 1, 0]))
    options = {"model": "blind", "elements": 8, "reference": "label" if form == "npz" else "identity"}
    answer = await house.http.post("/v2/jobs", params=options, content=file.getvalue())
    job = await house.ended(answer.headers["location"])
    assert job["result"]["coverage"]["inputs"] == 3
    if form == "npz":
        assert [row["reference"]["prediction"]["index"] for row in job["result"]["inputs"]] == [2, 1, 0]


async def test_a_pickle_in_an_array_file_is_refused_unread(house: House) -> None:
    file = io.BytesIO()
    np.save(file, np.array([{"a": 1}], object), allow_pickle=True)
    answer = await house.http.post("/v2/jobs?model=blind", content=file.getvalue())
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_array")


async def test_another_token_does_not_find_a_job_on_either_edge(house: House) -> None:
    mine, other = {"authorization": "Bearer mine"}, {"authorization": "Bearer other"}
    sent = body(model="blind", elements=8)
    location = (await house.http.post("/v2/jobs", json=sent, headers=mine)).headers["location"]
    stub, request = JobsStub(house.channel), jobs_pb2.GetJobRequest(id=location.rpartition("/")[2])
    assert (await house.http.get(location, headers=mine)).status_code == 200
    assert (await stub.GetJob(request, metadata=tuple(mine.items()))).job.model == "blind"
    assert (await house.http.get(location, headers=other)).status_code == 404
    assert (await house.http.delete(location)).status_code == 404
    assert (await house.http.get("/v2/jobs", headers=other)).json() == {"jobs": []}
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetJob(request, metadata=tuple(other.items()))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


async def test_a_job_runs_over_grpc_as_over_http(house: House) -> None:
    stub = JobsStub(house.channel)
    check = equivariance_pb2.CheckRequest(model="blind", count=16)
    house.runtime.free = CONTROLS + 1
    job = (await stub.SubmitJob(jobs_pb2.SubmitJobRequest(check=check, pictures=[MESSAGE, MESSAGE]))).job
    assert job.progress.planned == 32
    await until(lambda: len(house.runtime.batches) == CONTROLS + 2)
    found = await stub.GetJob(jobs_pb2.GetJobRequest(id=job.id))
    assert found.job.state == jobs_pb2.JOB_STATE_RUNNING
    assert not found.HasField("result_json")
    assert [one.id for one in (await stub.ListJobs(jobs_pb2.ListJobsRequest())).jobs] == [job.id]
    await stub.DeleteJob(jobs_pb2.DeleteJobRequest(id=job.id))
    house.runtime.gate.set()
    await house.ended(f"/v2/jobs/{job.id}")
    found = await stub.GetJob(jobs_pb2.GetJobRequest(id=job.id))
    assert found.job.state == jobs_pb2.JOB_STATE_CANCELLED
    assert json.loads(found.result_json)["coverage"]["checked"] < 32
    assert found.job.expires.ToDatetime() > found.job.ended.ToDatetime()


async def test_both_clients_run_jobs(house: House) -> None:
    batch = np.stack([PIXELS, PIXELS ^ 1])
    async with AsyncClient(house.url, token="t") as client:
        job = await client.jobs.submit_check("blind", batch, elements=8)
        done = await client.jobs.wait(job["id"], timeout_s=60, poll_s=0.01)
        assert done["result"]["verdict"]["status"] == "pass"
        assert [one["id"] for one in await client.jobs.list()] == [job["id"]]
        await client.jobs.delete(job["id"])
        with pytest.raises(NotFound):
            await client.jobs.get(job["id"])

    def blocking() -> dict[str, Any]:
        with Client(house.url) as client:
            job = client.jobs.submit_check("blind", PIXELS, "C4")
            return client.jobs.wait(job["id"], timeout_s=60, poll_s=0.01)["result"]

    assert (await asyncio.to_thread(blocking))["coverage"]["checked"] == 4


async def test_a_report_comes_in_the_form_that_is_asked_for(house: House) -> None:
    sent = {"model": "positional", "elements": 16, "images": [png(PIXELS), png(PIXELS ^ 1)]}
    location = (await house.http.post("/v2/jobs", json=sent)).headers["location"]
    await house.ended(location)
    for media_type, begins in (
        ("image/svg+xml", b"<svg"),
        ("text/html", b"<!doctype html>"),
        ("text/csv", b""),
        ("application/xml", b"<?xml"),
    ):
        headers = {"accept": media_type}
        single = await house.http.post(CHECK.format("positional"), json=body(elements=16), headers=headers)
        several = await house.http.get(location, headers=headers)
        for answer in (single, several):
            assert answer.status_code == 200, answer.text
            assert answer.headers["content-type"].split(";")[0] == media_type
            assert answer.content.lower().startswith(begins)


# ---------------------------------------------------------------- a real process


def test_a_job_outlives_the_process_that_took_it(tmp_path: Path, start: Callable[..., ServerProcess]) -> None:
    """The server is killed without warning in the middle of a job, and the next one finishes it."""
    brightness_model(tmp_path / "models" / "brightness" / "1" / "model.onnx")
    settings = {"EQUISERVE_JOBS_DIR": str(tmp_path / "jobs"), "EQUISERVE_GRPC_PORT": "-1"}
    first = start(tmp_path / "models", **settings)
    pictures = np.random.default_rng(0).integers(0, 256, (200, 1, 4, 4), np.uint8)
    with Client(first.http, token="mine") as client:
        job = client.jobs.submit_check("brightness", pictures, "CyclicShift")
    first.kill()
    second = start(tmp_path / "models", **settings)
    with Client(second.http, token="mine") as client:
        done = client.jobs.wait(job["id"], timeout_s=60, poll_s=0.05)
        assert done["state"] == "done"
        assert done["progress"] == {"done": 3200, "planned": 3200, "pictures_done": 200, "pictures": 200}
        assert done["result"]["verdict"]["status"] == "pass"
        assert len(done["result"]["inputs"]) == 200
    assert second.stop() == 0, second.tail()
