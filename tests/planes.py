"""Data planes over folders of models in this process, and both edges of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx

from equiserve.client import AsyncClient
from equiserve.dataplane import DataPlane
from equiserve.rest.app import build_app
from equiserve.rpc.server import build_server
from equiserve.server import build_plane
from equiserve.settings import Settings


async def until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait for what nobody announces."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@asynccontextmanager
async def served_plane(models: Path, cache: Path, **settings: Any) -> AsyncIterator[DataPlane]:
    """A data plane over a folder of models (of them those that `load` names), loaded and calibrated."""
    plane, scheduler = build_plane(Settings(models=models, cache=cache, **settings))
    try:
        await plane.repository.load_all(plane.settings.load)
        # What is measured later changes sessions, padding and what is guaranteed under a test's feet.
        await until(lambda: all(model.calibration.measured for model in plane.repository.models()), 60)
        yield plane
    finally:
        await plane.close()
        plane.repository.close()
        plane.compute.stop()
        scheduler.stop(timeout_s=5)


@asynccontextmanager
async def grpc_edge(plane: DataPlane) -> AsyncIterator[str]:
    """Serve a plane by gRPC on a free port of the loopback, whose address is given."""
    server = build_server(plane)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


@dataclass
class Edges:
    """The clients of both edges of a plane: of REST in this process, of gRPC at an address."""

    plane: DataPlane
    http: httpx.AsyncClient
    client: AsyncClient
    address: str
    channel: grpc.aio.Channel


@asynccontextmanager
async def both_edges(plane: DataPlane) -> AsyncIterator[Edges]:
    """Serve a plane by REST, without a socket, and by gRPC."""
    transport = httpx.ASGITransport(build_app(plane, lambda: b""))
    async with (
        grpc_edge(plane) as address,
        httpx.AsyncClient(transport=transport, base_url="http://equiserve") as http,
        AsyncClient(transport=transport) as client,
        grpc.aio.insecure_channel(address) as channel,
    ):
        yield Edges(plane, http, client, address, channel)
