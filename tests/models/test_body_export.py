"""The exported files of a small body network: as the network, for any batch and point count, and as equivariant."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import onnx
import torch

import equiserve_models
from equiserve.artifact import read_manifest
from equiserve.errors import InternalError, InvalidRequest
from equiserve_models.body import icosahedron, recipes, training
from equiserve_models.body.card import card
from equiserve_models.body.export import (
    OUTPUTS,
    check_file,
    export_network,
    group_errors,
    onnx_fitter,
    torch_fitter,
    torchscript_fitter,
)
from equiserve_models.body.network import CONFIGS, BodyNetwork
from equiserve_models.body.sample_clouds import sample_clouds
from equiserve_models.training.named_weights import load_named_weights

# torch's exporter takes half a minute of CPU, whatever the size of the network.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def network() -> BodyNetwork:
    torch.manual_seed(0)
    sizes = CONFIGS["body2048"]
    small = replace(sizes, points=(96, 40, 16), labelled=128, blocks=sizes.blocks[:1], head_layers=1)
    return BodyNetwork(small).eval()


@pytest.fixture(scope="module")
def folder(network: BodyNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    zoo = tmp_path_factory.mktemp("zoo")
    export_network("small-body", network, {"weights": "random, seed 0"}, zoo, 1, "fits a body")
    return zoo / "small-body"


@pytest.mark.parametrize("file", ["model.onnx", "model.pt"])
def test_any_number_of_clouds_and_points_gives_what_the_network_gives(
    network: BodyNetwork, folder: Path, file: str
) -> None:
    fitter = onnx_fitter(folder / "1" / file) if file.endswith("onnx") else torchscript_fitter(folder / "1" / file)
    for batch, points in ((1, 128), (1, 2048), (4, 700)):
        clouds = sample_clouds(batch, points, seed=points)
        for got, wanted in zip(fitter(clouds), torch_fitter(network)(clouds), strict=True):
            np.testing.assert_allclose(got, wanted, atol=1e-3)


def test_the_onnx_file_turns_with_the_sixty_rotations(folder: Path) -> None:
    fitter = onnx_fitter(folder / "1" / "model.onnx")
    errors = group_errors(fitter, sample_clouds(1, 1024, seed=5), icosahedron.rotations())
    assert errors["global_rotations"] < 1e-3  # 0.06 degrees
    assert errors["translation"] < 1e-4
    assert max(errors["betas"], errors["part_probabilities"], errors["part_mass"]) < 1e-5


def test_the_onnx_file_has_no_custom_operators_and_no_machine_names(folder: Path) -> None:
    model = onnx.load(folder / "1" / "model.onnx")
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
    source = str(Path(equiserve_models.__file__).parents[2]).encode()
    for file in (folder / "1").iterdir():
        assert source not in file.read_bytes()


def test_the_manifest_states_the_contract_of_the_fit_task(folder: Path) -> None:
    manifest = read_manifest(folder / "model.yaml")
    assert manifest.task == "fit"
    assert [spec.name for spec in manifest.inputs] == ["points"]
    assert tuple(spec.name for spec in manifest.outputs) == OUTPUTS
    assert manifest.task_options["body"] == "openbody"
    assert manifest.task_options["points"] == 2048
    assert "Under training" in card(manifest, 1) or "Not trained" in card(manifest, 1)


def test_a_training_can_begin_at_the_weights_of_the_file(network: BodyNetwork, folder: Path) -> None:
    torch.manual_seed(9)
    other = BodyNetwork(network.config)
    load_named_weights(other, folder / "1" / "model.pt")
    for (name, wanted), got in zip(network.named_parameters(), other.parameters(), strict=True):
        assert torch.equal(got, wanted), name
    with pytest.raises(InvalidRequest, match="in the place of"):
        load_named_weights(BodyNetwork(CONFIGS["body2048"]), folder / "1" / "model.pt")


def test_a_training_that_begins_at_the_file_keeps_where_it_comes_from(
    network: BodyNetwork, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(CONFIGS, "body2048", network.config)
    monkeypatch.setattr(recipes, "PATTERNS", 2)
    monkeypatch.setattr(recipes, "POSES", 8)
    ready = training.prepare(recipes.RECIPES["articulated-body"], tmp_path)
    origin = ready.begin_at(folder / "1" / "model.pt")
    assert origin is not None
    assert origin["model"] == "small-body"
    assert origin["training"] == {"weights": "random, seed 0"}
    for (name, wanted), got in zip(network.named_parameters(), ready.network.parameters(), strict=True):
        assert torch.equal(got, wanted), name


def test_a_file_that_is_not_equivariant_is_refused(network: BodyNetwork) -> None:
    fitter = torch_fitter(network)

    def leaning(points: np.ndarray) -> tuple[np.ndarray, ...]:
        rotations, *others = fitter(points)
        return (rotations, others[0] + points[:, :1, :1].mean(2), *others[1:])

    with pytest.raises(InternalError, match="under rotations"):
        check_file(Path("model.onnx"), leaning, leaning, rotations=3)
