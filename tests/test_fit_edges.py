"""Fits over both edges and both clients: one body, whichever way the cloud came and the answer goes."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import orjson
import pytest
import pytest_asyncio

from equiserve.client import CloudFile
from equiserve.clouds import prepare_cloud, read_cloud
from equiserve.errors import InvalidRequest
from equiserve.rpc.generated import body_fitter_pb2 as messages
from equiserve.rpc.generated.body_fitter_pb2_grpc import BodyFitterStub
from fit_models import body_fitter
from planes import Edges, both_edges, served_plane
from scans import random_person, scan

PERSON = random_person(31)
CLOUD = scan(PERSON, 2500, 31)[0].astype(np.float32)
XYZ = "".join(f"{x} {y} {z}\n" for x, y, z in CLOUD.tolist()).encode()
URL = "/v2/models/fitter/fit"


def npy() -> bytes:
    file = io.BytesIO()
    np.save(file, CLOUD)
    return file.getvalue()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def edges(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edges]:
    root = tmp_path_factory.mktemp("fit")
    centroid = prepare_cloud(CLOUD, count=2048, prefix=512).origin
    body_fitter(root, type(PERSON)(PERSON.rotations, PERSON.betas, PERSON.pelvis - centroid))
    async with served_plane(root, tmp_path_factory.mktemp("cache")) as plane, both_edges(plane) as edges:
        yield edges


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def expected(edges: Edges) -> dict[str, Any]:
    return (await edges.http.post(URL, content=npy())).json()


RAW = orjson.dumps(
    {
        "inputs": [
            {"name": "points", "datatype": "FP32", "shape": [1, *CLOUD.shape]}
            | {"parameters": {"binary_data_size": CLOUD.nbytes}}
        ]
    }
)
WAYS: dict[str, dict[str, Any]] = {
    "form": {"files": {"file": ("scan.xyz", XYZ)}, "data": {"unit": "auto", "format": "xyz"}},
    "file as curl sends it": {
        "content": XYZ,
        "headers": {"content-type": "application/x-www-form-urlencoded"},
        "params": {"format": "csv"},
    },
    "json": {"json": {"points": CLOUD.tolist()}},
    "base64 in json": {"json": {"file": base64.b64encode(XYZ).decode(), "format": "xyz"}},
    "tensor in json": {
        "json": {
            "inputs": [
                {"name": "points", "datatype": "FP32", "shape": list(CLOUD.shape), "data": CLOUD.ravel().tolist()}
            ]
        }
    },
    "raw tensor": {
        "content": RAW + CLOUD.tobytes(),
        "headers": {"inference-header-content-length": str(len(RAW))},
    },
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_cloud_arrives_the_same_whichever_way(edges: Edges, expected: dict[str, Any], way: str) -> None:
    answer = (await edges.http.post(URL, **WAYS[way])).json()
    assert answer["points"]["received"] == 2500
    # float32 coordinates as text are the same numbers: the same points are chosen, the same body is found.
    assert answer["joints"] == expected["joints"]
    assert answer["statement"] == expected["statement"]


async def test_the_body_is_the_persons(expected: dict[str, Any]) -> None:
    np.testing.assert_allclose(expected["transl"], PERSON.pelvis, atol=0.02)
    np.testing.assert_allclose(expected["betas"], PERSON.betas, atol=1e-5)
    assert np.shape(expected["body_pose"]) == (23, 3)
    assert expected["labels"] is None
    assert "mesh" not in expected


@pytest.mark.parametrize(
    ("media_type", "begin"),
    [
        ("model/gltf-binary", b"glTF"),
        ("model/obj", b"# openbody"),
        ("application/ply", b"ply\n"),
        ("application/x-npz", b"PK"),
        ("image/png", b"\x89PNG"),
    ],
)
async def test_accept_chooses_the_file(edges: Edges, media_type: str, begin: bytes) -> None:
    answer = await edges.http.post(URL, content=npy(), headers={"accept": f"text/plain, {media_type};q=0.9, */*"})
    assert answer.headers["content-type"] == media_type
    assert answer.headers["x-fit-quality"] == "ok"
    assert answer.content.startswith(begin)


async def test_json_comes_where_it_is_named_first(edges: Edges) -> None:
    answer = await edges.http.post(URL, content=npy(), headers={"accept": "application/json, model/obj"})
    assert answer.headers["content-type"] == "application/json"


async def test_grpc_says_the_same(edges: Edges, expected: dict[str, Any]) -> None:
    cloud = messages.PointCloud(float32_points=CLOUD.tobytes())
    message = await BodyFitterStub(edges.channel).Fit(
        messages.FitRequest(
            model="fitter",
            cloud=cloud,
            include_labels=True,
            mesh=messages.MESH_FORMAT_PLY,
            include_picture=True,
        )
    )
    assert message.statement == expected["statement"]
    np.testing.assert_array_equal(np.reshape(message.joints, (24, 3)), expected["joints"])
    np.testing.assert_array_equal(np.reshape(message.body_pose, (23, 3)), expected["body_pose"])
    assert message.residual.mean_mm == expected["residual_mm"]["mean"]
    assert (message.unit.read_as, message.unit.guessed) == ("m", True)
    assert len(message.labels) == 2500
    assert read_cloud(message.mesh).shape == (6889, 3)
    assert message.picture.startswith(b"\x89PNG")


async def test_the_client_fits_files_and_arrays(edges: Edges, expected: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "scan.xyz"
    file.write_bytes(XYZ)
    found = await edges.client.fit("fitter", file, labels=True, unit="m", mesh=True)
    assert found["joints"] == expected["joints"]
    assert len(found["labels"] or ()) == 2500
    assert np.shape(found["mesh"]["vertices"]) == (6889, 3)
    glb = await edges.client.fit_file("fitter", CLOUD)
    assert glb.startswith(b"glTF")
    with pytest.raises(InvalidRequest, match="expected bytes, a Path or numbers"):
        await edges.client.fit("fitter", np.zeros((3, 4)))


@pytest.mark.parametrize(
    ("request_", "code", "field"),
    [
        ({"content": b""}, "invalid_cloud", "points"),
        ({"content": npy()[:-8]}, "invalid_cloud", "points"),
        ({"content": b"1 2 3\n" * 10}, "too_few_points", "points"),
        ({"content": XYZ, "params": {"unit": "mm"}}, "not_person_sized", "points"),
        ({"content": XYZ, "params": {"unit": "yard"}}, "unknown_unit", "unit"),
        ({"content": XYZ, "params": {"refined": "1"}}, "unknown_option", "refined"),
        ({"content": XYZ, "params": {"refine": "maybe"}}, "invalid_option", "refine"),
        ({"json": {"points": [[1, 2]]}}, "ragged_data", "points"),
        ({"json": {"points": [[1, 2, None]] * 300}}, "invalid_data", "points"),
        ({"json": {}}, "no_cloud", "points"),
        ({"json": {"file": "%"}}, "invalid_cloud", "file"),
        ({"json": {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1]}]}}, "no_cloud", "inputs"),
        (
            {"files": {}, "data": {"unit": "m"}, "headers": {"content-type": "multipart/form-data"}},
            "broken_form",
            "body",
        ),
    ],
)
async def test_a_refusal_names_the_field(edges: Edges, request_: dict[str, Any], code: str, field: str) -> None:
    answer = await edges.http.post(URL, **request_)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (400, code, field)


async def test_grpc_refuses_a_request_without_a_cloud(edges: Edges) -> None:
    for message in (
        messages.FitRequest(model="fitter"),
        messages.FitRequest(model="fitter", cloud=messages.PointCloud(float32_points=b"1234567")),
        messages.FitRequest(model="fitter", cloud=messages.PointCloud(file=XYZ), mesh=9),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await BodyFitterStub(edges.channel).Fit(message)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_check_takes_a_cloud_file(edges: Edges) -> None:
    report = (
        await edges.http.post(
            "/v2/models/fitter/equivariance", content=XYZ, params={"group": "SE3", "elements": 8, "unit": "m"}
        )
    ).json()
    # This model moves with its cloud but does not turn with it, and claims no bound.
    assert report["verdict"]["status"] == "inconclusive"
    assert report["worst"]["output"] == "global_rotations"
    assert report["coverage"]["checked"] == 8
    assert max(report["outputs"]["betas"]["relative_error"]) == 0


async def test_the_client_checks_a_body_fitter_on_a_cloud_as_it_fits_one(edges: Edges, tmp_path: Path) -> None:
    (tmp_path / "scan.xyz").write_bytes(XYZ)
    reports = [
        await edges.client.check("fitter", CloudFile(cloud, unit="m", format=form), "SE3", 8)
        for cloud, form in ((XYZ, None), (tmp_path / "scan.xyz", "xyz"), (CLOUD.astype(np.float64), None))
    ]
    for report in reports:
        assert report["coverage"]["checked"] == 8
        assert report["worst"]["output"] == "global_rotations"
    with pytest.raises(InvalidRequest, match="unit"):
        await edges.client.check("fitter", CloudFile(XYZ, unit="furlong"), "SE3", 8)
    with pytest.raises(InvalidRequest, match="expected bytes, a Path or numbers"):
        await edges.client.check("fitter", CloudFile(np.zeros((3, 4))), "SE3", 8)
    with pytest.raises(InvalidRequest, match="a job takes pictures"):
        await edges.client.jobs.submit_check("fitter", CloudFile(XYZ))


async def test_other_requests_are_answered_while_bodies_are_refined(edges: Edges) -> None:
    fits = [asyncio.ensure_future(edges.http.post(URL, content=npy(), params={"refine": "true"})) for _ in range(2)]
    metadata = await edges.http.get("/v2/models/fitter")
    assert metadata.status_code == 200
    assert not any(fit.done() for fit in fits)
    for fit in fits:
        assert (await fit).json()["quality"]["level"] == "ok"


async def test_the_document_describes_the_route(edges: Edges) -> None:
    document = (await edges.http.get("/openapi.json")).json()
    operation = document["paths"][URL.replace("fitter", "{model}")]["post"]
    assert set(operation["requestBody"]["content"]) >= {"multipart/form-data", "application/json"}
    assert "model/gltf-binary" in operation["responses"]["200"]["content"]
    assert {parameter["name"] for parameter in operation["parameters"]} >= {"unit", "refine", "labels", "body", "model"}
