"""A request whose head came before is answered without the parser, and exactly as with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from direct_peer import BODY, Hold, request, serving

from equiserve.errors import InvalidRequest
from equiserve.rest import known_heads
from equiserve.rest.decoding import _known_layout, decode_request

NUMBERS = json.dumps({"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [3, 4]}]}).encode()


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_heads, "_known", {})
    _known_layout.cache_clear()


def opened(hold: Hold) -> Any:
    held = hold()
    held.runtime.gate.set()
    return held


def data_of(answer: tuple[int, dict[str, str], bytes]) -> list[float]:
    assert answer[0] == 200, answer
    numbers: list[float] = json.loads(answer[2])["outputs"][0]["data"]
    return numbers


async def test_a_head_that_comes_again_brings_its_own_body(hold: Hold) -> None:
    assert len(BODY) == len(NUMBERS)
    held = opened(hold)
    async with serving(held) as peer:
        for _ in range(2):
            peer.send(request(BODY))
            assert data_of(await peer.answer()) == [2, 4]
            peer.send(request(NUMBERS))
            assert data_of(await peer.answer()) == [6, 8]
    assert len(known_heads._known) == 1


async def test_a_known_head_may_come_in_pieces_pipelined_or_with_more_behind_it(hold: Hold) -> None:
    whole = request(BODY)
    async with serving(opened(hold)) as peer:
        peer.send(whole)
        first = await peer.answer()
        for pieces in (
            [whole[:10], whole[10:]],
            [whole[:-3], whole[-3:]],
            [whole + whole],
            [whole + whole[:20], whole[20:]],
        ):
            for piece in pieces:
                peer.send(piece)
                await peer.writer.drain()
            for _ in range(sum(map(len, pieces)) // len(whole)):
                assert (await peer.answer())[2] == first[2]
        peer.send(whole)
        assert (await peer.answer())[2] == first[2]


@pytest.mark.parametrize("before", [b"\r\n", b"\r\n\r\n"])
async def test_line_breaks_before_a_request_are_no_head(hold: Hold, before: bytes) -> None:
    async with serving(opened(hold)) as peer:
        peer.send(before + request(BODY))
        await peer.answer()
    assert known_heads._known == {}


async def test_what_is_unusual_is_not_kept(hold: Hold) -> None:
    heads = [("Connection: close",), ("Expect: 100-continue",), ("X: " + "v" * 3000,)]
    for fields in heads:
        async with serving(opened(hold)) as peer:
            peer.send(request(BODY, *fields))
            await peer.reader.readline()
    assert known_heads._known == {}


async def test_no_more_than_a_bounded_number_of_heads_is_kept(hold: Hold) -> None:
    async with serving(opened(hold)) as peer:
        for number in range(known_heads._MAX_HEADS + 10):
            peer.send(request(BODY, f"X-Request-Id: {number}"))
            assert (await peer.answer())[1]["x-request-id"] == str(number)
    assert 0 < len(known_heads._known) <= known_heads._MAX_HEADS


async def test_admission_sees_every_request_of_a_known_head(hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    held = opened(hold)
    async with serving(held) as peer:
        peer.send(request(BODY))
        await peer.answer()
        admission: Any = held.admission
        most = admission._max_inflight_requests
        monkeypatch.setattr(admission, "_max_inflight_requests", 0)
        peer.send(request(BODY))
        status, fields, body = await peer.answer()
        assert (status, json.loads(body)["code"]) == (429, "too_many_requests")
        assert "retry-after" in fields
        monkeypatch.setattr(admission, "_max_inflight_requests", most)
        peer.send(request(BODY))
        assert data_of(await peer.answer()) == [2, 4]
        assert admission.inflight_requests == 0


def test_a_json_header_that_came_before_does_not_vouch_for_another_body() -> None:
    header = b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}]}'
    for _ in range(2):
        read, _form = decode_request(header + bytes(8), len(header), "m", "")
        assert read.inputs["x"].tolist() == [[0.0, 0.0]]
        for wrong, code in ((bytes(7), "invalid_binary_data"), (bytes(9), "trailing_bytes")):
            with pytest.raises(InvalidRequest) as refused:
                decode_request(header + wrong, len(header), "m", "")
            assert refused.value.code == code
