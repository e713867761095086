"""The options that deepen a check, as callers of the REST edge write them."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import orjson
import pytest
import pytest_asyncio
from asgi_call import client_of

from equiserve.dataplane import DataPlane
from equiserve.engine import Admission, ComputePool, Scheduler, ServedModel
from equiserve.errors import NotFound
from equiserve.rest.app import build_app
from equiserve.settings import Settings
from picture_runtimes import PictureRuntime, by_position, serve

PIXELS = np.random.default_rng(2).integers(0, 256, (6, 1, 28, 28), np.uint8)
CHECK = "/v2/models/fake/equivariance"


class OneModel:
    """A repository of one model without symmetry."""

    ready = True

    def __init__(self, model: ServedModel) -> None:
        self.model = model

    async def get(self, name: str, version: str = "", runtime: str | None = None) -> ServedModel:
        if name != self.model.name:
            raise NotFound(f"unknown model {name}", field="model")
        return self.model


@pytest_asyncio.fixture(loop_scope="session")
async def checked(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    scheduler, compute = Scheduler(1), ComputePool(1)
    repository = OneModel(serve(scheduler, PictureRuntime(by_position)))
    plane = DataPlane(repository, Admission(), compute, Settings(jobs_dir=tmp_path))  # type: ignore[arg-type]
    async with client_of(build_app(plane, lambda: b"")) as client:
        yield client
    await plane.close()
    compute.stop()
    scheduler.stop(5)


async def ask(client: httpx.AsyncClient, **options: object) -> httpx.Response:
    return await client.post(CHECK, json={"pixels": PIXELS[0].tolist(), **options})


async def test_a_search_over_rest_tells_what_it_tried_and_the_worst_of_it(checked: httpx.AsyncClient) -> None:
    report = (await ask(checked, group="CyclicShift", search=True, search_budget=40)).json()
    search = report["search"]
    assert (search["uniform"], search["searched"], search["budget"]) == (16, 24, 40)
    assert search["worst"]["margin"] <= min(search["elements"]["margin"])
    assert set(search["worst"]["element"]) == {"dy", "dx"}
    assert report["coverage"]["checked"] == 16


async def test_random_elements_come_as_an_object_or_as_text_in_a_form(checked: httpx.AsyncClient) -> None:
    drawn = {"random": 9, "seed": 3}
    as_json = await ask(checked, group="SO2", elements=drawn)
    query = {"group": "SO2", "elements": orjson.dumps(drawn).decode()}
    as_text = await checked.post(CHECK, json={"pixels": PIXELS[0].tolist()}, params=query)
    assert as_json.json()["sampled"] == as_text.json()["sampled"] == drawn
    assert as_json.json()["elements"]["element"] == as_text.json()["elements"]["element"]


@pytest.mark.parametrize("gate", ["orbit_consistency=1", ["orbit_consistency=1"], {"orbit_consistency": {"min": 1}}])
async def test_a_gate_is_text_a_list_or_an_object(checked: httpx.AsyncClient, gate: object) -> None:
    report = (await ask(checked, group="CyclicShift", elements=50, gate=gate)).json()
    assert [one["gate"] for one in report["gates"]] == ["modal_consistency >= 1"]
    assert report["verdict"]["status"] == report["gates"][0]["status"] == "fail"


async def test_an_unknown_metric_of_a_gate_is_refused_with_the_known_ones(checked: httpx.AsyncClient) -> None:
    response = await ask(checked, group="C4", gate="beauty=1")
    assert response.status_code == 400
    assert "orbit_consistency" in response.json()["error"]


async def test_a_job_judges_its_gate_over_all_pictures(checked: httpx.AsyncClient) -> None:
    file = io.BytesIO()
    np.save(file, PIXELS)
    gate = orjson.dumps({"orbit_consistency": {"min": 0.25, "confidence": 0.9}}).decode()
    submitted = await checked.post(
        "/v2/jobs", files={"file": ("six.npy", file.getvalue())}, data={"model": "fake", "group": "C4", "gate": gate}
    )
    assert submitted.status_code == 202, submitted.text
    job = submitted.json()
    while job["state"] in ("queued", "running"):
        await asyncio.sleep(0.01)
        job = (await checked.get(f"/v2/jobs/{job['id']}")).json()
    result = job["result"]
    (gate,) = result["gates"]
    assert (gate["inputs"], gate["confidence"]) == (6, 0.9)
    shares = [one["summary"]["all"]["modal_consistency"] for one in result["inputs"]]
    assert gate["value"] == pytest.approx(np.mean(shares))
    assert gate["low"] <= gate["value"] <= gate["high"]
    assert result["verdict"]["status"] == gate["status"]
