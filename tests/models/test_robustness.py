from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, save_model

pytest.importorskip("torch", reason="the train extra is not installed")

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from equiserve.artifact import read_manifest
from equiserve.errors import InvalidRequest
from equiserve_models.data import datasets
from equiserve_models.shift import robustness, twins
from equiserve_models.shift.bootstrap import bootstrap_mean
from equiserve_models.shift.cost import Cost, cost_of
from equiserve_models.shift.recipes import RECIPES
from equiserve_models.shift.robustness import CLEAN, EVERY_SHIFT, WORST_SHIFT
from equiserve_models.shift.twins import Stage, Twins
from equiserve_models.shift.vit import ViT
from equiserve_models.shift.zoo import export_recipe

POINTS = np.zeros((16, 1, 8, 4), np.uint8)
POINTS[np.arange(16), 0, np.arange(16) // 2, 1] = 200
BY_ROW = datasets.Pictures(POINTS, np.arange(16) // 2)
EMPTY = Cost(0, 0)


def row_of_the_point(images: np.ndarray) -> np.ndarray:
    return images[:, 0].sum(2).astype(np.float32)


def constant(images: np.ndarray) -> np.ndarray:
    return np.tile(np.array([0, 0, 1, 0, 0, 0, 0, 0], np.float32), (len(images), 1))


@pytest.fixture(scope="module")
def found() -> robustness.Robustness:
    return robustness.measure({"row": row_of_the_point, "constant": constant}, BY_ROW, BY_ROW, seed=0)


def test_row_classifier_is_right_where_the_row_stays_and_wrong_where_it_moves(found: robustness.Robustness) -> None:
    scores = {title: (score.right.mean(), score.same.mean()) for title, score in found["row"].items()}
    assert scores[CLEAN] == (1.0, 1.0)
    assert scores["mirrored"] == (1.0, 1.0)
    assert scores["random circular shift"][0] < 0.5
    assert scores["zero-filled shift, up to 2 px"][0] < 0.6
    assert scores[WORST_SHIFT] == scores[EVERY_SHIFT] == (0.0, 0.0)


def test_constant_classifier_is_always_consistent_and_right_for_one_class(found: robustness.Robustness) -> None:
    assert list(found["constant"]) == [CLEAN, *robustness.PERTURBATIONS, WORST_SHIFT, EVERY_SHIFT]
    for score in found["constant"].values():
        assert (score.right.mean(), score.same.mean()) == (0.125, 1.0)


def test_worst_shift_for_all_is_milder_than_every_shift_for_each() -> None:
    # Two points that fail at different shifts: each shift leaves one of them right.
    pictures = datasets.Pictures(POINTS[[0, 2]], np.array([0, 0]))

    def fails_in_row_seven(images: np.ndarray) -> np.ndarray:
        return np.stack([np.ones(len(images)), images[:, 0, 7].sum(1)], 1).astype(np.float32)

    scores = robustness.measure({"model": fails_in_row_seven}, pictures, pictures, seed=0)["model"]
    assert scores[WORST_SHIFT].right.mean() == 0.5
    assert scores[EVERY_SHIFT].right.mean() == 0.0


def test_all_models_see_the_same_perturbed_pictures() -> None:
    found = robustness.measure({"a": row_of_the_point, "b": row_of_the_point}, BY_ROW, BY_ROW, seed=5)
    for title, score in found["a"].items():
        assert np.array_equal(score.right, found["b"][title].right)
    table = robustness.report(found, {"a": Cost(1234, 5_600_000), "b": EMPTY})
    assert f"| {EVERY_SHIFT} | +0.00 [+0.00, +0.00] |" in table
    assert "| parameters | 1,234 | 0 |" in table
    assert "| million multiply-adds | 5.6 | 0.0 |" in table
    assert f"| {CLEAN} | 100.00 [100.00, 100.00] | 100.00 [100.00, 100.00] |" in table


def test_bootstrap_interval_is_that_of_the_central_limit_theorem() -> None:
    values = (np.arange(2000) % 10 < 9).astype(np.float64)
    estimate = bootstrap_mean(values)
    half = 1.96 * np.sqrt(0.9 * 0.1 / 2000)
    assert estimate.mean == pytest.approx(0.9)
    assert estimate.low == pytest.approx(0.9 - half, abs=0.1 * half)
    assert estimate.high == pytest.approx(0.9 + half, abs=0.1 * half)


def test_paired_interval_of_models_that_fail_on_the_same_pictures_is_narrow() -> None:
    hard = np.arange(2000) % 5 == 0
    first, second = (~hard).astype(float), (~hard | (np.arange(2000) % 200 == 0)).astype(float)
    estimate = bootstrap_mean(second - first)
    assert estimate.low > 0
    assert estimate.high - estimate.low < 0.2 * (bootstrap_mean(first).high - bootstrap_mean(first).low)


def test_costs_of_a_graph_are_those_counted_by_hand(tmp_path: Path) -> None:
    def weights(name: str, *shape: int) -> TensorProto:
        return helper.make_tensor(name, TensorProto.FLOAT, shape, np.zeros(shape, np.float32).ravel().tolist())

    nodes = [
        helper.make_node("Cast", ["image"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["x", "kernel"], ["maps"], strides=[2, 2], kernel_shape=[2, 2]),  # 4 x 3x3 x 2*4
        helper.make_node("Flatten", ["maps"], ["row"]),
        helper.make_node("Gemm", ["row", "dense", "bias"], ["hidden"], transB=1),  # 36 x 5
        helper.make_node("MatMul", ["hidden", "matrix"], ["logits"]),  # 5 x 3
    ]
    graph = helper.make_graph(
        nodes,
        "counted",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 2, 6, 6])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])],
        [weights("kernel", 4, 2, 2, 2), weights("dense", 5, 36), weights("bias", 5), weights("matrix", 5, 3)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    save_model(model, str(tmp_path / "model.onnx"))
    assert cost_of(tmp_path / "model.onnx") == Cost(32 + 180 + 5 + 15, 4 * 9 * 8 + 36 * 5 + 5 * 3)


def test_costs_of_an_exported_network_are_those_of_the_network(exported: Path, tiny_network: ViT) -> None:
    cost = cost_of(exported / "model.onnx")
    # The counter knows matrix products, not the fused attention.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.no_grad():
        tiny_network(torch.zeros(1, 1, 12, 12, dtype=torch.uint8))
    assert cost.multiply_adds == counter.get_total_flops() / 2
    parameters = sum(parameter.numel() for parameter in tiny_network.parameters())
    # The exporter folds batch norm into the convolutions and stores equal (untrained) vectors once.
    assert 0.95 * parameters < cost.parameters <= parameters


@pytest.fixture(scope="module")
def colour_twins(exported: Path) -> Path:
    """Version folder of a small colour Twins beside `exported`; the export gate has proved its invariance."""
    config = dataclasses.replace(
        twins.CONFIGS["twins32_apa"],
        size=12,
        stem=4,
        stages=(Stage(8, 1, heads=2, window=3, reduction=2), Stage(12, 1, heads=3, window=3, reduction=1)),
    )
    torch.manual_seed(2)
    recipe = dataclasses.replace(RECIPES["cifar10-twins-apa"], network="colour")
    progress = {"step": 3, "plans": [[0, 4]], "seconds": 60.0, "loss": 2.0, "origin": None}
    state = {"average": Twins(config).state_dict(), "plan": dataclasses.asdict(recipe.plan), **progress}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(twins.CONFIGS, "colour", config)
        patch.setitem(RECIPES, "colour", recipe)
        export_recipe("colour", state, exported.parent.parent, 1)
    return exported.parent.parent / "colour" / "1"


def test_colour_twins_passes_the_export_gate_as_exactly_invariant(colour_twins: Path) -> None:
    manifest = read_manifest(colour_twins.parent / "model.yaml")
    assert [check.identical_under_group for check in manifest.versions["1"].export_checks] == [True, True]
    assert manifest.declared_exact()
    assert manifest.inputs[0].shape == (-1, 3, 12, 12)


def test_command_prints_the_tables_of_an_exported_model(
    exported: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 1, 12, 12), dtype=np.uint8)
    monkeypatch.setattr(datasets, "load", lambda name, split: datasets.Pictures(images, np.arange(40) % 10))
    robustness.main(["tiny", "--zoo", str(exported.parent.parent), "--per-class", "3", "--orbit-per-class", "1"])
    printed = capsys.readouterr().out
    assert "fashion-mnist: 30 test pictures" in printed
    assert "10 pictures x 144 shifts" in printed
    # The anchored network is the same under every circular shift, and says so.
    assert f"| {EVERY_SHIFT} | 100.00 [100.00, 100.00] |" in printed.split("| consistency, %")[1]


def test_command_refuses_models_of_different_data_sets(exported: Path, colour_twins: Path) -> None:
    with pytest.raises(InvalidRequest, match="expected one data set"):
        robustness.main(["tiny", "colour", "--zoo", str(exported.parent.parent)])
