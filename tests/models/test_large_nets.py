from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from equiserve.artifact import read_manifest
from equiserve.errors import InternalError, InvalidRequest
from equiserve.numerics.canonical_origin import canonical_origin
from equiserve_models import export
from equiserve_models.shift import gate, published, twins, vit
from equiserve_models.shift.tie_pictures import tie_pictures

NOISE = np.random.default_rng(0).integers(0, 256, (3, 224, 224), dtype=np.uint8)
ANCHORED = ["vit_s16_224_apa", "twins_svt_s_224_apa"]
TINY = dataclasses.replace(vit.CONFIGS["vit_s16_224_apa"], size=32, patch=8, width=24, depth=1, heads=2, classes=5)


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("name", "count", "multiply_adds"),
    # timm 1.0.31 counts 22,050,664 and 24,060,776 (22.05 M and 24.06 M); 4.6 and 2.8 GMAC: DeiT's and Twins' tables.
    [
        ("vit_s16_224", 22_050_664, 4.6e9),
        # Without 197 absolute positions, with a norm of patches and one 3x3 depth-wise convolution.
        ("vit_s16_224_apa", 22_050_664 - 197 * 384 + 2 * 384 + 10 * 384, 4.6e9),
        ("twins_svt_s_224", 24_060_776, 2.8e9),
        ("twins_svt_s_224_apa", 24_060_776, 2.8e9),
    ],
)
def test_published_sizes_have_the_published_parameters_and_cost(name: str, count: int, multiply_adds: float) -> None:
    network = published.build(name)
    assert parameters(network) == count
    # The counter knows matrix products, not the fused attention.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.no_grad():
        logits = network(torch.from_numpy(NOISE)[None])
    assert logits.shape == (1, 1000)
    assert counter.get_total_flops() / 2 == pytest.approx(multiply_adds, rel=0.05)


def test_anchoring_changes_no_weight_of_twins() -> None:
    plain, anchored = (published.build(name).state_dict() for name in ("twins_svt_s_224", "twins_svt_s_224_apa"))
    assert [(name, weight.shape) for name, weight in plain.items()] == [
        (name, weight.shape) for name, weight in anchored.items()
    ]


@pytest.mark.parametrize("name", published.PUBLISHED)
@torch.no_grad()
def test_anchored_sizes_absorb_circular_shifts_without_the_origin_and_plain_ones_do_not(name: str) -> None:
    # In double precision: a layer that breaks a shift has nowhere to hide.
    network = published.build(name).double()
    shifts = [(0, 0), (37, 150), (7, 8)]
    orbit = torch.from_numpy(np.stack([np.roll(NOISE, shift, (1, 2)) for shift in shifts]))
    logits = network(orbit)
    spread = float((logits - logits[0]).abs().max())
    assert spread < 1e-10 if name in ANCHORED else spread > 1e-3


@pytest.mark.parametrize("name", ["twins_svt_s_224", "vit_s16_224"])
@torch.no_grad()
def test_pixels_are_scaled_by_the_mean_and_deviation_of_each_channel(name: str) -> None:
    config = (twins.CONFIGS | vit.CONFIGS)[name]
    scaled = published.build(name).scaling(torch.from_numpy(NOISE)[None])
    shape = (-1, 1, 1)
    expected = (NOISE / 255 - np.reshape(config.mean, shape)) / np.reshape(config.std, shape)
    np.testing.assert_allclose(scaled[0], expected, rtol=0, atol=1e-6)


def test_export_command_writes_an_untrained_model_that_the_server_symmetrizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vit.CONFIGS, "vit_s16_224_apa", TINY)
    export.main(["vit_s16_224_apa", "--zoo", str(tmp_path)])
    manifest = read_manifest(tmp_path / "vit-s16-224-apa" / "model.yaml")
    assert manifest.symmetrize == "canonical_origin:8"
    assert not manifest.declared_exact()
    assert manifest.as_served().declared_exact()
    version = manifest.versions["1"]
    assert set(version.files) == {"model.onnx", "model.pt"}
    assert version.training == {"weights": "random, seed 0"}
    # The gate ran both files at four batch sizes, although they were traced at one.
    assert [check.max_abs_error < 1e-5 for check in version.export_checks] == [True, True]


def test_published_sizes_are_never_written_into_the_committed_repository() -> None:
    with pytest.raises(InvalidRequest, match="expected another folder"):
        export.main(["vit_s16_224", "--zoo", str(export.ZOO)])


def test_gate_refuses_a_file_that_changes_under_shifts_behind_the_origin() -> None:
    pictures = np.random.default_rng(1).integers(0, 256, (1, 1, 8, 8), dtype=np.uint8)

    def row_dependent(images: np.ndarray) -> np.ndarray:
        return np.arange(len(images), dtype=np.float32)[:, None] * np.float32(1e-7)

    gate.check_behind_origin(Path("model.onnx"), lambda images: images.reshape(len(images), -1) / 255, pictures, 4)
    with pytest.raises(InternalError, match="circular shifts"):
        gate.check_behind_origin(Path("model.onnx"), row_dependent, pictures, 4)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", ANCHORED)
def test_large_anchored_nets_behind_the_origin_give_the_same_bits_for_every_shift(name: str, tmp_path: Path) -> None:
    network = published.build(name)
    export.write_onnx(export.trace(network, NOISE.shape), tmp_path / "model.onnx", "image", "logits")
    classify = export.onnx_runner(tmp_path / "model.onnx")
    generator = np.random.default_rng(2)
    for picture in (NOISE, tie_pictures(224)["two pixels"].repeat(3, 0)):
        shifts = [(0, 0), *generator.integers(0, 224, (63, 2)).tolist()]
        orbit = np.stack([np.roll(picture, shift, (1, 2)) for shift in shifts])
        moved, _ = canonical_origin(orbit, network.config.patch)
        logits = np.concatenate([classify(moved[at : at + 8]) for at in range(0, 64, 8)])
        assert np.array_equal(logits, np.broadcast_to(logits[0], logits.shape))
        # The file alone rounds differently in every frame, and on a tie it may choose another one.
        alone = classify(orbit[:8])
        assert not np.array_equal(alone, np.broadcast_to(alone[0], alone.shape))
