"""The committed shift classifiers, through ONNX Runtime alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from equiserve.artifact import read_manifest
from equiserve.artifact.folder import verify_digest

ROOT = Path(__file__).parents[2]
ZOO = ROOT / "models" / "zoo"
MODELS = [
    "fashion-mnist-vit-apa",
    "fashion-mnist-vit",
    "fashion-mnist-twins-apa",
    "fashion-mnist-twins",
    "mnist-vit-apa",
]
ANCHORED = [model for model in MODELS if model.endswith("-apa")]
GARMENTS = [model for model in MODELS if model.startswith("fashion-mnist")]
SAMPLES = np.load(ROOT / "tests" / "data" / "fashion_mnist_100.npz")
IMAGES = SAMPLES["images"][:, None]


def logits(model: str, images: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    path = ZOO / model / "1" / "model.onnx"
    result: np.ndarray = onnxruntime.InferenceSession(path, options).run(["logits"], {"image": images})[0]
    return result


def orbit(picture: np.ndarray) -> np.ndarray:
    return np.stack([np.roll(picture, (dy, dx), (1, 2)) for dy in range(28) for dx in range(28)])


@pytest.mark.parametrize("model", MODELS)
def test_files_are_those_that_the_manifest_describes(model: str) -> None:
    manifest = read_manifest(ZOO / model / "model.yaml")
    for version, entry in manifest.versions.items():
        for name, file in entry.files.items():
            verify_digest(ZOO / model / version / name, file.sha256)
        assert {symmetry.file_digest for symmetry in manifest.symmetries} == {entry.files["model.onnx"].sha256}


@pytest.mark.parametrize("model", GARMENTS)
def test_classifier_knows_the_sample_garments(model: str) -> None:
    right = logits(model, IMAGES).argmax(1) == SAMPLES["labels"]
    assert right.mean() >= 0.8


@pytest.mark.parametrize("model", ANCHORED)
def test_anchored_network_is_invariant_to_every_circular_shift_bit_for_bit(model: str) -> None:
    assert read_manifest(ZOO / model / "model.yaml").declared_exact()
    for picture in IMAGES[[0, 25, 99]]:
        shifted = logits(model, orbit(picture))
        assert np.array_equal(shifted, np.broadcast_to(shifted[0], shifted.shape))


def test_plain_vit_changes_its_answer_under_circular_shifts() -> None:
    classes = logits("fashion-mnist-vit", orbit(IMAGES[0])).argmax(1)
    assert len(np.unique(classes)) > 1
