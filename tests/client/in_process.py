"""How tests of both clients reach an application in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

#: Call a method of the client under test by its name, and await the result.
Ask = Callable[..., Awaitable[Any]]


class OnLoop(httpx.BaseTransport):
    """Lets the blocking client, on a thread, reach an application that lives on an event loop."""

    def __init__(self, inner: httpx.AsyncBaseTransport, loop: asyncio.AbstractEventLoop) -> None:
        self._inner = inner
        self._loop = loop

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def handle() -> httpx.Response:
            answer = await self._inner.handle_async_request(
                httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
            )
            return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())

        return asyncio.run_coroutine_threadsafe(handle(), self._loop).result(timeout=30)
