"""The REST edge over the shared data plane, and over a model that a test can hold back."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace

import httpx
import numpy as np
import pytest
import pytest_asyncio
from asgi_call import client_of
from starlette.types import ASGIApp

from equiserve.artifact import Batching, Manifest, TensorSpec
from equiserve.dataplane import DataPlane
from equiserve.engine import Admission, ComputePool, Scheduler, ServedModel
from equiserve.engine.calibration import unmeasured
from equiserve.errors import NotFound
from equiserve.rest.app import build_app
from equiserve.settings import Settings


@pytest.fixture(scope="session")
def app(plane: DataPlane) -> ASGIApp:
    return build_app(plane, lambda: b"up 1\n")


@pytest_asyncio.fixture(loop_scope="session")
async def client(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


class HeldRuntime:
    """y = 2 x for FP32 x [-1, 2]; calls are counted and wait for `gate`; `rows` are those computed."""

    name = "onnx"
    version = "numpy"
    device = "cpu"
    threads = 1
    inputs = (TensorSpec(name="x", datatype="FP32", shape=(-1, 2)),)
    outputs = (TensorSpec(name="y", datatype="FP32", shape=(-1, 2)),)

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.calls = 0
        self.rows: list[float] = []

    def run(self, inputs: Mapping[str, np.ndarray]) -> Sequence[np.ndarray]:
        self.calls += 1
        self.gate.wait(30)
        self.rows += inputs["x"][:, 0].tolist()
        return [inputs["x"] * 2]


class OneModel:
    """A repository of one model."""

    ready = True

    def __init__(self, model: ServedModel) -> None:
        self.model = model

    async def get(self, name: str, version: str = "", runtime: str | None = None) -> ServedModel:
        if name != self.model.name:
            raise NotFound(f"unknown model {name!r}", code="unknown_model", field="model")
        return self.model


class Held:
    """A REST edge over model `held`, whose runtime the test releases."""

    def __init__(self, scheduler: Scheduler, admission: Admission, max_queued_rows: int) -> None:
        self.runtime = HeldRuntime()
        manifest = Manifest(
            schema_version=1,
            name="held",
            inputs=list(HeldRuntime.inputs),
            outputs=list(HeldRuntime.outputs),
            batching=Batching(max_batch=1),
        )
        self.model = ServedModel(
            manifest,
            "1",
            self.runtime,
            replace(unmeasured(self.runtime, 1), stable_batch=1),
            scheduler,
            file_digest="0" * 64,
            max_queued_rows=max_queued_rows,
        )
        self.admission = admission
        self.compute = ComputePool(1)
        plane = DataPlane(OneModel(self.model), admission, self.compute, Settings())  # type: ignore[arg-type]
        self.app = build_app(plane, lambda: b"")


@pytest_asyncio.fixture(loop_scope="session")
async def hold() -> AsyncIterator[Callable[..., Held]]:
    """`hold(max_queued_rows=1, max_body_bytes=...)` returns a `Held`."""
    scheduler = Scheduler(threads=1)
    made: list[Held] = []

    def make(*, max_queued_rows: int = 64, **limits: object) -> Held:
        made.append(Held(scheduler, Admission(**limits), max_queued_rows))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for held in made:
        held.runtime.gate.set()
        held.compute.stop()
    scheduler.stop(timeout_s=5)
