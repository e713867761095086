"""Signatures from manifests, their dry run, and orbits of named tensors."""

import numpy as np
import pytest

from equiserve.artifact import Frame, GroupSpec, Manifest, TensorSpec
from equiserve.artifact.manifest import Override
from equiserve.errors import InvalidRequest
from equiserve.symmetry import (
    SE3,
    SO2,
    SO3,
    AboutAxis,
    AngleRange,
    BodyAction,
    Cyclic,
    CyclicShift,
    DirectProduct,
    MatrixGroup,
    Rotation,
    Rotation3D,
    Scale,
    Scaling,
    Shift,
    Signature,
    Symmetric,
    TensorOrbit,
    Translations,
    YDown,
    declared_group,
    dry_run,
)


def tensor(name, shape, **more):
    return TensorSpec(**({"name": name, "datatype": "FP64", "shape": shape} | more))


WORLD = {"world": Frame(dim=3, up=(0, 1, 0), units="m"), "camera": Frame(dim=3), "screen": Frame(dim=2, up=(0, -1))}
BODIES = Manifest(
    schema=1,
    name="inertia",
    task="regress",
    frames=WORLD,
    groups={
        "o3": GroupSpec(name="O(3)", frame="world"),
        "yaw": GroupSpec(name="SO(2)", frame="world", axis="up"),
        "tilt": GroupSpec(name="SO(2)", frame="world", plane=("y", "z"), range=30.0),
        "scale": GroupSpec(name="Scaling", frame="world", range=(0.5, 2.0)),
        "t3": GroupSpec(name="T(3)", frame="world", range=2.0),
        "se3": GroupSpec(name="SE(3)", range=0.5),
        "flat": GroupSpec(name="SO(2)", frame="screen"),
        "custom": GroupSpec(name="custom", frame="world", lie=[[[0, -1, 0], [1, 0, 0], [0, 0, 0]]]),
    },
    inputs=[
        tensor("masses", (-1, 5), axes=("batch", "item"), rep="5*V**0"),
        tensor("positions", (-1, 5, 3), axes=("batch", "item", "coord"), kind="point", frame="world"),
        tensor("gaze", (-1, 3), kind="vector", frame="camera"),
    ],
    outputs=[
        tensor("inertia", (-1, 3, 3), axes=("batch", "coord", "coord"), rep="V**2", kind="tensor"),
        tensor("future", (-1, 5, 3), axes=("batch", "item", "coord"), kind="point", relative_to="positions"),
        tensor("logits", (-1, 4), kind="logits"),
    ],
    overrides=[
        Override(group="scale", tensor="masses", action="invariant"),
        Override(group="scale", tensor="inertia", action={"homogeneous": 2}),
        Override(group="t3", tensor="inertia", action="invariant"),
    ],
)
RNG = np.random.default_rng(0)
INPUTS = {"masses": RNG.uniform(1, 2, (2, 5)), "positions": RNG.normal(size=(2, 5, 3)), "gaze": RNG.normal(size=(2, 3))}


def inertia_model(inputs):
    """A function of the manifest's signature that is equivariant in closed form under every rotation of the world."""
    m, r = inputs["masses"], inputs["positions"]
    squares = (r * r).sum(axis=-1)
    tensor = np.einsum("bi,bi,jk->bjk", m, squares, np.eye(3)) - np.einsum("bi,bij,bik->bjk", m, r, r)
    return {
        "inertia": tensor,
        "future": r + 0.1 * (r - r.mean(axis=1, keepdims=True)),
        "logits": np.repeat(m.sum(axis=1)[:, None], 4, axis=1),
    }


@pytest.mark.parametrize(
    ("key", "group"),
    [
        ("yaw", AboutAxis(SO2(), (0.0, 1.0, 0.0))),
        ("tilt", AboutAxis(AngleRange(SO2(), -30, 30), (1.0, 0.0, 0.0))),
        ("scale", Scaling(0.5, 2.0, 3)),
        ("t3", Translations(3, 2.0)),
        ("se3", SE3(0.5)),
        ("flat", YDown(SO2())),
        ("custom", MatrixGroup(lie=[[[0, -1, 0], [1, 0, 0], [0, 0, 0]]])),
    ],
)
def test_a_manifest_names_groups_with_their_axis_frame_and_range(key, group):
    assert declared_group(BODIES, key) == group


@pytest.mark.parametrize("key", ["o3", "yaw", "tilt", "custom"])
def test_an_equivariant_function_commutes_with_its_signature(key):
    signature = Signature.of(BODIES, key)
    dry_run(signature)
    truth = inertia_model(INPUTS)
    for g in signature.group.sample(np.random.default_rng(1), 10):
        moved = signature.move(g, INPUTS)
        assert not np.allclose(moved["positions"], INPUTS["positions"])
        np.testing.assert_array_equal(moved["gaze"], INPUTS["gaze"])  # of another frame
        back = signature.pull_back(g, inertia_model(moved))
        for name, value in truth.items():
            np.testing.assert_allclose(back[name], value, atol=1e-9)


def test_overrides_hold_for_their_group_only():
    scaled = Signature.of(BODIES, "scale")
    moved = scaled.push_forward(Scale(2.0), inertia_model(INPUTS))
    np.testing.assert_allclose(moved["inertia"], 4 * inertia_model(INPUTS)["inertia"])
    np.testing.assert_array_equal(scaled.move(Scale(2.0), INPUTS)["masses"], INPUTS["masses"])
    translated = Signature.of(BODIES, "t3")
    g = translated.group.sample(np.random.default_rng(0), 1)[0]
    np.testing.assert_array_equal(
        translated.push_forward(g, inertia_model(INPUTS))["inertia"], inertia_model(INPUTS)["inertia"]
    )
    np.testing.assert_allclose(translated.move(g, INPUTS)["positions"], INPUTS["positions"] + np.array(g.vector))


def test_an_offset_that_hides_errors_is_taken_away():
    far = {**INPUTS, "positions": INPUTS["positions"] + 1000.0}
    answered = inertia_model(far)
    relative = Signature.of(BODIES, "o3").without_offset(answered, far)
    assert np.abs(answered["future"]).max() > 900
    assert np.abs(relative["future"]).max() < 1
    np.testing.assert_array_equal(relative["inertia"], answered["inertia"])
    one_point = Signature.of(BODIES, "o3").without_offset({"future": answered["future"][:, :1]}, far)
    np.testing.assert_allclose(one_point["future"], answered["future"][:, :1] - far["positions"].mean(axis=1)[:, None])


def test_every_input_must_be_named():
    signature = Signature.of(BODIES, "o3")
    with pytest.raises(InvalidRequest, match="gaze: missing"):
        signature.move(signature.group.identity, {k: v for k, v in INPUTS.items() if k != "gaze"})
    with pytest.raises(InvalidRequest, match="cell: nothing says how it moves"):
        signature.move(signature.group.identity, {**INPUTS, "cell": np.eye(3)})


def simple(inputs, outputs, **more):
    return Manifest(**({"schema": 1, "name": "m", "inputs": inputs, "outputs": outputs} | more))


def test_invariant_is_a_choice_and_never_a_default():
    silent = simple([tensor("x", (-1, 3), kind="vector")], [tensor("y", (-1, 8))])
    with pytest.raises(InvalidRequest, match="y: kind 'other' says neither how SO3 moves it nor that it does not"):
        Signature.of(silent, SO3())
    chosen = simple([tensor("x", (-1, 3), kind="vector")], [tensor("y", (-1, 8), invariant=True)])
    dry_run(Signature.of(chosen, SO3()))


def test_an_order_of_another_number_of_items_is_refused_with_the_number_that_fits():
    cloud = tensor("x", (-1, 5, 3), axes=("batch", "item", "coord"), kind="vector")
    signature = Signature.of(simple([cloud], [tensor("y", (-1, 3), kind="vector")]), Symmetric(7))
    with pytest.raises(InvalidRequest, match=r"would pass; S5 fits x\.item of size 5"):
        dry_run(signature)


def test_a_dry_run_refuses_a_group_that_moves_no_input():
    unmoved = simple([tensor("x", (-1, 3), invariant=True)], [tensor("y", (-1, 3), kind="vector")])
    with pytest.raises(InvalidRequest, match=r"SO3 moves none of \['x'\]"):
        dry_run(Signature.of(unmoved, SO3()))


def test_a_dry_run_refuses_a_product_whose_factors_do_not_commute():
    points = simple(
        [tensor("x", (-1, 4, 3), kind="point", axes=("batch", "point", "coord"))], [tensor("y", (-1, 2), kind="logits")]
    )
    with pytest.raises(InvalidRequest, match=r"x: .* do not act on it as their product does") as caught:
        dry_run(Signature.of(points, DirectProduct([SO3(), Translations(3)])))
    assert caught.value.field == "x"
    dry_run(Signature.of(points, SE3()))


def test_a_dry_run_takes_every_kind_of_tensor():
    everything = simple(
        [
            tensor("image", (-1, 3, -1, -1), kind="picture", datatype="UINT8"),
            tensor("noise", (-1, 1, 8, 8), kind="noise", datatype="FP32"),
            tensor("angle", (-1,), kind="angle"),
        ],
        [
            tensor("boxes", (-1, 4, 4), kind="boxes"),
            tensor("mask", (-1, 8, 8), kind="segmentation", datatype="INT64"),
            tensor("flow", (-1, 2, 8, 8), kind="vector_field"),
            tensor("level", (-1,), kind="noise_level"),
        ],
        groups={"turns": GroupSpec(name="SO2"), "shifts": GroupSpec(name="CyclicShift")},
    )
    shapes = {"image": (2, 3, 8, 8)}
    dry_run(Signature.of(everything, "turns", shapes=shapes), shapes=shapes)
    assert declared_group(everything, "shifts", height=8, width=8) == CyclicShift(8, 8)
    with pytest.raises(InvalidRequest, match="image: shape: height is open"):
        Signature.of(everything, "turns")
    with pytest.raises(InvalidRequest, match=r"image.shape: got \[2, 3, 8\]"):
        Signature.of(everything, "turns", shapes={"image": (2, 3, 8)})


def test_one_action_may_move_several_tensors():
    body = simple(
        [tensor("points", (-1, 10, 3), kind="point")],
        [
            tensor("global_orient", (-1, 3), kind="rotation"),
            tensor("transl", (-1, 3), kind="point"),
            tensor("betas", (-1, 10), kind="shape_coefficients"),
            tensor("body_pose", (-1, 69), kind="body_pose"),
        ],
    )
    root = BodyAction(SE3(), "global_orient", "transl", np.array([0.0, 0.5, 0.0]))
    signature = Signature.of(body, SE3(), coupled=[root])
    dry_run(signature)
    names = sorted(name for action in signature.outputs for name in action.names)
    assert names == ["betas", "body_pose", "global_orient", "transl"]
    with pytest.raises(InvalidRequest, match="all inputs or all outputs"):
        Signature.of(body, SE3(), coupled=[BodyAction(SE3(), "global_orient", "trans", np.zeros(3))])
    with pytest.raises(InvalidRequest, match="two actions"):
        Signature(SE3(), signature.inputs, (*signature.outputs, root))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (GroupSpec(name="SO(17)"), "unknown group"),
        (GroupSpec(name="SO(2)", axis="up"), "needs a frame"),
        (GroupSpec(name="SO(2)", axis="north"), "north"),
        (GroupSpec(name="SO(2)", plane=("x", "t")), "'t'"),
        (GroupSpec(name="SO(2)", parameters={"n": 3}), "no such parameter"),
    ],
)
def test_a_wrong_declaration_is_named_by_its_key(spec, words):
    with pytest.raises(InvalidRequest, match=f"groups.g: .*{words}"):
        declared_group(simple([tensor("x", (-1, 3))], [tensor("y", (-1, 3))], groups={"g": spec}), "g")


def test_an_unknown_key_is_answered_with_the_declared_ones():
    with pytest.raises(InvalidRequest, match=r"declared are .*'yaw'"):
        Signature.of(BODIES, "roll")


@pytest.mark.parametrize("size", [1, 5, 100])
def test_chunks_of_an_orbit_are_its_members_in_order(size):
    signature = Signature.of(BODIES, "yaw")
    orbit = TensorOrbit.of(INPUTS, signature, elements=12)
    assert len(orbit) == 12
    assert orbit.elements[0] == Rotation(0)
    assert orbit.exact.all()
    chunks = list(orbit.chunks(size))
    assert [chunk.start for chunk in chunks] == list(range(0, 12, size))
    for chunk in chunks:
        assert chunk.changed.tolist() == [element != Rotation(0) for element in chunk.elements]
        for k, element in enumerate(chunk.elements):
            for name, moved in signature.move(element, INPUTS).items():
                np.testing.assert_array_equal(chunk.inputs[name][k], moved)


def test_an_equivariant_function_says_the_same_of_every_member():
    orbit = TensorOrbit.of(INPUTS, Signature.of(BODIES, "o3"), elements=20)
    truth = inertia_model(INPUTS)
    for chunk in orbit.chunks(8):
        rows = chunk.rows()
        assert rows["positions"].shape == (2 * len(chunk.elements), 5, 3)
        back = orbit.pull_back(chunk.elements, chunk.members(inertia_model(rows)))
        for name, value in truth.items():
            np.testing.assert_allclose(back[name], np.broadcast_to(value, back[name].shape), atol=1e-9)


def test_pictures_are_restricted_to_their_disc_where_some_element_resamples():
    manifest = simple(
        [
            tensor("image", (-1, 1, 12, 12), kind="picture", datatype="UINT8", value_range=(7, 255)),
            tensor("t", (-1,), kind="noise_level"),
        ],
        [tensor("logits", (-1, 10), kind="logits")],
    )
    inputs = {"image": np.random.default_rng(0).integers(8, 256, (2, 1, 12, 12), np.uint8), "t": np.zeros(2)}
    exact = TensorOrbit.of(inputs, Signature.of(manifest, Cyclic(4)))
    assert exact.prepared == ()
    assert exact.exact.all()
    resampled = TensorOrbit.of(inputs, Signature.of(manifest, Cyclic(8)))
    assert resampled.prepared == ("image",)
    assert resampled.exact.tolist() == [True, False] * 4
    members = next(resampled.chunks(8)).inputs["image"]
    assert (members[..., [0, 0, -1, -1], [0, -1, 0, -1]] == 7).all()
    np.testing.assert_array_equal(members[2], np.rot90(members[0], axes=(-2, -1)))


def test_default_orbits_are_whole_groups_or_72_elements():
    points = simple(
        [tensor("x", (-1, 9, 3), kind="point", axes=("batch", "point", "coord"))], [tensor("y", (-1, 2), kind="logits")]
    )
    inputs = {"x": np.random.default_rng(0).normal(size=(1, 9, 3))}
    assert len(TensorOrbit.of(inputs, Signature.of(points, SO3()))) == 72
    assert len(TensorOrbit.of(inputs, Signature.of(points, Symmetric(3)))) == 6
    assert len(TensorOrbit.of(inputs, Signature.of(points, Symmetric(9)))) == 72
    chosen = TensorOrbit.of(
        inputs, Signature.of(points, SO3()), elements=[Rotation3D((1, 0, 0, 0)), Rotation3D((0, 1, 0, 0))]
    )
    assert len(chosen) == 2


def test_an_orbit_of_foreign_elements_or_without_an_input_is_refused():
    signature = Signature.of(BODIES, "yaw")
    with pytest.raises(InvalidRequest, match="is not an element of SO2"):
        TensorOrbit.of(INPUTS, signature, elements=[Shift(0, 1)])
    with pytest.raises(InvalidRequest, match="missing"):
        TensorOrbit.of({"masses": INPUTS["masses"]}, signature)
    with pytest.raises(InvalidRequest, match="got 2 members, expected 1"):
        TensorOrbit.of(INPUTS, signature).pull_back([Rotation(0)], {"logits": np.zeros((2, 2, 4))})
