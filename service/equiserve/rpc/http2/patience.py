"""How much a peer may ask for beside its calls before the server hangs up: the floods of control frames and resets."""

from __future__ import annotations

from time import monotonic

from equiserve.rpc.http2.frames import ConnectionFault, ErrorCode

_FULL = 20_000
_PER_SECOND = 2_000

#: What a frame costs that asks for nothing but an answer or a note (PING, SETTINGS, WINDOW_UPDATE, an empty DATA, ...).
CONTROL = 1
#: What the end of a call costs that the peer began and gave up: work that was for nobody.
RESET = 10
#: What each so many bytes of a header block cost: HPACK is decoded in Python.
HEAD_BYTES_EACH = 512
# What a message of a call gives back, either way, and each so many bytes of DATA that the peer takes: whoever has work
# done may also ask about it, and has to say that it goes on taking.
_MESSAGE = 8
_TAKEN_BYTES_EACH = 512


class Patience:
    """A bucket that control frames and given-up calls empty; time and messages fill it."""

    __slots__ = ("_left", "_seen")

    def __init__(self) -> None:
        self._left = _FULL
        self._seen = monotonic()

    def spend(self, cost: int) -> None:
        """Take from the bucket; raises ConnectionFault where it is empty."""
        self._left -= cost
        if self._left < 0:
            now = monotonic()
            self._left = min(_FULL, self._left + int((now - self._seen) * _PER_SECOND))
            self._seen = now
            if self._left < 0:
                raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "too many control frames or given-up calls")

    def earn(self) -> None:
        """Put back what a message gives."""
        if self._left < _FULL:
            self._left += _MESSAGE

    def earn_taken(self, size: int) -> None:
        """Put back what DATA gives that the peer has taken."""
        if self._left < _FULL:
            self._left += size // _TAKEN_BYTES_EACH
