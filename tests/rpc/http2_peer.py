"""A connection without a socket: what a client would send goes in as bytes, what the server sends is read as frames."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import grpc
from hpack import Decoder, Encoder

from equiserve.errors import NotFound
from equiserve.rpc.http2.connection import Connection
from equiserve.rpc.http2.handler import Handler
from equiserve.rpc.http2.limits import Limits
from equiserve.rpc.http2.server import Http2Server

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
NO_ERROR, PROTOCOL, INTERNAL, FLOW, TIMEOUT, CLOSED, SIZE, REFUSED, CANCEL, COMPRESSION, CONNECT, CALM = range(12)

LIMITS = Limits(max_message_bytes=1 << 20, max_held_bytes=4 << 20, max_calls=50)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def message(data: bytes) -> bytes:
    return b"\0" + len(data).to_bytes(4, "big") + data


def head(path: str = "/test.Echo/Unary", *more: tuple[str, str], **replaced: str) -> list[tuple[str, str]]:
    fields = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "x", "te": "trailers"}
    fields |= {"content-type": "application/grpc"} | {name.replace("_", "-"): value for name, value in replaced.items()}
    return [*fields.items(), *more]


def initial_window(size: int) -> bytes:
    return b"\0\4" + size.to_bytes(4, "big")


def widen(stream: int, more: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, more.to_bytes(4, "big"))


@dataclass(frozen=True)
class Frame:
    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def number(self) -> int:
        """The last four bytes of RST_STREAM and WINDOW_UPDATE, the code of GOAWAY."""
        return int.from_bytes(self.payload[4:8] if self.kind == GOAWAY else self.payload[:4], "big")


class Transport(asyncio.Transport):
    """Keeps what is written; closing is heard of one turn later, as with a socket."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.connection = connection
        self.sent = bytearray()
        self.unread = 0  # what a test says that the client has not read yet
        self.closing = False
        self.reading = True

    def write(self, data: Any) -> None:
        assert not self.closing, "written after the end"
        self.sent += data

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            asyncio.get_running_loop().call_soon(self.connection.connection_lost, None)

    abort = close

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return self.unread

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Service:
    """Handlers that a test can look into."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.cancelled = 0
        self.written = 0
        self.release = asyncio.Event()

    async def unary(self, raw: bytes, rpc: Any) -> bytes:
        self.asked.append(raw)
        return raw

    async def fails(self, raw: bytes, rpc: Any) -> bytes:
        if raw == b"typed":
            raise NotFound("nothing of this name")
        if raw == b"aborted":
            await rpc.abort(grpc.StatusCode.DATA_LOSS, "lost: 100 % — all", (("why", "a test"),))
        raise KeyError("secret")

    async def held(self, raw: bytes, rpc: Any) -> bytes:
        self.asked.append(raw)
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return raw

    async def count(self, raw: bytes, rpc: Any) -> AsyncIterator[bytes]:
        """Answer with as many messages of 1,000 bytes as the request says."""
        for _ in range(int(raw)):
            self.written += 1
            yield bytes(1000)

    async def chat(self, requests: AsyncIterator[bytes], rpc: Any) -> None:
        async for raw in requests:
            self.asked.append(raw)
            await rpc.write(raw)

    def handler(self) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(
            "test.Echo",
            {
                "Unary": Handler(self.unary, direct=True),
                "Task": Handler(self.unary),
                "Fails": Handler(self.fails, direct=True),
                "Held": Handler(self.held, direct=True),
                "HeldTask": Handler(self.held),
                "Count": Handler(self.count, streams_out=True),
                "Chat": Handler(self.chat, streams_in=True, streams_out=True),
            },
        )


async def offload(work: Callable[..., Any], *arguments: Any) -> Any:
    return work(*arguments)


def server_of(service: Service, limits: Limits = LIMITS) -> Http2Server:
    server = Http2Server(limits, offload)
    server.add_generic_rpc_handlers([service.handler()])
    return server


class Peer:
    """One client of one server, both in this process."""

    def __init__(self, limits: Limits = LIMITS, server: Http2Server | None = None) -> None:
        self.service = Service()
        self.server = server or server_of(self.service, limits)
        self.connection = Connection(self.server)
        self.transport = Transport(self.connection)
        self.connection.connection_made(self.transport)
        self.encoder, self.decoder = Encoder(), Decoder()
        self._read = 0

    @property
    def open(self) -> bool:
        return not self.transport.closing

    def shake_hands(self, settings: bytes = b"") -> Peer:
        self.send(PREFACE + frame(SETTINGS, 0, 0, settings))
        self.frames()
        return self

    def send(self, data: bytes) -> None:
        self.connection.data_received(data)

    def headers(self, stream: int, fields: list[tuple[str, str]] | None = None, flags: int = END_HEADERS) -> bytes:
        return frame(HEADERS, flags, stream, self.encoder.encode(fields or head()))

    def call(self, stream: int, path: str, data: bytes, **fields: str) -> None:
        self.send(self.headers(stream, head(path, **fields)) + frame(DATA, END_STREAM, stream, message(data)))

    def frames(self) -> list[Frame]:
        """Return what was sent since the last look."""
        sent, found = bytes(self.transport.sent), []
        while self._read < len(sent):
            length = int.from_bytes(sent[self._read : self._read + 3], "big")
            kind, flags = sent[self._read + 3 : self._read + 5]
            stream = int.from_bytes(sent[self._read + 5 : self._read + 9], "big")
            start = self._read + 9
            assert start + length <= len(sent), "half a frame"
            found.append(Frame(kind, flags, stream, sent[start : start + length]))
            self._read = start + length
        return found

    async def answers(self, turns: int = 20) -> list[Frame]:
        """Return what is sent within so many turns of the loop."""
        for _ in range(turns):
            await asyncio.sleep(0)
        return self.frames()

    def fields(self, one: Frame) -> dict[str, str]:
        assert one.kind == HEADERS
        return {str(name): str(value) for name, value in self.decoder.decode(one.payload)}

    async def lose(self) -> None:
        """End the connection; nothing of it may be left."""
        if self.open:
            self.transport.close()
        for _ in range(20):
            await asyncio.sleep(0)
        assert (self.server.calls, self.server.held_bytes, self.server.connections) == (0, 0, set())
