"""Data planes that draw: over the closed-form generators, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from equiserve.dataplane import DataPlane
from equiserve.engine import RequestContext
from equiserve.server import build_plane
from equiserve.settings import Settings
from equiserve.tasks.generate import Completed, GenerateRequest
from generator_models import write_generator


def write_generators(root: Path) -> Path:
    """Write `steered` (3 classes, told an angle), `upright` (3 classes) and `plain` (no class, no angle)."""
    write_generator(root / "steered")
    write_generator(root / "upright", angle="none")
    write_generator(root / "plain", angle="none", classes=0)
    return root


@asynccontextmanager
async def generator_plane(root: Path, cache: Path | None = None, **settings: Any) -> AsyncIterator[DataPlane]:
    """A data plane over such a repository, loaded and calibrated; the calibrations are shared unless told otherwise."""
    cache = cache or root.parent / "calibrations"
    plane, scheduler = build_plane(Settings(models=root, cache=cache, **settings))
    await plane.repository.load_all()
    # What is measured later changes sessions and padding under a test's feet.
    await until(lambda: all(model.calibration.measured for model in plane.repository.models()), 60)
    yield plane
    await plane.close()
    plane.repository.close()
    plane.compute.stop()
    scheduler.stop(timeout_s=5)


async def draw(plane: DataPlane, model: str = "steered", *, id: str = "id", deadline: float | None = None, **options):
    """Draw pictures and return what was completed."""
    generation = await plane.plan_generation(GenerateRequest(model, **options))
    context = RequestContext(id) if deadline is None else RequestContext(id, deadline=deadline)
    completed: Completed = await plane.generate(generation, context)
    return completed


async def watch(plane: DataPlane, model: str = "steered", *, id: str = "id", **options) -> AsyncIterator[Any]:
    """Draw pictures and yield every event."""
    generation = await plane.plan_generation(GenerateRequest(model, **options))
    async for event in plane.generate_events(generation, RequestContext(id), progress=True):
        yield event


async def until(condition, seconds: float = 10) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)
