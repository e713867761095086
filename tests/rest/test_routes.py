"""Every route behind the gate: health, metadata, repository, catalogues, metrics, documents, credentials."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from asgi_call import client_of
from pydantic import SecretStr

from equiserve.dataplane import DataPlane
from equiserve.engine import Admission
from equiserve.rest.app import build_app


async def test_health_answers_with_the_bodies_that_clients_read(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v2/health/live")).json() == {"live": True}
    assert (await client.get("/v2/health/ready")).json() == {"ready": True}
    assert (await client.get("/v2/models/tiny/ready")).json() == {"name": "tiny", "ready": True}
    assert (await client.get("/v2/models/tiny/versions/9/ready")).status_code == 404


async def test_a_draining_server_is_alive_but_not_ready(
    plane: DataPlane, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plane.admission, "draining", True)
    ready, model = await client.get("/v2/health/ready"), await client.get("/v2/models/tiny/ready")
    assert (ready.status_code, ready.json()) == (503, {"ready": False})
    assert (model.status_code, model.json()) == (503, {"name": "tiny", "ready": False})
    assert (await client.get("/v2/health/live")).status_code == 200


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
async def test_server_metadata_is_there_with_and_without_a_slash(client: httpx.AsyncClient, path: str) -> None:
    metadata = (await client.get(path)).json()
    assert metadata["name"] == "equiserve"
    assert {"binary_tensor_data", "classification", "statistics"} <= set(metadata["extensions"])


async def test_model_metadata_config_and_statistics_name_the_model(client: httpx.AsyncClient) -> None:
    metadata = (await client.get("/v2/models/tiny/versions/1")).json()
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]
    assert metadata["versions"] == ["1", "2"]
    config = (await client.get("/v2/models/tiny/config")).json()
    assert config["input"] == [{"name": "x", "data_type": "TYPE_FP32", "dims": [4]}]
    one = (await client.get("/v2/models/tiny/versions/1/stats")).json()["model_stats"]
    assert [(entry["name"], entry["version"]) for entry in one] == [("tiny", "1")]
    every = (await client.get("/v2/models/stats")).json()["model_stats"]
    assert {entry["name"] for entry in every} >= {"tiny", "types"}


async def test_an_answered_request_is_counted(client: httpx.AsyncClient) -> None:
    async def count() -> int:
        stats = (await client.get("/v2/models/tiny/versions/1/stats")).json()["model_stats"][0]
        return int(stats["inference_stats"]["success"]["count"])

    before = await count()
    tensor = {"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}
    await client.post("/v2/models/tiny/versions/1/infer", json={"inputs": [tensor]})
    assert await count() == before + 1


async def test_the_repository_lists_its_models(client: httpx.AsyncClient) -> None:
    listed = (await client.post("/v2/repository/index")).json()
    assert ("tiny", "2", "READY") in {(entry["name"], entry["version"], entry["state"]) for entry in listed}
    assert (await client.post("/v2/repository/index", json={"ready": True})).status_code == 200
    wrong = await client.post("/v2/repository/index", json={"ready": "yes"})
    assert (wrong.status_code, wrong.json()["field"]) == (400, "ready")


async def test_a_model_is_unloaded_and_loaded_again(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v2/repository/models/fixed/unload")).status_code == 200
    assert (await client.get("/v2/models/fixed")).status_code == 404
    assert (await client.post("/v2/repository/models/fixed/load", json={})).status_code == 200
    assert (await client.get("/v2/models/fixed/ready")).status_code == 200


@pytest.mark.parametrize("name", ["nobody", "%2e%2e", "..%5c..", "~root", "a%00b"])
async def test_only_models_of_the_repository_can_be_loaded(client: httpx.AsyncClient, name: str) -> None:
    assert (await client.post(f"/v2/repository/models/{name}/load")).status_code == 404


async def test_the_catalogues_list_groups_and_metrics(client: httpx.AsyncClient) -> None:
    for name in ("groups", "metrics"):
        entries = (await client.get(f"/v2/symmetry/{name}")).json()[name]
        assert entries
        assert all(entry["name"] for entry in entries)


async def test_metrics_are_text_for_prometheus(client: httpx.AsyncClient) -> None:
    response = await client.get("/metrics")
    assert response.text == "up 1\n"
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")


async def test_the_openapi_document_describes_every_route_and_its_errors(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    paths = document["paths"]
    for version in ("", "/versions/{version}"):
        for verb in ("infer", "classify", "equivariance"):
            assert "post" in paths[f"/v2/models/{{model}}{version}/{verb}"]
    for path, methods in paths.items():
        for operation in methods.values():
            for status in ("400", "401", "404", "413", "429", "500", "501", "503", "504"):
                schema = operation["responses"][status]["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorBody"}, path
    assert set(document["components"]["schemas"]["ErrorBody"]["properties"]) == {"error", "code", "field"}
    assert (await client.get("/docs")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "unknown_route"),
        ("GET", "/v2/models/nobody", 404, "unknown_model"),
        ("POST", "/v2/models/nobody/classify", 400, "no_picture"),
        ("POST", "/v2/models//classify", 404, "unknown_route"),
        ("POST", "/v2/models/tiny/versions/classify", 405, "method_not_allowed"),
        ("POST", "/v2/models/tiny/version/1/classify", 404, "unknown_route"),
        ("GET", "/v2/models/tiny/versions/9", 404, "unknown_version"),
        ("DELETE", "/v2", 405, "method_not_allowed"),
        ("GET", "/v2/models/tiny/classify", 405, "method_not_allowed"),
    ],
)
async def test_errors_of_the_framework_have_the_same_form(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    response = await client.request(method, path, headers={"x-request-id": "mine"})
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert set(response.json()) == {"error", "code", "field"}
    assert response.headers["x-request-id"] == "mine"


@pytest_asyncio.fixture(loop_scope="session")
async def guarded(plane: DataPlane) -> AsyncIterator[httpx.AsyncClient]:
    admission = Admission(token=SecretStr("let-me-in"), admin_token=SecretStr("root"))
    closed = DataPlane(plane.repository, admission, plane.compute, plane.settings)
    async with client_of(build_app(closed, lambda: b"")) as client:
        yield client


@pytest.mark.parametrize(
    ("token", "path", "status"),
    [
        (None, "/v2/health/live", 200),
        (None, "/metrics", 200),
        (None, "/v2/models/tiny", 401),
        (None, "/v2/models/tiny/infer", 401),
        (None, "/v2/models/tiny/classify", 401),
        (None, "/nowhere", 401),
        ("wrong", "/v2/models/tiny", 401),
        ("let-me-in", "/v2/models/tiny", 200),
        ("let-me-in", "/v2/repository/models/fixed/load", 403),
        ("root", "/v2/repository/models/nobody/load", 404),
    ],
)
async def test_credentials_are_asked_for_before_anything_else(
    guarded: httpx.AsyncClient, token: str | None, path: str, status: int
) -> None:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    method = "POST" if path.endswith(("infer", "classify", "load")) else "GET"
    response = await guarded.request(method, path, headers=headers, content=b"")
    assert response.status_code == status
    if status == 401:
        assert response.headers["www-authenticate"] == "Bearer"
    answer: Any = response.content
    assert b"let-me-in" not in answer
