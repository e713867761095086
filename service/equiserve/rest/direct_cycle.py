"""A direct request from its head to its answer, without a task (see `engine.driven`) and without ASGI.

For a small model, a task, a scope, an event and four ASGI messages a request cost more than all the work that the
request asks for.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from equiserve.dataplane import DataPlane
from equiserve.engine import RequestContext
from equiserve.engine.driven import Driven
from equiserve.errors import Cancelled, DeadlineExceeded, EquiServeError, Unavailable
from equiserve.rest.classify import classify
from equiserve.rest.compression import inflate
from equiserve.rest.direct import DirectRoute
from equiserve.rest.encoding import Headers
from equiserve.rest.errors import error_reply, unexpected
from equiserve.rest.exchange import log_request
from equiserve.rest.infer import infer
from equiserve.rest.tensors import Buffer

log = logging.getLogger("equiserve.rest")

Answer = tuple[Headers, bytes]


async def answer_direct(
    plane: DataPlane,
    route: DirectRoute,
    headers: Mapping[str, str],
    query: bytes,
    body: Buffer,
    context: RequestContext,
) -> Answer:
    """Return headers and body of the answer to an admitted request; raises EquiServeError."""
    if "content-encoding" in headers:
        body = await inflated(plane, headers, body, context)
    if route.verb == "infer":
        return await infer(plane, route, headers, body, context)
    return await classify(plane, route, headers, query, body, context)


async def inflated(plane: DataPlane, headers: Mapping[str, str], body: Buffer, context: RequestContext) -> bytes:
    """Return a body without its content coding, under the same bounds."""
    plain = await plane.compute.run(inflate, body, headers["content-encoding"], plane.admission.max_body_bytes)
    plane.admission.grow(context, len(plain))
    return plain


def stopping() -> Unavailable:
    """Return what the caller of a request hears that outlasts the server's grace."""
    return Unavailable("the request was given up: the server is stopping", code="stopping")


class Connection(Protocol):
    """What a cycle needs of the connection that it came in on."""

    def send(self, data: bytes) -> None:
        """Send an answer."""

    def close(self) -> None:
        """Close after what was sent."""

    def on_response_complete(self) -> None:
        """Go on to the next request."""


class _NobodyWaits:
    """uvicorn wakes whoever reads a request's body when its connection ends: here nobody waits."""

    @staticmethod
    def set() -> None:
        """Wake nobody."""


class DirectCycle:
    """One direct request; has what uvicorn's protocol asks of a `RequestResponseCycle`.

    Args:
        connection: Where it came from and where its answer goes.
        plane: The data plane.
        route: What it asks for.
        headers: Lower-case names.
        path: Of the request, for the log.
        query: Of the request.
        context: What admission found out; released when the request ends, however it ends.

    Attributes:
        response_complete: The answer was sent, or nobody waits for it any more.
        keep_alive: Whether the connection goes on after the answer.
        disconnected: The client is gone.
    """

    message_event = _NobodyWaits()

    __slots__ = (
        "_answering",
        "_began",
        "_body",
        "_connection",
        "_context",
        "_headers",
        "_path",
        "_plane",
        "_query",
        "_route",
        "disconnected",
        "keep_alive",
        "response_complete",
    )

    def __init__(
        self,
        connection: Connection,
        plane: DataPlane,
        route: DirectRoute,
        headers: Mapping[str, str],
        path: str,
        query: bytes,
        context: RequestContext,
    ) -> None:
        self._connection = connection
        self._plane = plane
        self._route = route
        self._headers = headers
        self._path = path
        self._query = query
        self._context = context
        self._body: Buffer = b""
        self._answering: Driven | None = None
        self._began = time.perf_counter()
        self.response_complete = False
        self.keep_alive = True
        self.disconnected = False

    def feed(self, part: bytes) -> None:
        """Take a part of the body; all of it was accounted for when its length was announced."""
        if not self._body:
            self._body = part
            return
        if isinstance(self._body, bytes):
            self._body = bytearray(self._body)
        self._body += part

    def start(self) -> None:
        """Begin to answer: the body is complete."""
        body, self._body = self._body, b""
        answer = answer_direct(self._plane, self._route, self._headers, self._query, body, self._context)
        self._answering = Driven(answer, self._answered)
        self._answering.step()

    def abandon(self) -> None:
        """End the request of a client that is gone."""
        if self.response_complete:
            return
        self.disconnected = True
        if self._answering is None:
            self._end(Cancelled("the client went away while it sent the body"))
        else:
            self._answering.cancel()

    def stall(self) -> None:
        """Refuse a request whose body does not arrive."""
        self.keep_alive = False
        self._refuse(DeadlineExceeded("the body did not arrive in time", code="upload_timeout", field="body"))

    def stop(self) -> None:
        """Give the request up: the server does not wait for it any longer."""
        if self.response_complete:
            return
        self.keep_alive = False
        if self._answering is None:
            self._refuse(stopping())
        else:
            self._answering.cancel()

    def _answered(self, answer: Answer | None, error: BaseException | None) -> None:
        if answer is not None:
            self._reply(200, *answer)
            self._end(None)
        elif isinstance(error, EquiServeError):
            self._refuse(error)
        elif not isinstance(error, asyncio.CancelledError):
            extra = {"request_id": self._context.request_id, "path": self._path}
            log.error("unexpected error", exc_info=error, extra=extra)
            self._refuse(unexpected(self._context.request_id))
        elif self.disconnected:
            self._end(Cancelled("the client went away"))
        else:
            self._refuse(stopping())

    def _refuse(self, error: EquiServeError) -> None:
        status, headers, body = error_reply(error)
        self._reply(status, headers, body)
        self._end(error)

    def _reply(self, status: int, headers: Headers, body: bytes) -> None:
        if self.disconnected:
            return
        parts = [STATUS_LINE[status]]
        for name, value in headers:
            parts += (name, b": ", value, b"\r\n")
        parts += (b"x-request-id: ", self._context.request_id.encode())
        parts += (b"\r\n\r\n" if self.keep_alive else b"\r\nconnection: close\r\n\r\n", body)
        self._connection.send(b"".join(parts))

    def _end(self, error: EquiServeError | None) -> None:
        self.response_complete = True
        self._answering = None
        self._plane.admission.release(self._context)
        if error is not None or self._plane.settings.access_log:
            seconds = time.perf_counter() - self._began
            log_request(self._context.request_id, "POST", self._path, 200, error, seconds)
        if not self.disconnected:
            if not self.keep_alive:
                self._connection.close()
            self._connection.on_response_complete()
