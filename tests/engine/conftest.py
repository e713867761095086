from __future__ import annotations

from dataclasses import replace

import pytest
from engine_calls import Build

from equiserve.engine import Scheduler, ServedModel
from equiserve.engine.calibration import unmeasured
from fake_runtime import DoublingRuntime, doubling_manifest


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
