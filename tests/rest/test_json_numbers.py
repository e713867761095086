"""Lists of numbers that are cut out of a JSON body: the same arrays, and the same refusals, as without it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equiserve.errors import EquiServeError
from equiserve.rest import json_numbers
from equiserve.rest.decoding import decode_request

pytest.importorskip("simdjson", reason="the extra simd is not installed")


def read(body: bytes, min_bytes: int) -> Any:
    """Return what a body is read as, or how it is refused; `min_bytes` decides which way it goes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_numbers, "_MIN_BYTES", min_bytes)
        try:
            request, form = decode_request(body, None, "m", "")
        except EquiServeError as error:
            return type(error), error.message, error.code, error.field
    arrays = {name: (array.dtype, array.shape, array.tobytes()) for name, array in request.inputs.items()}
    return arrays, request.id, request.parameters, request.outputs, form


def same(body: bytes) -> Any:
    """Return what both ways say, which must be the same."""
    general = read(body, 1 << 40)
    assert read(body, 1) == general, body
    return general


def body_of(data: str, datatype: str = "FP32", shape: object = (3,), **more: object) -> bytes:
    entry = json.dumps({"name": "x", "datatype": datatype, "shape": shape, "data": 0}).replace(": 0}", f": {data}}}")
    return json.dumps({**more, "inputs": 0}).replace('"inputs": 0', f'"inputs": [{entry}]').encode()


NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(["-0", "-0.0", "1E5", "1e+5", "1e-400", "4.9e-324", "9007199254740993"]),
    st.sampled_from(["3.4028235e38", "3.4028236e38", "-3.5e38"]),
    st.decimals(allow_nan=False, allow_infinity=False, places=25, min_value=-9, max_value=9).map(str),
)
ODD = st.sampled_from(
    ["true", "null", '"1"', '"]"', "[1]", "[]", "NaN", "1e400", "01", "+1", ".5", "1.", "{}", "", "-"]
)
BLANK = st.sampled_from(["", " ", "\n", "\t"])


@settings(max_examples=400, deadline=None)
@given(
    st.lists(NUMBERS, max_size=8),
    st.one_of(st.none(), ODD),
    BLANK,
    st.sampled_from(["FP32", "FP64", "FP32", "FP16", "INT32", "INT64", "UINT8", "BOOL", "BYTES", "what"]),
    st.integers(0, 1),
)
def test_both_ways_read_and_refuse_the_same(
    numbers: list[str], odd: str | None, blank: str, datatype: str, more: int
) -> None:
    elements = numbers if odd is None else [*numbers[: len(numbers) // 2], odd, *numbers[len(numbers) // 2 :]]
    data = f"[{blank}{f'{blank},{blank}'.join(elements)}{blank}]"
    same(body_of(data, datatype, [len(elements) + more]))


@pytest.mark.parametrize(
    "body",
    [
        body_of("[[1, 2], [3, 4]]", shape=[2, 2]),
        body_of("[[1, 2], [3]]", shape=[2, 2]),
        body_of("[1, 2, 3, 4]", shape=[2, 2]),
        body_of("[1, 2, 3]", shape="3"),
        body_of("[1, 2, 3]", shape=[-3]),
        body_of("[1, 2, 3]", shape=[3.0]),
        body_of("[1, 2, 3]", shape=[True, 3]),
        body_of("[]", shape=[0]),
        body_of("[]", shape=[0, 1 << 62]),
        body_of("[1, 2, 3]", id='"data": [1, 2, 3]'),
        body_of("[1, 2, 3]", parameters={"data": [1, 2, 3]}),
        body_of("[1, 2, 3]", id="ends with \\"),
        body_of("[1, 2, 3]") + b"]",
        body_of("[1, 2, 3]")[:-1],
        body_of('[1, 2, 3], "data": [4, 5, 6]'),
        body_of('"[1, 2, 3]"'),
        body_of("0 [1, 2, 3]"),
        body_of("[1, 2, 3]").replace(b'"data":', b'"data" \n :'),
        body_of("[1, 2, 3]").replace(b'"data"', b'"d\\u0061ta"'),
        b'{"inputs": {"data": [1, 2, 3]}}',
        b'[{"data": [1, 2, 3]}]',
        b'"data": [1, 2, 3]',
        b'{"inputs": [3, {"name": "x", "data": [1, 2, 3]}]}',
        body_of("[1, 2, 3]").replace(b"1", b"\xff"),
    ],
)
def test_unusual_bodies_are_read_and_refused_the_same(body: bytes) -> None:
    same(body)


def test_the_numbers_are_those_that_were_written_and_their_array_is_not_to_be_changed() -> None:
    written = np.random.default_rng(0).standard_normal(12_288).astype(np.float32)
    body = body_of(json.dumps(written.tolist()), shape=[1, 3, 64, 64])
    assert json_numbers.message_with_numbers(body) is not None
    array = decode_request(body, None, "m", "")[0].inputs["x"]
    assert array.shape == (1, 3, 64, 64)
    assert array.tobytes() == written.tobytes()
    assert not array.flags.writeable
    assert json_numbers.message_with_numbers(body.replace(b"[1, 3, 64, 64]", b"[1, 3, 64, 65]")) is None
    assert json_numbers.message_with_numbers(body.replace(b'data": [', b'data": [3.5e38,')) is None


def test_without_simdjson_all_goes_the_general_way(monkeypatch: pytest.MonkeyPatch) -> None:
    body = body_of(json.dumps([1.5] * 50_000), shape=[50_000])
    monkeypatch.setattr(json_numbers, "Parser", None)
    assert json_numbers.message_with_numbers(body) is None
    assert decode_request(body, None, "m", "")[0].inputs["x"].sum() == 75_000
