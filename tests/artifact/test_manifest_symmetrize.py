from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from equiserve.artifact import GroupSpec, Manifest, Symmetry, TensorSpec, read_manifest, write_manifest

PICTURE = TensorSpec(name="image", datatype="UINT8", shape=(-1, 1, 28, 20), kind="picture")
LOGITS = TensorSpec(name="logits", datatype="FP32", shape=(-1, 10), kind="logits")


def build(**changes: object) -> Manifest:
    return Manifest(**({"schema": 1, "name": "m", "inputs": [PICTURE], "outputs": [LOGITS]} | changes))


@pytest.mark.parametrize("spelling", ["canonical_origin", "canonical_origin:2"])
def test_what_is_written_is_read_back(tmp_path: Path, spelling: str) -> None:
    manifest = build(symmetrize=spelling)
    write_manifest(manifest, tmp_path / "model.yaml")
    assert f"symmetrize: {spelling}\n" in (tmp_path / "model.yaml").read_text()
    assert read_manifest(tmp_path / "model.yaml") == manifest


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"symmetrize": "C4"}, "symmetrize"),
        ({"symmetrize": "canonical_origin:0"}, "symmetrize"),
        ({"symmetrize": "canonical_origin:8"}, "28 x 20 pixels; patch 4 divides height 28 and width 20"),
        ({"inputs": [PICTURE, LOGITS.model_copy(update={"name": "x"})]}, "expected one of kind picture"),
        ({"inputs": [PICTURE.model_copy(update={"shape": (-1, 28)})]}, "expected one of kind picture"),
        ({"inputs": [PICTURE.model_copy(update={"datatype": "INT64"})]}, "expected one of kind picture"),
        ({"inputs": [PICTURE.model_copy(update={"kind": "other", "shape": (-1, 28, 28, 1)})]}, "expected one of kind"),
        ({"outputs": [LOGITS, PICTURE.model_copy(update={"name": "y"})]}, r"outputs \['y'\] move with the picture"),
    ],
)
def test_what_cannot_be_symmetrized_is_refused_and_named(changes: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        build(**({"symmetrize": "canonical_origin"} | changes))


def test_the_served_answers_are_exactly_invariant_whatever_was_measured_of_the_file() -> None:
    groups = {"shifts": GroupSpec(name="CyclicShift:28x20"), "turns": GroupSpec(name="C4")}
    turns = Symmetry(group="turns", level="approximate")
    measured = Symmetry(group="shifts", level="none", source="measured", file_digest="a" * 64)
    served = build(groups=groups, symmetries=[turns, measured], symmetrize="canonical_origin").as_served()
    assert [(s.group, s.level, s.source) for s in served.symmetries] == [
        ("shifts", "exact", "symmetrized"),
        ("turns", "approximate", "declared"),
    ]
    assert served.keeps_batch_invariance()


def test_a_manifest_that_names_no_shifts_gets_them() -> None:
    served = build(symmetrize="canonical_origin").as_served()
    assert served.groups == {"CyclicShift": GroupSpec(name="CyclicShift")}
    assert served.symmetries[0].group == "CyclicShift"
    assert build().as_served() == build()
