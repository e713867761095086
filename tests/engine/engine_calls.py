"""How tests put calls into the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np

from equiserve.engine import ServedModel

#: The fixture `build`: a served model over a runtime, with what was measured of it and its bounds as keywords.
Build = Callable[..., ServedModel]


def row(value: float, rows: int = 1, width: int = 3) -> list[np.ndarray]:
    return [np.full((rows, width), value, np.float32)]


async def started(*calls: Awaitable[object]) -> list[asyncio.Task[object]]:
    """Start calls in order and let each reach the queue."""
    tasks = []
    for call in calls:
        tasks.append(asyncio.ensure_future(call))
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    return tasks
