"""Regressors and the check of their claims, through the client of either kind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
import pytest_asyncio
from in_process import Ask

from equiserve.dataplane import DataPlane
from equiserve.errors import InvalidRequest
from equiserve.rest.app import build_app
from planes import served_plane

ZOO = Path(__file__).parents[2] / "models" / "zoo"
RNG = np.random.default_rng(0)
INPUTS = {
    "masses": RNG.uniform(0.5, 1.5, (16, 5)).astype(np.float32),
    "positions": RNG.normal(size=(16, 5, 3)).astype(np.float32),
}
POSES = RNG.normal(size=(2, 4, 31, 3)).astype(np.float32) / 3


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DataPlane]:
    served = ["soft-inertia-snapped", "soft-motion"]
    async with served_plane(ZOO, tmp_path_factory.mktemp("cache"), load=served, smoke_check=False) as plane:
        yield plane


@pytest.fixture
def ask(asker: Callable[..., Ask], plane: DataPlane) -> Ask:
    return asker(httpx.ASGITransport(build_app(plane, lambda: b"")))


async def test_a_regressor_answers_with_units_and_the_error_against_a_truth(ask: Ask):
    answer = await ask("regress", "soft-inertia-snapped", INPUTS)
    inertia = answer["outputs"]["inertia"]
    assert (inertia["shape"], inertia["units"], inertia["error"]) == ([16, 3, 3], "kg m^2", None)
    truth = {"inertia": np.array(inertia["data"], np.float32) + np.float32(2)}
    again = await ask("regress", "soft-inertia-snapped", INPUTS, truth, runtime="onnx", priority=1)
    assert again["outputs"]["inertia"]["error"] == pytest.approx(2, abs=1e-5)


async def test_claims_are_checked_for_the_groups_that_are_named(ask: Ask):
    report = await ask("check_candidates", "soft-inertia-snapped", INPUTS, ["o2z"], 32, seed=3)
    assert (report["inputs"], report["elements"], report["seed"]) == (16, 32, 3)
    assert [(found["group"], found["status"]) for found in report["candidates"]] == [("o2z", "holds")]


async def test_a_motion_comes_as_a_drawing(ask: Ask):
    inputs = {"earlier": POSES[:, :3].copy(), "present": POSES[:, 3].copy()}
    assert (await ask("draw_motion", "soft-motion", inputs, {"future": POSES[:, 0].copy()}, 1)).startswith("<svg")
    with pytest.raises(InvalidRequest, match="row"):
        await ask("draw_motion", "soft-motion", inputs, row=2)
