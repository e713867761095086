from __future__ import annotations

import argparse
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist

pytest.importorskip("torch", reason="the train extra is not installed")

import torch
from PIL import Image

from denoisers import tiny_denoiser
from equiserve.artifact import read_manifest
from equiserve.errors import InvalidRequest
from equiserve.numerics.rotation import RotationMode, turn_picture
from equiserve_models.diffusion import angles, evaluate, rotation_scores
from equiserve_models.diffusion.angle_chart import angle_chart
from equiserve_models.diffusion.card import write_card
from equiserve_models.diffusion.distances import frechet_distance, nearest, precision_and_recall
from equiserve_models.diffusion.judges import JUDGES, Judge, read
from equiserve_models.diffusion.quality import balanced_labels
from equiserve_models.diffusion.rotation_scores import Way
from equiserve_models.diffusion.sampling import Sampler
from equiserve_models.diffusion.sheets import write_sheet
from equiserve_models.diffusion.zoo import Inputs, eager_runner, onnx_runner
from generator_planes import draw, generator_plane

ZOO = Path(__file__).parents[2] / "models" / "zoo"


def hooks(count: int = 3) -> np.ndarray:
    """Pictures of a hook that looks like itself at no other angle, float32 [count, 1, 28, 28] in [-1, 1]."""
    y, x = np.mgrid[:28, :28] - 13.5
    strokes = [(-5.0, -3.0), (-5.0, 0.0), (-5.0, 3.0), (-2.0, 3.0), (1.0, 1.0), (5.0, 0.0)]
    drawn = [sum(np.exp(-((y - r - 0.3 * k) ** 2 + (x - c) ** 2) / 4) for r, c in strokes) for k in range(count)]
    return np.clip(2 * np.stack(drawn)[:, None] - 1, -1, 1).astype(np.float32)


def test_frechet_distance_is_that_of_the_normal_distributions() -> None:
    generator = np.random.default_rng(0)
    first = generator.standard_normal((4000, 5)) @ generator.standard_normal((5, 5)) + 1
    second = generator.standard_normal((3000, 5)) @ generator.standard_normal((5, 5))
    a, b = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    expected = np.square(first.mean(0) - second.mean(0)).sum() + np.trace(a + b - 2 * sqrtm(a @ b).real)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-9)
    # A feature that never varies makes the product singular.
    dead = np.concatenate([first, np.zeros((4000, 1))], 1)
    assert frechet_distance(dead, dead + 2) == pytest.approx(6 * 4, abs=1e-6)


def test_precision_and_recall_tell_missing_modes_from_false_ones() -> None:
    generator = np.random.default_rng(1)
    here, there, nowhere = (generator.standard_normal((300, 4)) + 100 * k for k in range(3))
    real = np.concatenate([here, there])
    precision, recall = precision_and_recall(real, here + 0.01)
    assert precision > 0.95
    assert recall == pytest.approx(0.5, abs=0.03)
    precision, recall = precision_and_recall(real, np.concatenate([real, nowhere]))
    assert precision == pytest.approx(2 / 3, abs=0.03)
    assert recall == 1.0


def test_nearest_neighbour_is_the_nearest() -> None:
    generator = np.random.default_rng(2)
    queries, among = generator.random((700, 9)).astype(np.float32), generator.random((400, 9)).astype(np.float32)
    np.testing.assert_allclose(nearest(queries, among), cdist(queries, among).min(1), atol=1e-4)


@pytest.mark.parametrize("asked", [-170.0, -90.0, -31.3, 0.0, 12.6, 77.0, 180.0])
def test_registration_finds_the_angle_that_a_picture_was_turned_by(asked: float) -> None:
    upright = hooks()
    found = angles.register(turn_picture(upright, asked), upright)
    assert angles.angle_error(found.degrees, asked).max() < 0.3
    assert found.correlation.min() > 0.98
    assert angles.kept_correlation(turn_picture(upright, asked), upright, asked).min() > 0.999
    assert angles.equivariance_psnr(turn_picture(upright, asked), upright, asked).min() > 60
    back = angles.turned_back(turn_picture(upright, asked), asked)
    assert np.abs(back - upright).mean() < 0.03


def test_angle_error_goes_round_the_circle() -> None:
    np.testing.assert_allclose(angles.angle_error(np.array([179.0, -179.0, 10.0]), -179.0), [2, 0, 171])


def test_equivariance_psnr_is_measured_in_the_disc_only() -> None:
    upright = hooks()
    moved = upright.copy()
    moved[:, :, 0, 0] = 1.0
    assert angles.equivariance_psnr(moved, upright, 0.0).min() > 100
    moved[:, :, 8:20, 8:20] += 0.2
    assert 15 < angles.equivariance_psnr(moved, upright, 0.0).min() < 40


def knowing_denoiser(inputs: Inputs) -> np.ndarray:
    """What a perfect model of one hook answers: the hook at the angle that it is told, whatever it sees."""
    angle = inputs[3]
    degrees = np.degrees(np.arctan2(angle[:, 1], angle[:, 0]))
    return np.concatenate([turn_picture(hooks(1), float(each)) for each in degrees])


def test_scores_of_a_perfect_model_are_perfect_and_a_drift_is_pulled_back() -> None:
    judges = {kind: Judge(kind, 1).eval() for kind in JUDGES}
    labels, perfect = np.array([2, 3]), Sampler(knowing_denoiser, (1, 28, 28))
    conditioned = rotation_scores.rotation_scores(perfect, judges, Way("conditioned", "dpmpp_2m", 4), labels)
    assert conditioned["error_p90"] < 0.5
    assert conditioned["share_of_requested"] == pytest.approx(1, abs=0.01)
    assert conditioned["correlation"] > 0.99
    assert conditioned["quarter_turn_difference"] == 0
    assert set(conditioned["by_angle"]) >= {"-157.5", "0", "180"}
    drifting = rotation_scores.rotation_scores(perfect, judges, Way("drift", "dpmpp_2m", 4), labels)
    assert drifting["share_of_requested"] < 0.5


def test_drawn_pictures_depend_on_nothing_but_label_and_seed() -> None:
    sampler = Sampler(eager_runner(tiny_denoiser()), (1, 8, 8), guidance=1.5)
    labels = balanced_labels(7)
    whole = sampler.draw(labels, steps=3, first_seed=5)
    part = sampler.draw(labels[4:], steps=3, first_seed=9, guidance=1.5)
    np.testing.assert_allclose(whole[4:], part, atol=1e-5)
    assert np.abs(whole).max() <= 1


def test_judges_read_in_any_split_of_the_pictures() -> None:
    for kind in JUDGES:
        torch.manual_seed(0)
        judge = Judge(kind, 1).eval()
        pictures = np.random.default_rng(0).random((700, 1, 28, 28)).astype(np.float32)
        whole, part = read(judge, pictures), read(judge, pictures[500:])
        assert whole.features.shape == (700, 128)
        np.testing.assert_allclose(whole.features[500:], part.features, atol=1e-5)


def test_sheet_lays_pictures_out_in_rows(tmp_path: Path) -> None:
    rows = np.full((2, 3, 3, 8, 8), -1, np.float32)
    rows[1, 2, 0] = 1
    write_sheet(rows, tmp_path / "sheet.png")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape == (2 * 18 - 2, 3 * 18 - 2, 3)
    assert sheet[-1, -1].tolist() == [255, 0, 0]
    assert sheet[0, 0].tolist() == [0, 0, 0]
    assert sheet[17, 0].tolist() == [255, 255, 255]
    write_sheet(rows, tmp_path / "named.png", names=["one", "two"], heads=["a", "b", "c"])
    named = np.asarray(Image.open(tmp_path / "named.png"))
    np.testing.assert_array_equal(named[-sheet.shape[0] :, -sheet.shape[1] :], sheet)
    assert (named[: -sheet.shape[0]] == 0).any(), "something is written above"
    assert (named[:, : -sheet.shape[1]] == 0).any(), "something is written beside"


@pytest.mark.parametrize("mode", ["conditioned", "drift_x0"])
async def test_what_is_evaluated_is_what_is_served(tmp_path: Path, mode: RotationMode) -> None:
    """The evaluation cannot import the server: both weigh the class, in the same band, to the same bits."""
    name = "mnist-diffusion"
    if not (ZOO / name).is_dir():
        pytest.skip(f"{name} is not shipped")
    options = read_manifest(ZOO / name / "model.yaml").task_options
    low, high = options["guidance_band"]
    sampler = Sampler(onnx_runner(ZOO / name / "1" / "model.onnx"), (1, 28, 28), options["guidance"], (low, high))
    expected = sampler.draw(np.array([4, 4]), first_seed=7, steps=12, mode=mode, angle_deg=50.0)
    async with generator_plane(ZOO, tmp_path, load=[name]) as plane:
        served = await draw(plane, name, label=4, seed=7, n=2, steps=12, mode=mode, angle=50.0)
    np.testing.assert_array_equal(np.clip(served.pictures, -1, 1), expected)


def test_some_ways_are_not_mixed_with_others_of_another_guidance() -> None:
    sampler = Sampler(knowing_denoiser, (1, 28, 28), 1.5)
    options = argparse.Namespace(ways=["exact"], turned=2, runs=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate.judges, "trained", lambda dataset, runs: {})
        with pytest.raises(InvalidRequest, match=r"guidance 2, expected 1\.5"):
            evaluate.measure("rotation", sampler, "mnist", options, {"guidance": "2"})


def test_the_headline_mode_is_measured_on_more_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate.judges, "trained", lambda dataset, runs: {})
    monkeypatch.setattr(rotation_scores, "REQUESTED", (30.0, 90.0))
    options = argparse.Namespace(ways=["conditioned", "exact"], turned=2, runs=None)
    found = evaluate.measure("rotation", Sampler(knowing_denoiser, (1, 28, 28)), "mnist", options, {"guidance": "1"})
    assert {way: found[way]["pictures"] for way in options.ways} == {"conditioned": 8, "exact": 2}


@pytest.mark.parametrize("name", ["mnist-diffusion", "mnist-diffusion-pooled", "mnistm-diffusion"])
def test_card_in_the_zoo_is_what_its_manifest_gives(name: str, tmp_path: Path) -> None:
    folder = ZOO / name
    if not folder.is_dir():
        pytest.skip(f"{name} is not shipped")
    manifest = read_manifest(folder / "model.yaml")
    write_card(manifest, 1, tmp_path / "CARD.md")
    card = (tmp_path / "CARD.md").read_text()
    assert card == (folder / "CARD.md").read_text()
    rotation = manifest.versions["1"].metrics.get("rotation")
    assert rotation is None or angle_chart(rotation) == (folder / "achieved.svg").read_text()
    for picture in re.findall(r"!\[[^]]*\]\((.*?)\)", card):
        assert (folder / picture).is_file()
