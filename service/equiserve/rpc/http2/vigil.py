"""Whether a client is still there: it is heard from, and takes what waits for it."""

from __future__ import annotations

#: How often somebody looks.
TICK_S = 10.0
# A client that is silent for so long is asked whether it is there, and has so long for an answer.
_SILENT_S, _ANSWER_S = 90.0, 20.0
# A client that takes nothing of what waits for it for so long is not reading.
_UNREAD_S = 60.0


class Vigil:
    """The watch over one client."""

    __slots__ = ("_silent_s", "_unread", "_unread_s")

    def __init__(self) -> None:
        self._silent_s = 0.0
        self._unread = 0
        self._unread_s = 0.0

    def heard(self) -> None:
        """Take note that something came."""
        self._silent_s = 0.0

    @property
    def silent(self) -> bool:
        """Whether it is time to ask."""
        return self._silent_s > _SILENT_S

    def tick(self, unread: int) -> bool:
        """Take note that `TICK_S` went by with so many bytes waiting to be read; return whether the client is there."""
        self._unread_s = self._unread_s + TICK_S if self._unread and unread >= self._unread else 0.0
        self._unread = unread
        self._silent_s += TICK_S
        return self._silent_s <= _SILENT_S + _ANSWER_S and self._unread_s < _UNREAD_S
