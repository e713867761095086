from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from engine_calls import Build

from equiserve.engine import Scheduler, ServedModel
from equiserve.engine.calibration import unmeasured
from fake_runtime import DoublingRuntime, doubling_manifest


@pytest_asyncio.fixture(loop_scope="session")
async def scheduler() -> AsyncIterator[Scheduler]:
    scheduler = Scheduler(threads=1)
    yield scheduler
    scheduler.stop(timeout_s=5)


@pytest.fixture
def build(scheduler: Scheduler) -> Build:
    def make(
        runtime: DoublingRuntime, *, max_batch: int = 4, max_queued_rows: int = 64, **known: object
    ) -> ServedModel:
        calibration = replace(unmeasured(runtime, max(max_batch, 1)), stable_batch=1, **known)
        return ServedModel(
            doubling_manifest(max_batch, batch_invariance="exact"),
            "1",
            runtime,
            calibration,
            scheduler,
            file_digest="0" * 64,
            max_queued_rows=max_queued_rows,
        )

    return make
