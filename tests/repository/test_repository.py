"""Finding, loading, reloading and unloading models while they are used."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from written_models import manifest, weight

from equiserve.artifact import File, TensorSpec, Version, misplaced_files, write_manifest
from equiserve.artifact.digest import sha256_of
from equiserve.errors import InvalidRequest, NotFound
from equiserve.repository import Repository
from planes import until
from small_models import linear_model


async def answer(repository: Repository, name: str, version: str = "") -> float:
    model = await repository.get(name, version)
    (y,) = await model.infer([np.ones((1, 2), np.float32)])
    return float(y[0, 0])


async def test_the_newest_version_answers_and_older_ones_by_number(repository: Repository) -> None:
    for version in (1, 2, 10):
        linear_model(repository.root / "m" / str(version) / "model.onnx", weight(version))
    await repository.load_all()
    assert await answer(repository, "m") == 20
    assert await answer(repository, "m", "2") == 4
    assert repository.versions("m") == ["1", "2", "10"]


async def test_a_plain_onnx_file_is_a_model(repository: Repository) -> None:
    linear_model(repository.root / "lone.onnx", weight(3))
    await repository.load_all()
    assert await answer(repository, "lone", "1") == 6


async def test_reloading_swaps_versions_without_losing_a_request(repository: Repository) -> None:
    path = repository.root / "m" / "1" / "model.onnx"
    linear_model(path, weight(1))
    await repository.load("m")
    stop = asyncio.Event()
    seen: set[float] = set()

    async def caller() -> None:
        while not stop.is_set():
            seen.add(await answer(repository, "m"))

    callers = [asyncio.ensure_future(caller()) for _ in range(4)]
    await asyncio.sleep(0.02)
    linear_model(path, weight(5))
    await repository.load("m")
    after = await answer(repository, "m")
    stop.set()
    await asyncio.gather(*callers)
    assert after == 10
    assert seen <= {2.0, 10.0}


async def test_a_broken_file_leaves_what_was_loaded_in_service_and_says_why(repository: Repository) -> None:
    path = repository.root / "m" / "1" / "model.onnx"
    linear_model(path, weight(1))
    await repository.load("m")
    path.write_bytes(b"not a model")
    with pytest.raises(InvalidRequest, match="cannot load"):
        await repository.load("m")
    assert await answer(repository, "m") == 2


async def test_a_changed_file_does_not_load_under_a_manifest_that_promises_another(repository: Repository) -> None:
    path = repository.root / "m" / "1" / "model.onnx"
    linear_model(path, weight(1))
    files = {"model.onnx": File(sha256=sha256_of(path), bytes=path.stat().st_size)}
    write_manifest(manifest("m", versions={"1": Version(files=files)}), repository.root / "m" / "model.yaml")
    await repository.load("m")
    linear_model(path, weight(2))
    with pytest.raises(InvalidRequest) as refused:
        await repository.load("m")
    assert refused.value.code == "digest_mismatch"


async def test_a_manifest_that_disagrees_with_the_graph_is_refused(repository: Repository) -> None:
    linear_model(repository.root / "m" / "1" / "model.onnx", weight(1))
    wrong = manifest("m", outputs=[TensorSpec(name="y", datatype="FP32", shape=(-1, 7))])
    write_manifest(wrong, repository.root / "m" / "model.yaml")
    with pytest.raises(InvalidRequest) as refused:
        await repository.load("m")
    assert refused.value.code == "manifest_disagrees"


async def test_an_unknown_key_in_a_manifest_is_named(repository: Repository) -> None:
    linear_model(repository.root / "m" / "1" / "model.onnx", weight(1))
    path = repository.root / "m" / "model.yaml"
    write_manifest(manifest("m"), path)
    path.write_text(path.read_text() + "symetries: []\n")
    with pytest.raises(InvalidRequest, match="symetries"):
        await repository.load("m")


async def test_one_model_that_fails_does_not_keep_the_others_from_loading(repository: Repository) -> None:
    linear_model(repository.root / "good" / "1" / "model.onnx", weight(1))
    (repository.root / "bad" / "1").mkdir(parents=True)
    (repository.root / "bad" / "1" / "model.onnx").write_bytes(b"no")
    await repository.load_all()
    states = {entry["name"]: (entry["state"], entry["reason"]) for entry in repository.index()}
    assert states["good"][0] == "READY"
    assert states["bad"][0] == "UNAVAILABLE"
    assert "cannot load" in states["bad"][1]


async def test_an_unloaded_model_is_not_found_and_loads_again(repository: Repository) -> None:
    linear_model(repository.root / "m" / "1" / "model.onnx", weight(1))
    await repository.load("m")
    await repository.unload("m")
    with pytest.raises(NotFound) as missing:
        await repository.get("m")
    assert missing.value.code == "unknown_model"
    await repository.load("m")
    assert await answer(repository, "m") == 2


@pytest.mark.parametrize("name", ["../m", "m/../m", "", ".", "no such model", "m\x00"])
async def test_only_names_directly_in_the_repository_are_looked_at(repository: Repository, name: str) -> None:
    linear_model(repository.root.parent / "m" / "1" / "model.onnx", weight(1))
    with pytest.raises(NotFound):
        await repository.load(name)


async def test_a_calibration_is_measured_once_and_then_read_from_the_cache(repository: Repository) -> None:
    linear_model(repository.root / "m" / "1" / "model.onnx", weight(1))
    await repository.load("m")
    model = await repository.get("m")
    assert not model.calibration.measured
    await until(lambda: model.calibration.measured, 60)
    await repository.load("m")
    assert (await repository.get("m")).calibration == model.calibration


async def test_the_server_is_ready_only_with_what_it_was_told_to_serve(repository: Repository) -> None:
    linear_model(repository.root / "good" / "1" / "model.onnx", weight(1))
    await repository.load_all(["good", "absent"])
    assert not repository.ready
    await repository.load_all(["good"])
    assert repository.ready


async def test_a_folder_in_which_nothing_loads_is_not_ready_and_an_empty_one_is(repository: Repository) -> None:
    await repository.load_all()
    assert repository.ready
    (repository.root / "bad" / "1").mkdir(parents=True)
    (repository.root / "bad" / "1" / "model.onnx").write_bytes(b"no")
    await repository.load_all()
    assert not repository.ready


async def test_a_name_that_never_was_does_not_stay_in_the_index(repository: Repository) -> None:
    with pytest.raises(NotFound):
        await repository.load("nobody")
    assert repository.index() == []


def test_model_files_at_places_where_they_are_no_model_are_found(tmp_path: Path) -> None:
    for path in ("my model.onnx", "a/noversion/model.onnx", "b/1/classifier.onnx", "C.ONNX", "model.yaml"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"")
    linear_model(tmp_path / "good" / "1" / "model.onnx", weight(1))
    linear_model(tmp_path / "flat.onnx", weight(1))
    found = {str(path.relative_to(tmp_path)) for path in misplaced_files(tmp_path)}
    assert found == {"my model.onnx", "a/noversion/model.onnx", "b/1/classifier.onnx", "C.ONNX", "model.yaml"}
