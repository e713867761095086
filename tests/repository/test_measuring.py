"""When a loaded model is measured, and when that is in vain."""

from __future__ import annotations

import asyncio
import threading

import pytest
from written_models import manifest, weight

from equiserve.artifact import Device, write_manifest
from equiserve.engine import Calibration
from equiserve.errors import InvalidRequest
from equiserve.repository import Repository
from equiserve.repository import loader as loading
from planes import until
from small_models import linear_model


async def measured(repository: Repository, name: str) -> Calibration:
    model = await repository.get(name)
    await until(lambda: model.calibration.measured, 60)
    return model.calibration


async def test_a_manifest_that_fixes_the_threads_is_obeyed_over_what_was_measured_before(
    repository: Repository,
) -> None:
    linear_model(repository.root / "m" / "1" / "model.onnx", weight(1))
    path = repository.root / "m" / "model.yaml"
    write_manifest(manifest("m"), path)
    await repository.load("m")
    assert (await measured(repository, "m")).threads == 1
    write_manifest(manifest("m", device=Device(threads=2)), path)
    await repository.load("m")
    assert (await repository.get("m")).runtime.threads == 2
    assert (await measured(repository, "m")).threads == 2


async def test_an_unloaded_model_is_not_measured_any_more(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, told, ended = threading.Event(), threading.Event(), threading.Event()

    def endless(*_: object, wait_for_idleness: object, **__: object) -> Calibration:
        entered.set()
        told.wait(30)
        try:
            while True:
                wait_for_idleness()  # type: ignore[operator]
        finally:
            ended.set()

    monkeypatch.setattr(loading, "measure", endless)
    linear_model(repository.root / "m" / "1" / "model.onnx", weight(1))
    await repository.load("m")
    await asyncio.to_thread(entered.wait, 30)
    await repository.unload("m")
    told.set()
    assert await asyncio.to_thread(ended.wait, 30)


async def test_a_load_that_fails_half_way_measures_nothing_of_what_it_opened(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(loading.Loader, "measure", lambda *_: asked.append("measured"))
    linear_model(repository.root / "m" / "1" / "model.onnx", weight(1))
    (repository.root / "m" / "2").mkdir()
    (repository.root / "m" / "2" / "model.onnx").write_bytes(b"no")
    with pytest.raises(InvalidRequest):
        await repository.load("m")
    await asyncio.sleep(0.05)
    assert asked == []
