from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from equiserve.artifact import Batching, GroupSpec, Manifest, Symmetry, TensorSpec, read_manifest, write_manifest

PICTURE = TensorSpec(
    name="image",
    datatype="UINT8",
    shape=(-1, 1, 28, 28),
    axes=("batch", "channel", "height", "width"),
    kind="picture",
    value_range=(0, 255),
)
LOGITS = TensorSpec(name="logits", datatype="FP32", shape=(-1, 10), kind="logits", invariant=True)


def build(**changes: object) -> Manifest:
    return Manifest(**({"schema": 1, "name": "m", "inputs": [PICTURE], "outputs": [LOGITS]} | changes))


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    manifest = build(
        groups={"shift": GroupSpec(name="CyclicShift")},
        symmetries=[
            Symmetry(group="shift", level="exact", source="measured", interval=(0.99, 1.0), file_digest="a" * 64)
        ],
        labels=["cat", "dog"],
        batching=Batching(max_batch=8),
    )
    write_manifest(manifest, tmp_path / "model.yaml")
    assert read_manifest(tmp_path / "model.yaml") == manifest


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"schema": 2}, "schema"),
        ({"name": "../m"}, "name"),
        ({"colour": "red"}, "colour"),
        ({"inputs": []}, "inputs"),
        ({"inputs": [PICTURE, PICTURE]}, "names must differ"),
        ({"symmetries": [Symmetry(group="shift", level="exact")]}, "unknown group 'shift'"),
        ({"versions": {"one": {"files": {}}}}, "whole numbers"),
    ],
)
def test_a_wrong_manifest_is_refused_and_the_key_is_named(changes: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        build(**changes)


@pytest.mark.parametrize(
    "changes", [{"datatype": "FLOAT"}, {"shape": (0, 2)}, {"shape": (-2, 2)}, {"axes": ("batch",)}, {"kind": "image"}]
)
def test_a_wrong_tensor_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TensorSpec(**({"name": "x", "datatype": "FP32", "shape": (-1, 2)} | changes))


def test_a_model_that_declares_an_exact_symmetry_keeps_batch_invariance_unless_it_says_otherwise() -> None:
    exact = {"groups": {"s": GroupSpec(name="CyclicShift")}, "symmetries": [Symmetry(group="s", level="exact")]}
    assert build(**exact).keeps_batch_invariance()
    assert not build().keeps_batch_invariance()
    assert not build(**exact, batching=Batching(batch_invariance="floor")).keeps_batch_invariance()
    assert build(batching=Batching(batch_invariance="exact")).keeps_batch_invariance()
