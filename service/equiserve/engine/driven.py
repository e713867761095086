"""A coroutine that is driven by hand: for a small request a task costs more than all the work that it asks for.

It runs at once, within the callback that begins it, up to the point where it waits for the model, and goes on in the
callback of what it waits for. Code that runs so is in no task: `asyncio.timeout`, `asyncio.current_task` and
`asyncio.TaskGroup` are not for it.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any


class Driven:
    """A coroutine on its way.

    Args:
        coroutine: What to run; begun by `step`.
        ended: Called once, with its result and None, or with None and what it raised.
    """

    __slots__ = ("_awaited", "_cancelled", "_coroutine", "_ended", "_run")

    def __init__(
        self, coroutine: Coroutine[Any, Any, Any], ended: Callable[[Any, BaseException | None], object]
    ) -> None:
        self._coroutine = coroutine
        self._ended = ended
        self._run: Callable[..., Any] = contextvars.copy_context().run
        self._awaited: asyncio.Future[Any] | None = None
        self._cancelled = False

    def step(self, _: object = None) -> None:
        """Run up to the next thing that it waits for."""
        self._awaited = None
        try:
            awaited = self._run(self._coroutine.send, None)
        except StopIteration as stop:
            self._ended(stop.value, None)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - whatever it is, `ended` is told
            self._ended(None, error)
        else:
            if awaited is None:  # a bare yield: let others have a turn
                asyncio.get_running_loop().call_soon(self.step)
                return
            # What a task does: the future has handed itself over, and is to call back.
            awaited._asyncio_future_blocking = False
            awaited.add_done_callback(self.step)
            self._awaited = awaited
            if self._cancelled:
                awaited.cancel()

    def cancel(self) -> None:
        """Cancel what it waits for, now or next."""
        self._cancelled = True
        if self._awaited is not None:
            self._awaited.cancel()
