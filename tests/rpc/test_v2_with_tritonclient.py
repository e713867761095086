"""An independent client of the v2 protocol gets what it expects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
import tritonclient.grpc.aio as tritonclient
from tritonclient.grpc import InferenceServerException, InferInput, InferRequestedOutput

DATATYPES = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
    "BYTES": np.object_,
}


def tensor(name: str, array: np.ndarray, datatype: str = "FP32") -> InferInput:
    tensor = InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array)
    return tensor


def rows(*values: float) -> np.ndarray:
    return np.array([[value, 1, 2, 3] for value in values], np.float32)


async def test_health_and_metadata_describe_server_and_model(triton: tritonclient.InferenceServerClient) -> None:
    assert await triton.is_server_live()
    assert await triton.is_server_ready()
    assert await triton.is_model_ready("tiny")
    assert await triton.is_model_ready("tiny", "1")
    server = await triton.get_server_metadata()
    assert server.name == "equiserve"
    assert "model_repository" in server.extensions
    model = await triton.get_model_metadata("tiny")
    assert list(model.versions) == ["1", "2"]
    assert (model.inputs[0].name, model.inputs[0].datatype, list(model.inputs[0].shape)) == ("x", "FP32", [-1, 4])
    assert (model.outputs[0].name, list(model.outputs[0].shape)) == ("y", [-1, 3])


async def test_configuration_leaves_the_batch_axis_to_max_batch_size(
    triton: tritonclient.InferenceServerClient,
) -> None:
    config = (await triton.get_model_config("tiny")).config
    assert config.max_batch_size > 0
    assert list(config.input[0].dims) == [4]
    assert config.input[0].data_type == 11  # TYPE_FP32
    fixed = (await triton.get_model_config("fixed")).config
    assert fixed.max_batch_size == 0
    assert list(fixed.input[0].dims) == [2, 3]


async def test_infer_returns_the_product_and_echoes_the_id(
    triton: tritonclient.InferenceServerClient, tiny_weight: np.ndarray
) -> None:
    x = rows(0.5, -2)
    result = await triton.infer("tiny", [tensor("x", x)], model_version="1", request_id="request 7")
    np.testing.assert_array_equal(result.as_numpy("y"), x @ tiny_weight)
    response = result.get_response()
    assert (response.model_name, response.model_version, response.id) == ("tiny", "1", "request 7")
    assert response.parameters["runtime"].string_param == "onnx"


async def test_an_empty_version_means_the_newest(
    triton: tritonclient.InferenceServerClient, tiny_weight: np.ndarray
) -> None:
    result = await triton.infer("tiny", [tensor("x", rows(1))])
    np.testing.assert_array_equal(result.as_numpy("y"), rows(1) @ tiny_weight * 2)
    assert result.get_response().model_version == "2"


async def test_every_datatype_survives_the_round_trip(triton: tritonclient.InferenceServerClient) -> None:
    arrays = {
        name: np.array([["", "grüße ✓"], ["a\0b", "c"]], object)
        if name == "BYTES"
        else np.array([[0, 1], [1, 0]]).astype(dtype)
        for name, dtype in DATATYPES.items()
    }
    result = await triton.infer("types", [tensor(f"in_{name}", array, name) for name, array in arrays.items()])
    for name, array in arrays.items():
        got = result.as_numpy(f"out_{name}")
        if name == "BYTES":
            array = np.vectorize(str.encode, otypes=[object])(array)
        else:
            assert got.dtype == array.dtype
        np.testing.assert_array_equal(got, array)


async def test_only_the_requested_outputs_come_back(triton: tritonclient.InferenceServerClient) -> None:
    arrays = {name: np.zeros((1, 2), dtype) for name, dtype in DATATYPES.items() if name != "BYTES"}
    arrays["BYTES"] = np.array([[b"a", b"b"]], object)
    inputs = [tensor(f"in_{name}", array, name) for name, array in arrays.items()]
    result = await triton.infer("types", inputs, outputs=[InferRequestedOutput("out_INT64")])
    assert [output.name for output in result.get_response().outputs] == ["out_INT64"]


async def test_classification_gives_the_best_classes(triton: tritonclient.InferenceServerClient) -> None:
    wanted = InferRequestedOutput("y", class_count=2)
    result = await triton.infer("tiny", [tensor("x", rows(1))], model_version="1", outputs=[wanted])
    ranked = [entry.decode().split(":") for entry in result.as_numpy("y")[0]]
    # x @ weight rises by 7 from class to class for this row.
    assert [int(index) for _, index in ranked] == [2, 1]
    assert float(ranked[0][0]) - float(ranked[1][0]) == 7


async def test_statistics_count_what_was_asked(triton: tritonclient.InferenceServerClient) -> None:
    async def counted() -> int:
        return (await triton.get_inference_statistics("tiny", "1")).model_stats[0].inference_stats.success.count

    before = await counted()
    for _ in range(3):
        await triton.infer("tiny", [tensor("x", rows(1))], model_version="1")
    assert await counted() == before + 3
    everything = await triton.get_inference_statistics()
    assert {model.name for model in everything.model_stats} >= {"tiny", "types", "fixed"}


async def test_a_model_can_be_unloaded_and_loaded_again(triton: tritonclient.InferenceServerClient) -> None:
    async def states() -> dict[str, str]:
        return {model.name: model.state for model in (await triton.get_model_repository_index()).models}

    await triton.unload_model("fixed")
    try:
        assert (await states())["fixed"] == "UNAVAILABLE"
        with pytest.raises(InferenceServerException, match="unknown model 'fixed'"):
            await triton.infer("fixed", [tensor("x", np.ones((2, 3), np.float32))])
    finally:
        await triton.load_model("fixed")
    assert (await states())["fixed"] == "READY"
    result = await triton.infer("fixed", [tensor("x", np.ones((2, 3), np.float32))])
    np.testing.assert_array_equal(result.as_numpy("y"), -np.ones((2, 3)))


async def test_a_stream_answers_in_order_and_survives_a_bad_request(
    triton: tritonclient.InferenceServerClient, tiny_weight: np.ndarray
) -> None:
    async def requests() -> AsyncIterator[dict[str, object]]:
        for number in range(200):
            name = "nobody" if number == 7 else "tiny"
            inputs = [tensor("x", rows(number))]
            yield {"model_name": name, "inputs": inputs, "model_version": "1", "request_id": str(number)}

    answers = [answer async for answer in triton.stream_infer(requests())]
    assert len(answers) == 200
    for number, (result, error) in enumerate(answers):
        if number == 7:
            assert "unknown model 'nobody'" in str(error)
            continue
        assert error is None
        assert result.get_response().id == str(number)
        np.testing.assert_array_equal(result.as_numpy("y"), rows(number) @ tiny_weight)


async def test_a_stream_that_the_client_leaves_gives_everything_back(
    triton: tritonclient.InferenceServerClient, plane: object
) -> None:
    async def endless() -> AsyncIterator[dict[str, object]]:
        while True:
            yield {"model_name": "tiny", "inputs": [tensor("x", rows(1))]}
            await asyncio.sleep(0)

    answers = triton.stream_infer(endless())
    async for _, error in answers:
        assert error is None
        break
    answers.cancel()
    admission = plane.admission  # type: ignore[attr-defined]
    for _ in range(500):
        if not admission.inflight_requests:
            break
        await asyncio.sleep(0.01)
    assert (admission.inflight_requests, admission.inflight_bytes) == (0, 0)
