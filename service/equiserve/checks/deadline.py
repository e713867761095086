"""How a check keeps a deadline: what is done until then is reported."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")

# Kept back from the deadline for writing the report: a share of what is left, but no more than this.
_RESERVE_SHARE, _RESERVE_S = 0.2, 0.25


async def finish_by(stop_at: float | None, step: Awaitable[T]) -> T:
    """Await a step; raises TimeoutError at an event-loop time (None: never)."""
    async with asyncio.timeout_at(stop_at):
        return await step


def time_to_stop(deadline: float) -> float | None:
    """Return the event-loop time at which a check that begins now stops running batches; None for no deadline."""
    if deadline == math.inf:
        return None
    left = deadline - asyncio.get_running_loop().time()
    return deadline - min(_RESERVE_SHARE * left, _RESERVE_S)
