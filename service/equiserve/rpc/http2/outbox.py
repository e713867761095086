"""What waits to be sent on a connection: DATA of answers, as far as the client's windows and its reading let it go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from equiserve.rpc.http2.frames import DEFAULT_FRAME, DEFAULT_WINDOW, LARGEST_WINDOW, ConnectionFault, ErrorCode

if TYPE_CHECKING:
    from equiserve.rpc.http2.call import Call

# Larger frames would keep others waiting.
_LARGEST_SENT = 64 << 10


class Outbox:
    """The calls whose answers wait.

    Attributes:
        paused: The transport holds enough that the client has not read.
    """

    __slots__ = ("_largest_frame", "_waiting", "_window", "paused")

    def __init__(self) -> None:
        self.paused = False
        self._window = DEFAULT_WINDOW
        self._largest_frame = DEFAULT_FRAME
        self._waiting: dict[Call, None] = {}

    def allow_frames(self, size: int) -> None:
        """Take over the largest frame that the client takes."""
        self._largest_frame = min(size, _LARGEST_SENT)

    def widen(self, more: int) -> None:
        """Take over that the client takes so much more of all calls together; raises ConnectionFault."""
        self._window += more
        if not more or self._window > LARGEST_WINDOW:
            code = ErrorCode.FLOW_CONTROL_ERROR if more else ErrorCode.PROTOCOL_ERROR
            raise ConnectionFault(code, f"a window of {self._window} bytes")

    def take_window(self, size: int) -> bool:
        """Take so much of the window if a frame of it may be sent at once."""
        if size > self._window or size > self._largest_frame or self.paused or self._waiting:
            return False
        self._window -= size
        return True

    def add(self, call: Call) -> None:
        """Let a call wait that has something to send and may."""
        if call.unsent is not None and call.window > 0:
            self._waiting[call] = None

    def discard(self, call: Call) -> None:
        """Forget a call."""
        self._waiting.pop(call, None)

    def pump(self) -> None:
        """Send what may be sent, a frame of each call in turn."""
        waiting = self._waiting
        while waiting and self._window > 0 and not self.paused:
            for call in tuple(waiting):
                if self._window <= 0 or self.paused:
                    return
                if call.unsent is not None:
                    self._window -= call.send_some(min(self._window, self._largest_frame))
                if call.unsent is None or call.window <= 0:
                    waiting.pop(call, None)
