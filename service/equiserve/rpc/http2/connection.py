"""One HTTP/2 connection of a gRPC client (RFC 9113, as far as gRPC uses it), over plain TCP with prior knowledge.

Every bound that a peer could push against is here or in what this file uses: the bytes of a header block and of a
message, the calls at a time, control frames and given-up calls (`Patience`), bytes that wait in either direction.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import grpc

from equiserve.errors import Overloaded
from equiserve.rpc.http2.call import Call
from equiserve.rpc.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    DEFAULT_FRAME,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEAD,
    HEAD_BYTES,
    HEADERS,
    LARGEST_FRAME,
    LARGEST_WINDOW,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    ConnectionFault,
    ErrorCode,
    Setting,
    StreamFault,
    frame,
    goaway_frame,
    read_settings,
    settings_frame,
    without_padding,
    word_frame,
)
from equiserve.rpc.http2.head import MAX_HEAD_BYTES, HeadDecoder, header_block, refusal_block
from equiserve.rpc.http2.messages import ENCODINGS
from equiserve.rpc.http2.outbox import Outbox
from equiserve.rpc.http2.patience import CONTROL, HEAD_BYTES_EACH, RESET, Patience
from equiserve.rpc.http2.vigil import TICK_S, Vigil

if TYPE_CHECKING:
    from equiserve.rpc.http2.server import Http2Server

log = logging.getLogger("equiserve.rpc")

# What may wait in the transport: frames of answers, and (from a peer that asks and does not read) of control.
_HIGH_WATER = 256 << 10
_UNREAD = 1 << 20
_MAX_CONTINUATIONS = 8
# Calls of one connection that begin within one turn of the event loop: others want a turn, too.
_CALLS_A_TURN = 64
_MAX_GIVEN_UP = 1024

_NOT_GRPC = b"\x20" + header_block([(":status", "415"), ("content-length", "0")])


class Connection(asyncio.Protocol):
    """A connection.

    Args:
        server: Whose it is: its limits, its handlers, its count of calls and of bytes.
    """

    def __init__(self, server: Http2Server) -> None:
        self.loop = asyncio.get_running_loop()
        self.limits = server.limits
        self.offload: Callable[..., Awaitable[Any]] = server.offload
        self.patience = Patience()
        self._server = server
        self._transport: asyncio.Transport
        self._decoder = HeadDecoder(server.lookup)
        self._calls: dict[int, Call] = {}
        self._outbox = Outbox()
        self.take_window = self._outbox.take_window
        self._given_up: dict[int, None] = {}
        self._rest = b""
        self._opening = True  # the preface has not come
        self._settled = False  # the client's first SETTINGS has come
        self._over = False
        self._draining = False
        self._last_stream = 0
        self._block: tuple[int, int, bytearray, int] | None = None
        self._received = 0
        self._peer_window = DEFAULT_WINDOW
        self._reading = True
        self._behind = False  # what was read holds more calls than may begin in one turn
        self._begun = 0
        self._vigil = Vigil()
        self._tick_timer: asyncio.TimerHandle | None = None

    # ---------------------------------------------------------------- asyncio.Protocol

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Say what may be sent here."""
        self._transport = transport
        transport.set_write_buffer_limits(_HIGH_WATER)
        self._server.connections.add(self)
        self._tick_timer = self.loop.call_later(TICK_S, self._tick)
        limits = self.limits
        settings = {
            Setting.MAX_CONCURRENT_STREAMS: limits.max_calls,
            Setting.INITIAL_WINDOW_SIZE: limits.window,
            Setting.MAX_HEADER_LIST_SIZE: MAX_HEAD_BYTES,
        }
        more = limits.connection_window - DEFAULT_WINDOW
        self.send(settings_frame(settings) + word_frame(WINDOW_UPDATE, 0, more))

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up the calls that nobody waits for any more."""
        self._over = True
        if self._tick_timer is not None:
            self._tick_timer.cancel()
        for call in tuple(self._calls.values()):
            call.cancel()
        self._server.connection_ended(self)

    def pause_writing(self) -> None:
        """Wait for the client to read."""
        self._outbox.paused = True

    def resume_writing(self) -> None:
        """Go on: the client has read."""
        self._outbox.paused = False
        self._outbox.pump()
        self._regulate()

    def data_received(self, data: bytes) -> None:
        """Read the frames that are complete."""
        if self._over:
            return
        self._vigil.heard()
        self._take(self._rest + data if self._rest else data)

    def _take(self, data: bytes) -> None:
        self._begun = 0
        try:
            self._rest = data[self._read(data) :]
        except ConnectionFault as fault:
            self._fail(fault)
            return
        if self._begun >= _CALLS_A_TURN and not self._behind:
            self._behind = True
            self.loop.call_soon(self._catch_up)
        if self._outbox.paused or self._behind:
            self._regulate()

    def _catch_up(self) -> None:
        self._behind = False
        if not self._over:
            self._take(self._rest)
            self._regulate()

    def _regulate(self) -> None:
        """Read on, or not: while calls wait for their turn, or a client that asks and asks does not read."""
        unread = self._outbox.paused and self._transport.get_write_buffer_size() > _UNREAD
        reading = not self._behind and not unread
        if reading != self._reading and not self._over and not self._transport.is_closing():
            self._reading = reading
            if reading:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    # ---------------------------------------------------------------- frames

    def _read(self, data: bytes) -> int:
        """Act on the frames that `data` begins with; return the bytes that they take."""
        position, end = 0, len(data)
        if self._opening:
            if not PREFACE.startswith(data[: len(PREFACE)]):
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "this port speaks HTTP/2 with prior knowledge")
            if end < len(PREFACE):
                return 0
            self._opening, position = False, len(PREFACE)
        while end - position >= HEAD_BYTES and self._begun < _CALLS_A_TURN and not self._over:
            high, low, kind, flags, stream_id = HEAD.unpack_from(data, position)
            length, stream_id = high << 8 | low, stream_id & LARGEST_WINDOW
            if length > DEFAULT_FRAME:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, f"a frame of {length} bytes")
            start = position + HEAD_BYTES
            if start + length > end:
                break
            position = start + length
            payload = data[start:position]
            try:
                if self._block is not None:
                    self._on_continuation(kind, flags, stream_id, payload)
                elif kind == DATA:
                    self._on_data(flags, stream_id, payload)
                elif kind == HEADERS:
                    self._on_headers(flags, stream_id, payload)
                else:
                    self._on_control(kind, flags, stream_id, payload)
            except StreamFault as fault:
                self._fail_stream(stream_id, fault)
        return position

    def _on_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        size = len(payload)
        self._received += size
        if self._received > self.limits.connection_window // 2:
            self.acknowledge(0, self._received)
            self._received = 0
        if size < 64 and not flags & END_STREAM:
            self.patience.spend(CONTROL)
        call = self._calls.get(stream_id)
        if call is None:
            self._on_stray(stream_id)
            return
        data = without_padding(flags, payload)
        ended = bool(flags & END_STREAM)
        if len(data) < size and not ended:  # padding counts against the window, and is taken at once
            self.acknowledge(stream_id, size - len(data))
        call.receive(data, ended)

    def _on_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        if not stream_id & 1 or not self._settled:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"HEADERS of stream {stream_id}")
        block = without_padding(flags, payload)
        if flags & WITH_PRIORITY:
            if len(block) < 5:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "HEADERS without its priority")
            block = block[5:]
        if flags & END_HEADERS:
            self._on_head(stream_id, bool(flags & END_STREAM), block)
        else:
            self._block = (stream_id, flags, bytearray(block), 0)

    def _on_continuation(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        assert self._block is not None
        began_id, began_flags, block, frames = self._block
        if kind != CONTINUATION or stream_id != began_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a header block was not continued")
        block += payload
        frames += 1
        if frames > _MAX_CONTINUATIONS or len(block) > MAX_HEAD_BYTES:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "a header block without end")
        if flags & END_HEADERS:
            self._block = None
            self._on_head(stream_id, bool(began_flags & END_STREAM), bytes(block))
        else:
            self._block = (began_id, began_flags, block, frames)

    def _on_head(self, stream_id: int, ended: bool, block: bytes) -> None:
        """Begin a call, or end the request of one (trailers, which gRPC's clients do not send)."""
        if len(block) >= HEAD_BYTES_EACH:
            self.patience.spend(len(block) // HEAD_BYTES_EACH)
        if stream_id <= self._last_stream:
            self._decoder.fields(block)  # whatever it is for, the table must stay right
            call = self._calls.get(stream_id)
            if call is None:
                self._on_stray(stream_id)
            elif not ended:
                raise StreamFault(ErrorCode.PROTOCOL_ERROR, "a second head of a request")
            else:
                call.receive(b"", True)
            return
        self._last_stream = stream_id
        self._begun += 1
        head = self._decoder.request(block)
        server = self._server
        if self._draining or len(self._calls) >= self.limits.max_calls:
            raise StreamFault(ErrorCode.REFUSED_STREAM, "no more calls here")
        if not head.is_grpc:
            self._refuse(stream_id, ended, _NOT_GRPC)
        elif server.calls >= self.limits.max_calls:
            self._refuse_call(stream_id, ended, grpc.StatusCode.RESOURCE_EXHAUSTED, "too many calls at a time")
        elif head.handler is None:
            self._refuse_call(stream_id, ended, grpc.StatusCode.UNIMPLEMENTED, f"unknown method {head.path:.200}")
        elif head.encoding not in ENCODINGS:
            self._refuse_call(stream_id, ended, grpc.StatusCode.UNIMPLEMENTED, f"unknown encoding {head.encoding:.99}")
        else:
            server.calls += 1
            call = self._calls[stream_id] = Call(self, stream_id, head, self._peer_window)
            if ended:
                call.receive(b"", True)

    def _on_control(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        self.patience.spend(CONTROL)
        size = len(payload)
        if kind == SETTINGS:
            if stream_id or (flags & ACK and size):
                code = ErrorCode.PROTOCOL_ERROR if stream_id else ErrorCode.FRAME_SIZE_ERROR
                raise ConnectionFault(code, "a malformed SETTINGS")
            if not flags & ACK:
                self._on_settings(payload)
        elif not self._settled:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the first frame is no SETTINGS")
        elif kind == WINDOW_UPDATE:
            _require(size == 4)
            self._on_window_update(stream_id, int.from_bytes(payload, "big") & LARGEST_WINDOW)
        elif kind == PING:
            _require(size == 8)
            if stream_id:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "PING of a stream")
            if not flags & ACK:
                self.send(frame(PING, ACK, 0, payload))
            elif payload == _DRAIN_PING and not self._draining:
                self._drained()
        elif kind == RST_STREAM:
            _require(size == 4)
            self._require_begun(stream_id)
            call = self._calls.get(stream_id)
            if call is not None:
                call.request_ended = True
                call.cancel()
                self.patience.spend(RESET)
        elif kind == PRIORITY:
            if not stream_id:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "PRIORITY of the connection")
            if size != 5:
                raise StreamFault(ErrorCode.FRAME_SIZE_ERROR, "a malformed PRIORITY")
        elif kind == GOAWAY:
            if stream_id or size < 8:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a malformed GOAWAY")
            self._drained()
        elif kind in (PUSH_PROMISE, CONTINUATION):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"frame type {kind} is not expected here")

    def _on_settings(self, payload: bytes) -> None:
        self.patience.spend(len(self._calls) // 4 + len(payload) // 6)
        for name, value in read_settings(payload):
            if name == Setting.INITIAL_WINDOW_SIZE:
                if value > LARGEST_WINDOW:
                    raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, f"a window of {value} bytes")
                more, self._peer_window = value - self._peer_window, value
                for call in tuple(self._calls.values()):
                    call.window += more
                    if call.window > LARGEST_WINDOW:
                        raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "a window beyond all bounds")
                    self._outbox.add(call)
            elif name == Setting.MAX_FRAME_SIZE:
                if not DEFAULT_FRAME <= value <= LARGEST_FRAME:
                    raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"a largest frame of {value} bytes")
                self._outbox.allow_frames(value)
            elif name == Setting.ENABLE_PUSH and value > 1:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"ENABLE_PUSH of {value}")
        self._settled = True
        self.send(frame(SETTINGS, ACK, 0))
        self._outbox.pump()

    def _on_window_update(self, stream_id: int, more: int) -> None:
        if not stream_id:
            self._outbox.widen(more)
            self._outbox.pump()
            return
        self._require_begun(stream_id)
        call = self._calls.get(stream_id)
        if call is None:
            return
        call.window += more
        if not more or call.window > LARGEST_WINDOW:
            code = ErrorCode.FLOW_CONTROL_ERROR if more else ErrorCode.PROTOCOL_ERROR
            raise StreamFault(code, f"a window of {call.window} bytes")
        self.pump(call)

    def _on_stray(self, stream_id: int) -> None:
        """Pass over a frame of a call that is over; what was given up here may still be on its way."""
        self._require_begun(stream_id)
        self.patience.spend(CONTROL)
        if stream_id not in self._given_up:
            raise StreamFault(ErrorCode.STREAM_CLOSED, "a frame of a stream that is over")

    def _require_begun(self, stream_id: int) -> None:
        if not stream_id & 1 or stream_id > self._last_stream:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"a frame of stream {stream_id}, which has not begun")

    # ---------------------------------------------------------------- what calls use

    def send(self, data: bytes) -> None:
        """Send frames, unless the client is gone (of which the transport knows one turn before us)."""
        if not self._over and not self._transport.is_closing():
            self._transport.write(data)

    def pump(self, call: Call) -> None:
        """Send what waits of a call as far as it may go."""
        self._outbox.add(call)
        self._outbox.pump()

    def acknowledge(self, stream_id: int, size: int) -> None:
        """Let the client send so much more DATA."""
        self.send(word_frame(WINDOW_UPDATE, stream_id, size))

    def reset(self, stream_id: int, code: ErrorCode) -> None:
        """End a stream at once."""
        self.send(word_frame(RST_STREAM, stream_id, code))

    def hold(self, size: int) -> None:
        """Account for bytes that are kept; raises Overloaded where it is too much."""
        self._server.held_bytes += size
        if self._server.held_bytes > self.limits.max_held_bytes:
            raise Overloaded(
                f"messages on their way hold {self._server.held_bytes} bytes, at most {self.limits.max_held_bytes} may",
                code="too_many_bytes",
            )

    def release(self, size: int) -> None:
        """Give bytes back."""
        self._server.held_bytes -= size

    def forget(self, call: Call) -> None:
        """Take a call off the list: nothing more goes out of it."""
        del self._calls[call.stream_id]
        self._outbox.discard(call)
        if not call.request_ended:
            self._give_up(call.stream_id)
        if self._draining and not self._calls:
            self._close()

    def leave(self) -> None:
        """Give a call's place back."""
        self._server.calls -= 1

    # ---------------------------------------------------------------- refusals and the end

    def _refuse_call(self, stream_id: int, ended: bool, status: grpc.StatusCode, details: str) -> None:
        self._refuse(stream_id, ended, refusal_block(status, details))

    def _refuse(self, stream_id: int, ended: bool, block: bytes) -> None:
        self.patience.spend(RESET)
        self.send(frame(HEADERS, END_HEADERS | END_STREAM, stream_id, block))
        if not ended:
            self.reset(stream_id, ErrorCode.NO_ERROR)
            self._give_up(stream_id)

    def _give_up(self, stream_id: int) -> None:
        self._given_up[stream_id] = None
        if len(self._given_up) > _MAX_GIVEN_UP:
            del self._given_up[next(iter(self._given_up))]

    def _fail_stream(self, stream_id: int, fault: StreamFault) -> None:
        self.patience.spend(RESET)
        self.reset(stream_id, fault.code)
        call = self._calls.get(stream_id)
        if call is not None:
            call.cancel()
        else:
            self._give_up(stream_id)

    def _fail(self, fault: ConnectionFault) -> None:
        log.info("a gRPC connection is closed", extra={"code": fault.code.name, "reason": fault.reason})
        self.send(goaway_frame(self._last_stream, fault.code, fault.reason))
        self._close()
        for call in tuple(self._calls.values()):
            call.cancel()

    def drain(self) -> None:
        """Ask the client for no more calls; the connection ends with the last one that is under way."""
        if self._opening or not self._settled:
            self._close()
            return
        # Calls that are on their way to us are still taken: what the client began before it reads this.
        self.send(goaway_frame(LARGEST_WINDOW, ErrorCode.NO_ERROR) + frame(PING, 0, 0, _DRAIN_PING))

    def _drained(self) -> None:
        """Take no more calls."""
        self._draining = True
        self.send(goaway_frame(self._last_stream, ErrorCode.NO_ERROR))
        if not self._calls:
            self._close()

    def stop(self) -> None:
        """End what is under way, and the connection."""
        for call in tuple(self._calls.values()):
            call.stop(grpc.StatusCode.UNAVAILABLE, "the server is stopping")
        if not self._over:
            self._drained()
            self._close()

    def _close(self) -> None:
        self._over = True
        self._transport.close()

    def _tick(self) -> None:
        self._tick_timer = self.loop.call_later(TICK_S, self._tick)
        if not self._vigil.tick(self._transport.get_write_buffer_size()) or not self._settled:
            self._over = True
            self._transport.abort()
            return
        if self._vigil.silent:
            self.send(frame(PING, 0, 0, bytes(8)))
        now = self.loop.time()
        for call in tuple(self._calls.values()):
            if call.patient_until < now:
                call.stop(grpc.StatusCode.DEADLINE_EXCEEDED, "nothing more came, or was taken, of this call")


_DRAIN_PING = b"draining"


def _require(fits: bool) -> None:
    if not fits:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "a frame of a length that its type does not have")
