"""The tensor route over a real engine: y = x @ weight for model `tiny` (version 2 doubles it)."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import httpx
import numpy as np
import orjson
import pytest

TINY = "/v2/models/tiny/infer"
ROW = np.array([[1.0, -2.0, 0.5, 3.0]], np.float32)


def ask(array: np.ndarray = ROW, **rest: Any) -> dict[str, Any]:
    tensor = {"name": "x", "shape": list(array.shape), "datatype": "FP32", "data": array.tolist()}
    return {"inputs": [tensor], **rest}


def ask_raw(array: np.ndarray = ROW, **rest: Any) -> tuple[bytes, dict[str, str]]:
    tensor = {
        "name": "x",
        "shape": list(array.shape),
        "datatype": "FP32",
        "parameters": {"binary_data_size": array.nbytes},
    }
    head = orjson.dumps({"inputs": [tensor], **rest})
    return head + array.tobytes(), {"inference-header-content-length": str(len(head))}


def output(response: httpx.Response) -> np.ndarray:
    assert response.status_code == 200, response.text
    entry = response.json()["outputs"][0]
    return np.array(entry["data"], np.float32).reshape(entry["shape"])


async def test_json_in_json_out(client: httpx.AsyncClient, tiny_weight: np.ndarray) -> None:
    response = await client.post(TINY, json=ask(id="seven"))
    np.testing.assert_allclose(output(response), ROW @ (tiny_weight * 2))
    answer = response.json()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("tiny", "2", "seven")
    assert answer["parameters"]["runtime"] == "onnx"


async def test_a_version_in_the_path_answers(client: httpx.AsyncClient, tiny_weight: np.ndarray) -> None:
    response = await client.post("/v2/models/tiny/versions/1/infer", json=ask())
    np.testing.assert_allclose(output(response), ROW @ tiny_weight)
    assert response.json()["model_version"] == "1"


@pytest.mark.parametrize("rows", [1, 5, 40])
async def test_raw_in_raw_out(client: httpx.AsyncClient, tiny_weight: np.ndarray, rows: int) -> None:
    array = np.random.default_rng(rows).normal(size=(rows, 4)).astype(np.float32)
    body, headers = ask_raw(array, parameters={"binary_data_output": True})
    response = await client.post(TINY, content=body, headers=headers)
    length = int(response.headers["inference-header-content-length"])
    entry = orjson.loads(response.content[:length])["outputs"][0]
    assert entry["parameters"]["binary_data_size"] == rows * 12 == len(response.content) - length
    result = np.frombuffer(response.content, "<f4", offset=length).reshape(entry["shape"])
    np.testing.assert_allclose(result, array @ (tiny_weight * 2), rtol=1e-5, atol=1e-5)


async def test_what_an_output_says_wins_over_what_the_request_says(client: httpx.AsyncClient) -> None:
    body, headers = ask_raw(
        outputs=[{"name": "y", "parameters": {"binary_data": False}}], parameters={"binary_data_output": True}
    )
    response = await client.post(TINY, content=body, headers=headers)
    assert "inference-header-content-length" not in response.headers
    assert len(response.json()["outputs"][0]["data"]) == 3


async def test_a_raw_body_alone_is_the_one_input(client: httpx.AsyncClient, tiny_weight: np.ndarray) -> None:
    two = np.concatenate([ROW, ROW * 2])
    response = await client.post(TINY, content=two.tobytes(), headers={"inference-header-content-length": "0"})
    length = int(response.headers["inference-header-content-length"])
    result = np.frombuffer(response.content, "<f4", offset=length).reshape(2, 3)
    np.testing.assert_allclose(result, two @ (tiny_weight * 2))
    as_json = await client.post(
        TINY,
        content=two.tobytes(),
        headers={"inference-header-content-length": "0", "accept": "application/json"},
    )
    np.testing.assert_allclose(output(as_json), result)


async def test_every_datatype_passes_through_a_model_unchanged(client: httpx.AsyncClient) -> None:
    data: dict[str, list[Any]] = {
        "BOOL": [True, False],
        "UINT8": [0, 255],
        "INT32": [-(2**31), 2**31 - 1],
        "INT64": [-(2**63), 2**63 - 1],
        "FP16": [0.5, 65504.0],
        "FP32": [0.1, -3.25],
        "FP64": [0.1, 1e300],
        "BYTES": ["grüße", ""],
    }
    inputs = [{"name": f"in_{name}", "shape": [1, 2], "datatype": name, "data": row} for name, row in data.items()]
    response = await client.post("/v2/models/types/infer", json={"inputs": inputs})
    assert response.status_code == 200, response.text
    answers = {entry["name"].removeprefix("out_"): entry["data"] for entry in response.json()["outputs"]}
    assert answers == data


async def test_only_the_outputs_asked_for_come(client: httpx.AsyncClient) -> None:
    kinds = ["BOOL", "UINT8", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES"]
    inputs = [
        {
            "name": f"in_{kind}",
            "shape": [1, 2],
            "datatype": kind,
            "data": {"BOOL": [True, True], "BYTES": ["a", "b"]}.get(kind, [1, 2]),
        }
        for kind in kinds
    ]
    response = await client.post(
        "/v2/models/types/infer", json={"inputs": inputs, "outputs": [{"name": "out_INT64"}, {"name": "out_BYTES"}]}
    )
    assert {entry["name"] for entry in response.json()["outputs"]} == {"out_INT64", "out_BYTES"}


async def test_the_classification_extension_gives_the_best_classes(
    client: httpx.AsyncClient, tiny_weight: np.ndarray
) -> None:
    scores = (ROW @ tiny_weight)[0]
    order = np.argsort(-scores, kind="stable")[:2]
    response = await client.post(
        "/v2/models/tiny/versions/1/infer",
        json=ask(outputs=[{"name": "y", "parameters": {"classification": 2}}]),
    )
    entry = response.json()["outputs"][0]
    assert (entry["datatype"], entry["shape"]) == ("BYTES", [1, 2])
    found = [(float(value), int(index)) for value, index in (text.split(":") for text in entry["data"])]
    assert found == [(float(scores[index]), int(index)) for index in order]


async def test_large_json_is_answered_like_small_json(client: httpx.AsyncClient, tiny_weight: np.ndarray) -> None:
    array = np.random.default_rng(0).normal(size=(4000, 4)).astype(np.float32)
    response = await client.post(TINY, json=ask(array))
    np.testing.assert_allclose(output(response), array @ (tiny_weight * 2), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "raw deflate"])
async def test_compressed_requests_are_inflated(
    client: httpx.AsyncClient, tiny_weight: np.ndarray, coding: str
) -> None:
    body, headers = ask_raw()
    if coding == "raw deflate":
        stream = zlib.compressobj(wbits=-15)
        packed = stream.compress(body) + stream.flush()
    else:
        packed = gzip.compress(body) if coding == "gzip" else zlib.compress(body)
    headers["content-encoding"] = coding.split()[-1]
    response = await client.post(TINY, content=packed, headers=headers)
    np.testing.assert_allclose(output(response), ROW @ (tiny_weight * 2))


@pytest.mark.parametrize(
    ("body", "coding", "code"),
    [
        (gzip.compress(b"{}" * 100)[:-9], "gzip", "broken_encoding"),
        (gzip.compress(b"{}") + b"more", "gzip", "broken_encoding"),
        (b"{}", "gzip", "broken_encoding"),
        (b"{}", "br", "unknown_encoding"),
        (b"{}", "gzip, gzip", "unknown_encoding"),
    ],
    ids=["truncated", "trailing", "not gzip", "unknown", "twice"],
)
async def test_broken_compression_is_refused(client: httpx.AsyncClient, body: bytes, coding: str, code: str) -> None:
    response = await client.post(TINY, content=body, headers={"content-encoding": coding})
    assert (response.status_code, response.json()["code"]) == (400, code)


async def test_large_json_answers_are_compressed_for_those_who_ask(client: httpx.AsyncClient) -> None:
    array = np.ones((4000, 4), np.float32)
    plain = await client.post(TINY, json=ask(array), headers={"accept-encoding": "identity"})
    packed = await client.post(TINY, json=ask(array), headers={"accept-encoding": "br, gzip;q=0.5"})
    refused = await client.post(TINY, json=ask(array), headers={"accept-encoding": "gzip;q=0"})
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in refused.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) / 10
    assert packed.json()["outputs"] == plain.json()["outputs"]


async def test_raw_answers_are_compressed_only_where_one_coding_is_named(client: httpx.AsyncClient) -> None:
    body, headers = ask_raw(np.ones((4000, 4), np.float32), parameters={"binary_data_output": True})
    by_default = await client.post(TINY, content=body, headers={**headers, "accept-encoding": "gzip, deflate"})
    on_purpose = await client.post(TINY, content=body, headers={**headers, "accept-encoding": "deflate"})
    assert "content-encoding" not in by_default.headers
    assert on_purpose.headers["content-encoding"] == "deflate"
    assert on_purpose.content == by_default.content


def changed(**changes: Any) -> dict[str, Any]:
    return {"inputs": [{**ask()["inputs"][0], **changes}]}


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (changed(name="z"), 400, "inputs"),
        (changed(datatype="INT32", data=[[1, 2, 3, 4]]), 400, "inputs"),
        (changed(shape=[1, 5], data=[1, 2, 3, 4, 5]), 400, "inputs"),
        (changed(shape=[4], data=[1, 2, 3, 4]), 400, "inputs"),
        (changed(shape=[0, 4], data=[]), 400, "inputs"),
        (changed(data=[[1, 2, 3], [4]]), 400, "inputs[0].data"),
        (changed(data=[1, 2, 3]), 400, "inputs[0].data"),
        ({"inputs": []}, 400, "inputs"),
        ({"inputs": [*ask()["inputs"], {**ask()["inputs"][0], "name": "more"}]}, 400, "inputs"),
        (ask(outputs=[{"name": "z"}]), 400, "outputs"),
        (ask(parameters={"priority": -1}), 400, "parameters.priority"),
        (ask(parameters={"timeout": "soon"}), 400, "parameters.timeout"),
        (ask(parameters={"runtime": 3}), 400, "parameters.runtime"),
    ],
    ids=[
        "wrong name",
        "wrong datatype",
        "wrong size",
        "wrong rank",
        "no rows",
        "ragged",
        "too short",
        "no inputs",
        "one too many",
        "unknown output",
        "negative priority",
        "timeout of another kind",
        "runtime of another kind",
    ],
)
async def test_what_does_not_fit_the_model_is_refused_by_name(
    client: httpx.AsyncClient, body: dict[str, Any], status: int, field: str
) -> None:
    response = await client.post(TINY, json=body, headers={"x-request-id": "mine"})
    assert response.status_code == status
    error = response.json()
    assert set(error) == {"error", "code", "field"}
    assert error["field"].startswith(field)
    assert response.headers["x-request-id"] == "mine"


@pytest.mark.parametrize(
    "path",
    [
        "/v2/models/nobody/infer",
        "/v2/models/tiny/versions/9/infer",
        "/v2/models/tiny/versions/latest/infer",
        "/v2/models//infer",
        "/v2/models/%2e%2e/infer",
        "/v2/models/..%2f..%2fetc/infer",
        "/v2/models/a%0d%0aset-cookie:b/infer",
        "/v1/models/tiny/infer",
    ],
)
async def test_unknown_models_versions_and_routes_are_not_found(client: httpx.AsyncClient, path: str) -> None:
    response = await client.post(path, json=ask())
    assert response.status_code == 404
    assert set(response.json()) == {"error", "code", "field"}
    assert "set-cookie" not in response.headers


async def test_another_method_is_not_allowed(client: httpx.AsyncClient) -> None:
    response = await client.get(TINY)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert response.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize("given", ["", "x" * 129, "a\tb", "grüße"])
async def test_a_request_id_that_is_not_fit_to_be_echoed_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    response = await client.post(TINY, json=ask(), headers={"x-request-id": given.encode()})
    assert response.headers["x-request-id"] not in ("", given)


async def test_a_model_whose_name_needs_quoting_is_found_by_its_decoded_name(client: httpx.AsyncClient) -> None:
    response = await client.post("/v2/models/%74iny/infer", json=ask())
    assert response.status_code == 200
