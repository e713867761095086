"""How elements act on pictures: the laws, and the traps of sign and centre."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from equiserve.errors import InvalidRequest
from equiserve.symmetry import (
    SO2,
    CropShift,
    Cyclic,
    CyclicShift,
    Dihedral,
    Flip,
    PictureAction,
    Rotation,
    Shift,
    restrict_to_disc,
)

EXACT_CASES = [
    (CyclicShift(6, 5), (6, 5)),
    (Flip(), (6, 5)),
    (Cyclic(2), (6, 5)),
    (Cyclic(4), (6, 6)),
    (Cyclic(4), (5, 5)),
    (Dihedral(4), (5, 5)),
    (Dihedral(4), (6, 6)),
]


@st.composite
def exact_case(draw, count):
    group, (height, width) = draw(st.sampled_from(EXACT_CASES))
    dtype = draw(st.sampled_from([np.uint8, np.float32, np.int64]))
    picture = draw(hnp.arrays(dtype, (2, height, width), elements=st.integers(0, 255)))
    return group, picture, [draw(st.sampled_from(group.elements())) for _ in range(count)]


@given(exact_case(2))
def test_the_action_of_exact_elements_is_a_homomorphism_bit_for_bit(case):
    group, picture, (g, h) = case
    action = PictureAction(group)
    product = action.apply(group.compose(g, h), picture)
    np.testing.assert_array_equal(action.apply(g, action.apply(h, picture)), product)


@given(exact_case(1))
def test_exact_elements_permute_the_values_and_are_undone_by_their_inverse(case):
    group, picture, (g,) = case
    action = PictureAction(group)
    moved = action.apply(g, picture)
    assert action.exact(g, picture.shape[1:])
    assert moved.dtype == picture.dtype
    np.testing.assert_array_equal(np.sort(moved, axis=None), np.sort(picture, axis=None))
    np.testing.assert_array_equal(action.apply(group.inverse(g), moved), picture)
    np.testing.assert_array_equal(action.apply(group.identity, picture), picture)


@pytest.mark.parametrize("size", [6, 7])
def test_a_positive_quarter_turn_brings_the_right_edge_to_the_top(size):
    picture = np.zeros((1, size, size), np.uint8)
    picture[0, size - 2, size - 1] = 255  # lower right, on the right edge
    moved = PictureAction(SO2()).apply(Rotation(90), picture)
    assert moved[0, 0, size - 2] == 255  # upper right, on the top edge
    np.testing.assert_array_equal(moved[0], np.rot90(picture[0]))


@pytest.mark.parametrize("size", [32, 33])
@pytest.mark.parametrize("angle", [1, -30, 45, 89.999, 179, 270.5])
def test_resampled_rotations_turn_the_same_way_about_the_same_centre_as_scipy(size, angle):
    picture = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(1, size, size)), (0, 2, 2))
    ours = PictureAction(SO2()).apply(Rotation(angle), picture)
    theirs = ndimage.rotate(picture, angle, axes=(1, 2), reshape=False, order=5, mode="nearest")
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    inside = np.hypot(x, y) < 0.4 * size
    assert np.abs(ours - theirs)[:, inside].max() < 0.02 * np.abs(theirs).max()


@pytest.mark.parametrize("size", [12, 13])
@pytest.mark.parametrize("element", Dihedral(4).elements())
def test_resampling_agrees_with_the_exact_elements_at_their_angles(size, element):
    # A ten-thousandth of a degree beside an exact element takes the other road and must arrive at the same place.
    picture = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=(1, size, size)), (0, 1.5, 1.5))
    beside = Rotation(element.angle_deg + 1e-4, element.reflected)
    action = PictureAction(Dihedral(3_600_000))
    assert not action.exact(beside, (size, size))
    moved, expected = action.apply(beside, picture), action.apply(element, picture)
    assert np.abs(moved - expected).max() < 0.02 * np.abs(picture).max()


def test_a_positive_shift_moves_content_right_and_down():
    picture = np.zeros((1, 5, 6), np.uint8)
    picture[0, 1, 2] = 9
    assert PictureAction(CyclicShift(5, 6)).apply(Shift(2, 3), picture)[0, 3, 5] == 9
    assert PictureAction(CropShift(3), "zero").apply(Shift(2, 3), picture)[0, 3, 5] == 9


def test_a_circular_orbit_equals_numpy_roll_for_every_shift():
    picture = np.random.default_rng(0).integers(0, 256, (3, 7, 9), np.uint8)
    group = CyclicShift(7, 9)
    orbit = PictureAction(group).orbit(picture, group.elements())
    for element, member in zip(group.elements(), orbit, strict=True):
        np.testing.assert_array_equal(member, np.roll(picture, (element.dy, element.dx), axis=(1, 2)))


@pytest.mark.parametrize(("fill", "mode"), [("zero", "constant"), ("edge", "nearest"), ("reflect", "mirror")])
def test_a_crop_shift_lets_the_named_fill_in(fill, mode):
    picture = np.random.default_rng(0).integers(0, 256, (1, 8, 8)).astype(np.float64)
    for element in CropShift(5).grid(20):
        expected = ndimage.shift(picture, (0, element.dy, element.dx), order=0, mode=mode)
        np.testing.assert_array_equal(PictureAction(CropShift(5), fill).apply(element, picture), expected)


@pytest.mark.parametrize(("fill", "corner"), [("zero", 0.0), ("edge", 5.0), ("reflect", 5.0)])
def test_a_resampled_rotation_lets_the_named_fill_in(fill, corner):
    picture = np.full((1, 16, 16), 5.0)
    moved = PictureAction(SO2(), fill).apply(Rotation(45), picture)
    assert moved[0, 0, 0] == pytest.approx(corner)
    assert moved[0, 8, 8] == pytest.approx(5.0)


def test_reflections_and_resampling_keep_their_order():
    picture = ndimage.gaussian_filter(np.random.default_rng(2).normal(size=(1, 40, 40)), (0, 2, 2))
    y, x = np.mgrid[:40, :40] - 19.5
    picture *= np.exp(-(x**2 + y**2) / 72)
    group = Dihedral(12)
    action = PictureAction(group)
    g, h = Rotation(30), Rotation(60, reflected=True)
    once = action.apply(group.compose(g, h), picture)
    twice = action.apply(g, action.apply(h, picture))
    other = action.apply(group.compose(h, g), picture)
    assert np.linalg.norm(once - twice) < 0.02 * np.linalg.norm(once)
    assert np.linalg.norm(once - other) > 0.5 * np.linalg.norm(once)


def test_integer_pictures_are_rounded_and_clipped_and_floating_ones_are_not():
    picture = np.zeros((1, 20, 20), np.uint8)
    picture[:, 5:15, 5:15] = 255
    action = PictureAction(SO2())
    turned, overshooting = (action.apply(Rotation(30), p) for p in (picture, picture.astype(np.float64)))
    assert turned.dtype == np.uint8
    assert overshooting.max() > 256  # so that clipping is put to the test
    np.testing.assert_allclose(turned, np.clip(np.rint(overshooting), 0, 255), atol=1)


def test_batches_are_moved_picture_by_picture():
    pictures = np.random.default_rng(0).integers(0, 256, (2, 3, 1, 8, 8), np.uint8)
    for group, element in [(CyclicShift(8, 8), Shift(1, 2)), (SO2(), Rotation(37)), (Cyclic(4), Rotation(90))]:
        action = PictureAction(group)
        together = action.apply(element, pictures)
        for index in np.ndindex(2, 3):
            np.testing.assert_array_equal(together[index], action.apply(element, pictures[index]))


@pytest.mark.parametrize(
    ("group", "element", "exact"),
    [
        (SO2(), Rotation(270), True),
        (SO2(), Rotation(90.001), False),
        (Cyclic(8), Rotation(45), False),
        (CropShift(2), Shift(0, 0), True),
        (CropShift(2), Shift(1, 0), False),
        (CyclicShift(8, 8), Shift(1, 0), True),
    ],
)
def test_exactness_is_a_property_of_the_element(group, element, exact):
    assert PictureAction(group).exact(element, (8, 8)) is exact


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((1, 6, 8), "height 6 and width 8; crop the width to 6, or pad the height to 8"),
        ((1, 8, 6), "height 8 and width 6; crop the height to 6, or pad the width to 8"),
    ],
)
def test_a_quarter_turn_of_an_oblong_picture_is_refused_with_the_sizes_that_fit(shape, words):
    action = PictureAction(Cyclic(4))
    with pytest.raises(InvalidRequest, match=words):
        action.apply(Rotation(90), np.zeros(shape))
    assert action.apply(Rotation(180), np.zeros(shape)).shape == shape


def test_a_shift_group_of_another_size_is_refused_with_the_axis_named():
    with pytest.raises(InvalidRequest, match="height 28, got height 32; CyclicShift:32x28 fits") as caught:
        PictureAction(CyclicShift(28, 28)).apply(Shift(0, 1), np.zeros((1, 32, 28)))
    assert caught.value.field == "group.height"


def test_a_crop_shift_that_leaves_nothing_is_refused():
    words = r"by up to 7 along the height and 5 along the width fit, .* height 10 and width 6$"
    with pytest.raises(InvalidRequest, match=words):
        PictureAction(CropShift(9)).apply(Shift(9, 0), np.zeros((1, 8, 6)))


def test_an_unknown_fill_is_refused():
    with pytest.raises(InvalidRequest, match="wrap"):
        PictureAction(SO2(), "wrap")


@pytest.mark.parametrize("size", [28, 29])
def test_the_disc_hides_what_a_rotation_would_lose_and_keeps_the_middle(size):
    picture = np.random.default_rng(0).integers(1, 256, (2, size, size), np.uint8)
    disc = restrict_to_disc(picture, background=(7, 9))
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    radius = np.hypot(x, y)
    for channel, value in enumerate((7, 9)):
        assert (disc[channel][radius >= size / 2] == value).all()
    np.testing.assert_array_equal(disc[:, radius <= size / 2 - 1.5], picture[:, radius <= size / 2 - 1.5])


def test_the_disc_commutes_with_every_exact_element():
    picture = np.random.default_rng(0).integers(0, 256, (1, 9, 9), np.uint8)
    action = PictureAction(Dihedral(4))
    for element in Dihedral(4).elements():
        np.testing.assert_array_equal(
            restrict_to_disc(action.apply(element, picture)), action.apply(element, restrict_to_disc(picture))
        )


def test_the_default_background_is_the_median_of_the_border():
    picture = np.full((1, 10, 10), 200, np.uint8)
    picture[0, [0, -1]] = picture[0, :, [0, -1]] = 30
    picture[0, 0, 3:6] = 255
    assert restrict_to_disc(picture)[0, 0, 0] == 30


def test_a_background_of_the_wrong_length_is_refused():
    with pytest.raises(InvalidRequest, match="got 2 values, expected 1 or 3"):
        restrict_to_disc(np.zeros((3, 8, 8)), background=(1, 2))
