from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import onnx
import onnxruntime

from equiserve_models.data import datasets
from equiserve_models.shift import ablation, scoring, vit
from equiserve_models.shift.recipes import ABLATION_SEEDS, RECIPES
from equiserve_models.shift.robustness import CLEAN, EVERY_SHIFT
from equiserve_models.shift.scoring import recorded
from equiserve_models.shift.table import HEADINGS

NAMES = ["ablation-vit28-0", "ablation-vit28-alias-free-0"]


@pytest.fixture(autouse=True)
def small_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two recipes on small networks and 16 pictures of 16x16 pixels."""
    for name in NAMES:
        recipe = RECIPES[name]
        small = dataclasses.replace(vit.CONFIGS[recipe.network], size=16, stem=(4, 6), width=12, depth=1)
        monkeypatch.setitem(vit.CONFIGS, f"{name}-small", small)
        plan = dataclasses.replace(recipe.plan, epochs=1, batch_size=8)
        monkeypatch.setitem(RECIPES, name, dataclasses.replace(recipe, network=f"{name}-small", plan=plan))
    images = np.random.default_rng(0).integers(0, 256, (16, 1, 16, 16), dtype=np.uint8)
    monkeypatch.setattr(datasets, "load", lambda name, split: datasets.Pictures(images, np.arange(16) % 10))


def test_every_network_is_trained_with_one_seed_before_the_next_seed() -> None:
    seeds = [RECIPES[name].plan.seed for name in ablation.ablations()]
    assert seeds == sorted(seeds)
    assert set(seeds) == set(ABLATION_SEEDS)
    assert len(seeds) == 27


def folders(path: Path) -> list[str]:
    return ["--runs", str(path / "runs"), "--exports", str(path / "exports"), "--records", str(path / "records")]


def test_ablation_records_what_is_missing_and_skips_what_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*NAMES, *folders(tmp_path)]
    ablation.main([NAMES[1], *arguments[2:]])
    only = ablation.onnx_path(tmp_path / "exports", NAMES[1])
    session = onnxruntime.InferenceSession(only)
    assert session.run(None, {"image": np.zeros((3, 1, 16, 16), np.uint8)})[0].shape == (3, 10)
    # The alias-free activation is matrices in the file, no operator that a runtime may lack.
    assert {node.op_type for node in onnx.load(only).graph.node}.isdisjoint({"DFT", "Resize", "Loop", "If"})

    # The record is enough: of a later session it is all that is there.
    only.unlink()
    ablation.main(arguments)
    assert not only.exists()
    assert ablation.onnx_path(tmp_path / "exports", NAMES[0]).is_file()
    assert f"[2/2] {NAMES[1]}: recorded" in capsys.readouterr().err
    scores = recorded(ablation.record_of(tmp_path / "records", NAMES[1]))
    assert scores.keys() == HEADINGS.keys()
    assert scores[CLEAN].right.shape == (16,)
    assert bool(scores[EVERY_SHIFT].same.all())  # at the canonical origin


def test_stopped_ablation_goes_on_from_its_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [NAMES[0], *folders(tmp_path)]
    ablation.main([*arguments, "--minutes", "0"])
    assert not ablation.onnx_path(tmp_path / "exports", NAMES[0]).is_file()
    assert "goes on from its checkpoint" in capsys.readouterr().err
    ablation.main(arguments)
    assert ablation.onnx_path(tmp_path / "exports", NAMES[0]).is_file()


def test_file_without_scores_is_scored_and_a_record_of_another_file_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ablation.main([NAMES[0], *folders(tmp_path)])
    path, record = (
        ablation.onnx_path(tmp_path / "exports", NAMES[0]),
        ablation.record_of(tmp_path / "records", NAMES[0]),
    )
    expected = recorded(record)[CLEAN].right
    record.unlink()
    monkeypatch.setattr(ablation, "train", None)  # is not called
    ablation.main([NAMES[0], *folders(tmp_path)])
    assert np.array_equal(recorded(record)[CLEAN].right, expected)

    model = onnx.load(path)
    model.doc_string = "other bytes"
    onnx.save(model, path)
    measured = scoring.measure
    seen: list[object] = []
    monkeypatch.setattr(scoring, "measure", lambda *arguments: seen.append(arguments) or measured(*arguments))
    for _ in range(2):
        scoring.score(path, "fashion-mnist", 1, record)
    assert len(seen) == 1


def test_command_refuses_a_recipe_that_is_no_ablation(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        ablation.main(["fashion-mnist-vit"])
    assert "no ablation ['fashion-mnist-vit']" in capsys.readouterr().err
