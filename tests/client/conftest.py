"""Both clients over the real REST edge, in this process: no sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import pytest_asyncio
from in_process import Ask, OnLoop

from equiserve.client import AsyncClient, Client
from equiserve.dataplane import DataPlane
from equiserve.rest.app import build_app
from planes import served_plane
from small_models import brightness_model, linear_model


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def client_plane(
    repository_folder: Path, tiny_weight: np.ndarray, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[DataPlane]:
    """A data plane of one's own, since these tests unload models: `types`, `brightness` and `spare`."""
    root = tmp_path_factory.mktemp("client-models")
    (root / "types").symlink_to(repository_folder / "types")
    brightness_model(root / "brightness" / "1" / "model.onnx")
    linear_model(root / "spare" / "1" / "model.onnx", tiny_weight)
    async with served_plane(root, tmp_path_factory.mktemp("client-cache"), threads=1) as plane:
        yield plane


@pytest.fixture(params=["blocking", "asyncio"])
def asker(request: pytest.FixtureRequest) -> Callable[..., Ask]:
    """Make `ask` for the client of either kind over an asyncio transport: `asker(transport, **options)`."""

    def make(transport: httpx.AsyncBaseTransport, **options: Any) -> Ask:
        async def ask(method: str, *args: Any, **kwargs: Any) -> Any:
            if request.param == "asyncio":
                async with AsyncClient(transport=transport, **options) as client:
                    return await getattr(client, method)(*args, **kwargs)

            def blocking() -> Any:
                with Client(transport=OnLoop(transport, loop), **options) as client:
                    return getattr(client, method)(*args, **kwargs)

            loop = asyncio.get_running_loop()
            return await asyncio.to_thread(blocking)

        return ask

    return make


@pytest.fixture
def ask(asker: Callable[..., Ask], client_plane: DataPlane) -> Ask:
    """Call a method of the client under test against the REST edge: `await ask("infer", "tiny", {...})`."""
    return asker(httpx.ASGITransport(build_app(client_plane, lambda: b"")))
