"""Elements that change what a class is, as a manifest declares them."""

import numpy as np
import pytest

from equiserve.artifact import GroupSpec, Manifest, TensorSpec
from equiserve.artifact.manifest import Override
from equiserve.errors import InvalidRequest
from equiserve.symmetry import Cyclic, Flip, Rotation, Signature, declared_relabelling, dry_run

HALF_TURN = {"element": {"angle_deg": 180}, "classes": {"six": "nine", "nine": "six"}}


def digits(*moves, group="C2"):
    return Manifest(
        schema=1,
        name="digits",
        inputs=[TensorSpec(name="image", datatype="FP32", shape=(-1, 1, 8, 8), kind="picture")],
        outputs=[TensorSpec(name="logits", datatype="FP32", shape=(-1, 3), kind="logits")],
        labels=["six", "two", "nine"],
        groups={"turns": GroupSpec(name=group)},
        overrides=[Override(group="turns", tensor="logits", action={"relabel": list(moves)})],
    )


def test_a_six_that_is_turned_upside_down_is_declared_a_nine():
    signature = Signature.of(digits(HALF_TURN), "turns")
    dry_run(signature)
    scores = {"logits": np.array([[3.0, 1.0, 2.0]])}
    np.testing.assert_array_equal(signature.push_forward(Rotation(180), scores)["logits"], [[2.0, 1.0, 3.0]])
    np.testing.assert_array_equal(signature.pull_back(Rotation(0), scores)["logits"], scores["logits"])


def test_what_is_declared_of_a_group_holds_of_this_group_only():
    assert declared_relabelling(digits(HALF_TURN), "logits", Cyclic(2)) is not None
    assert declared_relabelling(digits(HALF_TURN), "logits", Flip()) is None
    assert declared_relabelling(digits(HALF_TURN), "image", Cyclic(2)) is None


def test_classes_may_be_named_by_index():
    by_index = {"element": {"angle_deg": 180}, "classes": {0: 2, 2: 0}}
    found = declared_relabelling(digits(by_index), "logits", Cyclic(2))
    assert found.labels == {Rotation(180): {0: 2, 2: 0}}


@pytest.mark.parametrize("group", ["C4", "SO2"])
def test_a_half_turn_that_swaps_and_a_quarter_turn_that_does_not_is_no_representation(group):
    with pytest.raises(InvalidRequest, match="do not relabel as their product does; declare it for a group"):
        Signature.of(digits(HALF_TURN, group=group), "turns")


@pytest.mark.parametrize(
    ("moves", "words"),
    [
        ({**HALF_TURN, "classes": {"six": "seven"}}, "got class 'seven', expected one of"),
        ({**HALF_TURN, "classes": {"6": "9"}}, "got class '6', expected one of"),
        ({**HALF_TURN, "classes": {"six": "nine"}}, "maps two classes onto one"),
        ({**HALF_TURN, "element": {"angle_deg": 90}}, "not in C2|no element of C2|C2"),
    ],
)
def test_a_declaration_that_is_none_is_refused(moves, words):
    with pytest.raises(InvalidRequest, match=words):
        Signature.of(digits(moves), "turns")
