"""Clients of an ASGI application in this process: an ordinary one, and one whose every message a test decides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
import orjson
from starlette.types import ASGIApp, Message

DISCONNECT: Message = {"type": "http.disconnect"}


def client_of(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://equiserve")


def chunk(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


class Call:
    """Plays a client: delivers `messages`, then stays silent until `hang_up`; keeps what was answered."""

    def __init__(
        self,
        app: ASGIApp,
        path: str,
        messages: Iterable[Message] | AsyncIterator[Message],
        headers: dict[str, str] | None = None,
        method: str = "POST",
    ) -> None:
        self.answers: list[Message] = []
        self.delivered = 0
        self._messages = iter(messages) if isinstance(messages, Iterable) else messages
        self._gone = asyncio.Event()
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
        }
        self.task = asyncio.ensure_future(app(scope, self._receive, self._send))

    async def finish(self) -> Call:
        await asyncio.wait_for(self.task, 20)
        return self

    def hang_up(self) -> None:
        self._gone.set()

    async def _receive(self) -> Message:
        try:
            message = next(self._messages) if not hasattr(self._messages, "__anext__") else await anext(self._messages)
        except (StopIteration, StopAsyncIteration):
            await self._gone.wait()
            return DISCONNECT
        self.delivered += len(message.get("body", b""))
        return message

    async def _send(self, message: Message) -> None:
        self.answers.append(message)

    @property
    def status(self) -> int:
        return int(self.answers[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.answers[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.answers[1:])

    def json(self) -> Any:
        return orjson.loads(self.body)
