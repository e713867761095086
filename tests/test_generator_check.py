"""The check of a generator: angles reached and EQ-R, on models whose answers are known."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree
from collections.abc import AsyncIterator

import httpx
import numpy as np
import pytest
import pytest_asyncio

from equiserve.dataplane import DataPlane
from equiserve.engine import RequestContext
from equiserve.errors import InvalidRequest, TooLarge, Unsupported
from equiserve.generator_check import GeneratorCheckRequest
from equiserve.generator_check.registration import register
from equiserve.numerics.rotation import turn_picture
from equiserve.rest.app import build_app
from equiserve.tasks.generate import GenerateRequest
from generator_models import mean_picture
from generator_planes import draw, generator_plane, write_generators


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DataPlane]:
    root = write_generators(tmp_path_factory.mktemp("generators"))
    async with generator_plane(root) as plane:
        yield plane


@pytest_asyncio.fixture(loop_scope="session")
async def client(plane: DataPlane) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(build_app(plane, lambda: b""))
    async with httpx.AsyncClient(transport=transport, base_url="http://equiserve") as client:
        yield client


async def check(plane: DataPlane, model: str = "steered", *, group="SO2", elements=24, deadline=None, **options):
    asked = GeneratorCheckRequest(GenerateRequest(model, **options), group, elements)
    context = RequestContext("id") if deadline is None else RequestContext("id", deadline=deadline)
    return (await plane.check_generator(asked, context)).to_json()


@pytest.mark.parametrize("angle", [0, 7, 90, -133, 179])
def test_registration_finds_the_angle_of_a_turned_picture(angle: float) -> None:
    upright = mean_picture(0, 0)
    found = register(upright, turn_picture(upright, angle, background=-1)[None])
    assert (found.angle_deg[0] - angle + 180) % 360 - 180 == pytest.approx(0, abs=0.5)
    assert found.correlation[0] > 0.99
    assert found.lead[0] > 0.05


async def test_a_model_that_is_told_the_angle_turns_what_it_draws(plane: DataPlane) -> None:
    report = await check(plane, label=0, seed=3, preset="quality", n=4)
    assert report["verdict"]["status"] == "pass"
    assert report["summary"]["all"]["median_angle_error_deg"] < 3
    assert report["summary"]["resampled"]["eqr_db"] > 15
    assert report["bitwise_identical"] == {"identical": 3, "of": 3}
    assert report["elements"]["eqr_db"][0] == 100
    assert report["coverage"] == {"checked": 24, "planned": 24, "exact": 4}


async def test_the_orbit_is_what_the_caller_would_be_given(plane: DataPlane) -> None:
    """EQ-R of one element, from two pictures drawn by the ordinary route."""
    options = {"label": 1, "seed": 5, "steps": 6, "guidance": 2.0}
    report = await check(plane, elements=[{"angle_deg": 30}], **options)
    upright, turned = await draw(plane, **options), await draw(plane, angle=30, **options)
    expected = turn_picture(upright.pictures, 30)
    y, x = np.mgrid[:16, :16] - 7.5
    inside = np.clip((8 - np.sqrt(x * x + y * y)) / 1.5, 0, 1)
    weights = (1 - np.cos(np.pi * inside)) / 2
    mean_square = (((turned.pictures - expected) ** 2) * weights).sum() / weights.sum()
    assert report["elements"]["eqr_db"][1] == pytest.approx(10 * np.log10(4 / mean_square), abs=1e-3)


async def test_the_paper_s_drift_misses_the_angle(plane: DataPlane) -> None:
    report = await check(plane, label=0, seed=3, mode="drift", solver="ddpm", steps=30, elements=12, n=4)
    assert report["verdict"]["status"] == "fail"
    assert "conditioned" in report["verdict"]["next_step"]
    assert report["summary"]["all"]["median_angle_error_deg"] > 10


async def test_turning_the_finished_picture_is_the_reference(plane: DataPlane) -> None:
    report = await check(plane, "upright", label=2, seed=1, group="C4", elements=None, mode="exact")
    assert report["bitwise_identical"] == {"identical": 3, "of": 3}
    assert report["summary"]["resampled"] is None
    again = await check(plane, "upright", label=2, seed=1, group="SO2", elements=12, mode="exact")
    assert again["summary"]["all"]["least_eqr_db"] == 100


async def test_a_picture_without_an_angle_says_nothing(plane: DataPlane) -> None:
    """The models' mean pictures without a blob are rings: only noise tells their angles apart, so draw none."""
    ring = np.exp(-((np.hypot(*(np.mgrid[:16, :16] - 7.5)) - 4) ** 2))[None].astype(np.float32)
    assert register(ring, turn_picture(ring, 40, background=0)[None]).lead[0] < 0.02


async def test_what_was_drawn_until_the_deadline_is_reported(plane: DataPlane) -> None:
    model = await plane.repository.get("steered")
    assert model.calibration.batch_invariance
    deadline = asyncio.get_running_loop().time() + 0.15
    report = await check(plane, label=0, seed=1, steps=200, elements=360, deadline=deadline)
    assert report["coverage"]["checked"] < report["coverage"]["planned"]
    assert report["verdict"]["status"] in ("inconclusive", "fail", "not_informative")


async def test_what_cannot_be_checked_is_refused_by_name(plane: DataPlane) -> None:
    with pytest.raises(InvalidRequest, match="does more than turn"):
        await check(plane, group="D4", elements=None)
    with pytest.raises(InvalidRequest, match="does more than turn"):
        await check(plane, group="CyclicShift", elements=4)
    with pytest.raises(InvalidRequest, match="steps"):
        await check(plane, steps=0)
    with pytest.raises(TooLarge):
        await check(plane, elements=5000)
    with pytest.raises(TooLarge):
        await check(plane, elements=500, n=10)


async def test_the_equivariance_route_takes_what_to_draw(client: httpx.AsyncClient) -> None:
    asked = {"generate": {"label": 0, "seed": 3, "steps": 8}, "group": "SO2", "elements": 8}
    path = "/v2/models/steered/equivariance"
    report = (await client.post(path, json=asked)).json()
    assert report["parameters"]["seed"] == 3
    assert len(report["elements"]["angle_error_deg"]) == 8
    plot = await client.post(path, json=asked, headers={"accept": "image/svg+xml"})
    assert plot.headers["content-type"].startswith("image/svg+xml")
    xml.etree.ElementTree.fromstring(plot.text)
    picture = await client.post(path, json=asked, headers={"accept": "image/png"})
    assert picture.content.startswith(b"\x89PNG")
    for sent, field in (
        ({**asked, "generate": 3}, "generate"),
        ({**asked, "generate": {"steps": 0}}, "steps"),
        ({**asked, "generate": {"stepps": 1}}, "stepps"),
        ({**asked, "metrics": ["x"]}, "metrics"),
    ):
        response = await client.post(path, json=sent)
        assert (response.status_code, response.json()["field"]) == (400, field)
    response = await client.post(f"{path}_stream", json=asked)
    assert (response.status_code, response.json()["code"]) == (501, "not_streamed")


async def test_a_model_of_another_task_is_no_generator(plane: DataPlane) -> None:
    model = await plane.repository.get("plain")
    object.__setattr__(model.manifest, "task", "infer")
    try:
        with pytest.raises(Unsupported):
            await check(plane, "plain")
    finally:
        object.__setattr__(model.manifest, "task", "generate")
