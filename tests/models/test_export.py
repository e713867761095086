from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

from equiserve.artifact import read_manifest
from equiserve.artifact.folder import verify_digest
from equiserve.errors import InternalError
from equiserve_models import export
from equiserve_models.shift import zoo
from equiserve_models.shift.tie_pictures import circular_orbit, tie_pictures
from equiserve_models.shift.vit import ViT

TIES = np.stack(list(tie_pictures(12).values()))
NOISE = np.random.default_rng(0).integers(0, 256, (23, 1, 12, 12), dtype=np.uint8)
PICTURES = np.concatenate([TIES, NOISE])
LOADERS = {"model.onnx": export.onnx_runner, "model.pt": export.torchscript_runner}


@pytest.mark.parametrize("file", LOADERS)
def test_exported_file_agrees_with_the_network_at_every_batch_size(
    exported: Path, tiny_network: ViT, file: str
) -> None:
    runner, eager = LOADERS[file](exported / file), export.eager_runner(tiny_network)
    for size in (1, 2, 3, 7, 32):
        np.testing.assert_allclose(runner(PICTURES[:size]), eager(PICTURES[:size]), rtol=0, atol=2e-6)


@pytest.mark.parametrize("file", LOADERS)
def test_exported_file_is_invariant_to_every_circular_shift_bit_for_bit(exported: Path, file: str) -> None:
    runner = LOADERS[file](exported / file)
    for picture in PICTURES[:12]:
        logits = runner(circular_orbit(picture))
        assert np.array_equal(logits, np.broadcast_to(logits[0], logits.shape))


@pytest.mark.parametrize("file", LOADERS)
def test_each_row_of_a_batch_gets_its_own_origin(exported: Path, file: str) -> None:
    runner = LOADERS[file](exported / file)
    generator = np.random.default_rng(1)
    moved = np.stack([np.roll(p, generator.integers(0, 12, 2), (1, 2)) for p in PICTURES])
    assert np.array_equal(runner(moved), runner(PICTURES))
    assert np.array_equal(runner(PICTURES[::-1].copy())[::-1], runner(PICTURES))


def test_parity_gate_refuses_a_file_of_another_network(exported: Path) -> None:
    path = exported / "model.onnx"
    with pytest.raises(InternalError, match=r"model\.onnx differs"):
        export.check_parity(path, export.onnx_runner(path), lambda images: np.ones((len(images), 10)), PICTURES)


def test_onnx_file_names_its_tensors_and_nothing_of_the_exporting_machine(exported: Path) -> None:
    path = exported / "model.onnx"
    model = onnx.load(path)
    (image,), (logits,) = model.graph.input, model.graph.output
    assert (image.name, image.type.tensor_type.elem_type) == ("image", onnx.TensorProto.UINT8)
    assert (logits.name, logits.type.tensor_type.elem_type) == ("logits", onnx.TensorProto.FLOAT)
    assert image.type.tensor_type.shape.dim[0].dim_param == "batch"
    assert model.opset_import[0].version == export.OPSET
    assert b"site-packages" not in path.read_bytes()


def test_torchscript_file_holds_no_debug_records(exported: Path) -> None:
    names = zipfile.ZipFile(exported / "model.pt").namelist()
    assert names
    assert not [name for name in names if name.endswith(".debug_pkl")]


def test_manifest_records_digests_checks_and_the_exact_symmetry(exported: Path) -> None:
    manifest = read_manifest(exported.parent / "model.yaml")
    version = manifest.versions["1"]
    for name, file in version.files.items():
        verify_digest(exported / name, file.sha256)
    assert [check.identical_under_group for check in version.export_checks] == [True, True]
    (symmetry,) = manifest.symmetries
    assert (symmetry.group, symmetry.level, symmetry.elements) == ("CyclicShift", "exact", 144)
    assert symmetry.file_digest == version.files["model.onnx"].sha256


def test_gate_refuses_an_anchored_file_whose_bits_depend_on_the_shift(tiny_network: ViT, tmp_path: Path) -> None:
    eager = export.eager_runner(tiny_network)

    def position_dependent(images: np.ndarray) -> np.ndarray:
        return eager(images) + images[:, 0, 0, :1] * np.float32(1e-7)

    with pytest.raises(InternalError, match="circular shifts"):
        zoo.check_file(tmp_path / "model.onnx", position_dependent, eager, PICTURES, anchored=True)
