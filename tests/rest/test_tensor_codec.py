"""What goes in comes out: tensors as JSON and raw; what is malformed is refused by name."""

from __future__ import annotations

import json
import struct
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from equiserve.artifact.datatypes import NUMPY_OF
from equiserve.dataplane import InferResponse
from equiserve.errors import InvalidRequest, Unsupported
from equiserve.rest.decoding import decode_raw, decode_request, read_header_length
from equiserve.rest.encoding import OutputForm, encode_response

NUMBERS = [name for name in NUMPY_OF if name != "BYTES"]


def request(*inputs: dict[str, Any], **rest: Any) -> bytes:
    return json.dumps({"inputs": list(inputs), **rest}).encode()


def tensor(datatype: str, shape: list[int], data: Any = None, **parameters: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": "x", "datatype": datatype, "shape": shape}
    if data is not None:
        entry["data"] = data
    if parameters:
        entry["parameters"] = parameters
    return entry


def decode(body: bytes, header_length: int | None = None) -> np.ndarray:
    return decode_request(body, header_length, "m", "")[0].inputs["x"]


def encode(array: np.ndarray, datatype: str, *, binary: bool) -> tuple[dict[str, Any], bytes, int | None]:
    """Return JSON part, body, length of the JSON part (None: no raw part) of a response that holds one tensor."""
    runtime = SimpleNamespace(name="onnx", outputs=(SimpleNamespace(name="x", datatype=datatype),))
    model = SimpleNamespace(name="m", version="1", runtime=runtime, manifest=SimpleNamespace(labels=None))
    headers, body = encode_response(InferResponse(cast(Any, model), "", {"x": array}), OutputForm(binary=binary))
    lengths = dict(headers)
    assert int(lengths[b"content-length"]) == len(body)
    length = int(lengths[b"inference-header-content-length"]) if binary else None
    return orjson.loads(body[:length]), body, length


@st.composite
def numeric(draw: st.DrawFn, *, finite: bool) -> tuple[str, np.ndarray]:
    datatype = draw(st.sampled_from(NUMBERS))
    dtype = NUMPY_OF[datatype]
    elements = {"allow_nan": False, "allow_infinity": False} if finite and dtype.kind == "f" else {}
    shape = draw(arrays.array_shapes(min_dims=0, max_dims=4, min_side=1, max_side=4))
    return datatype, draw(arrays.arrays(dtype, shape, elements=elements))


@given(numeric(finite=False))
def test_a_raw_tensor_comes_back_bit_for_bit(case: tuple[str, np.ndarray]) -> None:
    datatype, array = case
    message, body, length = encode(array, datatype, binary=True)
    assert length is not None
    # A response's outputs are spelt as a request's inputs are.
    head = orjson.dumps({"inputs": message["outputs"]})
    back = decode(head + body[length:], len(head))
    assert (back.shape, back.dtype) == (array.shape, array.dtype)
    assert back.tobytes() == array.tobytes()


@given(numeric(finite=True))
def test_a_json_tensor_comes_back_bit_for_bit(case: tuple[str, np.ndarray]) -> None:
    datatype, array = case
    message, _, _ = encode(array, datatype, binary=False)
    back = decode(orjson.dumps({"inputs": message["outputs"]}))
    assert (back.shape, back.dtype) == (array.shape, array.dtype)
    np.testing.assert_array_equal(back, array)


@given(numeric(finite=True))
def test_nested_and_flat_data_mean_the_same(case: tuple[str, np.ndarray]) -> None:
    datatype, array = case
    shape = list(array.shape)
    if shape:
        nested = decode(request(tensor(datatype, shape, array.tolist())))
        np.testing.assert_array_equal(nested, array)
    flat = decode(request(tensor(datatype, shape, array.ravel().tolist())))
    np.testing.assert_array_equal(flat, array)


@given(st.lists(st.text(), min_size=1, max_size=6))
def test_text_comes_back_as_utf8_both_ways(texts: list[str]) -> None:
    expected = [text.encode() for text in texts]
    assert decode(orjson.dumps({"inputs": [tensor("BYTES", [len(texts)], texts)]})).tolist() == expected
    raw = b"".join(struct.pack("<I", len(text)) + text for text in expected)
    head = request(tensor("BYTES", [len(texts)], binary_data_size=len(raw)))
    array = decode(head + raw, len(head))
    assert array.tolist() == expected
    _, body, length = encode(array, "BYTES", binary=True)
    assert body[length:] == raw
    assert encode(array, "BYTES", binary=False)[0]["outputs"][0]["data"] == texts


def test_a_raw_tensor_is_not_copied() -> None:
    values = np.arange(1000, dtype="<f4")
    head = request(tensor("FP32", [1000], binary_data_size=4000))
    body = head + b" " * (-len(head) % 4) + values.tobytes()
    array = decode(body, len(head) + -len(head) % 4)
    assert np.shares_memory(array, np.frombuffer(body, np.uint8))


@pytest.mark.parametrize("padding", range(8))
def test_a_raw_tensor_is_aligned_wherever_it_lies_in_the_body(padding: int) -> None:
    values = np.arange(5, dtype="<f8")
    head = request(tensor("FP64", [5], binary_data_size=40)) + b" " * padding
    array = decode(head + values.tobytes(), len(head))
    assert array.flags.aligned
    np.testing.assert_array_equal(array, values)


def test_several_inputs_may_mix_json_and_raw_in_any_order() -> None:
    entries = [
        {**tensor("INT8", [2], binary_data_size=2), "name": "a"},
        {**tensor("FP32", [2], [1.5, 2]), "name": "b"},
        {**tensor("INT16", [1], binary_data_size=2), "name": "c"},
    ]
    head = request(*entries)
    inputs = decode_request(head + b"\x01\xff" + b"\x00\x80", len(head), "m", "")[0].inputs
    assert {name: array.tolist() for name, array in inputs.items()} == {"a": [1, -1], "b": [1.5, 2.0], "c": [-32768]}


def test_numbers_that_json_lacks_become_null() -> None:
    array = np.array([np.nan, np.inf, 1], np.float32)
    assert encode(array, "FP32", binary=False)[0]["outputs"][0]["data"] == [None, None, 1.0]


X4 = tensor("FP32", [1, 4], [[1, 2, 3, 4]])

MALFORMED: dict[str, tuple[bytes, str]] = {
    "no json": (b"\xff\xfe", "body"),
    "json that ends early": (b'{"inputs": [', "body"),
    "nan literal": (b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[NaN]}]}', "body"),
    "infinity literal": (b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[Infinity]}]}', "body"),
    "thousands of brackets": (b'{"inputs":' + b"[" * 5000 + b"]" * 5000 + b"}", "body"),
    "no object": (b"[]", "body"),
    "no inputs": (b"{}", "inputs"),
    "inputs of another kind": (b'{"inputs": {"name": "x"}}', "inputs"),
    "an input of another kind": (b'{"inputs": [3]}', "inputs"),
    "id of another kind": (request(X4, id=7), "id"),
    "parameters of another kind": (request(X4, parameters=[1]), "parameters"),
    "no name": (request({**X4, "name": ""}), "inputs[0].name"),
    "name twice": (request(X4, X4), "inputs[1].name"),
    "unknown datatype": (request({**X4, "datatype": "BF16"}), "inputs[0].datatype"),
    "datatype of another kind": (request({**X4, "datatype": ["FP32"]}), "inputs[0].datatype"),
    "no shape": (request({"name": "x", "datatype": "FP32", "data": [1]}), "inputs[0].shape"),
    "negative size": (request(tensor("FP32", [-1, 4], [1, 2, 3, 4])), "inputs[0].shape"),
    "size that is no number": (request(tensor("FP32", ["4"], [1, 2, 3, 4])), "inputs[0].shape"),  # type: ignore[list-item]
    "size that is a boolean": (request(tensor("FP32", [True], [1])), "inputs[0].shape"),
    "product of sizes beyond 64 bits": (request(tensor("FP32", [1 << 40, 1 << 40], [1])), "inputs[0].shape"),
    "sizes beyond memory with a zero": (request(tensor("FP32", [0, 1 << 62, 4], [])), "inputs[0].shape"),
    "too many axes": (request(tensor("FP32", [1] * 33, [1])), "inputs[0].shape"),
    "no data": (request(tensor("FP32", [1])), "inputs[0].data"),
    "data of another kind": (request(tensor("FP32", [1], "1")), "inputs[0].data"),
    "too few elements": (request(tensor("FP32", [1, 4], [1, 2, 3])), "inputs[0].data"),
    "too many elements": (request(tensor("FP32", [1, 4], [1, 2, 3, 4, 5])), "inputs[0].data"),
    "ragged": (request(tensor("FP32", [2, 2], [[1, 2], [3]])), "inputs[0].data"),
    "ragged, with the right count": (request(tensor("FP32", [2, 2], [[1, 2, 3], [4]])), "inputs[0].data"),
    "nested otherwise than the shape": (request(tensor("FP32", [2, 2], [[1, 2, 3, 4]])), "inputs[0].data"),
    "deeper than the shape": (request(tensor("FP32", [2], [[1], [2]])), "inputs[0].data"),
    "numbers and lists mixed": (request(tensor("FP32", [2, 1], [[1], 2])), "inputs[0].data"),
    "text among numbers": (request(tensor("FP32", [2], [1, "2"])), "inputs[0].data"),
    "null among numbers": (request(tensor("FP32", [2], [1, None])), "inputs[0].data"),
    "boolean among numbers": (request(tensor("FP32", [2], [1.5, True])), "inputs[0].data"),
    "fraction among integers": (request(tensor("INT32", [2], [1, 2.5])), "inputs[0].data"),
    "integer for a boolean": (request(tensor("BOOL", [1], [1])), "inputs[0].data"),
    "number for text": (request(tensor("BYTES", [1], [1])), "inputs[0].data"),
    "256 as uint8": (request(tensor("UINT8", [1], [256])), "inputs[0].data"),
    "-1 as uint64": (request(tensor("UINT64", [1], [-1])), "inputs[0].data"),
    "128 as int8": (request(tensor("INT8", [1], [128])), "inputs[0].data"),
    "2^64 as uint64": (request(tensor("UINT64", [1], [1 << 64])), "inputs[0].data"),
    "1e39 as fp32": (request(tensor("FP32", [1], [1e39])), "inputs[0].data"),
    "70000 as fp16": (request(tensor("FP16", [1], [70000])), "inputs[0].data"),
    "raw size without the header": (
        request(tensor("FP32", [1], binary_data_size=4)),
        "inputs[0].parameters.binary_data_size",
    ),
    "outputs of another kind": (request(X4, outputs=["y"]), "outputs"),
    "output twice": (request(X4, outputs=[{"name": "y"}, {"name": "y"}]), "outputs[1].name"),
    "binary_data of another kind": (
        request(X4, outputs=[{"name": "y", "parameters": {"binary_data": 1}}]),
        "outputs[0].parameters.binary_data",
    ),
    "classification of another kind": (
        request(X4, outputs=[{"name": "y", "parameters": {"classification": "3"}}]),
        "outputs[0].parameters.classification",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_json_is_refused_by_name(case: str) -> None:
    body, field = MALFORMED[case]
    with pytest.raises(InvalidRequest) as caught:
        decode_request(body, None, "m", "")
    assert caught.value.field == field
    assert len(caught.value.message) < 600


def raw(entry: dict[str, Any], payload: bytes) -> tuple[bytes, int]:
    head = request(entry)
    return head + payload, len(head)


SIZE = "inputs[0].parameters.binary_data_size"
MALFORMED_RAW: dict[str, tuple[tuple[bytes, int], str]] = {
    "truncated": (raw(tensor("FP32", [4], binary_data_size=16), b"\0" * 15), SIZE),
    "trailing bytes": (raw(tensor("FP32", [4], binary_data_size=16), b"\0" * 17), "body"),
    "size does not fit the shape": (raw(tensor("FP32", [4], binary_data_size=12), b"\0" * 12), "inputs[0]"),
    "size that is no number": (raw(tensor("FP32", [4], binary_data_size="16"), b"\0" * 16), SIZE),
    "negative size": (raw(tensor("FP32", [4], binary_data_size=-16), b"\0" * 16), SIZE),
    "boolean size": (raw(tensor("INT8", [1], binary_data_size=True), b"\0"), SIZE),
    "size and data": (raw(tensor("FP32", [1], [1], binary_data_size=4), b"\0" * 4), SIZE),
    "neither size nor data": (raw(tensor("FP32", [1]), b"\0" * 4), "inputs[0].data"),
    "boolean byte of 2": (raw(tensor("BOOL", [2], binary_data_size=2), b"\1\2"), "inputs[0]"),
    "text longer than its bytes": (raw(tensor("BYTES", [1], binary_data_size=6), b"\xff\0\0\0ab"), "inputs[0]"),
    "text shorter than its bytes": (raw(tensor("BYTES", [1], binary_data_size=6), b"\1\0\0\0ab"), "inputs[0]"),
    "fewer texts than the shape": (raw(tensor("BYTES", [2], binary_data_size=5), b"\1\0\0\0a"), "inputs[0]"),
    "a thousand million texts": (raw(tensor("BYTES", [10**9], binary_data_size=5), b"\1\0\0\0a"), "inputs[0]"),
}


@pytest.mark.parametrize("case", MALFORMED_RAW)
def test_malformed_raw_tensors_are_refused_by_name(case: str) -> None:
    (body, length), field = MALFORMED_RAW[case]
    with pytest.raises(InvalidRequest) as caught:
        decode_request(body, length, "m", "")
    assert caught.value.field == field


@pytest.mark.parametrize("text", ["-1", "nan", "", " 5", "+5", "5.0", "1e3", "0x10", "١", "101", "9" * 40])
def test_a_lying_header_length_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_header_length(text, 100)
    assert caught.value.field == "inference-header-content-length"


def test_shared_memory_is_refused_as_unsupported() -> None:
    with pytest.raises(Unsupported):
        decode_request(request(tensor("FP32", [1], shared_memory_region="r")), None, "m", "")


@pytest.mark.parametrize(
    ("shape", "count", "expected"),
    [([-1, 4], 8, (2, 4)), ([2, 3], 6, (2, 3)), ([-1, 4, -1], 12, (1, 4, 3)), ([-1], 5, (5,))],
)
def test_the_shape_of_a_raw_body_follows_from_its_length(
    shape: list[int], count: int, expected: tuple[int, ...]
) -> None:
    specs = [{"name": "x", "datatype": "INT16", "shape": shape}]
    assert decode_raw(np.arange(count, dtype="<i2").tobytes(), specs)["x"].shape == expected


@pytest.mark.parametrize(
    ("shape", "size"), [([-1, 4], 7), ([2, 3], 10), ([-1, -1, -1], 4)], ids=["half a row", "short", "undecided"]
)
def test_a_raw_body_that_fits_no_shape_is_refused(shape: list[int], size: int) -> None:
    with pytest.raises(InvalidRequest):
        decode_raw(bytes(size), [{"name": "x", "datatype": "INT16", "shape": shape}])
