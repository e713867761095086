"""The orbit of one picture, in chunks."""

import numpy as np
import pytest

from equiserve.errors import InvalidRequest
from equiserve.symmetry import SO2, CropShift, Cyclic, CyclicShift, Orbit, Rotation, Shift

PICTURE = np.random.default_rng(0).integers(0, 256, (1, 12, 12), np.uint8)


@pytest.mark.parametrize("group", [CyclicShift(12, 12), SO2(), CropShift(2)], ids=lambda group: group.name)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_chunks_together_are_the_orbit_in_order(group, size):
    orbit = Orbit.of(PICTURE, group)
    chunks = list(orbit.chunks(size))
    assert [chunk.start for chunk in chunks] == list(range(0, len(orbit), size))
    together = np.concatenate([chunk.pictures for chunk in chunks])
    np.testing.assert_array_equal(together, orbit.action.orbit(orbit.picture, orbit.elements))


def test_the_identity_comes_first_and_duplicates_are_dropped():
    orbit = Orbit.of(PICTURE, SO2(), elements=[Rotation(90), Rotation(360), Rotation(450), Rotation(0)])
    assert orbit.elements == (Rotation(0), Rotation(90))


def test_a_finite_group_is_taken_whole_and_a_continuous_one_every_five_degrees():
    assert len(Orbit.of(PICTURE, CyclicShift(12, 12))) == 144
    assert {g.angle_deg for g in Orbit.of(PICTURE, SO2()).elements} == set(range(0, 360, 5))
    assert len(Orbit.of(PICTURE, CyclicShift(12, 12), elements=20)) == 20


def test_exact_elements_are_told_from_resampled_ones():
    orbit = Orbit.of(PICTURE, SO2())
    assert [g.angle_deg for g, exact in zip(orbit.elements, orbit.exact, strict=True) if exact] == [0, 90, 180, 270]
    assert Orbit.of(PICTURE, Cyclic(4)).exact.all()
    assert Orbit.of(PICTURE, CropShift(1)).exact.sum() == 1


def test_only_orbits_with_resampled_rotations_see_the_disc_of_the_picture():
    exact, resampled = Orbit.of(PICTURE, Cyclic(4)), Orbit.of(PICTURE, Cyclic(8), background=17)
    assert exact.prepared is None
    np.testing.assert_array_equal(exact.picture, PICTURE)
    assert resampled.prepared == "disc"
    members = next(resampled.chunks(8)).pictures
    assert (members[:, 0, [0, 0, -1, -1], [0, -1, 0, -1]] == 17).all()
    for k in (0, 2, 4, 6):
        np.testing.assert_array_equal(members[k, 0], np.rot90(resampled.picture[0], k // 2))


def test_an_element_that_does_nothing_is_seen_to_do_nothing():
    stripes = np.tile(np.array([0, 255], np.uint8), (1, 12, 6))
    chunk = next(Orbit.of(stripes, CyclicShift(12, 12)).chunks(144))
    expected = [element.dx % 2 == 1 for element in CyclicShift(12, 12).elements()]
    assert chunk.changed.tolist() == expected
    constant = np.full((1, 12, 12), 40, np.uint8)
    assert not next(Orbit.of(constant, SO2()).chunks(72)).changed.any()


def test_a_random_orbit_repeats_with_its_seed():
    draws = [SO2().sample(np.random.default_rng(5), 10) for _ in range(2)]
    first, second = (Orbit.of(PICTURE, SO2(), elements=draw) for draw in draws)
    assert first.elements == second.elements
    assert len(first) == 11


def test_pictures_without_channels_and_foreign_elements_are_refused():
    with pytest.raises(InvalidRequest, match=r"expected \[C, H, W\]"):
        Orbit.of(PICTURE[0], SO2())
    with pytest.raises(InvalidRequest, match="C4"):
        Orbit.of(PICTURE, Cyclic(4), elements=[Shift(0, 1)])
