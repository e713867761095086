from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import torch
from torch import Generator, Tensor, nn

from equiserve_models import train
from equiserve_models.training import checkpoint
from equiserve_models.training import loop as loop_module
from equiserve_models.training import run as run_module
from equiserve_models.training.loop import Plan, Progress
from equiserve_models.training.run import Training, run

PLAN = Plan(epochs=4, batch_size=16, learning_rate=0.01, weight_decay=0.0, warmup=0.1, ema_decay=0.9, clip=1.0, seed=0)
ORIGIN = {"model": "shipped"}


class Recorder:
    """A training of a linear map that notes what is asked of it."""

    def __init__(self) -> None:
        self.begun: list[Path] = []
        self.reported: list[int] = []
        self.losses = 0

    def training(self, report_minutes: float = math.inf) -> Training:
        torch.manual_seed(0)
        return Training(nn.Linear(3, 1), self.loss, 64, self.begin_at, self.report, report_minutes)

    def loss(self, network: nn.Module, indices: Tensor, generator: Generator) -> Tensor:
        self.losses += 1
        return network(torch.randn(len(indices), 3, generator=generator)).square().mean()

    def begin_at(self, file: Path) -> dict[str, Any]:
        self.begun.append(file)
        return ORIGIN

    def report(self, average: nn.Module, progress: Progress) -> None:
        self.reported.append(progress.step)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def test_no_two_families_name_a_recipe_alike() -> None:
    names = [name for recipes in train.FAMILIES.values() for name in recipes]
    assert len(names) == len(set(names))
    assert {"fashion-mnist-vit-apa", "mnist-diffusion", "articulated-body"} <= set(names)


def test_tables_of_the_recipes_need_no_exporter_and_no_family_needs_another() -> None:
    program = """
import sys
import equiserve_models.train
assert "onnx" not in sys.modules and "onnxruntime" not in sys.modules
import equiserve_models.diffusion.training
assert "onnx" not in sys.modules and "onnxruntime" not in sys.modules
assert not {"equiserve_models.shift.training", "equiserve_models.body.training"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_unknown_recipe_is_refused_with_the_names_of_every_family(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        train.main(["fashion-mnist-cnn"])
    error = capsys.readouterr().err
    assert all(name in error for name in ("fashion-mnist-vit-apa", "mnist-diffusion", "articulated-body"))


def test_run_begins_at_a_shipped_file_once_and_resumes_from_its_checkpoint(recorder: Recorder, tmp_path: Path) -> None:
    shipped = tmp_path / "model.pt"
    run(recorder.training(), PLAN, tmp_path, minutes=0.0, start=shipped)
    run(recorder.training(), PLAN, tmp_path, start=shipped)
    assert recorder.begun == [shipped]
    assert recorder.reported == [0, 16]
    state = checkpoint.load(tmp_path)
    assert state is not None
    assert state["origin"] == ORIGIN


def test_reports_in_between_leave_the_weights_of_an_uninterrupted_run(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(recorder.training(), PLAN, tmp_path / "whole")
    recorder.reported.clear()
    # A clock on which a step takes a minute.
    clock = SimpleNamespace(monotonic=lambda: 60.0 * recorder.losses)
    for module in (loop_module, run_module):
        monkeypatch.setattr(module, "time", clock)
    run(recorder.training(report_minutes=5.0), PLAN, tmp_path / "stretches", minutes=2.0)
    run(recorder.training(report_minutes=5.0), PLAN, tmp_path / "stretches")
    assert recorder.reported == [2, 7, 12, 16]
    whole, stretches = (checkpoint.load(tmp_path / name) for name in ("whole", "stretches"))
    assert whole is not None
    assert stretches is not None
    assert all(torch.equal(stretches["average"][name], value) for name, value in whole["average"].items())
