"""Checks of named tensors over both edges: one report, whichever way it came."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
import numpy as np
import orjson
import pytest
import pytest_asyncio

from equiserve.rpc.generated import equivariance_pb2 as messages
from equiserve.rpc.generated.equivariance_pb2_grpc import EquivarianceStub
from planes import both_edges, served_plane
from tensor_models import write_repository

CLOUD = np.random.default_rng(0).uniform(0.2, 1.0, (1, 5, 3)).astype(np.float32)
INPUT = {"name": "x", "datatype": "FP32", "shape": [1, 5, 3], "data": CLOUD.tolist()}
TENSOR = messages.Tensor(name="x", datatype="FP32", shape=[1, 5, 3], data=CLOUD.tobytes())
QUARTER = {"quaternion": [0.5**0.5, 0.0, 0.0, 0.5**0.5]}


@dataclass
class Edges:
    http: httpx.AsyncClient
    grpc: EquivarianceStub

    async def post(self, model: str, verb: str = "equivariance", **body: Any) -> httpx.Response:
        return await self.http.post(f"/v2/models/{model}/{verb}", json={"inputs": [INPUT], **body})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def edges(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edges]:
    root = tmp_path_factory.mktemp("tensors")
    write_repository(root)
    async with served_plane(root, tmp_path_factory.mktemp("cache")) as plane, both_edges(plane) as edges:
        yield Edges(edges.http, EquivarianceStub(edges.channel))


async def test_both_edges_give_the_same_findings(edges: Edges):
    report = (await edges.post("two", elements=60, outputs=True)).json()
    message = await edges.grpc.Check(
        messages.CheckRequest(model="two", inputs=[TENSOR], count=60, include_outputs=True, include_svg=True)
    )
    assert message.statement == report["statement"]
    assert messages.VerdictStatus.Name(message.verdict.status) == "VERDICT_STATUS_FAIL"
    assert list(message.elements.relative_errors) == report["elements"]["relative_error"]
    assert [orjson.loads(element.json) for element in message.elements.elements] == report["elements"]["element"]
    assert (message.worst.output, message.worst.relative_error) == ("z", report["worst"]["relative_error"])
    assert dict(message.summary.all) == pytest.approx(report["summary"]["all"])
    for name, output in report["outputs"].items():
        told = message.outputs[name]
        assert list(told.relative_errors) == output["relative_error"]
        assert [list(row.values) for row in told.values] == output["values"]
        assert (told.kind, list(told.shape), told.verdict.reason) == (
            "values",
            output["shape"],
            output["verdict"]["reason"],
        )
    assert "1 - relative error" in message.svg


async def test_elements_of_space_travel_as_json_text(edges: Edges):
    element = messages.Element(json=orjson.dumps(QUARTER).decode())
    message = await edges.grpc.Check(
        messages.CheckRequest(model="radial", inputs=[TENSOR], elements=messages.ElementList(elements=[element]))
    )
    report = (await edges.post("radial", elements=[QUARTER])).json()
    assert [orjson.loads(given.json) for given in message.elements.elements] == report["elements"]["element"]
    assert message.coverage.checked == 2


async def test_raw_tensors_after_a_json_header_are_the_same_request(edges: Edges):
    raw = {**INPUT, "parameters": {"binary_data_size": CLOUD.nbytes}}
    del raw["data"]
    header = orjson.dumps({"inputs": [raw], "elements": 12})
    reply = await edges.http.post(
        "/v2/models/squares/equivariance",
        content=header + CLOUD.tobytes(),
        headers={"inference-header-content-length": str(len(header))},
    )
    given = (await edges.post("squares", elements=12)).json()
    assert reply.json()["elements"] == given["elements"]


async def test_random_elements_follow_the_seed_on_both_edges(edges: Edges):
    report = (await edges.post("radial", elements={"random": 20, "seed": 5})).json()
    message = await edges.grpc.Check(
        messages.CheckRequest(model="radial", inputs=[TENSOR], random=messages.RandomElements(count=20, seed=5))
    )
    assert [orjson.loads(given.json) for given in message.elements.elements] == report["elements"]["element"]


async def test_the_stream_tells_the_error_curve_piece_by_piece(edges: Edges):
    reply = await edges.post("squares", "equivariance_stream", elements=60)
    told = [line.partition(" ")[2] for line in reply.text.splitlines() if line.startswith(("event:", "data:"))]
    events = [(name, orjson.loads(data)) for name, data in zip(told[::2], told[1::2], strict=True)]
    names = [name for name, _ in events]
    assert names == ["started", *["progress"] * (len(names) - 3), "verdict", "completed"]
    curve = [error for name, data in events if name == "progress" for error in data["elements"]["relative_error"]]
    assert curve == events[-1][1]["elements"]["relative_error"]
    asked = messages.CheckRequest(model="squares", inputs=[TENSOR], count=60)
    streamed = [event async for event in edges.grpc.CheckStream(messages.CheckStreamRequest(check=asked))]
    assert [event.WhichOneof("event") for event in streamed] == names
    assert [e for event in streamed for e in event.progress.elements.relative_errors] == curve


async def test_an_estimate_is_the_same_on_both_edges(edges: Edges):
    plan = (await edges.post("radial", elements=60, estimate=True)).json()
    check = messages.CheckRequest(model="radial", inputs=[TENSOR], count=60)
    told = (await edges.grpc.EstimateCheck(messages.EstimateCheckRequest(check=check))).plan
    assert (told.estimate.elements, told.estimate.forward_passes) == (60, plan["estimate"]["forward_passes"])


@pytest.mark.parametrize("accept", ["image/svg+xml", "text/html", "text/csv", "application/xml"])
async def test_a_report_can_be_had_in_every_form(edges: Edges, accept: str):
    reply = await edges.http.post(
        "/v2/models/squares/equivariance", json={"inputs": [INPUT]}, headers={"accept": accept}
    )
    assert (reply.status_code, reply.headers["content-type"].partition(";")[0]) == (200, accept)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"search": True}, "search"),
        ({"gate": "beauty=1"}, "gate"),
        ({"preview": 4}, "preview"),
        ({"label": 1}, "label"),
        ({"elements": {"random": 0}}, "elements"),
        ({"group": "SO2"}, "x"),
        ({"inputs": [{**INPUT, "shape": [1, 5]}]}, "inputs[0].data"),
        ({"inputs": []}, "inputs.x"),
    ],
)
async def test_what_cannot_be_checked_is_refused_by_name(edges: Edges, body: dict[str, Any], field: str):
    reply = await edges.post("radial", **body)
    assert (reply.status_code, reply.json()["field"]) == (400, field)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"label_index": 1}, "label_index"),
        ({"search": True}, "search"),
        ({"reference": messages.REFERENCE_LABEL}, "reference"),
        ({"inputs": [messages.Tensor(name="x", datatype="FP32", shape=[1, 5, 3], data=b"1")]}, "inputs[0].data"),
        ({"inputs": [messages.Tensor(name="x", datatype="BYTES")]}, "inputs[0].datatype"),
        ({"inputs": [TENSOR, TENSOR]}, "inputs[1].name"),
        ({"group": messages.Group(name="SO2")}, "x"),
    ],
)
async def test_grpc_refuses_by_name_too(edges: Edges, change: dict[str, Any], field: str):
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await edges.grpc.Check(messages.CheckRequest(**{"model": "radial", "inputs": [TENSOR], **change}))
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert field in str(refused.value.trailing_metadata()) or field in refused.value.details()
