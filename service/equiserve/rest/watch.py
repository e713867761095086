"""Notices that a client went away, or that its upload stalls, and cancels the request's task.

A task of its own for each request would cost more than the whole codec: only a request that is not answered after
`PATIENCE_S` gets one; the quick ones pay for a timer.
"""

from __future__ import annotations

import asyncio

from starlette.types import Receive

from equiserve.errors import Cancelled, DeadlineExceeded, EquiServeError

PATIENCE_S = 0.05
UPLOAD_S = 120.0


class Watch:
    """Watches over the request of the current task.

    Args:
        receive: The request's ASGI channel.
        patience_s: How long a request goes unwatched.
        upload_s: How long its body may take, after that.

    Attributes:
        verdict: Why the task was cancelled by this watch; None while it was not.
    """

    __slots__ = ("_late", "_listener", "_loop", "_reading", "_receive", "_task", "_timer", "_upload_s", "verdict")

    def __init__(self, receive: Receive, *, patience_s: float = PATIENCE_S, upload_s: float = UPLOAD_S) -> None:
        self.verdict: EquiServeError | None = None
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task(self._loop)
        self._receive = receive
        self._reading = True
        self._late = False
        self._upload_s = upload_s
        self._listener: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(patience_s, self._lost_patience)

    def body_read(self) -> None:
        """From now on the channel can only tell that the client went away."""
        self._reading = False
        if self._late:
            self._timer.cancel()
            self._listen()

    def stop(self) -> None:
        """End the watch: the answer is about to be sent."""
        self._timer.cancel()
        if self._listener is not None:
            self._listener.cancel()

    def acknowledge(self) -> None:
        """Take back the cancellation that this watch asked for: the task goes on to its end."""
        if self._task is not None:
            self._task.uncancel()

    def _lost_patience(self) -> None:
        self._late = True
        if self._reading:
            self._timer = self._loop.call_later(self._upload_s, self._stalled)
        else:
            self._listen()

    def _stalled(self) -> None:
        self._cancel(DeadlineExceeded("the body did not arrive in time", code="upload_timeout", field="body"))

    def _listen(self) -> None:
        self._listener = self._loop.create_task(self._await_disconnect())

    async def _await_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._cancel(Cancelled("the client went away"))

    def _cancel(self, verdict: EquiServeError) -> None:
        if self._task is not None:
            self.verdict = verdict
            self._task.cancel()
