from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import torch
from torch import nn

from equiserve.artifact import read_manifest, write_manifest
from equiserve.artifact.digest import sha256_of
from equiserve.errors import EquiServeError, InvalidRequest, NotFound
from equiserve_models import train
from equiserve_models.data import datasets
from equiserve_models.export import trace, write_torchscript
from equiserve_models.shift import card, zoo
from equiserve_models.shift.recipes import RECIPES
from equiserve_models.shift.vit import CONFIGS, ViT
from equiserve_models.training import checkpoint, warm_start

ZOO = Path(__file__).parents[2] / "models" / "zoo"
NOISE = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (64, 1, 12, 12), dtype=np.uint8))


def write(network: nn.Module, path: Path) -> None:
    write_torchscript(trace(network, (1, 12, 12)), path)


def trained(anchored: bool) -> ViT:
    """A small network whose batch norms have seen data, as after a training."""
    torch.manual_seed(5)
    network = ViT(
        dataclasses.replace(CONFIGS["vit28"], anchored=anchored, size=12, stem=(4, 6), width=12, depth=2)
    ).train()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        for _ in range(20):
            network(NOISE)
    return network.eval()


@pytest.fixture(scope="module")
def anchored_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of `trained(anchored=True)`."""
    path = tmp_path_factory.mktemp("trained") / "model.pt"
    write(trained(anchored=True), path)
    return path


def stranger(network: ViT, **changes: int) -> ViT:
    torch.manual_seed(6)
    return ViT(dataclasses.replace(network.config, **changes))


@pytest.mark.parametrize("anchored", [True, False], ids=["anchored", "absolute positions"])
def test_network_with_the_weights_of_its_file_computes_the_same(anchored: bool, tmp_path: Path) -> None:
    original = trained(anchored)
    write(original, tmp_path / "model.pt")
    network = stranger(original)
    warm_start.load_weights(network, tmp_path / "model.pt", write, NOISE[:4])
    weights = dict(network.named_parameters())
    for name, weight in original.named_parameters():
        if not name.startswith("embedding"):  # there a batch norm is folded
            assert torch.equal(weights[name], weight), name
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(NOISE), original(NOISE), rtol=0, atol=1e-5)


def test_calibration_changes_no_answer_and_lets_training_begin_where_the_file_ended(anchored_file: Path) -> None:
    original = trained(anchored=True)
    network = stranger(original)
    warm_start.load_weights(network, anchored_file, write, NOISE[:4])
    with torch.no_grad():
        expected = original(NOISE)
        before = copy.deepcopy(network).train()(NOISE)
        warm_start.calibrate(network, lambda calibrated: calibrated(NOISE))
        torch.testing.assert_close(network(NOISE), expected, rtol=0, atol=1e-5)
        after = network.train()(NOISE)
    assert float((before - expected).abs().max()) > 0.1
    torch.testing.assert_close(after, expected, rtol=0, atol=2e-3)


@pytest.mark.parametrize("change", [{"depth": 3}, {"width": 18}, {"mlp_ratio": 3}], ids=str)
def test_file_of_another_network_is_refused(change: dict[str, int], anchored_file: Path) -> None:
    network = stranger(trained(anchored=True), **change)
    with pytest.raises(InvalidRequest) as caught:
        warm_start.load_weights(network, anchored_file, write, NOISE[:4])
    assert caught.value.field == "from"


@pytest.fixture
def shipped(anchored_file: Path, exported: Path, tmp_path: Path) -> Path:
    """The same file in a model repository, with the manifest of `exported`."""
    folder = tmp_path / "shipped" / "tiny" / "1"
    folder.mkdir(parents=True)
    (folder / "model.pt").write_bytes(anchored_file.read_bytes())
    manifest = read_manifest(exported.parent / "model.yaml")
    entry = manifest.versions["1"]
    files = {"model.pt": entry.files["model.pt"].model_copy(update={"sha256": sha256_of(folder / "model.pt")})}
    versions = {"1": entry.model_copy(update={"files": files})}
    write_manifest(manifest.model_copy(update={"versions": versions}), folder.parent / "model.yaml")
    return folder / "model.pt"


def test_run_that_starts_from_a_shipped_file_records_its_lineage(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CONFIGS, "tiny", trained(anchored=True).config)
    monkeypatch.setitem(RECIPES, "tiny", dataclasses.replace(RECIPES["fashion-mnist-vit-apa"], network="tiny"))
    pictures = datasets.Pictures(np.repeat(NOISE.numpy(), 4, 0), np.arange(256) % 10)
    monkeypatch.setattr(datasets, "load", lambda name, split: pictures)
    plan = ["tiny", "--runs", str(tmp_path / "runs"), "--epochs", "2", "--learning-rate", "1e-3"]
    train.main([*plan, "--from", str(shipped), "--minutes", "0"])
    # The second start goes on from the checkpoint, which remembers where the run began.
    train.main(plan)
    state = checkpoint.load(tmp_path / "runs" / "tiny")
    assert state is not None
    zoo.export_recipe("tiny", state, tmp_path / "zoo", 1)
    manifest = read_manifest(tmp_path / "zoo" / "tiny" / "model.yaml")
    training = manifest.versions["1"].training
    earlier = read_manifest(shipped.parents[1] / "model.yaml").versions["1"].training
    assert training["recipe"]["plan"]["epochs"] == 2
    assert training["recipe"]["plan"]["learning_rate"] == 1e-3
    assert training["started_from"]["sha256"] == sha256_of(shipped)
    assert training["started_from"]["training"] == earlier

    metrics = read_manifest(ZOO / "fashion-mnist-vit-apa" / "model.yaml").versions["1"].metrics
    versions = {"1": manifest.versions["1"].model_copy(update={"metrics": metrics})}
    card.write_card(manifest.model_copy(update={"versions": versions}), 1, tmp_path / "CARD.md")
    text = (tmp_path / "CARD.md").read_text()
    assert "2.0 of 2 epochs" in text
    assert "from `tiny/1/model.pt`" in text
    assert "(15.0 epochs): 17.0 epochs in all" in text


def test_file_that_its_manifest_does_not_describe_is_no_start(exported: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tiny" / "1"
    folder.mkdir(parents=True)
    (tmp_path / "tiny" / "model.yaml").write_bytes((exported.parent / "model.yaml").read_bytes())
    (folder / "model.pt").write_bytes(b"tampered")
    with pytest.raises(EquiServeError, match=r"model\.pt"):
        warm_start.origin_of(folder / "model.pt")
    with pytest.raises(NotFound, match="expected the file"):
        warm_start.origin_of(tmp_path / "tiny" / "2" / "model.pt")
