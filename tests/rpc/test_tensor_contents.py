"""Raw and typed contents: both are read, each is answered in kind, and nothing malformed gets through."""

from __future__ import annotations

from types import SimpleNamespace

import grpc
import numpy as np
import pytest
from raw_client import infer, refusal_of, tiny_request, typed_request

from equiserve.dataplane import InferResponse
from equiserve.rpc import protocol
from equiserve.rpc.decoding import decode_request
from equiserve.rpc.encoding import encode_response, encode_typed_response
from equiserve.rpc.wire import CONTENTS_OF, varint

TYPED = {
    "BOOL": np.array([[True, False]]),
    "UINT8": np.array([[0, 255]], np.uint8),
    "INT32": np.array([[-(2**31), 2**31 - 1]], np.int32),
    "INT64": np.array([[-(2**63), 2**63 - 1]], np.int64),
    "FP32": np.array([[1e-45, np.float32(np.pi)]], np.float32),
    "FP64": np.array([[-0.0, np.pi]], np.float64),
    "BYTES": np.array([[b"", "grüße".encode()]], object),
}


async def test_typed_contents_are_answered_in_typed_contents(
    channel: grpc.aio.Channel, tiny_weight: np.ndarray
) -> None:
    x = np.array([[1, 2, 3, 4], [-1, 0, 0.5, 1]], np.float32)
    message = typed_request("tiny", {"x": ("FP32", x)})
    message.model_version = "1"
    message.id = "typed"
    response = await infer(channel, message)
    assert not response.raw_output_contents
    assert response.id == "typed"
    (output,) = response.outputs
    assert (output.name, output.datatype, list(output.shape)) == ("y", "FP32", [2, 3])
    np.testing.assert_array_equal(np.reshape(output.contents.fp32_contents, (2, 3)), x @ tiny_weight)


async def test_raw_contents_are_answered_in_raw_contents(channel: grpc.aio.Channel, tiny_weight: np.ndarray) -> None:
    response = await infer(channel, tiny_request(id="raw"))
    assert response.id == "raw"
    assert not response.outputs[0].HasField("contents")
    y = np.frombuffer(response.raw_output_contents[0], np.float32)
    np.testing.assert_array_equal(y, np.array([1, 2, 3, 4], np.float32) @ tiny_weight)


async def test_a_large_typed_request_gives_the_same_as_a_raw_one(channel: grpc.aio.Channel) -> None:
    x = np.random.default_rng(0).standard_normal((9000, 4)).astype(np.float32)
    message = typed_request("tiny", {"x": ("FP32", x)})
    message.model_version = "1"
    typed = await infer(channel, message)
    raw = await infer(channel, tiny_request(x))
    assert np.array(typed.outputs[0].contents.fp32_contents, np.float32).tobytes() == raw.raw_output_contents[0]


def answer_of(outputs: dict[str, np.ndarray]) -> InferResponse:
    model = SimpleNamespace(name="any", version="3", runtime=SimpleNamespace(name="onnx"))
    return InferResponse(model, "id", outputs)  # type: ignore[arg-type]


@pytest.mark.parametrize("datatype", TYPED)
def test_a_typed_answer_holds_the_same_numbers_as_the_array(datatype: str) -> None:
    message = protocol.ModelInferResponse.FromString(encode_typed_response(answer_of({"y": TYPED[datatype]})))
    (output,) = message.outputs
    assert (output.datatype, list(output.shape)) == (datatype, [1, 2])
    assert list(getattr(output.contents, CONTENTS_OF[datatype])) == TYPED[datatype].ravel().tolist()


def test_an_answer_with_fp16_is_raw_because_it_has_no_typed_form() -> None:
    outputs = {"half": np.array([0.5, -2], np.float16), "whole": np.array([1, 2], np.float32)}
    message = protocol.ModelInferResponse.FromString(encode_typed_response(answer_of(outputs)))
    assert list(message.raw_output_contents) == [array.tobytes() for array in outputs.values()]


def test_an_output_that_is_no_contiguous_array_or_empty_is_written_in_row_major_order() -> None:
    columns = np.arange(12, dtype=np.float32).reshape(3, 4)[:, 1:3]
    outputs = {"columns": columns, "empty": np.zeros((0, 3), np.float32), "scalar": np.array(7, np.int64)}
    message = protocol.ModelInferResponse.FromString(encode_response(answer_of(outputs)))
    assert list(message.raw_output_contents) == [array.tobytes() for array in outputs.values()]
    assert [list(output.shape) for output in message.outputs] == [[3, 2], [0, 3], []]


@pytest.mark.parametrize("datatype", TYPED)
def test_typed_contents_hold_the_same_numbers_as_the_array(datatype: str) -> None:
    array = TYPED[datatype]
    (decoded,) = decode_request(typed_request("any", {"x": (datatype, array)})).inputs.values()
    assert decoded.dtype == array.dtype
    assert decoded.tolist() == array.tolist()


@pytest.mark.parametrize(("number", "expected"), [(0, b"\x00"), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02")])
def test_varint_is_protobufs_base_128(number: int, expected: bytes) -> None:
    assert varint(number) == expected


def bad_requests() -> dict[str, tuple[object, str, str]]:
    """Return name -> (message, expected code, expected field)."""

    def tiny(change: object = None, *, raw: bytes | None = None, **tensor: object) -> object:
        message = protocol.ModelInferRequest(model_name="tiny")
        message.inputs.add(**{"name": "x", "datatype": "FP32", "shape": [1, 4], **tensor})
        if raw is not None:
            message.raw_input_contents.append(raw)
        return message

    whole = bytes(16)
    mixed = tiny(raw=whole)
    mixed.inputs[0].contents.fp32_contents.extend([1, 2, 3, 4])
    twice = tiny(raw=whole)
    twice.inputs.add(name="x", datatype="FP32", shape=[1, 4])
    twice.raw_input_contents.append(whole)
    surplus = tiny(raw=whole)
    surplus.raw_input_contents.append(whole)
    wrong_list = tiny()
    wrong_list.inputs[0].contents.fp64_contents.extend([1, 2, 3, 4])
    too_wide = tiny(datatype="INT8")
    too_wide.inputs[0].contents.int_contents.extend([1, 2, 3, 128])
    half_typed = tiny(datatype="FP16")
    parameter = tiny(raw=whole)
    parameter.parameters["priority"]  # touching an entry of a map makes it
    shared = tiny(raw=whole)
    shared.outputs.add(name="y").parameters["shared_memory_region"].string_param = "region"
    negative_classes = tiny(raw=whole)
    negative_classes.outputs.add(name="y").parameters["classification"].int64_param = -1
    raw0, contents0 = "raw_input_contents[0]", "inputs[0].contents"
    return {
        "truncated raw": (tiny(raw=bytes(15)), "wrong_size", raw0),
        "surplus raw bytes": (tiny(raw=bytes(20)), "wrong_size", raw0),
        "surplus raw entry": (surplus, "wrong_contents", "raw_input_contents"),
        "mixed": (mixed, "mixed_contents", contents0),
        "same input twice": (twice, "duplicate_input", "inputs[1].name"),
        "unknown datatype": (tiny(raw=whole, datatype="FP31"), "unknown_datatype", "inputs[0].datatype"),
        "bf16": (tiny(raw=bytes(8), datatype="BF16"), "unknown_datatype", "inputs[0].datatype"),
        "negative size": (tiny(raw=whole, shape=[-1, 4]), "wrong_shape", "inputs[0].shape"),
        "huge shape": (tiny(raw=whole, shape=[2**62, 2**62]), "wrong_size", raw0),
        "huge empty shape": (tiny(raw=b"", shape=[0, 2**62, 2**62]), "wrong_shape", "inputs[0].shape"),
        "too many axes": (tiny(raw=whole, shape=[1] * 40), "wrong_shape", "inputs[0].shape"),
        "no contents": (tiny(), "wrong_size", f"{contents0}.fp32_contents"),
        "contents of another datatype": (wrong_list, "wrong_contents", contents0),
        "typed value out of range": (too_wide, "wrong_value", f"{contents0}.int_contents"),
        "typed FP16": (half_typed, "wrong_contents", contents0),
        "BOOL beyond 1": (tiny(raw=b"\x00\x01\x02\x01", datatype="BOOL"), "wrong_value", raw0),
        "BYTES cut": (tiny(raw=b"\x05\x00\x00\x00ab", datatype="BYTES", shape=[1]), "wrong_size", raw0),
        "BYTES with half a length": (tiny(raw=b"\x00\x00", datatype="BYTES", shape=[1]), "wrong_size", raw0),
        "BYTES promising too much": (tiny(raw=b"", datatype="BYTES", shape=[2**40]), "wrong_size", raw0),
        "parameter without a value": (parameter, "invalid_parameter", "parameters.priority"),
        "shared memory": (shared, "shared_memory", "outputs[0].parameters.shared_memory_region"),
        "negative classes": (negative_classes, "invalid_parameter", "outputs[0].parameters.classification"),
    }


@pytest.mark.parametrize("case", bad_requests())
async def test_a_malformed_tensor_is_refused_by_name(channel: grpc.aio.Channel, case: str) -> None:
    message, code, field = bad_requests()[case]
    refusal = await refusal_of(infer(channel, message))
    status = grpc.StatusCode.UNIMPLEMENTED if case == "shared memory" else grpc.StatusCode.INVALID_ARGUMENT
    assert (refusal.status, refusal.code, refusal.field) == (status, code, field)


async def test_bytes_that_are_no_message_are_refused(channel: grpc.aio.Channel) -> None:
    refusal = await refusal_of(infer(channel, b"\x0a\xff\xff\xff\xff"))
    assert (refusal.status, refusal.code) == (grpc.StatusCode.INVALID_ARGUMENT, "malformed_message")
