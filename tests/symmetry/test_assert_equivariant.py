"""The test helper: it passes what commutes, and names what does not."""

import numpy as np
import pytest

from equiserve.artifact import Manifest, TensorSpec
from equiserve.errors import InvalidRequest
from equiserve.symmetry import O3, SE3, SO3, AngleRange, Cyclic, CyclicShift, Signature, group_from_spec
from equiserve.symmetry.testing import assert_equivariant

POINTS = np.random.default_rng(0).normal(size=(10, 3))
FLOW = Manifest(
    schema=1,
    name="flow",
    inputs=[
        TensorSpec(
            name="frames",
            datatype="FP32",
            shape=(-1, 2, 9, 9),
            axes=("batch", "time", "height", "width"),
            kind="picture",
        )
    ],
    outputs=[TensorSpec(name="flow", datatype="FP32", shape=(-1, 2, 9, 9), kind="vector_field")],
)
FRAMES = np.random.default_rng(0).normal(size=(1, 2, 9, 9)).astype(np.float32)


def gradient_flow(arrays):
    """Motion along the gradient of the change: equivariant under shifts, turns and mirror images of the grid."""
    change = arrays["frames"][:, 1] - arrays["frames"][:, 0]
    dx = (np.roll(change, -1, -1) - np.roll(change, 1, -1)) / 2
    dy = (np.roll(change, -1, -2) - np.roll(change, 1, -2)) / 2
    return {"flow": np.stack([dx, dy], axis=1)}


def test_a_function_that_turns_with_its_input_passes():
    worst = assert_equivariant(lambda v: v * np.linalg.norm(v), POINTS, SO3(), in_rep="V", out_rep="V")
    assert worst < 1e-9
    assert_equivariant(lambda v: np.einsum("bi,bj->bij", v, v).reshape(-1, 9), POINTS, O3(), in_rep="V", out_rep="V**2")
    cross = lambda v: np.cross(v[:, :3], v[:, 3:])  # noqa: E731
    pairs = np.concatenate([POINTS, POINTS[::-1]], axis=1)
    assert_equivariant(cross, pairs, O3(), in_rep="2*V", out_rep={"irreps": "1e"})
    with pytest.raises(AssertionError, match="inversion"):
        assert_equivariant(cross, pairs, group_from_spec("Icosahedral:inversion"), in_rep="2*V", out_rep="V", n=120)


def test_a_function_that_does_not_is_named_with_its_worst_element():
    with pytest.raises(
        AssertionError, match=r"not equivariant under SO3: output 'output' is off by .* under a rotation by"
    ):
        assert_equivariant(lambda v: v * np.array([1, 1, 1.01]), POINTS, SO3(), in_rep="V", out_rep="V")
    # About z the same function is equivariant.
    assert_equivariant(
        lambda v: v * np.array([1, 1, 1.01]), POINTS, group_from_spec("SO2 about z"), in_rep="V", out_rep="V"
    )


def test_single_precision_is_judged_as_such():
    points = POINTS.astype(np.float32)
    assert_equivariant(lambda v: v * 2, points, SO3(), in_rep="V", out_rep="V")
    with pytest.raises(AssertionError, match="tolerance 1e-12"):
        assert_equivariant(lambda v: v * 2, points, SO3(), in_rep="V", out_rep="V", tolerance=1e-12)


@pytest.mark.parametrize(
    "group", [CyclicShift(9, 9), Cyclic(4), group_from_spec("D4 x TimeReversal")], ids=lambda g: g.name
)
def test_a_flow_that_moves_and_turns_passes(group):
    assert_equivariant(gradient_flow, {"frames": FRAMES}, signature=Signature.of(FLOW, group), n=100)


def test_a_flow_that_moves_but_does_not_turn_fails():
    def unturned(arrays):
        change = arrays["frames"][:, 1] - arrays["frames"][:, 0]
        return {"flow": np.stack([change, change], axis=1)}

    assert_equivariant(unturned, {"frames": FRAMES}, signature=Signature.of(FLOW, CyclicShift(9, 9)))
    with pytest.raises(AssertionError, match="'flow' is off"):
        assert_equivariant(unturned, {"frames": FRAMES}, signature=Signature.of(FLOW, Cyclic(4)))


def test_outputs_that_are_not_finite_or_have_another_shape_fail():
    for broken in (lambda v: v * np.nan, lambda v: v[: len(v) - int(v[0, 0] != POINTS[0, 0])]):
        with pytest.raises(AssertionError, match="off by inf"):
            assert_equivariant(broken, POINTS, SO3(), in_rep="V", out_rep="V")


def test_a_check_that_could_not_have_failed_does_not_pass():
    with pytest.raises(AssertionError, match="SO3 moved no input"):
        assert_equivariant(lambda v: v, np.zeros((2, 3)), SO3(), in_rep="V", out_rep="V")
    with pytest.raises(AssertionError, match="none of the signature's outputs"):
        assert_equivariant(lambda arrays: {}, {"frames": FRAMES}, signature=Signature.of(FLOW, Cyclic(4)))


def test_translations_act_on_points_only_where_a_signature_says_so():
    manifest = Manifest(
        schema=1,
        name="m",
        inputs=[TensorSpec(name="x", datatype="FP64", shape=(-1, 3), kind="point")],
        outputs=[TensorSpec(name="y", datatype="FP64", shape=(-1, 3), kind="vector")],
    )
    signature = Signature.of(manifest, SE3(5.0))
    assert_equivariant(lambda a: {"y": a["x"] - a["x"].mean(axis=0)}, {"x": POINTS}, signature=signature)
    with pytest.raises(AssertionError, match="translation"):
        assert_equivariant(lambda a: {"y": a["x"]}, {"x": POINTS}, signature=signature)


def test_what_is_missing_is_said():
    with pytest.raises(InvalidRequest, match="in_rep and out_rep"):
        assert_equivariant(lambda v: v, POINTS, SO3(), in_rep="V")
    with pytest.raises(InvalidRequest, match="arrays by name"):
        assert_equivariant(lambda v: v, POINTS, signature=Signature.of(FLOW, Cyclic(4)))


def test_a_window_is_tried_like_a_group():
    blur = lambda a: {"flow": np.repeat(a["frames"].mean(axis=1, keepdims=True), 2, axis=1)}  # noqa: E731
    with pytest.raises(AssertionError, match=r"SO2\[-30,30\]"):
        assert_equivariant(
            blur, {"frames": FRAMES}, signature=Signature.of(FLOW, AngleRange(group_from_spec("SO2"), -30, 30))
        )


def test_a_generator_is_judged_with_its_condition_and_its_noise_moved_too():
    def manifest(**noise):
        return Manifest(
            schema=1,
            name="generator",
            inputs=[
                TensorSpec(name="noise", datatype="FP32", shape=(-1, 1, 8, 8), kind="noise", **noise),
                TensorSpec(name="angle", datatype="FP32", shape=(-1,), kind="angle", units="deg"),
            ],
            outputs=[TensorSpec(name="picture", datatype="FP32", shape=(-1, 1, 8, 8), kind="picture")],
        )

    drawing = np.random.default_rng(1).normal(size=(1, 8, 8)).astype(np.float32)

    def generator(arrays):
        turned = [np.rot90(drawing, round(float(a) / 90), axes=(1, 2)) for a in arrays["angle"]]
        return {"picture": np.stack(turned) + 0.1 * arrays["noise"]}

    inputs = {
        "noise": np.random.default_rng(0).normal(size=(3, 1, 8, 8)).astype(np.float32),
        "angle": np.array([0, 90, 270], np.float32),
    }
    assert assert_equivariant(generator, inputs, signature=Signature.of(manifest(), Cyclic(4))) == 0.0
    with pytest.raises(AssertionError, match="'picture' is off"):
        assert_equivariant(generator, inputs, signature=Signature.of(manifest(invariant=True), Cyclic(4)))
