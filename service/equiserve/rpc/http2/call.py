"""One call: a stream of a connection, and the handler that answers it.

It has what handlers use of `grpc.aio.ServicerContext`: the caller's metadata, the time that is left, `write`, `abort`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterable, Mapping
from math import inf
from struct import Struct
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
from google.protobuf.message import DecodeError

from equiserve.engine.driven import Driven
from equiserve.errors import EquiServeError, InvalidRequest
from equiserve.rpc.errors import details_of, status_of
from equiserve.rpc.http2.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEAD,
    HEADERS,
    ErrorCode,
    StreamFault,
    frame,
)
from equiserve.rpc.http2.handler import Handler
from equiserve.rpc.http2.head import RequestHead, response_block, trailer_block
from equiserve.rpc.http2.messages import PREFIX_BYTES, MessageReader, announced, inflated

if TYPE_CHECKING:
    from equiserve.rpc.http2.connection import Connection

log = logging.getLogger("equiserve.rpc")

# A deadline that is further away is no other.
_LONGEST_S = 30 * 86_400.0
# A request of which nothing more comes for so long is given up, and an answer of which nothing more is taken.
_UPLOAD_S = 120.0
_UNREAD_S = 300.0

_BEGIN = response_block()
_GOOD = trailer_block(grpc.StatusCode.OK)
# The frames before a lone answer (its head, and the beginning of its DATA), and the frame after it.
_BEFORE = Struct(f">HBBBL{len(_BEGIN)}sHBBBLBL")
_AFTER = Struct(f">HBBBL{len(_GOOD)}s")
_PREFIX = Struct(">BL")


class Aborted(Exception):
    """A handler ended its call with a status."""

    def __init__(self, status: grpc.StatusCode, details: str, metadata: Iterable[tuple[str, str]]) -> None:
        super().__init__(status, details)
        self.status = status
        self.details = details
        self.metadata = metadata


class Call:
    """A call.

    Args:
        connection: What it came in on.
        stream_id: Its stream.
        head: Its request's head; `head.handler` is what answers it.

    Attributes:
        metadata: Text fields of the caller, lower-case names.
        request_ended: The client has nothing more to send.
        closed: Nothing more goes out: the answer is complete, or nobody wants it.
        window: Bytes of DATA that the client takes now.
        unsent: DATA that waits for the window.
        patient_until: Event-loop time by which more of the request must come, or more of the answer be taken.
    """

    request_ended = False
    closed = False
    unsent: memoryview | None = None
    patient_until = inf
    _deadline = inf
    _timer: asyncio.TimerHandle | None = None
    _received = 0
    _unacknowledged = 0
    _reader: MessageReader | None = None
    _arrival: asyncio.Future[None] | None = None
    _departure: asyncio.Future[None] | None = None
    _running: Driven | asyncio.Task[Any] | None = None
    _asked = False
    _begun = False
    _held = 0
    _left = False
    _trailers: bytes | None = None

    def __init__(self, connection: Connection, stream_id: int, head: RequestHead, window: int) -> None:
        self._connection = connection
        self.stream_id = stream_id
        self._head = head
        self._handler = head.handler
        self.metadata: Mapping[str, str] = head.metadata
        self.window = window
        if head.timeout_s is not None:
            loop = connection.loop
            timeout_s = min(head.timeout_s, _LONGEST_S)
            self._deadline = loop.time() + timeout_s
            self._timer = loop.call_later(timeout_s, self._expire)
        handler = self._handler
        if handler.request_streaming:
            self._asked = True
            self._answer_with(handler.stream_stream(self._requests(), self))

    # ---------------------------------------------------------------- what handlers use

    def time_remaining(self) -> float | None:
        """Return the seconds until the client's deadline; None where it has none."""
        return None if self._deadline == inf else max(0.0, self._deadline - self._connection.loop.time())

    async def write(self, message: Any) -> None:
        """Send one message of a streamed answer; returns when the next one may be made."""
        if self.closed:
            raise asyncio.CancelledError("the call is over")
        self._send_message(self._serialised(message))
        if self.unsent is not None:
            self._departure = self._connection.loop.create_future()
            await self._departure

    async def abort(
        self, status: grpc.StatusCode, details: str = "", trailing_metadata: Iterable[tuple[str, str]] = ()
    ) -> NoReturn:
        """End the call with a status that is not OK."""
        raise Aborted(status, details, trailing_metadata)

    # ---------------------------------------------------------------- the request

    def receive(self, data: bytes, ended: bool) -> None:
        """Take DATA from the client; raises StreamFault where there is more of it than may be."""
        if self.request_ended:
            raise StreamFault(ErrorCode.STREAM_CLOSED, "DATA after the end of the request")
        self.request_ended = ended
        handler = self._handler
        try:
            if (
                ended
                and self._reader is None
                and len(data) >= PREFIX_BYTES
                and not handler.request_streaming
                and PREFIX_BYTES + announced(data, self._connection.limits.max_message_bytes) == len(data)
            ):  # the usual request: one message in one frame
                self._check_length(len(data))
                self._ask(data[0] == 1, data[PREFIX_BYTES:])
            else:
                self._gather(data, ended)
        except EquiServeError as error:
            self.finish(status_of(error), details_of(error))
            self._cancel_handler()

    def _gather(self, data: bytes, ended: bool) -> None:
        connection = self._connection
        if self._reader is None:
            self._reader = MessageReader(connection.limits.max_message_bytes)
        reader = self._reader
        reader.feed(data)
        connection.hold(len(data))
        self._unacknowledged += len(data)
        if self._unacknowledged > connection.limits.window:
            raise StreamFault(ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the window holds")
        self._check_length(len(data))
        reader.check()
        if self._asked:
            if self._arrival is not None and not self._arrival.done():
                self._arrival.set_result(None)
            return
        self.patient_until = inf if ended else connection.loop.time() + _UPLOAD_S
        self._acknowledge()
        if not ended:
            return
        message = reader.take()
        if message is None or len(reader):
            self.finish(grpc.StatusCode.UNIMPLEMENTED, "expected exactly one message in the request")
            return
        connection.release(PREFIX_BYTES + len(message[1]))
        self._reader = None
        self._ask(*message)

    def _check_length(self, size: int) -> None:
        self._received += size
        announced_length = self._head.content_length
        if announced_length is not None and (
            self._received > announced_length or (self.request_ended and self._received != announced_length)
        ):
            raise StreamFault(ErrorCode.PROTOCOL_ERROR, "the DATA is not as long as content-length says")

    def _acknowledge(self) -> None:
        if self._unacknowledged > self._connection.limits.window // 2 and not self.request_ended:
            self._connection.acknowledge(self.stream_id, self._unacknowledged)
            self._unacknowledged = 0

    def _ask(self, compressed: bool, message: bytes) -> None:
        """Begin to answer: the request of a call with one message is complete."""
        self._asked = True
        self._connection.patience.earn()
        handler = self._handler
        if compressed:
            self._answer_with(self._ask_inflated(message))
        elif handler.response_streaming:
            self._answer_with(handler.unary_stream(self._deserialised(message), self))
        else:
            self._answer_with(handler.unary_unary(self._deserialised(message), self))

    async def _ask_inflated(self, message: bytes) -> Any:
        handler = self._handler
        plain = self._deserialised(await self._inflate(message))
        if not handler.response_streaming:
            return await handler.unary_unary(plain, self)
        answers = handler.unary_stream(plain, self)
        return await (self._pour(answers) if isinstance(answers, AsyncGenerator) else answers)

    async def _inflate(self, message: bytes) -> bytes:
        limit = self._connection.limits.max_message_bytes
        plain: bytes = await self._connection.offload(inflated, message, self._head.encoding, limit)
        return plain

    async def _requests(self) -> AsyncIterator[Any]:
        """Yield the messages of a streamed request."""
        connection = self._connection
        while True:
            try:
                message = self._next_message()
                if message is not None:
                    yield self._deserialised(await self._inflate(message[1]) if message[0] else message[1])
                    continue
                if self.request_ended:
                    return
            except EquiServeError as error:
                # Not raised into the handler: whatever it does with a message's error, this call is over.
                self.stop(status_of(error), details_of(error))
                raise asyncio.CancelledError from None
            self._acknowledge()
            self._arrival = connection.loop.create_future()
            await self._arrival

    def _next_message(self) -> tuple[bool, bytes] | None:
        reader, connection = self._reader, self._connection
        if reader is None:
            return None
        message = reader.take()
        if message is not None:
            connection.release(PREFIX_BYTES + len(message[1]))
            connection.patience.earn()
            self._acknowledge()
        elif self.request_ended and len(reader):
            raise InvalidRequest("the request ends within a message", code="malformed_message")
        return message

    # ---------------------------------------------------------------- the answer

    def _answer_with(self, answering: Coroutine[Any, Any, Any] | AsyncGenerator[Any, None]) -> None:
        handler = self._handler
        coroutine: Any = answering
        if handler.response_streaming and isinstance(answering, AsyncGenerator):
            coroutine = self._pour(answering)
        if isinstance(handler, Handler) and handler.direct:
            self._running = driven = Driven(coroutine, self._answered)
            driven.step()
        else:
            self._running = task = self._connection.loop.create_task(coroutine)
            task.add_done_callback(self._task_ended)

    async def _pour(self, answers: AsyncGenerator[Any, None]) -> None:
        async for answer in answers:
            await self.write(answer)

    def _task_ended(self, task: asyncio.Task[Any]) -> None:
        if task.cancelled():
            self._answered(None, asyncio.CancelledError())
        else:
            error = task.exception()
            self._answered(None if error is not None else task.result(), error)

    def _answered(self, result: Any, error: BaseException | None) -> None:
        """End the call as its handler ended."""
        self._running = None
        if error is None and not self.closed:
            try:
                if self._handler.response_streaming:
                    self.finish(grpc.StatusCode.OK)
                else:
                    self._answer(self._serialised(result))
            except Exception as fault:  # noqa: BLE001 - a result that is no message, or too much of it for now
                error = fault
        if error is None:
            pass
        elif isinstance(error, Aborted):
            self.finish(error.status, error.details, error.metadata)
        elif isinstance(error, EquiServeError):
            self.finish(status_of(error), details_of(error))
        elif isinstance(error, asyncio.CancelledError):
            self.finish(grpc.StatusCode.CANCELLED, "cancelled")
        else:
            log.error("unexpected error", exc_info=error, extra={"method": self._head.path})
            self.finish(grpc.StatusCode.INTERNAL, "internal error")
        self._leave()

    def _answer(self, message: bytes) -> None:
        """Send the one message of an answer, and its end."""
        connection = self._connection
        size = PREFIX_BYTES + len(message)
        if size <= self.window and self.request_ended and connection.take_window(size):
            stream = self.stream_id
            self.window -= size
            before = _BEFORE.pack(
                0, len(_BEGIN), HEADERS, END_HEADERS, stream, _BEGIN,
                size >> 8, size & 0xFF, DATA, 0, stream, 0, len(message),
            )  # fmt: skip
            after = _AFTER.pack(0, len(_GOOD), HEADERS, END_HEADERS | END_STREAM, stream, _GOOD)
            connection.send(b"".join((before, message, after)))
            self._close()
        else:
            self._send_message(message)
            self.finish(grpc.StatusCode.OK)

    def _send_message(self, message: bytes) -> None:
        connection = self._connection
        if not self._begun:
            self._begun = True
            connection.send(frame(HEADERS, END_HEADERS, self.stream_id, _BEGIN))
        connection.patience.earn()
        self.unsent = memoryview(_PREFIX.pack(0, len(message)) + message)
        connection.pump(self)
        if self.unsent is not None:
            self.patient_until = connection.loop.time() + _UNREAD_S
            self._held = len(self.unsent)
            connection.hold(self._held)

    def send_some(self, most: int) -> int:
        """Send a frame of what waits, of at most so many bytes; returns how many."""
        assert self.unsent is not None
        size = min(most, self.window, len(self.unsent))
        if size > 0:
            part, rest = self.unsent[:size], self.unsent[size:]
            self.unsent = rest if len(rest) else None
            self.window -= size
            if self._held:
                self._held -= size
                self._connection.release(size)
                self.patient_until = self._connection.loop.time() + _UNREAD_S if len(rest) else inf
            self._connection.patience.earn_taken(size)
            self._connection.send(HEAD.pack(size >> 8, size & 0xFF, DATA, 0, self.stream_id) + part)
            if self.unsent is None:
                self._sent()
        return size

    def _sent(self) -> None:
        if self._departure is not None and not self._departure.done():
            self._departure.set_result(None)
        if self._trailers is not None:
            self._end(self._trailers)

    def finish(self, status: grpc.StatusCode, details: str = "", metadata: Iterable[tuple[str, str]] = ()) -> None:
        """Send the end of the answer: after what waits to be sent of it, or, of a failure, in its place."""
        if self.closed:
            return
        block = trailer_block(status, details, metadata)
        if self.unsent is not None and status is grpc.StatusCode.OK:
            self._trailers = block
        else:
            self._end(block)

    def _end(self, block: bytes) -> None:
        if not self._begun:
            block = _BEGIN + block
        connection = self._connection
        connection.send(frame(HEADERS, END_HEADERS | END_STREAM, self.stream_id, block))
        if not self.request_ended:
            connection.reset(self.stream_id, ErrorCode.NO_ERROR)
        self._close()

    # ---------------------------------------------------------------- the end

    def cancel(self) -> None:
        """Give the call up without an answer: nobody waits for it."""
        self._close()
        self._cancel_handler()

    def stop(self, status: grpc.StatusCode, details: str) -> None:
        """Give the call up and say why."""
        self.finish(status, details)
        self._close()
        self._cancel_handler()

    def _expire(self) -> None:
        self._timer = None
        self.stop(grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline passed")

    def _cancel_handler(self) -> None:
        if self._running is not None:
            self._running.cancel()

    def _close(self) -> None:
        if self.closed:
            return
        self.closed = True
        self.unsent = None
        self._trailers = None
        self.patient_until = inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._connection.release(self._held)
        self._held = 0
        if self._reader is not None:
            self._connection.release(len(self._reader))
            self._reader = None
        self._connection.forget(self)
        self._leave()

    def _leave(self) -> None:
        """Give the call's place back once it is closed and its handler has ended."""
        if self.closed and self._running is None and not self._left:
            self._left = True
            self._connection.leave()

    def _deserialised(self, message: bytes) -> Any:
        convert = self._handler.request_deserializer
        if convert is None:
            return message
        try:
            return convert(message)
        except DecodeError:
            raise InvalidRequest(
                f"got {len(message)} bytes that are no such message", code="malformed_message"
            ) from None

    def _serialised(self, message: Any) -> bytes:
        convert = self._handler.response_serializer
        serialised: bytes = message if convert is None else convert(message)
        return serialised
