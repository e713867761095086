"""The direct way of a request over real sockets: the gate's answers, and nothing lost when peers misbehave."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import pytest
from direct_peer import BODY, PATH, Hold, Peer, request, serving

from equiserve.rest import direct_cycle, protocol
from equiserve.rest.direct_cycle import DirectCycle
from planes import until


@pytest.fixture
def cycles(monkeypatch: pytest.MonkeyPatch) -> list[DirectCycle]:
    """Every request that went the direct way."""
    seen: list[DirectCycle] = []
    start = DirectCycle.start

    def started(self: DirectCycle) -> None:
        seen.append(self)
        start(self)

    monkeypatch.setattr(DirectCycle, "start", started)
    return seen


async def test_both_ways_give_the_same_answer(hold: Hold, cycles: list[DirectCycle]) -> None:
    held = hold()
    held.runtime.gate.set()
    chunked = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{len(BODY):x}\r\n".encode()
    async with serving(held) as peer:
        peer.send(request(BODY, "X-Request-Id: one"))
        direct = await peer.answer()
        assert len(cycles) == 1
        peer.send(chunked.replace(b"Host", b"X-Request-Id: one\r\nHost") + BODY + b"\r\n0\r\n\r\n")
        assert await peer.answer() == direct
        assert len(cycles) == 1
    assert direct[0] == 200
    assert direct[1]["x-request-id"] == "one"
    assert json.loads(direct[2])["outputs"][0]["data"] == [2.0, 4.0]


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"{", "invalid_json"), (b"{}", "invalid_request"), (BODY.replace(b'"x"', b'"y"'), "missing_input")],
)
async def test_a_refusal_leaves_the_connection_usable(hold: Hold, body: bytes, code: str) -> None:
    held = hold()
    held.runtime.gate.set()
    async with serving(held) as peer:
        peer.send(request(body))
        status, fields, text = await peer.answer()
        assert (status, json.loads(text)["code"]) == (400, code)
        assert fields["x-request-id"]
        peer.send(request())
        assert (await peer.answer())[0] == 200
    assert held.admission.inflight_requests == 0
    assert held.admission.inflight_bytes == 0


async def test_admission_refuses_in_the_words_of_the_gate(hold: Hold, cycles: list[DirectCycle]) -> None:
    held = hold(max_body_bytes=64)
    async with serving(held) as peer:
        peer.send(request(BODY))
        status, _, text = await peer.answer()
    assert (status, json.loads(text)["code"]) == (413, "body_too_large")
    assert cycles == []


async def test_what_is_no_http_is_refused_in_the_form_of_every_error(hold: Hold) -> None:
    async with serving(hold()) as peer:
        peer.send(b"POST /v2/models/held/infer HTTP/1.1\r\nno field\r\n\r\n")
        status, fields, text = await peer.answer()
        assert (status, json.loads(text)["code"], fields["connection"]) == (400, "malformed_http", "close")
        assert await peer.reader.read() == b""


@pytest.mark.parametrize("cut", [0, 100, -len(BODY)], ids=["one packet", "within the head", "after the head"])
async def test_an_offer_to_upgrade_is_passed_over_and_the_body_is_the_requests(
    hold: Hold, cycles: list[DirectCycle], cut: int
) -> None:
    held = hold()
    held.runtime.gate.set()
    offer = request(BODY, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAAB")
    async with serving(held) as peer:
        peer.send(offer[:cut])
        await asyncio.sleep(0.02)
        peer.send(offer[cut:] + request())
        for _ in range(2):
            status, _, text = await peer.answer()
            assert (status, json.loads(text)["outputs"][0]["data"]) == (200, [2.0, 4.0])
    assert cycles


async def test_pipelined_requests_are_answered_in_order(hold: Hold) -> None:
    held = hold()
    async with serving(held) as peer:
        first, second = request(BODY, "X-Request-Id: first"), request(b"{", "X-Request-Id: second")
        peer.send(first + second + b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nX-Request-Id: third\r\n\r\n")
        await until(lambda: held.runtime.calls == 1)
        held.runtime.gate.set()
        answers = [await peer.answer() for _ in range(3)]
    assert [fields["x-request-id"] for _, fields, _ in answers] == ["first", "second", "third"]
    assert [status for status, _, _ in answers] == [200, 400, 200]


async def test_a_body_may_come_byte_by_byte(hold: Hold, cycles: list[DirectCycle]) -> None:
    held = hold()
    held.runtime.gate.set()
    async with serving(held) as peer:
        for place in range(0, len(whole := request()), 7):
            peer.send(whole[place : place + 7])
            await peer.writer.drain()
            await asyncio.sleep(0)
        assert (await peer.answer())[0] == 200
    assert len(cycles) == 1


async def test_what_a_client_waited_for_is_given_up_when_it_goes_away(hold: Hold) -> None:
    held = hold()
    async with serving(held) as peer:
        peer.send(request())
        await until(lambda: held.runtime.calls == 1)
        other = Peer(peer.server)
        await other.connect()
        other.send(request())
        await until(lambda: held.model.pending_calls == 1)
        other.writer.close()
        await until(lambda: held.admission.inflight_requests == 1)
        await until(lambda: held.model.pending_calls == 0)
        held.runtime.gate.set()
        assert (await peer.answer())[0] == 200
    assert held.runtime.calls == 1
    assert held.admission.inflight_bytes == 0


async def test_a_client_that_goes_away_while_it_sends_frees_what_it_announced(hold: Hold) -> None:
    held = hold()
    async with serving(held) as peer:
        peer.send(request(BODY[:10], length=100_000))
        await until(lambda: held.admission.inflight_bytes == 100_000)
        peer.writer.close()
        await until(lambda: held.admission.inflight_requests == 0)
    assert held.admission.inflight_bytes == 0


async def test_a_body_that_stays_away_is_given_up(hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "UPLOAD_S", 0.05)
    held = hold()
    async with serving(held) as peer:
        peer.send(request(BODY[:10], length=100))
        status, fields, text = await peer.answer()
        assert (status, json.loads(text)["code"], fields["connection"]) == (504, "upload_timeout", "close")
        assert await peer.reader.read() == b""
    assert held.admission.inflight_requests == 0


async def test_a_fault_shows_nothing_of_its_inside(hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(direct_cycle, "infer", broken)
    held = hold()
    async with serving(held) as peer:
        peer.send(request(BODY, "X-Request-Id: lost"))
        status, _, text = await peer.answer()
        assert status == 500
        assert b"lost" in text
        assert b"secret" not in text
    assert held.admission.inflight_requests == 0


async def test_an_idle_connection_is_closed_and_a_waiting_one_is_not(hold: Hold) -> None:
    held = hold()
    async with serving(held, timeout_keep_alive=0.2) as peer:
        peer.send(request())
        await asyncio.sleep(0.7)
        held.runtime.gate.set()
        assert (await peer.answer())[0] == 200
        assert await asyncio.wait_for(peer.reader.read(), 20) == b""


@pytest.mark.parametrize(
    "sent", [b"", b"POST /v2/models/held/infer HTTP/1.1\r\nHost: x\r\n"], ids=["nothing", "half a head"]
)
async def test_a_connection_that_sends_no_request_is_closed(hold: Hold, sent: bytes) -> None:
    async with serving(hold(), timeout_keep_alive=0.2) as peer:
        peer.send(sent)
        assert await asyncio.wait_for(peer.reader.read(), 20) == b""


async def test_a_server_that_stops_answers_what_it_has_begun(hold: Hold) -> None:
    held = hold()
    async with serving(held) as peer:
        peer.send(request())
        await until(lambda: held.runtime.calls == 1)
        peer.server.should_exit = True
        await until(lambda: not peer.server.servers[0].is_serving())
        await asyncio.sleep(0.05)
        held.runtime.gate.set()
        status, fields, _ = await peer.answer()
        assert (status, fields["connection"]) == (200, "close")
        assert await peer.reader.read() == b""


async def test_a_coroutine_that_merely_yields_goes_on_in_the_next_turn() -> None:
    sent: list[bytes] = []
    released: list[object] = []

    async def answered(*_: object) -> tuple[list[tuple[bytes, bytes]], bytes]:
        await asyncio.sleep(0)
        return [(b"content-length", b"2")], b"ok"

    plane = SimpleNamespace(
        admission=SimpleNamespace(release=released.append), settings=SimpleNamespace(access_log=False)
    )
    connection = SimpleNamespace(send=sent.append, close=lambda: None, on_response_complete=lambda: None)
    context = SimpleNamespace(request_id="id")
    cycle = DirectCycle(connection, plane, None, {}, PATH, b"", context)  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(direct_cycle, "answer_direct", answered)
        cycle.start()
        assert sent == []
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert sent == [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-request-id: id\r\n\r\nok"]
    assert released == [context]
