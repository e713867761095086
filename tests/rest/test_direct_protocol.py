"""The direct way of a request over real sockets: the gate's answers, and nothing lost when peers misbehave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

from equiserve.rest import direct_cycle, protocol
from equiserve.rest.direct_cycle import DirectCycle
from equiserve.rest.protocol import DirectHttp

BODY = json.dumps({"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}).encode()
PATH = "/v2/models/held/infer"

Hold = Callable[..., Any]


def request(body: bytes = BODY, *fields: str, path: str = PATH, length: int | None = None) -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body) if length is None else length}", *fields]
    return "\r\n".join([*head, "", ""]).encode() + body


class Peer:
    """One connection, and the server behind it."""

    def __init__(self, server: uvicorn.Server) -> None:
        self.server = server

    async def connect(self) -> None:
        self.reader, self.writer = await asyncio.open_connection(*self.server.servers[0].sockets[0].getsockname())

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Return status, header fields and body of the next answer."""
        async with asyncio.timeout(20):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            fields = dict(line.split(": ", 1) for line in head[1:] if line)
            return int(head[0].split()[1]), fields, await self.reader.readexactly(int(fields["content-length"]))


@asynccontextmanager
async def serving(held: Any, **options: Any) -> AsyncIterator[Peer]:
    config = uvicorn.Config(
        held.app,
        http=DirectHttp,
        host="127.0.0.1",
        port=0,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        **options,
    )
    server = uvicorn.Server(config)
    task = asyncio.ensure_future(server.serve())
    async with asyncio.timeout(20):
        while not server.started:  # noqa: ASYNC110 - uvicorn announces it in no other way
            await asyncio.sleep(0.01)
    peer = Peer(server)
    await peer.connect()
    try:
        yield peer
    finally:
        held.runtime.gate.set()
        peer.writer.close()
        server.should_exit = True
        await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


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
