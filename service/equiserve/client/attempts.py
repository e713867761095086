"""One call's time and retries: both clients ask this, neither decides by itself."""

from __future__ import annotations

import time

import httpx

from equiserve.client.errors import retry_after
from equiserve.client.exchange import Answer

_CONNECT_S = 10.0
# The server answers a passed deadline itself: its answer, which says where the time went, is worth waiting for.
_GRACE_S = 2.0
_TRY_AGAIN = (429, 503)


class Attempts:
    """What remains of one call.

    Args:
        timeout_s: Seconds for all attempts together; None = no limit.
        retries: How often a refused call may be sent again.
    """

    def __init__(self, timeout_s: float | None, retries: int) -> None:
        self._until = None if timeout_s is None else time.monotonic() + timeout_s
        self._retries = retries

    def headers(self) -> dict[str, str]:
        """Return the deadline as the server reads it."""
        left = self._left()
        return {} if left is None else {"x-request-timeout-ms": f"{left * 1e3:.3f}"}

    def timeout(self) -> httpx.Timeout:
        """Return the limits of the next attempt's connection."""
        left = self._left()
        if left is None:
            return httpx.Timeout(None, connect=_CONNECT_S)
        return httpx.Timeout(left + _GRACE_S, connect=min(left, _CONNECT_S))

    def pause(self, answer: Answer) -> float | None:
        """Return the seconds to wait before the call is sent again; None where the answer stands.

        Only what the server refused (429, 503) and named a time for (`Retry-After`) is sent again, and only where that
        time is still within the call's own.
        """
        seconds = retry_after(answer) if answer.status in _TRY_AGAIN and self._retries > 0 else None
        if seconds is None:
            return None
        left = self._left()
        if left is not None and seconds >= left:
            return None
        self._retries -= 1
        return seconds

    def _left(self) -> float | None:
        return None if self._until is None else max(0.0, self._until - time.monotonic())
