"""The events of a check or of a generation as server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Protocol, Self

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from equiserve.errors import EquiServeError
from equiserve.rest.errors import status_of, unexpected

log = logging.getLogger("equiserve.rest")

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # nginx would hold the events back until its buffer is full.
    (b"x-accel-buffering", b"no"),
]


class Event(Protocol):
    """What a stream tells."""

    @property
    def name(self) -> str:
        """The event's name."""

    def to_json(self) -> dict[str, Any]:
        """Return its content."""


class EventStream(Response):
    """An answer that is sent event by event; whoever goes away ends what tells them.

    Args:
        first: The first event, which is there already.
        events: The others.
        request_id: For the log, and for an error in the stream.
    """

    def __init__(self, first: Event, events: AsyncGenerator[Any, None], request_id: str) -> None:
        super().__init__(media_type="text/event-stream")
        self._first = first
        self._events = events
        self._request_id = request_id

    @classmethod
    async def of(cls, events: AsyncGenerator[Any, None], request_id: str) -> Self:
        """Return the stream once its first event is there: what cannot be checked is an ordinary error."""
        return cls(await anext(events), events, request_id)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send every event as it comes."""
        number = 0

        async def tell(name: str, content: Mapping[str, Any]) -> None:
            nonlocal number
            number += 1
            data = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
            body = b"id: %d\nevent: %s\ndata: %s\n\n" % (number, name.encode(), data)
            await send({"type": "http.response.body", "body": body, "more_body": True})

        async with aclosing(self._events):
            await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS]})
            await tell(self._first.name, self._first.to_json())
            try:
                async for event in self._events:
                    await tell(event.name, event.to_json())
            except Exception as error:
                known = error if isinstance(error, EquiServeError) else unexpected(self._request_id)
                if known is not error:
                    log.error("unexpected error", exc_info=error, extra={"request_id": self._request_id})
                await tell("error", known.body() | {"status": status_of(known), "request_id": self._request_id})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
