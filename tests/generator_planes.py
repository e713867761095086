"""Data planes that draw: over the closed-form generators, in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from equiserve.dataplane import DataPlane
from equiserve.engine import RequestContext
from equiserve.tasks.generate import Completed, GenerateRequest
from generator_models import write_generator
from planes import served_plane


def write_generators(root: Path) -> Path:
    """Write `steered` (3 classes, told an angle), `upright` (3 classes) and `plain` (no class, no angle)."""
    write_generator(root / "steered")
    write_generator(root / "upright", angle="none")
    write_generator(root / "plain", angle="none", classes=0)
    return root


def generator_plane(root: Path, cache: Path | None = None, **settings: Any) -> AbstractAsyncContextManager[DataPlane]:
    """A data plane over such a repository; the calibrations are shared unless told otherwise."""
    return served_plane(root, cache or root.parent / "calibrations", **settings)


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
