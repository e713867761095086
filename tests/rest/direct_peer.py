"""A client of a `DirectHttp` server over a real socket, for tests that look at bytes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from equiserve.rest.protocol import DirectHttp
from planes import until

BODY = json.dumps({"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}).encode()
PATH = "/v2/models/held/infer"

#: What the fixture `hold` gives.
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
    await until(lambda: server.started)
    peer = Peer(server)
    await peer.connect()
    try:
        yield peer
    finally:
        held.runtime.gate.set()
        peer.writer.close()
        server.should_exit = True
        await task
