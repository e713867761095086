"""A data plane that does as a test says, behind a real server and real admission."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc

from equiserve.dataplane import InferRequest
from equiserve.engine import Admission, ComputePool, RequestContext
from equiserve.settings import Settings
from planes import grpc_edge


class ScriptedPlane:
    """What `DataPlane` offers, as far as a test needs it; `script` is run in place of the model."""

    def __init__(
        self,
        script: Callable[[InferRequest, RequestContext], Awaitable[Any]] | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.admission = Admission(
            token=self.settings.token,
            admin_token=self.settings.admin_token,
            max_body_bytes=self.settings.max_body_bytes,
            max_inflight_requests=self.settings.max_inflight_requests,
        )
        self.compute = ComputePool(1)
        self.loaded: list[str] = []
        self.answer: Any = None
        self.asked: list[Any] = []
        self._script = script

    def ready(self) -> bool:
        return not self.admission.draining

    def server_metadata(self) -> dict[str, Any]:
        return {"name": "scripted", "version": "1", "extensions": []}

    async def load_model(self, name: str, parameters: object) -> None:
        self.loaded.append(name)

    async def infer(self, request: InferRequest, context: RequestContext) -> Any:
        assert self._script is not None
        return await self._script(request, context)

    async def classify(self, request: object, context: RequestContext) -> Any:
        self.asked.append(request)
        return self.answer

    check = classify


class Held:
    """A script that never answers, and tells what became of the request."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def __call__(self, request: InferRequest, context: RequestContext) -> Any:
        self.started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


@asynccontextmanager
async def served(plane: ScriptedPlane, **channel_options: Any) -> AsyncIterator[grpc.aio.Channel]:
    """Serve a scripted plane on a free port and connect to it."""
    try:
        async with (
            grpc_edge(plane) as address,  # type: ignore[arg-type]
            grpc.aio.insecure_channel(address, **channel_options) as channel,
        ):
            yield channel
    finally:
        plane.compute.stop()
