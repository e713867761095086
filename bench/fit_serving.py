"""What the measurements of fitting serve: a data plane in this process, and a cloud as the file that is sent to it."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from bench.body_clouds import people

from equiserve.dataplane import DataPlane
from equiserve.engine import RequestContext
from equiserve.server import build_plane
from equiserve.settings import Settings
from equiserve.tasks.fit import BodyFit, FitRequest

WRONG_MM = 50.0


def ply(points: np.ndarray) -> bytes:
    """Return points [n, 3] as a binary PLY file."""
    names = "".join(f"property float {axis}\n" for axis in "xyz")
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(points)}\n{names}end_header\n"
    return header.encode() + points.astype("<f4").tobytes()


@asynccontextmanager
async def fit_plane(models: Path, model: str) -> AsyncIterator[DataPlane]:
    """A data plane in this process that serves one model, calibrated."""
    with tempfile.TemporaryDirectory() as cache:
        plane, scheduler = build_plane(Settings(models=models, load=[model], cache=Path(cache), smoke_check=False))
        await plane.repository.load_all([model])
        while not all(served.calibration.measured for served in plane.repository.models()):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.05)  # its rounds would count as the fits'
        try:
            yield plane
        finally:
            await plane.close()
            plane.repository.close()
            plane.compute.stop()
            scheduler.stop(timeout_s=5)


async def fits(
    plane: DataPlane, model: str, which: str, kind: str, count: int, seed: int, *, refine: bool
) -> AsyncIterator[tuple[BodyFit, float, float]]:
    """Yield the fits of a set of people, each with its V2V in millimetres and its CPU seconds."""
    for person in people(which, count, seed, kind=kind):
        content = ply(person.points)
        began = time.process_time()
        fit = await plane.fit(FitRequest(model, content, refine=refine), RequestContext("bench"))
        seconds = time.process_time() - began
        yield fit, 1e3 * float(np.linalg.norm(fit.vertices - person.vertices, axis=1).mean()), seconds
