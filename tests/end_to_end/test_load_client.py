"""The benchmark's figures rest on its load client: what it counts is what the server did."""

from __future__ import annotations

from pathlib import Path

import httpx
import numpy as np
import pytest
from bench.load import LoadClient
from bench.models import add_model, tiny
from bench.server import ServerProcess


@pytest.mark.parametrize("kind", ["binary", "json", "grpc"])
async def test_a_window_counts_every_request_and_every_batch(
    server: ServerProcess, answer: np.ndarray, kind: str
) -> None:
    def rows() -> int:
        return int(server.get("/v2/models/tiny/stats")["model_stats"][0]["inference_count"])

    before = rows()
    window = await LoadClient(server.http, server.grpc, server.pid).window(kind, "tiny", 8, 0.3)
    assert window.failures == 0
    assert window.requests == rows() - before
    assert sum(size * count for size, count in window.executions.items()) == window.requests
    assert 0 < window.p50_ms <= window.p99_ms
    np.testing.assert_allclose(window.first, answer.ravel(), rtol=1e-5, atol=1e-6)


async def test_a_window_reports_answers_that_are_no_good(server: ServerProcess, repository_on_disk: Path) -> None:
    # Under this name the client expects pictures of another shape: every answer is a refusal.
    add_model(repository_on_disk, "vit", tiny())
    async with httpx.AsyncClient(base_url=f"http://{server.http}") as client:
        (await client.post("/v2/repository/models/vit/load")).raise_for_status()
    window = await LoadClient(server.http, server.grpc, server.pid).window("binary", "vit", 2, 0.1)
    assert window.failures == window.requests > 0
