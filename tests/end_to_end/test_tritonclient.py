"""Triton's own client, unchanged, works against the server in all its forms."""

from __future__ import annotations

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.grpc.aio as triton_grpc_aio
import tritonclient.http as triton_http
import tritonclient.http.aio as triton_http_aio
from bench.server import ServerProcess
from tritonclient.utils import InferenceServerException


def http_inputs(question: np.ndarray, *, binary: bool) -> list[triton_http.InferInput]:
    tensor = triton_http.InferInput("x", list(question.shape), "FP32")
    tensor.set_data_from_numpy(question, binary_data=binary)
    return [tensor]


def grpc_inputs(question: np.ndarray) -> list[triton_grpc.InferInput]:
    tensor = triton_grpc.InferInput("x", list(question.shape), "FP32")
    tensor.set_data_from_numpy(question)
    return [tensor]


@pytest.mark.parametrize("ask_binary", [True, False], ids=["binary in", "json in"])
@pytest.mark.parametrize("want_binary", [True, False, None], ids=["binary out", "json out", "default out"])
def test_http_client_gets_onnxruntimes_answer(
    server: ServerProcess, question: np.ndarray, answer: np.ndarray, ask_binary: bool, want_binary: bool | None
) -> None:
    outputs = None if want_binary is None else [triton_http.InferRequestedOutput("logits", binary_data=want_binary)]
    with triton_http.InferenceServerClient(server.http) as client:
        result = client.infer("tiny", http_inputs(question, binary=ask_binary), outputs=outputs, request_id="seven")
    np.testing.assert_allclose(result.as_numpy("logits"), answer, rtol=1e-5, atol=1e-6)
    response = result.get_response()
    assert (response["id"], response["model_name"], response["model_version"]) == ("seven", "tiny", "1")


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_http_client_may_compress_both_ways(
    server: ServerProcess, question: np.ndarray, answer: np.ndarray, algorithm: str
) -> None:
    with triton_http.InferenceServerClient(server.http) as client:
        result = client.infer(
            "tiny",
            http_inputs(question, binary=True),
            request_compression_algorithm=algorithm,
            response_compression_algorithm=algorithm,
        )
    np.testing.assert_allclose(result.as_numpy("logits"), answer, rtol=1e-5, atol=1e-6)


async def test_aio_http_client_gets_onnxruntimes_answer(
    server: ServerProcess, question: np.ndarray, answer: np.ndarray
) -> None:
    async with triton_http_aio.InferenceServerClient(server.http) as client:
        assert await client.is_server_live()
        assert await client.is_server_ready()
        for binary in (True, False):
            result = await client.infer("tiny", http_inputs(question, binary=binary))
            np.testing.assert_allclose(result.as_numpy("logits"), answer, rtol=1e-5, atol=1e-6)


def test_grpc_client_gets_onnxruntimes_answer(server: ServerProcess, question: np.ndarray, answer: np.ndarray) -> None:
    with triton_grpc.InferenceServerClient(server.grpc) as client:
        result = client.infer("tiny", grpc_inputs(question), request_id="seven", priority=1, timeout=5_000_000)
    np.testing.assert_allclose(result.as_numpy("logits"), answer, rtol=1e-5, atol=1e-6)
    response = result.get_response()
    assert (response.id, response.model_name, response.model_version) == ("seven", "tiny", "1")


async def test_aio_grpc_client_gets_onnxruntimes_answer(
    server: ServerProcess, question: np.ndarray, answer: np.ndarray
) -> None:
    async with triton_grpc_aio.InferenceServerClient(server.grpc) as client:
        assert await client.is_server_live()
        assert await client.is_model_ready("tiny")
        result = await client.infer("tiny", grpc_inputs(question))
    np.testing.assert_allclose(result.as_numpy("logits"), answer, rtol=1e-5, atol=1e-6)


async def test_grpc_stream_answers_each_request_and_survives_a_bad_one(
    server: ServerProcess, question: np.ndarray, answer: np.ndarray
) -> None:
    async def requests():  # type: ignore[no-untyped-def]
        for model in ("tiny", "no_such_model", "tiny"):
            yield {"model_name": model, "inputs": grpc_inputs(question)}

    good, bad = [], []
    async with triton_grpc_aio.InferenceServerClient(server.grpc) as client:
        async for result, error in client.stream_infer(requests()):
            if error is None:
                good.append(result.as_numpy("logits"))
            else:
                bad.append(str(error))
    np.testing.assert_allclose(good, [answer, answer], rtol=1e-5, atol=1e-6)
    assert len(bad) == 1
    assert "no_such_model" in bad[0]


def test_http_client_reads_health_metadata_configuration_statistics_and_index(server: ServerProcess) -> None:
    with triton_http.InferenceServerClient(server.http) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("tiny")
        assert client.is_model_ready("tiny", "1")
        assert not client.is_model_ready("no_such_model")
        assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
        metadata = client.get_model_metadata("tiny")
        assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 1, 28, 28]}]
        assert metadata["outputs"] == [{"name": "logits", "datatype": "FP32", "shape": [-1, 10]}]
        assert client.get_model_config("tiny")["input"][0]["dims"] == [1, 28, 28]
        assert client.get_inference_statistics("tiny")["model_stats"][0]["name"] == "tiny"
        assert {"name": "tiny", "version": "1", "state": "READY", "reason": ""} in client.get_model_repository_index()


def test_grpc_client_reads_health_metadata_configuration_statistics_and_index(server: ServerProcess) -> None:
    with triton_grpc.InferenceServerClient(server.grpc) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("tiny", "1")
        assert "binary_tensor_data" in client.get_server_metadata().extensions
        metadata = client.get_model_metadata("tiny")
        assert list(metadata.inputs[0].shape) == [-1, 1, 28, 28]
        assert list(client.get_model_config("tiny").config.input[0].dims) == [1, 28, 28]
        assert client.get_inference_statistics("tiny").model_stats[0].name == "tiny"
        index = client.get_model_repository_index()
        assert ("tiny", "READY") in {(entry.name, entry.state) for entry in index.models}


def test_both_protocols_say_the_same_sentence_of_the_same_mistake(server: ServerProcess, question: np.ndarray) -> None:
    wide = np.zeros((1, 1, 28, 29), np.float32)
    with (
        triton_http.InferenceServerClient(server.http) as rest,
        pytest.raises(InferenceServerException) as from_rest,
    ):
        rest.infer("tiny", http_inputs(wide, binary=True))
    with (
        triton_grpc.InferenceServerClient(server.grpc) as rpc,
        pytest.raises(InferenceServerException) as from_rpc,
    ):
        rpc.infer("tiny", grpc_inputs(wide))
    assert from_rest.value.message() == from_rpc.value.message()
    assert "[1, 1, 28, 29]" in from_rest.value.message()
    assert (from_rest.value.status(), from_rpc.value.status()) == ("400", "StatusCode.INVALID_ARGUMENT")
