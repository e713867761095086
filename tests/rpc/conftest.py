"""A gRPC server on a free port of the loopback, over the suite's data plane."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest_asyncio
import tritonclient.grpc.aio as tritonclient

from equiserve.dataplane import DataPlane
from planes import grpc_edge


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def address(plane: DataPlane) -> AsyncIterator[str]:
    async with grpc_edge(plane) as address:
        yield address


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def channel(address: str) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(address) as channel:
        yield channel


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def triton(address: str) -> AsyncIterator[tritonclient.InferenceServerClient]:
    async with tritonclient.InferenceServerClient(address) as client:
        yield client
