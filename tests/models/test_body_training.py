"""A whole training of a small body network, on generated poses alone: what a newcomer without data gets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import torch

from equiserve.numerics.body_model import bundled_body
from equiserve_models import train
from equiserve_models.body import learning_curve, recipes, training
from equiserve_models.body.learning_curve import drawing
from equiserve_models.body.loss import FitLoss
from equiserve_models.body.network import CONFIGS, FitNetwork, Prediction
from equiserve_models.body.plain import PlainNetwork
from equiserve_models.body.recipes import RECIPES
from equiserve_models.body.sample_clouds import sample_clouds


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The product's recipe on small levels, few patterns and no data; returns the folder of the runs."""
    monkeypatch.setenv("EQUISERVE_DATA", str(tmp_path / "nothing"))
    config = replace(CONFIGS["body2048"], samples=400, points=(96, 40, 16), labelled=128)
    monkeypatch.setitem(CONFIGS, "body2048", config)
    for module, name, value in (
        (recipes, "PATTERNS", 2),
        (recipes, "POSES", 8),
        (training, "SCANS_PER_EPOCH", 16),
        (learning_curve, "CLOUDS", 2),
    ):
        monkeypatch.setattr(module, name, value)
    return tmp_path / "runs"


def test_the_product_trains_without_data_resumes_and_draws_its_curve(small: Path, capsys) -> None:
    train.main(["articulated-body", "--epochs", "1", "--runs", str(small)])
    train.main(["articulated-body", "--epochs", "2", "--runs", str(small)])
    assert "32 of 32 scans" in capsys.readouterr().out
    state = torch.load(small / "articulated-body" / "checkpoint.pt", weights_only=True)
    assert [planned for _, planned in state["plans"]] == [2, 4]
    points = json.loads((small / "articulated-body" / "curve.json").read_text())
    assert [point["scans"] for point in points] == [16, 32]
    picture = drawing(points)
    assert picture.startswith("<svg")
    assert "V2V mean, mm" in picture
    assert "training scans" in picture


def test_a_perfect_prediction_has_no_loss_but_that_of_the_labels(small: Path) -> None:
    recipe = RECIPES["articulated-body"]
    scans = replace(recipe, corruption=recipes.Corruption()).scans()(2, torch.Generator().manual_seed(0))

    class Oracle(FitNetwork):
        def predict(self, points):
            labels = torch.nn.functional.one_hot(scans.labels[:, :40], 24).float()
            exact = (scans.rotations, scans.rotations, scans.betas, (labels + 1e-12).log(), labels.mean(1))
            return Prediction(*exact), points.mean(1, keepdim=True)

    loss = FitLoss(bundled_body())(Oracle(CONFIGS["body2048"]), scans)
    assert float(loss) == pytest.approx(5e-3, abs=1e-3)  # the square root is rounded off at a millimetre


@torch.no_grad()
def test_the_baseline_answers_in_the_same_form_and_does_not_turn() -> None:
    torch.manual_seed(0)
    network = PlainNetwork(CONFIGS["body2048"]).eval()
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(593_880, rel=0.2)
    cloud = torch.from_numpy(sample_clouds(1, 1024, seed=0))
    quarter = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    plain, turned = network(cloud), network(cloud @ quarter.T)
    assert [tuple(output.shape[1:]) for output in plain] == [(24, 3, 3), (10,), (3,), (512, 24), (24,)]
    assert float((turned[0] - quarter @ plain[0]).abs().max()) > 0.1
