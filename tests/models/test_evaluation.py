from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

from equiserve.artifact import read_manifest
from equiserve_models import evaluate
from equiserve_models.data import datasets
from equiserve_models.shift.evaluation import (
    circular_shift_scores,
    exhaustive_orbit_scores,
    zero_filled_shift_scores,
)

POINTS = np.zeros((8, 1, 4, 4), np.uint8)
POINTS[np.arange(8), 0, np.arange(8) // 4, np.arange(8) % 4] = 9


def row_of_the_point(images: np.ndarray) -> np.ndarray:
    return images[:, 0].sum(2).astype(np.float32)


def brightness(images: np.ndarray) -> np.ndarray:
    return np.stack([images.sum((1, 2, 3)), np.full(len(images), 8)], 1).astype(np.float32)


def test_invariant_classifier_keeps_its_accuracy_under_every_circular_shift() -> None:
    pictures = datasets.Pictures(POINTS, np.array([0, 0, 0, 0, 0, 0, 1, 1]))
    assert circular_shift_scores(brightness, pictures, shifts=5, seed=0) == {
        "accuracy": 0.75, "shifted_accuracy": 0.75, "consistency": 1.0, "worst_accuracy": 0.75,
    }  # fmt: skip
    assert exhaustive_orbit_scores(brightness, pictures) == {
        "bit_identical": 1.0, "largest_difference": 0.0, "consistency": 1.0, "worst_accuracy": 0.75,
    }  # fmt: skip


def test_row_classifier_is_consistent_on_the_quarter_of_the_shifts_that_keep_the_row() -> None:
    pictures = datasets.Pictures(POINTS, np.repeat([0, 1], 4))
    scores = exhaustive_orbit_scores(row_of_the_point, pictures)
    assert scores == {
        "bit_identical": 0.25, "largest_difference": 9.0, "consistency": 0.25, "worst_accuracy": 0.0,
    }  # fmt: skip
    scores = circular_shift_scores(row_of_the_point, pictures, shifts=400, seed=0)
    assert scores["accuracy"] == 1.0
    assert scores["consistency"] == scores["shifted_accuracy"] == pytest.approx(0.25, abs=0.04)


def test_zero_filled_shift_of_no_pixels_changes_nothing_and_a_large_one_loses_the_point() -> None:
    pictures = datasets.Pictures(POINTS, np.zeros(8, np.int64))
    assert zero_filled_shift_scores(brightness, pictures, 0, seed=0) == {"accuracy": 1.0, "consistency": 1.0}
    assert zero_filled_shift_scores(brightness, pictures, 40, seed=0)["accuracy"] < 0.5


def test_evaluate_command_notes_its_figures_and_writes_the_card(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (20, 1, 12, 12), dtype=np.uint8)
    pictures = datasets.Pictures(images, np.arange(20) % 10)
    monkeypatch.setattr(datasets, "load", lambda name, split: pictures)
    evaluate.main(["tiny", "--zoo", str(exported.parent.parent)])
    metrics = read_manifest(exported.parent / "model.yaml").versions["1"].metrics
    assert metrics["every_circular_shift"]["bit_identical"] == 1.0
    assert metrics["consistency"] == 1.0
    card = (exported.parent / "CARD.md").read_text()
    assert f"{metrics['accuracy']:.2%}" in card
    assert "python -m equiserve_models.evaluate tiny" in card
