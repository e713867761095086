from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import torch
from torch import Generator, Tensor, nn

from equiserve_models.training import checkpoint, loop, muon
from equiserve_models.training.augment import random_erasing, random_flip, random_translation
from equiserve_models.training.ema import MovingAverage

INPUTS = torch.randn(64, 5, generator=Generator().manual_seed(0))
TARGETS = INPUTS @ torch.arange(5.0)[:, None]
PLAN = loop.Plan(
    epochs=6, batch_size=16, learning_rate=0.05, weight_decay=0.0, warmup=0.1, ema_decay=0.9, clip=10.0, seed=1
)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 16), nn.BatchNorm1d(16), nn.Linear(16, 16), nn.Linear(16, 1))


def loss_of(module: nn.Module, indices: Tensor, generator: Generator) -> Tensor:
    noise = 0.1 * torch.randn(len(indices), 5, generator=generator)
    return (module(INPUTS[indices] + noise) - TARGETS[indices]).square().mean()


def run(folder: Path, plan: loop.Plan, loss: loop.Loss = loss_of) -> dict[str, Tensor]:
    average, progress = loop.train(network(), loss, 64, plan, folder)
    assert progress.step == progress.steps == 24
    return average.state_dict()


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_resumed_training_ends_in_the_same_bits_as_an_uninterrupted_one(
    optimizer: Literal["adamw", "muon"], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = dataclasses.replace(PLAN, optimizer=optimizer)
    expected = run(tmp_path / "whole", plan)
    calls = 0

    def interrupted(module: nn.Module, indices: Tensor, generator: Generator) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == 11:
            raise KeyboardInterrupt
        return loss_of(module, indices, generator)

    monkeypatch.setattr(loop, "CHECKPOINT_EVERY_S", -1.0)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", plan, interrupted)
    state = checkpoint.load(tmp_path / "broken")
    assert state is not None
    assert state["step"] == 10
    resumed = run(tmp_path / "broken", plan)
    assert all(torch.equal(resumed[name], expected[name]) for name in expected)


def test_run_resumed_under_another_number_of_epochs_records_both_plans(tmp_path: Path) -> None:
    loop.train(network(), loss_of, 64, PLAN, tmp_path, minutes=0.0)
    _, progress = loop.train(network(), loss_of, 64, dataclasses.replace(PLAN, epochs=2), tmp_path)
    assert progress.step == 8
    state = checkpoint.load(tmp_path)
    assert state is not None
    assert state["plans"] == [[0, 24], [0, 8]]


def test_training_stops_at_its_time_limit_and_leaves_a_checkpoint(tmp_path: Path) -> None:
    _, progress = loop.train(network(), loss_of, 64, PLAN, tmp_path, minutes=0.0)
    assert progress.step == 0
    assert checkpoint.load(tmp_path) is not None


def test_interrupted_write_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint.save(tmp_path, {"step": 1})

    def fail(state: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("no space")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="no space"):
        checkpoint.save(tmp_path, {"step": 2})
    assert checkpoint.load(tmp_path) == {"step": 1}


def test_learning_rate_rises_to_its_peak_and_falls_to_zero() -> None:
    rates = [loop.learning_rate(PLAN, step, 1000) for step in range(1000)]
    assert max(rates) == rates[99] == pytest.approx(PLAN.learning_rate)
    assert rates[:100] == sorted(rates[:100])
    assert rates[99:] == sorted(rates[99:], reverse=True)
    assert rates[-1] < 1e-5 * PLAN.learning_rate


def test_moving_average_equals_the_closed_form_and_follows_buffers() -> None:
    module = nn.BatchNorm1d(1)
    ema = MovingAverage(module, decay=0.5)
    with torch.no_grad():
        for value in (1.0, 2.0, 3.0):
            module.weight.fill_(value)
            module.num_batches_tracked.fill_(int(value))
            ema.update(module)
    expected = 1.0
    for update, value in enumerate((1.0, 2.0, 3.0), start=1):
        decay = min(0.5, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * value
    assert float(ema.average.weight) == pytest.approx(expected)
    assert int(ema.average.num_batches_tracked) == 3


def test_translation_keeps_the_content_that_stays_inside_and_fills_with_zeros() -> None:
    images = torch.zeros(200, 1, 9, 9, dtype=torch.uint8)
    images[:, 0, 4, 4] = 7
    moved = random_translation(images, 2, Generator().manual_seed(0))
    assert bool((moved.flatten(1).sum(1) == 7).all())
    _, _, rows, columns = moved.nonzero(as_tuple=True)
    assert set(rows.tolist()) == set(columns.tolist()) == {2, 3, 4, 5, 6}


def test_translation_can_bring_in_the_mirrored_picture() -> None:
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (40, 3, 6, 7), dtype=np.uint8))
    moved = random_translation(images, 2, Generator().manual_seed(0), mirrored=True)
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (2, 2), (2, 2)), mode="reflect")
    seen = set()
    for picture, one in zip(padded, moved.numpy(), strict=True):
        places = [(y, x) for y in range(5) for x in range(5) if (picture[:, y : y + 6, x : x + 7] == one).all()]
        assert len(places) == 1
        seen.update(places)
    assert len(seen) > 12


def test_flip_mirrors_about_half_of_the_pictures_and_erasing_leaves_the_others_alone() -> None:
    images = torch.arange(6, dtype=torch.uint8).expand(400, 1, 6, 6).contiguous()
    flipped = random_flip(images, Generator().manual_seed(0))
    mirrored = (flipped == images.flip(3)).flatten(1).all(1)
    assert bool((mirrored | (flipped == images).flatten(1).all(1)).all())
    assert 150 < int(mirrored.sum()) < 250
    assert torch.equal(random_erasing(images, 0.0, Generator().manual_seed(0)), images)
    assert not torch.equal(random_erasing(images, 1.0, Generator().manual_seed(0)), images)


def test_muon_orthogonalises_the_matrices_and_leaves_small_ones_to_adamw() -> None:
    generator = Generator().manual_seed(0)
    for rows, columns in ((16, 40), (40, 16), (24, 24)):
        u, _, vh = torch.linalg.svd(torch.randn(rows, columns, generator=generator), full_matrices=False)
        matrix = u @ torch.diag(torch.logspace(0, -1.5, 24 if rows == columns else 16)) @ vh
        found = muon.orthogonalised(matrix)
        values = torch.linalg.svdvals(found)
        assert 0.6 < float(values.min()) <= float(values.max()) < 1.3
        # The singular vectors stay: u^T found v is diagonal.
        inner = u.T @ found @ vh.T
        torch.testing.assert_close(inner, torch.diag(inner.diagonal()), rtol=0, atol=1e-4)
    layers = {"linear": nn.Linear(32, 16), "head": nn.Linear(32, 10), "depth-wise": nn.Conv2d(32, 32, 3, groups=32)}
    assert [name for name, layer in layers.items() if muon.suits(layer.weight)] == ["linear"]
    assert not muon.suits(layers["linear"].bias)


def test_plan_with_muon_learns_a_linear_map(tmp_path: Path) -> None:
    generator = Generator().manual_seed(1)
    inputs = torch.randn(256, 32, generator=generator)
    targets = inputs @ torch.linalg.qr(torch.randn(32, 16, generator=generator)).Q

    def loss(module: nn.Module, indices: Tensor, generator: Generator) -> Tensor:
        return (module(inputs[indices]) - targets[indices]).square().mean()

    torch.manual_seed(0)
    plan = dataclasses.replace(PLAN, optimizer="muon")
    average, _ = loop.train(nn.Linear(32, 16), loss, 256, plan, tmp_path)
    assert float((average(inputs) - targets).square().mean()) < 0.05  # 1 at the start
    state = checkpoint.load(tmp_path)
    assert state is not None
    assert [entry["momentum"].shape for entry in state["muon"]["state"].values()] == [(16, 32)]
    assert [entry["exp_avg"].shape for entry in state["optimizer"]["state"].values()] == [(16,)]
