"""`symmetrize` over both edges, for a stranger's plain ONNX file and for a manifest that sets it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import orjson
import pytest
import pytest_asyncio
import tritonclient.grpc.aio as tritonclient
from onnx import TensorProto, helper, numpy_helper
from tritonclient.utils import InferenceServerException

from equiserve.artifact import Manifest, TensorSpec, write_manifest
from equiserve.client import AsyncClient
from equiserve.errors import InvalidRequest
from equiserve.rpc.generated import classifier_pb2
from equiserve.rpc.generated.classifier_pb2_grpc import ClassifierStub
from equiserve.rpc.generated.picture_pb2 import Picture, Pixels
from planes import both_edges, served_plane
from small_models import linear_model, save

PIXELS = np.random.default_rng(0).integers(0, 256, (1, 8, 8), np.uint8)
ROWS = PIXELS[None].astype(np.float32)
WEIGHT = (np.random.default_rng(1).normal(size=(64, 3)) / 300).astype(np.float32)
SHIFTS = [(0, 0), (3, 0), (5, 6), (7, 1)]


def logits(pictures: np.ndarray) -> np.ndarray:
    return pictures.reshape(len(pictures), -1) @ WEIGHT


def stranger(path: Path) -> None:
    """Write a classifier that weighs every pixel by its place: FP32 x [batch, 1, 8, 8] -> y [batch, 3]."""
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["y"])],
        "stranger",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(WEIGHT, "w")],
    )
    save(graph, path)


@dataclass
class Edges:
    http: httpx.AsyncClient
    client: AsyncClient
    triton: tritonclient.InferenceServerClient
    classifier: ClassifierStub

    async def infer(self, model: str, rows: np.ndarray, symmetrize: str | None = None) -> dict[str, Any]:
        body: dict[str, Any] = {
            "inputs": [{"name": "x", "datatype": "FP32", "shape": rows.shape, "data": rows.ravel().tolist()}]
        }
        if symmetrize is not None:
            body["parameters"] = {"symmetrize": symmetrize}
        reply = await self.http.post(f"/v2/models/{model}/infer", content=orjson.dumps(body))
        assert reply.status_code == 200, reply.text
        content: dict[str, Any] = reply.json()
        return content

    async def infer_grpc(self, model: str, rows: np.ndarray, symmetrize: str | None = None) -> Any:
        tensor = tritonclient.InferInput("x", rows.shape, "FP32")
        tensor.set_data_from_numpy(np.ascontiguousarray(rows))
        return await self.triton.infer(model, [tensor], parameters=symmetrize and {"symmetrize": symmetrize})

    async def classify_grpc(self, model: str, pixels: np.ndarray, symmetrize: str = "") -> Any:
        picture = Picture(pixels=Pixels(channels=1, height=8, width=8, data=pixels.tobytes()))
        return await self.classifier.Classify(
            classifier_pb2.ClassifyRequest(model=model, pictures=[picture], symmetrize=symmetrize)
        )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def edges(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edges]:
    root = tmp_path_factory.mktemp("symmetrized")
    stranger(root / "stranger" / "1" / "model.onnx")
    stranger(root / "cured" / "1" / "model.onnx")
    linear_model(root / "rows" / "1" / "model.onnx", WEIGHT[:4])
    manifest = Manifest(
        schema_version=1,
        name="cured",
        inputs=[TensorSpec(name="x", datatype="FP32", shape=(-1, 1, 8, 8))],
        outputs=[TensorSpec(name="y", datatype="FP32", shape=(-1, 3), kind="logits")],
        symmetrize="canonical_origin",
    )
    write_manifest(manifest, root / "cured" / "model.yaml")
    async with (
        served_plane(root, tmp_path_factory.mktemp("cache")) as plane,
        both_edges(plane) as edges,
        tritonclient.InferenceServerClient(edges.address) as triton,
    ):
        yield Edges(edges.http, edges.client, triton, ClassifierStub(edges.channel))


@pytest.mark.parametrize(("model", "asked"), [("stranger", "canonical_origin"), ("cured", None)])
async def test_the_logits_of_all_shifts_are_the_same_bytes_over_both_edges(edges: Edges, model: str, asked: str | None):
    seen = set()
    for shift in SHIFTS:
        rows = np.roll(ROWS, shift, (2, 3))
        reply = await edges.infer(model, rows, asked)
        assert reply["parameters"]["symmetrize"] == "canonical_origin"
        seen.add(np.float32(reply["outputs"][0]["data"]).tobytes())
        answer = await edges.infer_grpc(model, rows, asked)
        assert answer.get_response().parameters["symmetrize"].string_param == "canonical_origin"
        seen.add(answer.as_numpy("y").tobytes())
    assert len(seen) == 1


async def test_a_raw_body_is_symmetrized_by_the_manifest(edges: Edges):
    seen = set()
    for shift in SHIFTS:
        body = np.roll(ROWS, shift, (2, 3)).tobytes()
        reply = await edges.http.post(
            "/v2/models/cured/infer", content=body, headers={"inference-header-content-length": "0"}
        )
        length = int(reply.headers["inference-header-content-length"])
        assert orjson.loads(reply.content[:length])["parameters"]["symmetrize"] == "canonical_origin"
        seen.add(reply.content[length:])
    assert len(seen) == 1


@pytest.mark.parametrize(("model", "asked"), [("stranger", None), ("cured", "none")])
async def test_a_model_that_is_not_symmetrized_answers_as_it_is_and_says_nothing(
    edges: Edges, model: str, asked: str | None
):
    rows = np.roll(ROWS, (3, 1), (2, 3))
    reply = await edges.infer(model, rows, asked)
    np.testing.assert_allclose(reply["outputs"][0]["data"], logits(rows)[0], rtol=1e-5)
    assert "symmetrize" not in reply["parameters"]
    assert "symmetrize" not in (await edges.infer_grpc(model, rows, asked)).get_response().parameters


async def test_a_group_average_is_the_mean_of_the_logits_over_both_edges(edges: Edges):
    mean = np.mean([logits(np.rot90(ROWS, k, (2, 3))) for k in range(4)], axis=0)[0]
    reply = await edges.infer("stranger", ROWS, "C4")
    np.testing.assert_allclose(reply["outputs"][0]["data"], mean, rtol=1e-4)
    assert reply["parameters"]["symmetrize"] == "C4"
    np.testing.assert_allclose((await edges.infer_grpc("stranger", ROWS, "C4")).as_numpy("y")[0], mean, rtol=1e-4)


async def test_classify_says_what_was_done_and_how_stable_it_was_over_both_edges(edges: Edges):
    reply = await edges.client.classify("stranger", PIXELS, symmetrize="D4")
    assert reply["symmetrize"] == "D4"
    (stability,) = reply["stability"] or []
    message = await edges.classify_grpc("stranger", PIXELS, "D4")
    assert message.symmetrize == "D4"
    for field in ("modal_share", "margin", "entropy"):
        assert getattr(message.classifications[0].stability, field) == stability[field]
    form = await edges.http.post(
        "/v2/models/stranger/classify?symmetrize=D4", content=orjson.dumps({"pixels": PIXELS.tolist()})
    )
    assert form.json() == reply
    assert [p.probability for p in message.classifications[0].predictions] == [
        p["probability"] for p in reply["predictions"][0]
    ]


async def test_classify_by_the_manifest_is_blind_to_shifts_over_both_edges(edges: Edges):
    replies = [await edges.client.classify("cured", np.roll(PIXELS, shift, (1, 2))) for shift in SHIFTS]
    assert all(reply == replies[0] for reply in replies)
    assert (replies[0]["symmetrize"], replies[0]["stability"]) == ("canonical_origin", None)
    messages = [await edges.classify_grpc("cured", np.roll(PIXELS, shift, (1, 2))) for shift in SHIFTS]
    assert all(message == messages[0] for message in messages)
    assert messages[0].symmetrize == "canonical_origin"
    assert not messages[0].classifications[0].HasField("stability")


async def test_a_check_of_the_cured_twin_passes_where_the_strangers_file_fails(edges: Edges):
    assert (await edges.client.check("stranger", PIXELS, "CyclicShift"))["verdict"]["status"] == "fail"
    report = await edges.client.check("cured", PIXELS)
    assert report["verdict"]["status"] == "pass"
    assert report["bitwise_identical"] == {"identical": 64, "of": 64}


async def test_metadata_and_configuration_show_the_default(edges: Edges):
    assert (await edges.client.metadata("cured"))["properties"]["symmetrize"] == "canonical_origin"
    assert "symmetrize" not in (await edges.client.metadata("stranger"))["properties"]
    config = (await edges.triton.get_model_config("cured")).config
    assert config.parameters["symmetrize"].string_value == "canonical_origin"


@pytest.mark.parametrize(
    ("model", "rows", "asked", "status", "code"),
    [
        ("stranger", ROWS, "Q8", 400, "invalid_symmetrize"),
        ("stranger", ROWS, "SO2", 400, "invalid_symmetrize"),
        ("stranger", ROWS, "C8", 400, "invalid_symmetrize"),
        ("stranger", ROWS, "canonical_origin:3", 400, "patch_does_not_divide"),
        ("stranger", ROWS, 4, 400, "invalid_parameter"),
        ("rows", ROWS[:, 0, 0, :4], "canonical_origin", 501, "takes_no_pictures"),
    ],
)
async def test_errors_are_typed_and_name_the_field_over_both_edges(
    edges: Edges, model: str, rows: np.ndarray, asked: Any, status: int, code: str
):
    tensor = {"name": "x", "datatype": "FP32", "shape": rows.shape, "data": rows.ravel().tolist()}
    body = {"inputs": [tensor], "parameters": {"symmetrize": asked}}
    reply = await edges.http.post(f"/v2/models/{model}/infer", content=orjson.dumps(body))
    assert reply.status_code == status
    assert reply.json()["code"] == code
    assert reply.json()["field"].endswith("symmetrize")
    with pytest.raises(InferenceServerException) as caught:
        await edges.infer_grpc(model, rows, asked)
    assert caught.value.status() == f"StatusCode.{'INVALID_ARGUMENT' if status == 400 else 'UNIMPLEMENTED'}"
    assert caught.value.message().startswith(reply.json()["error"][:40])


async def test_an_unknown_way_is_refused_by_classify_over_both_edges(edges: Edges):
    with pytest.raises(InvalidRequest, match="expected one of none, canonical_origin") as caught:
        await edges.client.classify("stranger", PIXELS, symmetrize="Q8")
    assert (caught.value.code, caught.value.field) == ("invalid_symmetrize", "symmetrize")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await edges.classify_grpc("stranger", PIXELS, "Q8")
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
