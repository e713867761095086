"""What a connection may send before anybody has judged it, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn

from equiserve.rest.transport import CoalescingHttp, CoalescingTransport
from planes import until


async def echo(scope, receive, send):  # type: ignore[no-untyped-def]
    """Answer with the number of headers and of body bytes."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    text = f"{len(scope['headers'])} {size}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
    await send({"type": "http.response.body", "body": text})


@asynccontextmanager
async def connection() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    config = uvicorn.Config(
        echo, http=CoalescingHttp, lifespan="off", log_config=None, access_log=False, host="127.0.0.1", port=0
    )
    server = uvicorn.Server(config)
    serving = asyncio.ensure_future(server.serve())
    await until(lambda: server.started)
    reader, writer = await asyncio.open_connection(*server.servers[0].sockets[0].getsockname())
    try:
        yield reader, writer
    finally:
        writer.close()
        server.should_exit = True
        await serving


@pytest.mark.parametrize("part", [b"a: " + b"b" * 1000 + b"\r\n", b"c" * 1000], ids=["many fields", "one field"])
async def test_a_head_without_end_is_cut_off(part: bytes) -> None:
    async with connection() as (reader, writer):
        answer = asyncio.ensure_future(reader.read())
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nfirst: ")
        sent = 0
        while not answer.done() and sent < 64 << 20:
            writer.write(part * 16)
            sent += 16 * len(part)
            try:
                await writer.drain()
            except ConnectionError:
                break
            await asyncio.sleep(0)
        assert sent < 16 << 20, "the server took it all"
        try:
            told = await asyncio.wait_for(answer, 20)
        except ConnectionError:
            return  # the refusal was lost with the connection, as TCP has it
        assert told.startswith(b"HTTP/1.1 431 ") or told == b""


async def test_a_head_of_many_small_pieces_is_read_where_it_ends_in_time() -> None:
    async with connection() as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 300000\r\n")
        for index in range(30):
            writer.write(b"f%d: %b\r\n" % (index, b"v" * 1000))
            await writer.drain()
            await asyncio.sleep(0.001)
        writer.write(b"\r\n" + bytes(300_000))
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        assert head.startswith(b"HTTP/1.1 200 ")
        assert await reader.readexactly(9) == b"32 300000"


async def test_fields_after_a_chunked_body_are_dropped() -> None:
    async with connection() as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n")
        writer.write(b"late: 1\r\n" * 100 + b"\r\n")
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        answers = await asyncio.wait_for(reader.read(), 20)
        assert answers.count(b"HTTP/1.1 200 ") == 2
        assert answers.endswith(b"2 0")
        assert b"\r\n\r\n2 3" in answers


class Closing(asyncio.Transport):
    """A transport as uvloop has it: writing to it once the peer is gone is an error."""

    gone = False

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def is_closing(self) -> bool:
        return self.gone

    def write(self, data: bytes) -> None:  # type: ignore[override]
        if self.gone:
            raise RuntimeError("the handler is closed")
        self.written.append(data)

    def close(self) -> None:
        self.gone = True

    def get_write_buffer_size(self) -> int:
        return 0


async def test_an_answer_to_a_peer_that_left_in_the_same_turn_is_dropped_without_a_fault() -> None:
    faults: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: faults.append(context))
    try:
        below = Closing()
        transport = CoalescingTransport(below)
        transport.write(b"head")
        transport.write(b"body")
        await asyncio.sleep(0)
        assert below.written == [b"headbody"]
        transport.write(b"late")
        below.gone = True
        await asyncio.sleep(0)
        transport.close()
        assert below.written == [b"headbody"]
    finally:
        loop.set_exception_handler(None)
    assert faults == []
