"""Laws of every (group, action) pair, and the traps: sign, centre, turning, ids, offsets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation as ScipyRotation

from equiserve.artifact import TensorSpec
from equiserve.errors import InvalidRequest
from equiserve.symmetry import (
    O2,
    O3,
    SE3,
    SO2,
    SO3,
    BodyAction,
    Boxes,
    CropShift,
    Cyclic,
    CyclicShift,
    Dihedral,
    DirectProduct,
    FieldType,
    Flip,
    Icosahedral,
    Intensity,
    IntensityChange,
    Keypoints,
    Permutation,
    PictureAction,
    PixelCoordinates,
    Product,
    RelabelClasses,
    Reversal,
    RigidMotion,
    Rotation,
    Rotation3D,
    Scale,
    Scaling,
    Shift,
    Symmetric,
    TimeReversal,
    TimeShift,
    TimeStep,
    Translation,
    Translations,
    group_catalogue,
    group_from_spec,
)
from equiserve.symmetry.actions import NoiseField, PixelGrid
from equiserve.symmetry.dry_run import random_array

PICTURE = PixelCoordinates(6, 6)


def field(kind, shape, axes=None, rep=None, datatype="FP32", **more):
    override = more.pop("override", None)
    spec = TensorSpec(name="x", datatype=datatype, shape=shape, axes=axes, kind=kind, rep=rep, **more)
    return FieldType(spec, override)


FIELDS = {
    "picture": field("picture", (-1, 3, 6, 6)),
    "picture, channels last": field(
        "picture", (-1, 6, 6, 1), ("batch", "height", "width", "channel"), datatype="UINT8"
    ),
    "film": field("picture", (-1, 4, 6, 6), ("batch", "time", "height", "width")),
    "flow": field("vector_field", (-1, 2, 6, 6)),
    "segmentation": field("segmentation", (-1, 6, 6), datatype="INT32"),
    "noise": field("noise", (-1, 1, 6, 6)),
    "boxes": field("boxes", (-1, 5, 4), ("batch", "item", "coord")),
    "keypoints": field("keypoints", (-1, 5, 2), ("batch", "item", "coord")),
    "angle": field("angle", (-1,), datatype="FP64"),
    "logits": field("logits", (-1, 10)),
    "cloud": field("point", (-1, 5, 3), ("batch", "point", "coord"), datatype="FP64"),
    "cloud, coordinates first": field("point", (-1, 3, 5), ("batch", "coord", "point"), datatype="FP64"),
    "positions": field("point", (-1, 4, 5, 3), ("batch", "time", "agent", "coord"), datatype="FP64"),
    "velocities": field("vector", (-1, 4, 5, 3), ("batch", "time", "agent", "coord"), datatype="FP64"),
    "flat positions": field("point", (-1, 15), ("batch", "coord"), "5*V", "FP64"),
    "inertia": field("tensor", (-1, 3, 3), ("batch", "coord", "coord"), "V**2", "FP64"),
    "irreps": field("tensor", (-1, 12), rep={"irreps": "1x0o+2x1e+1x2e"}, datatype="FP64"),
    "spin": field("pseudovector", (-1, 3), datatype="FP64"),
    "chirality": field("pseudoscalar", (-1, 1), datatype="FP64"),
    "orientations": field("rotation", (-1, 5, 3, 3), ("batch", "joint", "coord", "coord"), datatype="FP64"),
    "volume": field("tensor", (-1, 1), datatype="FP64", override={"homogeneous": 3}),
}
EXACT_PIXELS = [CyclicShift(6, 6), Flip(), Cyclic(4), Dihedral(4)]
ORTHOGONAL = [SO3(), O3(), Icosahedral(), group_from_spec("SO2 about y"), group_from_spec("O2 about 1,1,0")]
MOVING = [SE3(), Translations(3)]
TIMED = DirectProduct([Dihedral(4), TimeReversal()])
PAIRS = [
    *((g, f) for g in [*EXACT_PIXELS, TIMED] for f in ("picture", "film", "flow", "segmentation", "noise", "logits")),
    *((g, "picture, channels last") for g in EXACT_PIXELS),
    *((g, f) for g in EXACT_PIXELS for f in ("boxes", "keypoints")),
    (SO2(), "angle"),
    (Cyclic(7), "angle"),
    *((g, f) for g in ORTHOGONAL for f in ("cloud", "velocities", "inertia", "irreps", "spin", "chirality")),
    *((g, f) for g in MOVING for f in ("cloud", "cloud, coordinates first", "flat positions", "velocities", "inertia")),
    *((g, "orientations") for g in (SO3(), SE3(), Icosahedral())),
    *((Scaling(0.25, 4), f) for f in ("cloud", "velocities", "inertia", "volume")),
    *((Symmetric(5), f) for f in ("cloud", "velocities", "orientations", "boxes", "inertia")),
    *((TimeReversal(), f) for f in ("positions", "velocities", "film", "flow", "logits")),
    (DirectProduct([SO3(), TimeReversal(), Symmetric(5)]), "velocities"),
    (DirectProduct([SO3(), Scaling(0.25, 4)]), "inertia"),
    (IntensityChange(0.9, 1.1, 0.01), "picture"),
]


def test_every_family_of_groups_has_a_pair():
    tried = {type(group).__name__ for group, _ in PAIRS}
    tried |= {type(factor).__name__ for group, _ in PAIRS for factor in getattr(group, "factors", ())}
    # Windows that lose content or resample obey no bitwise law; they have tests of their own below.
    elsewhere = {"CropShift", "AngleRange", "TimeShift", "O2", "YDown"}
    assert {entry["name"] for entry in group_catalogue()} <= tried | elsewhere


@st.composite
def pair_and_elements(draw, count):
    group, name = draw(st.sampled_from(PAIRS))
    seed = draw(st.integers(0, 2**32))
    rng = np.random.default_rng(seed)
    arrays = {"x": random_array(FIELDS[name], rng, (2, *FIELDS[name].tensor.shape[1:]))}
    return FIELDS[name].action(group, PICTURE), arrays, group.sample(rng, count)


def close(a, b):
    assert a.shape == b.shape
    assert a.dtype == b.dtype
    if a.dtype.kind in "ui":
        np.testing.assert_array_equal(a, b)
    else:
        tolerance = 1e-4 if a.dtype == np.float32 else 1e-6
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@given(pair_and_elements(2))
def test_one_element_after_another_acts_as_their_product(case):
    action, arrays, (g, h) = case
    try:
        product = action.group.compose(g, h)
    except InvalidRequest:
        return  # a window that is left
    close(action.apply(g, action.apply(h, arrays))["x"], action.apply(product, arrays)["x"])


@given(pair_and_elements(1))
def test_the_identity_leaves_and_the_inverse_restores(case):
    action, arrays, (g,) = case
    close(action.apply(action.group.identity, arrays)["x"], arrays["x"])
    close(action.apply(action.group.inverse(g), action.apply(g, arrays))["x"], arrays["x"])


@given(pair_and_elements(1))
def test_leading_axes_ride_along(case):
    action, arrays, (g,) = case
    together = action.apply(g, {"x": np.stack([arrays["x"]] * 2)})["x"]
    close(together[1], action.apply(g, arrays)["x"])


def test_a_quarter_turn_moves_a_flow_and_turns_it():
    flow = np.zeros((1, 2, 6, 6))
    flow[0, 0, 2, 5] = 1.0  # on the right edge, pointing right
    moved = FIELDS["flow"].action(Cyclic(4)).apply(Rotation(90), {"x": flow})["x"]
    # Counter-clockwise: now on the top edge, pointing up, which is -y.
    np.testing.assert_array_equal(np.argwhere(moved), [[0, 1, 0, 2]])
    assert moved[0, 1, 0, 2] == -1.0


def test_a_mirror_image_negates_one_component_and_time_reversal_both():
    flow = np.random.default_rng(0).normal(size=(1, 2, 6, 6))
    action = FIELDS["flow"].action(TIMED)
    mirrored = action.apply(Product((Rotation(0, True), Reversal(False))), {"x": flow})["x"]
    np.testing.assert_array_equal(mirrored, flow[..., ::-1] * np.array([-1, 1])[:, None, None])
    backwards = action.apply(Product((Rotation(0), Reversal(True))), {"x": flow})["x"]
    np.testing.assert_array_equal(backwards, -flow)


@pytest.mark.parametrize("size", [32, 33])
@pytest.mark.parametrize("element", [Rotation(37.0), Rotation(250.0, reflected=True), Scale(1.2)])
def test_a_resampled_flow_agrees_with_the_one_that_is_known_in_closed_form(size, element):
    # A swirl with a source: any rotation and scaling about the middle leaves it, mirror images reverse the swirl.
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    source, swirl = np.stack([x, y]), np.stack([-y, x])
    grid = field("vector_field", (-1, 2, size, size))
    group = Scaling(0.5, 2) if isinstance(element, Scale) else Dihedral(3600)
    moved = grid.action(group).apply(element, {"x": (source + swirl)[None]})["x"][0]
    expected = source - swirl if getattr(element, "reflected", False) else source + swirl
    inside = np.hypot(x, y) < size * 0.4
    assert np.abs(moved - expected)[:, inside].max() < 0.05 * size / 2


def test_ids_are_never_interpolated():
    ids = np.random.default_rng(0).choice([1, 40, 200], (1, 12, 12)).astype(np.int32)
    for group, element in [(SO2(), Rotation(30)), (Scaling(0.5, 2), Scale(0.7)), (CropShift(3), Shift(2, -1))]:
        action = field("segmentation", (-1, 12, 12), datatype="INT32").action(group)
        moved, mask = action.apply(element, {"x": ids})["x"], action.valid(element, {"x": ids})["x"]
        assert set(np.unique(moved)) <= {0, 1, 40, 200}
        assert not mask.all()
        assert (moved[~mask] == 0).all()
        assert (moved[mask] != 0).all()
        assert not action.exact(element)


def test_the_nearest_pixel_is_found_about_the_same_centre_as_the_exact_elements():
    ids = np.arange(1, 145, dtype=np.int32).reshape(1, 12, 12)
    action = field("segmentation", (-1, 12, 12), datatype="INT32").action(Dihedral(3_600_000))
    for g in Dihedral(4).elements():
        beside = Rotation(g.angle_deg + 1e-4, g.reflected)
        mask = action.valid(beside, {"x": ids})["x"]
        np.testing.assert_array_equal(
            action.apply(beside, {"x": ids})["x"][mask], action.apply(g, {"x": ids})["x"][mask]
        )


@pytest.mark.parametrize("size", [6, 7])
@pytest.mark.parametrize("group", EXACT_PIXELS[1:], ids=lambda group: group.name)
def test_key_points_and_boxes_stay_on_the_pixels_they_mark(size, group):
    picture = np.zeros((1, size, size), np.uint8)
    picture[0, 1:3, 2:5] = 1
    points = np.array([[x, y] for y in range(size) for x in range(size) if picture[0, y, x]], np.float32)
    box = np.array([2, 1, 4, 2], np.float32)
    coco = np.array([2, 1, 5, 3], np.float32)  # the same pixels where they span [i, i + 1]
    for g in group.elements():
        moved = PictureAction(group).apply(g, picture)[0]
        rows, columns = np.nonzero(moved)
        carried = Keypoints("x", group, PixelCoordinates(size, size)).apply(g, {"x": points})["x"]
        assert {tuple(p) for p in carried.tolist()} == set(zip(columns.tolist(), rows.tolist(), strict=True))
        tight = [columns.min(), rows.min(), columns.max(), rows.max()]
        boxes = Boxes("x", group, PixelCoordinates(size, size))
        np.testing.assert_array_equal(boxes.apply(g, {"x": box})["x"], tight)
        edges = Boxes("x", group, PixelCoordinates(size, size, first_centre=0.5)).apply(g, {"x": coco})["x"]
        np.testing.assert_array_equal(edges, [tight[0], tight[1], tight[2] + 1, tight[3] + 1])


def test_circular_shifts_carry_points_round_the_torus_and_call_split_boxes_invalid():
    picture = np.zeros((1, 6, 5), np.uint8)
    picture[0, 4, 3] = 1
    group = CyclicShift(6, 5)
    points = Keypoints("x", group, PixelCoordinates(6, 5))
    boxes = Boxes("x", group, PixelCoordinates(6, 5, first_centre=0.5))
    for g in group.elements():
        row, column = np.argwhere(PictureAction(group).apply(g, picture)[0])[0]
        np.testing.assert_array_equal(points.apply(g, {"x": np.array([3.0, 4.0])})["x"], [column, row])
        box = {"x": np.array([[3.0, 4.0, 4.0, 5.0], [1.0, 1.0, 4.0, 5.0]])}
        assert boxes.valid(g, box)["x"][0].all()
        whole = (1 + g.dx) % 5 + 3 <= 5 and (1 + g.dy) % 6 + 4 <= 6
        assert boxes.valid(g, box)["x"][1].all() == whole


def test_a_box_that_mostly_left_the_picture_is_not_valid():
    boxes = Boxes("x", CropShift(5), PixelCoordinates(6, 6, first_centre=0.5))
    seen = boxes.valid(Shift(0, 4), {"x": np.array([[0.0, 0, 2, 2], [1.5, 0, 5, 2]])})["x"]
    assert seen.all(axis=1).tolist() == [True, False]  # all of it, and a seventh


def test_a_slanted_box_says_how_well_it_can_be_enclosed():
    boxes = Boxes("x", SO2(), PixelCoordinates(100, 100))
    square = np.array([40.0, 40, 60, 60])
    assert not boxes.exact(Rotation(45))
    # There and back the square grows by root 2 twice: its area is a quarter.
    assert boxes.iou_ceiling(Rotation(45), square) == pytest.approx(0.25)
    assert boxes.iou_ceiling(Rotation(90), square) == pytest.approx(1.0)


def test_left_and_right_change_places_in_a_mirror():
    eyes = Keypoints("x", Flip(("left_right",)), PixelCoordinates(10, 10), mirrored=(1, 0, 2))
    faces = np.array([[2.0, 3.0], [6.0, 3.0], [4.0, 7.0]])
    moved = eyes.apply(Rotation(0, True), {"x": faces})["x"]
    np.testing.assert_array_equal(moved, [[3.0, 3.0], [7.0, 3.0], [5.0, 7.0]])


def test_points_move_with_translations_and_vectors_do_not():
    g = RigidMotion(Rotation3D.about((0, 0, 1), 90), (10.0, 0.0, 0.0))
    points = np.array([[[1.0, 0.0, 0.0]]])
    moved = (
        field("point", (-1, 1, 3), ("batch", "point", "coord"), datatype="FP64").action(SE3()).apply(g, {"x": points})
    )
    np.testing.assert_allclose(moved["x"], [[[10.0, 1.0, 0.0]]], atol=1e-11)
    turned = field("vector", (-1, 1, 3), datatype="FP64").action(SE3()).apply(g, {"x": points})
    np.testing.assert_allclose(turned["x"], [[[0.0, 1.0, 0.0]]], atol=1e-11)


def test_orientations_agree_with_scipy_in_either_form():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(2, 5, 3))
    g = SO3().sample(rng, 1)[0]
    turn = ScipyRotation.from_matrix(g.matrix())
    expected = turn * ScipyRotation.from_rotvec(vectors.reshape(-1, 3))
    as_vectors = field("rotation", (-1, 5, 3), datatype="FP64").action(SO3()).apply(g, {"x": vectors})["x"]
    np.testing.assert_allclose(as_vectors.reshape(-1, 3), expected.as_rotvec(), atol=1e-9)
    matrices = ScipyRotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(2, 5, 3, 3)
    moved = FIELDS["orientations"].action(SO3()).apply(g, {"x": matrices})["x"]
    np.testing.assert_allclose(moved.reshape(-1, 3, 3), expected.as_matrix(), atol=1e-12)
    with pytest.raises(InvalidRequest, match="no rotation of space"):
        FIELDS["orientations"].action(O3()).apply(Rotation3D((1, 0, 0, 0), True), {"x": matrices})


@pytest.mark.parametrize("form", ["vector", "matrix"])
def test_the_root_of_a_body_turns_about_its_pelvis(form):
    # Vertices of one rigid body: v' = R (v - J) + J + t. Moving the parameters must move the vertices.
    rng = np.random.default_rng(0)
    rest, betas = rng.normal(size=(20, 3)), rng.normal(size=(2, 4))
    pelvis, per_beta = np.array([0.1, -0.4, 0.2]), rng.normal(size=(3, 4)) * 0.1
    turns = ScipyRotation.random(2, random_state=1)
    arrays = {
        "global_orient": turns.as_rotvec() if form == "vector" else turns.as_matrix(),
        "transl": rng.normal(size=(2, 3)),
        "betas": betas,
        "body_pose": rng.normal(size=(2, 69)),
    }

    def vertices(parameters):
        orient = parameters["global_orient"]
        rotation = ScipyRotation.from_rotvec(orient) if form == "vector" else ScipyRotation.from_matrix(orient)
        joint = pelvis + betas @ per_beta.T
        turned = np.einsum("bij,bvj->bvi", rotation.as_matrix(), rest - joint[:, None])
        return turned + (joint + parameters["transl"])[:, None]

    for group in (SE3(2.0), SO3(), Icosahedral()):
        action = BodyAction(group, "global_orient", "transl", pelvis, "betas", per_beta, form)
        g, h = group.sample(rng, 2)
        moved = {**arrays, **action.apply(g, arrays)}
        expected = vertices(arrays) @ group.matrix(g).T + group.translation(g)
        np.testing.assert_allclose(vertices(moved), expected, atol=1e-9)
        twice, once = action.apply(h, moved), action.apply(group.compose(h, g), arrays)
        np.testing.assert_allclose(twice["transl"], once["transl"], atol=1e-9)


def test_a_body_that_forgets_its_pelvis_is_off_by_the_pelvis():
    arrays = {"global_orient": np.zeros((1, 3)), "transl": np.zeros((1, 3))}
    half_turn = Rotation3D.about((0, 0, 1), 180)
    moved = BodyAction(SO3(), "global_orient", "transl", np.array([0.0, 0.3, 0.0])).apply(half_turn, arrays)
    np.testing.assert_allclose(moved["transl"], [[0.0, -0.6, 0.0]], atol=1e-12)


def test_reversed_time_reverses_frames_and_negates_velocities_only():
    steps = np.arange(8.0).reshape(1, 4, 2, 1) + np.zeros((1, 4, 2, 3))
    axes = ("batch", "time", "agent", "coord")
    backwards = Reversal(True)
    places = field("point", (-1, 4, 2, 3), axes, datatype="FP64").action(TimeReversal()).apply(backwards, {"x": steps})
    np.testing.assert_array_equal(places["x"], steps[:, ::-1])
    speeds = field("vector", (-1, 4, 2, 3), axes, datatype="FP64").action(TimeReversal()).apply(backwards, {"x": steps})
    np.testing.assert_array_equal(speeds["x"], -steps[:, ::-1])
    forces = field("vector", (-1, 4, 2, 3), axes, datatype="FP64", override={"sign": 1.0}).action(TimeReversal())
    np.testing.assert_array_equal(forces.apply(backwards, {"x": steps})["x"], steps[:, ::-1])


def test_an_override_is_for_the_factor_of_a_product_that_it_means():
    inertia = field("tensor", (-1, 3, 3), ("batch", "coord", "coord"), "V**2", "FP64", override={"homogeneous": 5.0})
    group = DirectProduct([SO3(), Scaling(0.5, 2), TimeReversal()])
    turn = Rotation3D.about((0, 0, 1), 90)
    element = Product((turn, Scale(2.0), Reversal(True)))
    tensors = np.random.default_rng(0).normal(size=(1, 3, 3))
    expected = 32 * turn.matrix() @ tensors @ turn.matrix().T
    np.testing.assert_allclose(inertia.action(group).apply(element, {"x": tensors})["x"], expected, atol=1e-9)
    with pytest.raises(InvalidRequest, match="override"):
        inertia.action(TimeReversal())
    with pytest.raises(InvalidRequest, match="override"):
        inertia.action(Symmetric(3))


def test_a_sequence_that_starts_later_is_compared_on_the_overlap():
    frames = np.arange(5.0)[None, :, None]
    action = field("point", (-1, 5, 1), ("batch", "time", "item"), "V").action(TimeShift(3))
    moved = action.apply(TimeStep(2), {"x": frames})["x"]
    assert moved[0, :, 0].tolist() == [0, 0, 0, 1, 2]
    assert action.valid(TimeStep(2), {"x": frames})["x"][0, :, 0].tolist() == [False, False, True, True, True]
    back, seen = action.apply(TimeStep(-2), {"x": moved})["x"], action.valid(TimeStep(-2), {"x": moved})["x"]
    np.testing.assert_array_equal(back[seen], frames[seen])
    with pytest.raises(InvalidRequest, match="time 2"):
        action.apply(TimeStep(2), {"x": frames[:, :2]})


def test_item_i_moves_to_the_place_that_the_permutation_says():
    items = np.array([[10.0], [20.0], [30.0]])
    action = field("point", (3, 1), ("item", "coord"), "V").action(Symmetric(3))
    assert action.apply(Permutation((2, 0, 1)), {"x": items})["x"][:, 0].tolist() == [20, 30, 10]


def test_angles_turn_with_the_picture_and_come_back_below_a_full_turn():
    action = field("angle", (-1,), units="deg").action(SO2())
    degrees = np.array([10.0, 350.0, 359.99999], np.float32)
    moved = action.apply(Rotation(20), {"x": degrees})["x"]
    np.testing.assert_allclose(moved, [30, 10, 19.99999], atol=1e-4)
    radians = FIELDS["angle"].action(SO2()).apply(Rotation(90), {"x": np.array([np.pi])})["x"]
    np.testing.assert_allclose(radians, [1.5 * np.pi])
    with pytest.raises(InvalidRequest, match="mirror image"):
        field("angle", (-1,)).action(Dihedral(4)).apply(Rotation(0, True), {"x": degrees})


def test_noise_is_permuted_by_exact_turns_and_turned_orthogonally_by_others():
    pixels = np.eye(64).reshape(64, 1, 8, 8)
    action = NoiseField("x", O2(), PixelGrid(8, 8))
    np.testing.assert_array_equal(action.apply(Rotation(90), {"x": pixels})["x"], np.rot90(pixels, axes=(-2, -1)))
    turned = {element: action.apply(element, {"x": pixels})["x"] for element in (Rotation(33), Rotation(33, True))}
    for moved in turned.values():
        np.testing.assert_allclose(moved.reshape(64, 64) @ moved.reshape(64, 64).T, np.eye(64), atol=1e-14)
    mirrored_first = action.apply(Rotation(33), {"x": pixels[..., ::-1]})["x"]
    np.testing.assert_array_equal(turned[Rotation(33, True)], mirrored_first)


def test_enlarged_noise_keeps_unit_variance():
    rng, enlarging = np.random.default_rng(0), Scale(1.3)
    noise = rng.normal(size=(4000, 1, 8, 8)).astype(np.float32)
    enlarged = NoiseField("x", Scaling(0.5, 2), PixelGrid(8, 8)).apply(enlarging, {"x": noise})["x"]
    # The variance of 4,000 draws has a standard deviation of 0.022.
    np.testing.assert_allclose(enlarged.var(axis=0), 1.0, atol=0.11)
    larger = NoiseField("x", Scaling(0.5, 2), PixelGrid(40, 40)).apply(
        enlarging, {"x": rng.normal(size=(500, 1, 40, 40))}
    )["x"]
    assert larger.var() == pytest.approx(1.0, abs=0.02)
    plain = PictureAction(Scaling(0.5, 2), "reflect").apply(enlarging, noise)
    assert plain.var(axis=0).min() < 0.8


def test_brightness_that_would_be_clipped_is_refused():
    picture = np.array([[[[10, 240]]]], np.uint8)
    action = field("picture", (-1, 1, 1, 2), datatype="UINT8").action(IntensityChange(0.5, 2, 20))
    np.testing.assert_array_equal(action.apply(Intensity(0.5, 3), {"x": picture})["x"], [[[[8, 123]]]])
    assert not action.exact(Intensity(0.5, 3))
    with pytest.raises(InvalidRequest, match="beyond the range 0 to 255"):
        action.apply(Intensity(1.5, 0), {"x": picture})


def test_a_six_that_is_turned_upside_down_is_a_nine():
    scores = np.eye(10)[[6, 9, 2]]
    action = RelabelClasses("x", Cyclic(2), {Rotation(180): {6: 9, 9: 6}})
    np.testing.assert_array_equal(action.apply(Rotation(180), {"x": scores})["x"], np.eye(10)[[9, 6, 2]])
    np.testing.assert_array_equal(action.apply(Rotation(0), {"x": scores})["x"], scores)
    with pytest.raises(InvalidRequest, match="maps two classes onto one"):
        RelabelClasses("x", Cyclic(2), {Rotation(180): {6: 9}}).apply(Rotation(180), {"x": scores})


def test_shrinking_a_picture_does_not_alias():
    y, x = np.mgrid[:64, :64] - 31.5
    fine = np.cos(2 * np.pi * 0.4 * x)[None]
    shrunk = PictureAction(Scaling(0.5, 2)).apply(Scale(0.5), fine)
    # 0.4 cycles a pixel would become 0.8, which only an alias at 0.2 could show.
    assert np.abs(shrunk[:, 24:40, 24:40]).max() < 0.02
    blob = np.exp(-(x**2 + y**2) / 128)[None]
    for factor in (0.6, 1.7):
        expected = np.exp(-(x**2 + y**2) / (128 * factor**2))
        assert np.abs(PictureAction(Scaling(0.5, 2)).apply(Scale(factor), blob)[0] - expected).max() < 0.01


@pytest.mark.parametrize(
    ("name", "group", "words"),
    [
        ("picture", SO3(), "pixel grid (height, width)"),
        ("cloud", SO2(), "axis 'coord' has size [3], but its representation has 2 components"),
        ("inertia", SO2(), "axis 'coord' has size [3, 3], but its representation has 4 components"),
        ("cloud", CyclicShift(6, 6), "groups of coordinates"),
        ("angle", SO3(), "rotations of the plane"),
    ],
)
def test_a_group_that_does_not_fit_a_tensor_is_refused_with_the_axis_named(name, group, words):
    with pytest.raises(InvalidRequest) as caught:
        FIELDS[name].action(group, PICTURE)
    assert caught.value.message.startswith("x: ")
    assert words in caught.value.message


def test_what_says_nothing_of_how_it_moves_is_refused():
    with pytest.raises(InvalidRequest, match="invariant: true"):
        field("other", (-1, 8)).action(SO3())
    with pytest.raises(InvalidRequest, match="left and right change places"):
        field("body_pose", (-1, 69)).action(O3())
    assert field("body_pose", (-1, 69)).action(SE3()).apply(SE3().identity, {"x": np.ones(69)})["x"].sum() == 69


def test_a_time_shift_that_leaves_nothing_is_refused_with_the_shifts_that_fit():
    action = field("point", (-1, 3, 1), ("batch", "time", "item"), "V").action(TimeShift(4))
    with pytest.raises(InvalidRequest, match="nothing of time 3; shifts by up to 2 fit, or time 5"):
        action.apply(TimeStep(4), {"x": np.zeros((1, 3, 1))})


def test_a_wrong_size_is_named_with_its_axis():
    with pytest.raises(InvalidRequest, match="got width 5, expected 6"):
        FIELDS["picture"].action(Cyclic(4)).apply(Rotation(90), {"x": np.zeros((1, 3, 6, 5), np.float32)})
    with pytest.raises(InvalidRequest, match="x: missing"):
        FIELDS["cloud"].action(SO3()).apply(SO3().identity, {"y": np.zeros(3)})
    with pytest.raises(InvalidRequest, match="dtype is int64"):
        FIELDS["cloud"].action(Translations(3)).apply(Translation((1, 0, 0)), {"x": np.zeros((1, 5, 3), np.int64)})
