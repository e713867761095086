"""One HTTP request and its answer: the body read under bounds, the answer sent once, the line in the log."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from starlette.types import Message, Receive, Scope, Send

from equiserve.engine import Admission, RequestContext
from equiserve.errors import Cancelled, EquiServeError
from equiserve.rest.encoding import Headers
from equiserve.rest.errors import error_reply, status_of
from equiserve.rest.tensors import Buffer
from equiserve.rest.watch import Watch

log = logging.getLogger("equiserve.rest")

# Rest of a refused body that is cheaper to read and drop than a new connection would be.
_SMALL_BODY = 1 << 20
_LINGER_S = 1.0
_LINGER_BYTES = 8 << 20


class Exchange:
    """One request and its answer.

    Args:
        scope, receive, send: What ASGI gives.

    Attributes:
        headers: Of the request, lower-case names.
        announced: Bytes of the body as its header says, or None.
        watch: Cancels the current task where nobody waits for it any more.
        request_id: Empty until admission gave one.
        complete: The whole body was read.
        started: An answer was begun.
        status: Its status.
    """

    __slots__ = (
        "announced",
        "complete",
        "headers",
        "receive",
        "request_id",
        "scope",
        "send_raw",
        "started",
        "status",
        "watch",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.receive = receive
        self.send_raw = send
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        announced = self.headers.get("content-length", "")
        self.announced = int(announced) if announced.isdecimal() and len(announced) < 20 else None
        self.watch = Watch(receive)
        self.request_id = ""
        self.complete = False
        self.started = False
        self.status = 0

    def identify(self, admission: Admission) -> str:
        """Return the request's id, also where it was never admitted."""
        if not self.request_id:
            self.request_id = admission.request_id(self.headers)
        return self.request_id

    async def read_body(self, admission: Admission, context: RequestContext) -> Buffer:
        """Return the whole body; raises as soon as it is too much, and Cancelled where the client goes away."""
        message = await self.receive()
        body: Buffer = message.get("body", b"")
        if message.get("more_body"):
            # One buffer, not a list of parts: a flood of tiny chunks must not cost more memory than its bytes.
            gathered = bytearray(body)
            while message.get("more_body"):
                admission.grow(context, len(gathered))
                message = await self.receive()
                gathered += message.get("body", b"")
            body = gathered
        if message["type"] == "http.disconnect":
            raise Cancelled("the client went away while it sent the body")
        admission.grow(context, len(body))
        self.complete = True
        self.watch.body_read()
        return body

    async def reply(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer."""
        self.watch.stop()
        self.started, self.status = True, status
        headers.append((b"x-request-id", self.request_id.encode()))
        await self.send_raw({"type": "http.response.start", "status": status, "headers": headers})
        await self.send_raw({"type": "http.response.body", "body": body})

    async def send(self, message: Message) -> None:
        """Pass on what FastAPI answers, with the request's id."""
        if message["type"] == "http.response.start":
            self.started, self.status = True, message["status"]
            message["headers"] = [*message["headers"], (b"x-request-id", self.request_id.encode())]
        elif not message.get("more_body"):
            # The server reports a disconnect once the answer is complete: that is no reason to cancel anything.
            self.watch.stop()
        await self.send_raw(message)

    async def refuse(self, error: EquiServeError) -> None:
        """Answer with an error; close the connection where much of the body was not read."""
        status, headers, body = error_reply(error)
        unread = not self.complete and (
            self.announced > _SMALL_BODY if self.announced is not None else "transfer-encoding" in self.headers
        )
        if not unread:
            await self.reply(status, headers, body)
            return
        self.status = status
        headers += [(b"connection", b"close"), (b"x-request-id", self.request_id.encode())]
        await self.send_raw({"type": "http.response.start", "status": status, "headers": headers})
        await self.send_raw({"type": "http.response.body", "body": body, "more_body": True})
        # To close with bytes unread resets the connection, and the answer may be lost with it.
        await self._linger()
        await self.send_raw({"type": "http.response.body", "body": b""})

    async def _linger(self) -> None:
        left = _LINGER_BYTES
        # A server that stops cancels what it does not wait for any longer; the answer is on its way by then.
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout(_LINGER_S):
                while left > 0:
                    message = await self.receive()
                    if not message.get("more_body"):
                        return
                    left -= len(message.get("body", b""))

    def log(self, error: EquiServeError | None, seconds: float) -> None:
        """Write the request's line."""
        log_request(self.request_id, self.scope["method"], self.scope["path"], self.status, error, seconds)


def log_request(
    request_id: str, method: str, path: str, status: int, error: EquiServeError | None, seconds: float
) -> None:
    """Write a request's line: a warning for a fault of ours, information otherwise."""
    status = status if error is None else status_of(error)
    extra: dict[str, object] = {
        "request_id": request_id,
        "method": method,
        "path": path,
        "status": status,
        "ms": round(seconds * 1e3, 3),
    }
    if error is not None:
        extra |= {"code": error.code, "error": error.message}
    log.log(_level(status, path), "request", extra=extra)


def _level(status: int, path: str) -> int:
    if status < 500:
        return logging.INFO
    # A probe that is told "not yet" is no fault.
    return logging.DEBUG if path.startswith("/v2/health/") else logging.WARNING
