"""What the server checks by itself: declared symmetries once a model is measured, and a share of live pictures."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
import yaml

from equiserve.artifact import GroupSpec, Symmetry
from equiserve.checks import Checker
from equiserve.checks.monitor import TrafficMonitor
from equiserve.checks.smoke import SmokeChecks
from equiserve.dataplane import DataPlane, InferRequest
from equiserve.engine import ComputePool, RequestContext, Scheduler
from equiserve.observe.metrics import metrics_renderer
from equiserve.tasks.classify import ClassifyRequest
from picture_runtimes import EXACT_SHIFTS, SHIFTS, PictureRuntime, by_position, histogram, serve
from planes import served_plane, until
from small_models import brightness_model

PICTURE = np.random.default_rng(2).integers(0, 256, (1, 28, 28), np.uint8)
MANIFEST = {
    "schema": 1,
    "name": "brightness",
    "task": "classify",
    "inputs": [{"name": "x", "datatype": "UINT8", "shape": [-1, 1, 4, 4], "kind": "picture"}],
    "outputs": [{"name": "logits", "datatype": "FP32", "shape": [-1, 2], "kind": "logits"}],
    "groups": {"shifts": {"name": "CyclicShift"}},
    "symmetries": [{"group": "shifts", "level": "exact"}],
    "batching": {"max_batch": 8},
}


class House:
    def __init__(self) -> None:
        self.scheduler = Scheduler(1)
        self.compute = ComputePool(1)
        self.checker = Checker(self.find, self.compute, max_pixels=10**6, max_orbit=1000)

    async def find(self, name: str, version: str, runtime: str | None):
        raise AssertionError("the server checks the model that it was told of, not what is loaded under its name now")

    def serve(self, scores, **options: object):
        options = {"groups": SHIFTS, "symmetries": EXACT_SHIFTS, **options}
        return serve(self.scheduler, PictureRuntime(scores), **options)


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    house.compute.stop()
    house.scheduler.stop(5)


# ---------------------------------------------------------------- once a model is measured


async def test_a_declared_symmetry_that_holds_is_told_so(house: House, caplog: pytest.LogCaptureFixture) -> None:
    smoke, model = SmokeChecks(house.checker), house.serve(histogram)
    with caplog.at_level(logging.WARNING):
        smoke.begin(model)
        await until(lambda: smoke.found(model))
    assert smoke.found(model)["shifts"]["status"] == "pass"
    assert caplog.records == []
    assert list(house.checker.statistics.violated.values()) == [False]


async def test_a_violated_exact_symmetry_is_logged_as_a_warning_and_the_model_still_serves(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    smoke, model = SmokeChecks(house.checker), house.serve(by_position)
    smoke.begin(model)
    await until(lambda: smoke.found(model))
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert (record.model, record.group, record.status) == ("fake", "shifts", "fail")
    assert list(house.checker.statistics.violated.values()) == [True]
    await model.infer([PICTURE[None]])


async def test_only_what_is_promised_is_tried(house: House) -> None:
    groups = {**SHIFTS, "turns": GroupSpec(name="Cyclic", parameters={"n": 4}), "SO3": GroupSpec(name="SO3")}
    symmetries = [
        Symmetry(group="shifts", level="none"),
        Symmetry(group="SO3", level="exact"),
        Symmetry(group="turns", level="approximate"),
    ]
    smoke, model = SmokeChecks(house.checker), house.serve(histogram, groups=groups, symmetries=symmetries)
    smoke.begin(model)
    await until(lambda: smoke.found(model))
    assert smoke.found(model).keys() == {"turns"}
    no_classifier = serve(
        house.scheduler, PictureRuntime(histogram, shape=(-1, 5)), groups=SHIFTS, symmetries=EXACT_SHIFTS
    )
    smoke.begin(no_classifier)
    nothing_declared = house.serve(histogram, symmetries=[])
    smoke.begin(nothing_declared)
    await until(lambda: not smoke.found(no_classifier))
    assert smoke.found(nothing_declared) == {}


@pytest_asyncio.fixture
async def plane(tmp_path: Path) -> AsyncIterator[DataPlane]:
    """A data plane that monitors every second picture, over a model that declares what it keeps."""
    brightness_model(tmp_path / "models" / "brightness" / "1" / "model.onnx")
    (tmp_path / "models" / "brightness" / "model.yaml").write_text(yaml.safe_dump(MANIFEST))
    async with served_plane(tmp_path / "models", tmp_path / "cache", threads=1, monitor_share=0.5) as plane:
        yield plane


async def test_the_smoke_check_of_a_loaded_model_is_in_its_metadata_and_in_the_metrics(plane: DataPlane) -> None:
    model = await plane.repository.get("brightness")
    await until(lambda: plane.smoke.found(model))
    properties = (await plane.model_metadata("brightness"))["properties"]
    assert properties["symmetry.shifts.smoke"].startswith("pass: ")
    config = await plane.model_config("brightness")
    assert config["parameters"]["symmetry.shifts.smoke"]["string_value"] == properties["symmetry.shifts.smoke"]
    render = metrics_renderer(
        plane.repository.models, plane.repository.scheduler, plane.admission, plane.checker.statistics
    )
    text = render().decode()
    labels = 'group="CyclicShift:4x4",model="brightness",version="1"'
    assert f"equiserve_declared_symmetry_violated{{{labels}}} 0.0" in text
    assert 'equiserve_checks_total{group="CyclicShift:4x4",model="brightness",source="smoke",version="1"} 1.0' in text
    passed = 'equiserve_check_verdicts_total{group="CyclicShift:4x4",model="brightness",status="pass",version="1"}'
    assert f"{passed} 1.0" in text
    assert f"equiserve_check_elements_total{{{labels}}} 5.0" in text


# ---------------------------------------------------------------- live traffic


async def test_a_share_of_live_pictures_is_checked_whichever_way_they_come(plane: DataPlane) -> None:
    model = await plane.repository.get("brightness")
    await until(lambda: plane.smoke.found(model))
    context, subject = RequestContext("live"), ("brightness", "1", "CyclicShift:4x4")
    pictures = np.random.default_rng(0).integers(0, 256, (3, 1, 4, 4), np.uint8)
    counted = plane.checker.statistics
    for seen in range(1, 4):
        await plane.infer(InferRequest("brightness", inputs={"x": pictures}), context)
        await plane.classify(ClassifyRequest("brightness", pictures=[pictures[0]]), context)
        await until(lambda seen=seen: counted.checks[subject, "monitor"] == seen)
    assert counted.consistency[subject, "monitor"] == 1.0
    assert counted.dropped == 0


async def test_pictures_that_come_faster_than_they_can_be_checked_are_dropped_and_counted(house: House) -> None:
    model = house.serve(histogram)
    monitor = TrafficMonitor(house.checker, 1.0)
    for _ in range(50):
        monitor.offer(model, PICTURE)
    assert house.checker.statistics.dropped == 50 - 8
    subject = ("fake", "1", "CyclicShift:28x28")
    await until(lambda: house.checker.statistics.checks[subject, "monitor"] == 8)
    monitor.close()


async def test_a_share_of_a_quarter_takes_every_fourth_picture(house: House) -> None:
    runtime = PictureRuntime(histogram)
    model = serve(house.scheduler, runtime, groups=SHIFTS, symmetries=EXACT_SHIFTS)
    monitor, silent = TrafficMonitor(house.checker, 0.25), house.serve(histogram, symmetries=[])
    for index in range(12):
        monitor.offer(silent, PICTURE)
        monitor.offer(model, np.full((1, 28, 28), index, np.uint8))
    subject = ("fake", "1", "CyclicShift:28x28")
    await until(lambda: house.checker.statistics.checks[subject, "monitor"] == 3)
    seen = {int(batch[0, 0, 0, 0]) for batch in runtime.batches if (batch[0] == batch[0, 0, 0, 0]).all()}
    # 0, 252 to 244: the unrelated pictures of the controls.
    assert {3, 7, 11} <= seen <= {3, 7, 11, 0, 252, 248, 244}
    monitor.close()


async def test_a_live_picture_that_cannot_be_checked_harms_nobody(house: House) -> None:
    model, monitor = house.serve(histogram), TrafficMonitor(house.checker, 1.0)
    monitor.offer(model, b"no picture")
    monitor.offer(model, PICTURE)
    subject = ("fake", "1", "CyclicShift:28x28")
    await until(lambda: house.checker.statistics.checks[subject, "monitor"] == 1)
    monitor.close()
