from __future__ import annotations

import dataclasses
import json
import warnings
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import torch
from torch import Generator, Tensor

from denoisers import SIZE, tiny_denoiser
from equiserve.artifact.digest import sha256_of
from equiserve_models import train
from equiserve_models.diffusion import comparison, pictures, training
from equiserve_models.diffusion.pictures import DigitPictures
from equiserve_models.diffusion.recipes import COMPARED, RECIPES, SEEDS, Recipe
from equiserve_models.diffusion.unet import CONFIGS
from equiserve_models.training import checkpoint


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """A recipe of a few steps on 64 tiny digits, by the name `tiny`."""
    digits = torch.randint(0, 256, (64, 1, SIZE, SIZE), generator=Generator().manual_seed(0), dtype=torch.uint8)
    data = DigitPictures(digits, torch.arange(64) % 10, None)
    plan = dataclasses.replace(RECIPES["mnist-diffusion-base"].plan, epochs=2, batch_size=16)
    recipe = dataclasses.replace(RECIPES["mnist-diffusion-base"], network="tiny", plan=plan)
    monkeypatch.setitem(CONFIGS, "tiny", tiny_denoiser().network.config)
    monkeypatch.setitem(RECIPES, "tiny", recipe)
    monkeypatch.setattr(pictures, "load", lambda name, split: data)
    return recipe


def test_training_command_leaves_a_checkpoint_and_resumes(tiny: Recipe, tmp_path: Path) -> None:
    train.main(["tiny", "--runs", str(tmp_path), "--epochs", "1"])
    state = checkpoint.load(tmp_path / "tiny")
    assert state is not None
    assert state["step"] == 4
    train.main(["tiny", "--runs", str(tmp_path)])
    metrics = json.loads((tmp_path / "tiny" / "metrics.json").read_text())
    assert (metrics["progress"]["step"], metrics["progress"]["steps"]) == (8, 8)
    train.main(["tiny", "--runs", str(tmp_path), "--fresh", "--minutes", "0"])
    state = checkpoint.load(tmp_path / "tiny")
    assert state is not None
    assert state["step"] == 0


def test_training_that_begins_at_a_shipped_file_notes_it_in_the_run_folder(tiny: Recipe, tmp_path: Path) -> None:
    shipped = tmp_path / "tiny-diffusion" / "1" / "model.pt"
    shipped.parent.mkdir(parents=True)
    inputs = (torch.zeros(1, 1, SIZE, SIZE), torch.ones(1), torch.zeros(1, dtype=torch.int64), torch.zeros(1, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of every shape that Python looks at
        torch.jit.trace(tiny_denoiser(), inputs, check_trace=False).save(shipped)
    train.main(["tiny", "--runs", str(tmp_path), "--from", str(shipped), "--minutes", "0"])
    expected = tiny_denoiser().state_dict()
    origin = json.loads((tmp_path / "tiny" / training.ORIGIN).read_text())
    assert origin == {"file": "tiny-diffusion/1/model.pt", "sha256": sha256_of(shipped), "tensors": len(expected)}
    state = checkpoint.load(tmp_path / "tiny")
    assert state is not None
    assert all(torch.equal(state["network"][name], value) for name, value in expected.items())


@pytest.mark.parametrize("changes", [{}, {"equivariance": 0.1}, {"turned": 0.0}])
def test_loss_is_finite_and_the_same_for_the_same_generator(tiny: Recipe, changes: dict[str, float]) -> None:
    recipe = dataclasses.replace(tiny, **changes)
    loss_of = recipe.loss(pictures.load("mnist", "train"))
    denoiser, indices = tiny_denoiser(), torch.arange(16)
    values = [float(loss_of(denoiser, indices, Generator().manual_seed(seed)).detach()) for seed in (1, 1, 2)]
    assert values[0] == values[1] != values[2]
    assert 0 < values[0] < 100


def test_drop_out_shows_some_rows_no_class_and_no_angle(tiny: Recipe) -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    class Listening(torch.nn.Module):
        def forward(self, x: Tensor, sigma: Tensor, label: Tensor, angle: Tensor) -> Tensor:
            seen.append((label, angle))
            return x

    loss_of = tiny.loss(pictures.load("mnist", "train"))
    for seed in range(40):
        loss_of(Listening(), torch.arange(64), Generator().manual_seed(seed))
    label, angle = torch.cat([one for one, _ in seen]), torch.cat([other for _, other in seen])
    assert float((label == 10).float().mean()) == pytest.approx(0.1, abs=0.02)
    assert float((angle[:, 2] == 0).float().mean()) == pytest.approx(0.1, abs=0.02)
    stated = angle[angle[:, 2] == 1]
    assert float((stated[:, 1] == 0).float().mean()) == pytest.approx(0.2, abs=0.03)  # upright
    assert float(torch.rad2deg(torch.atan2(stated[:, 1], stated[:, 0])).abs().max()) == pytest.approx(50, abs=0.5)


def test_compared_recipes_see_the_same_pictures_in_the_same_order() -> None:
    for seed in SEEDS:
        plans = {RECIPES[f"comparison-{letter}-{seed}"].plan for letter in COMPARED}
        assert len(plans) == 1
        assert {RECIPES[f"comparison-{letter}-{seed}"].dataset for letter in COMPARED} == {"mnist"}


def test_table_of_the_comparison_gives_the_mean_and_the_range_over_seeds(tmp_path: Path) -> None:
    for seed, distance in ((0, 3.0), (2, 5.0)):
        judges = {name: {"distance": distance, "accuracy": 0.9} for name in ("strided", "pooled")}
        scores = {"judges": judges, "eq_r_db": 20.0, "pictures_seen": 1000}
        comparison.record_of(tmp_path, "B", seed, 1, 50).write_text(json.dumps(scores))
    *_, row = comparison.table(tmp_path, ["A", "B"], 1, 50).splitlines()
    assert row.startswith("| B | 2 | 1,000 | 4.00 (3.00 to 5.00) | 4.00 (3.00 to 5.00) | 90.00%")
