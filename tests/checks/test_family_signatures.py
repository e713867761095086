"""Denoisers and body fitters as their families declare them: condition, noise, rotations, shape, pelvis."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio

from equiserve.artifact import Manifest
from equiserve.checks import TensorCheckRequest
from equiserve.dataplane import DataPlane, InferRequest
from equiserve.engine import RequestContext
from equiserve.errors import EquiServeError
from family_models import FAMILIES, PIVOT, body_fitter
from planes import served_plane, until
from tensor_models import write_repository

RNG = np.random.default_rng(0)
CLOUD = {"points": RNG.uniform(-1, 1, (1, 32, 3)).astype(np.float32)}
NOISY = {
    "x": RNG.normal(size=(1, 1, 8, 8)).astype(np.float32),
    "sigma": np.array([0.7], np.float32),
    "label": np.array([3], np.int64),
    "angle": np.array([0.4], np.float32),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DataPlane]:
    root = tmp_path_factory.mktemp("families")
    write_repository(root, FAMILIES)
    async with served_plane(root, tmp_path_factory.mktemp("cache"), max_orbit=500) as plane:
        yield plane


async def check(plane, model, inputs, **asked):
    return (await plane.check(TensorCheckRequest(model, inputs, **asked), RequestContext("check-1"))).to_json()


@pytest.mark.parametrize(
    ("group", "elements"), [("rotations", 60), ("rotations", 240), ("motions", 60), ("translations", 30), ("order", 20)]
)
async def test_a_body_fitter_passes_under_rotations_motions_translations_and_permutations(plane, group, elements):
    report = await check(plane, "fitter", CLOUD, group=group, elements=elements)
    assert report["verdict"]["status"] == "pass", report["verdict"]["reason"]
    assert report["coverage"]["checked"] == report["coverage"]["exact"] == elements
    assert set(report["outputs"]) == {"global_rotations", "betas", "translation"}
    assert report["outputs"]["global_rotations"]["kind"] == "rotations"
    assert report["controls"]["did_it_act"]["changed"] == elements - 1


async def test_a_pelvis_that_is_not_declared_looks_like_an_error_of_the_translation_alone(plane):
    report = await check(plane, "pelvis_forgotten", CLOUD, group="rotations", elements=60)
    verdicts = {name: output["verdict"]["status"] for name, output in report["outputs"].items()}
    assert verdicts == {"global_rotations": "pass", "betas": "pass", "translation": "fail"}
    assert report["worst"]["output"] == "translation"
    assert (await check(plane, "pelvis_forgotten", CLOUD, group="translations"))["level"] == "none"


async def test_a_denoiser_is_checked_with_its_condition_and_its_noise_moved_too(plane):
    report = await check(plane, "denoiser", NOISY)
    assert (report["group"]["name"], report["level"], report["coverage"]["exact"]) == ("C4", "exact", 4)
    assert report["verdict"]["status"] == "pass", report["verdict"]["reason"]
    forgotten = await check(plane, "unconditioned", NOISY)
    assert forgotten["verdict"]["status"] == "fail"
    assert forgotten["worst"]["output"] == "denoised"


async def test_between_quarter_turns_a_denoisers_noise_is_resampled_and_told_apart(plane):
    report = await check(plane, "denoiser", NOISY, group="angles", elements=24)
    assert report["coverage"] == {"checked": 24, "planned": 24, "exact": 4}
    assert report["summary"]["exact"]["relative_error"] < 1e-5
    assert report["outputs"]["denoised"]["kind"] == "pictures"


async def test_a_denoiser_cannot_be_mirrored_while_its_angle_has_no_mirror_image(plane):
    with pytest.raises(EquiServeError, match="angle: Flip cannot act on it: an angle turns, but has no mirror image"):
        await check(plane, "denoiser", NOISY, group="Flip")


@pytest.mark.parametrize(
    ("pivot", "words"),
    [
        ({**PIVOT, "shape": "size"}, "'size' is not one of"),
        ({**PIVOT, "per_coefficient": []}, "go together"),
        ({**PIVOT, "per_coefficient": [[1.0, 2.0]] * 10}, "rows of 3 numbers"),
    ],
)
def test_a_pivot_that_says_nothing_is_refused(pivot, words):
    with pytest.raises(ValueError, match=words):
        Manifest(schema=1, name="fitter", **body_fitter(pivot)[1])


def test_only_points_have_a_pivot():
    manifest = body_fitter(PIVOT)[1]
    manifest["outputs"][2]["kind"] = "vector"
    with pytest.raises(ValueError, match="expected 'point'"):
        Manifest(schema=1, name="fitter", **manifest)


async def test_their_declared_symmetries_are_tried_at_load_and_on_a_share_of_live_inputs(tmp_path):
    write_repository(tmp_path / "models", FAMILIES)
    async with served_plane(tmp_path / "models", tmp_path / "cache", threads=1, monitor_share=1.0) as plane:
        models = [await plane.repository.get(name) for name in FAMILIES]
        await until(lambda: all(plane.smoke.found(model) for model in models))
        found = {model.name: plane.smoke.found(model) for model in models}
        assert {name: one["status"] for name, groups in found.items() for one in groups.values()} == {
            "denoiser": "pass",
            "unconditioned": "fail",
            "fitter": "pass",
            "pelvis_forgotten": "fail",
        }
        await plane.infer(InferRequest("denoiser", inputs=NOISY), RequestContext("live-1"))
        await until(lambda: any(source == "monitor" for _, source in plane.checker.statistics.checks))
        assert plane.checker.statistics.checks[(("denoiser", "1", "C4"), "monitor")] == 1
