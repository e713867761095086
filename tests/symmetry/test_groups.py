"""Group axioms, canonical forms and names, for every family."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equiserve.errors import InvalidRequest
from equiserve.symmetry import (
    SO2,
    CropShift,
    Cyclic,
    CyclicShift,
    Dihedral,
    Flip,
    Rotation,
    Shift,
    element_from_json,
    group_catalogue,
    group_from_spec,
)

FINITE_GROUPS = [
    CyclicShift(4, 6),
    CyclicShift(1, 5),
    Flip(),
    Flip(("left_right",)),
    Flip(("up_down",)),
    Cyclic(1),
    Cyclic(4),
    Cyclic(7),
    Cyclic(72),
    Dihedral(1),
    Dihedral(4),
    Dihedral(7),
]
GROUPS = [*FINITE_GROUPS, SO2()]


def names(groups):
    return [group.name for group in groups]


@st.composite
def group_and_elements(draw, count):
    group = draw(st.sampled_from(FINITE_GROUPS))
    return group, [draw(st.sampled_from(group.elements())) for _ in range(count)]


@given(group_and_elements(3))
def test_composition_is_associative(case):
    group, (g, h, k) = case
    assert group.compose(group.compose(g, h), k) == group.compose(g, group.compose(h, k))


@given(group_and_elements(1))
def test_identity_and_inverse_undo(case):
    group, (g,) = case
    assert group.compose(g, group.identity) == g == group.compose(group.identity, g)
    assert group.compose(g, group.inverse(g)) == group.identity == group.compose(group.inverse(g), g)


@given(group_and_elements(2))
def test_products_stay_in_the_group(case):
    group, (g, h) = case
    assert group.compose(g, h) in set(group.elements())


@given(group_and_elements(3))
def test_distance_is_a_metric_that_composition_preserves(case):
    group, (g, h, k) = case
    assert (group.distance(g, h) == 0) == (g == h)
    assert group.distance(g, h) == pytest.approx(group.distance(h, g), abs=1e-6)
    assert group.distance(g, k) <= group.distance(g, h) + group.distance(h, k) + 1e-6
    for moved in ((group.compose(k, g), group.compose(k, h)), (group.compose(g, k), group.compose(h, k))):
        assert group.distance(*moved) == pytest.approx(group.distance(g, h), abs=1e-6)


@given(*[st.floats(-1e4, 1e4)] * 3)
def test_so2_obeys_the_axioms_to_a_millionth_of_a_degree(a, b, c):
    group = SO2()
    g, h, k = Rotation(a), Rotation(b), Rotation(c)
    left, right = group.compose(group.compose(g, h), k), group.compose(g, group.compose(h, k))
    assert group.distance(left, right) < 1e-6
    assert group.distance(group.compose(g, group.inverse(g)), group.identity) < 1e-6


@pytest.mark.parametrize("group", FINITE_GROUPS, ids=names(FINITE_GROUPS))
def test_a_finite_group_lists_each_element_once_with_the_identity_first(group):
    elements = group.elements()
    assert len(elements) == len(set(elements)) == group.order
    assert elements[0] == group.identity


@pytest.mark.parametrize("group", GROUPS, ids=names(GROUPS))
def test_grids_and_samples_hold_canonical_elements_of_the_group(group):
    for n in (1, 3, 5):
        grid = group.grid(n)
        assert grid[0] == group.identity
        assert len(grid) == len(set(grid)) == min(n, group.order or n)
        sample = group.sample(np.random.default_rng(0), n)
        assert len(sample) == n
        assert all(group.canonical(g) == g for g in grid + sample)


@pytest.mark.parametrize("group", FINITE_GROUPS, ids=names(FINITE_GROUPS))
def test_random_elements_reach_the_whole_group(group):
    drawn = group.sample(np.random.default_rng(1), 40 * group.order)
    assert set(drawn) == set(group.elements())


def test_a_full_turn_is_the_identity_and_never_a_second_end_point():
    assert Rotation(360) == Rotation(0) == Rotation(-720) == Rotation(-1e-12)
    assert Rotation(-90) == Rotation(270)
    assert hash(Rotation(360.0)) == hash(Rotation(0))
    assert len(SO2().grid(72)) == 72
    assert all(0 <= g.angle_deg < 360 for g in SO2().grid(72))


def test_elements_of_c7_close_although_their_angles_are_rounded():
    generator = Cyclic(7).elements()[1]
    product = Cyclic(7).identity
    for _ in range(7):
        product = Cyclic(7).compose(generator, product)
    assert product == Cyclic(7).identity


def test_dihedral_products_do_not_commute_and_match_matrices():
    def matrix(g):
        cos, sin = np.cos(np.deg2rad(g.angle_deg)), np.sin(np.deg2rad(g.angle_deg))
        return np.array([[cos, -sin], [sin, cos]]) @ (np.diag([-1, 1]) if g.reflected else np.eye(2))

    group = Dihedral(5)
    for g in group.elements():
        for h in group.elements():
            np.testing.assert_allclose(matrix(group.compose(g, h)), matrix(g) @ matrix(h), atol=1e-7)
    quarter, mirror = Rotation(90), Rotation(0, reflected=True)
    assert Dihedral(4).compose(quarter, mirror) != Dihedral(4).compose(mirror, quarter)


@pytest.mark.parametrize(("size", "stride"), [(28, 4), (28, 7), (32, 8), (224, 16)])
def test_a_shift_grid_meets_every_phase_of_a_strided_network(size, stride):
    grid = CyclicShift(size, size).grid(4 * stride**2)
    assert {(g.dy % stride, g.dx % stride) for g in grid} == {(y, x) for y in range(stride) for x in range(stride)}


def test_a_longer_shift_grid_begins_with_the_shorter_one():
    group = CyclicShift(28, 28)
    assert group.grid(200)[:60] == group.grid(60)


def test_crop_shifts_say_that_they_are_no_group():
    window = CropShift(2)
    assert not window.is_group
    assert window.order == len(set(window.elements())) == 25
    with pytest.raises(InvalidRequest, match="at most 2 pixels"):
        window.compose(Shift(2, 0), Shift(1, 0))


@pytest.mark.parametrize(
    ("group", "element", "words"),
    [
        (CyclicShift(28, 28), Shift(5, 3), "a circular shift by 3 right, 5 down"),
        (CyclicShift(28, 28), Shift(27, 0), "a circular shift by 1 up"),
        (CyclicShift(28, 28), Shift(14, 15), "a circular shift by 13 left, 14 down"),
        (CropShift(4), Shift(-2, -4), "a shift by 4 left, 2 up"),
        (SO2(), Rotation(45), "a rotation by 45 degrees counter-clockwise"),
        (SO2(), Rotation(270), "a rotation by 90 degrees clockwise"),
        (Cyclic(2), Rotation(180), "a rotation by 180 degrees"),
        (Flip(), Rotation(0, True), "a left-right flip"),
        (Flip(), Rotation(180, True), "an up-down flip"),
        (Dihedral(4), Rotation(90, True), "a left-right flip and then a rotation by 90 degrees counter-clockwise"),
    ],
)
def test_elements_are_described_in_words(group, element, words):
    assert group.describe(element) == words


@given(group_and_elements(1))
def test_elements_survive_json(case):
    _, (g,) = case
    assert element_from_json(json.loads(json.dumps(g.to_json()))) == g


@pytest.mark.parametrize(
    "value",
    [None, {}, 90, [1, 2], {"dy": 1.5}, {"dy": True}, {"angle_deg": "90"}, {"angle_deg": float("nan")}, {"dz": 1}],
)
def test_what_is_no_element_is_refused_with_the_field_named(value):
    with pytest.raises(InvalidRequest, match="elements") as caught:
        element_from_json(value)
    assert caught.value.field == "elements"


@pytest.mark.parametrize(
    ("group", "element"),
    [
        (Cyclic(4), Rotation(45)),
        (Cyclic(4), Shift(0, 1)),
        (Cyclic(4), Rotation(0, reflected=True)),
        (SO2(), Rotation(0, reflected=True)),
        (CyclicShift(4, 4), Rotation(90)),
        (Flip(("left_right",)), Rotation(180)),
    ],
)
def test_an_element_of_another_group_is_refused(group, element):
    with pytest.raises(InvalidRequest, match=group.name):
        group.canonical(element)


@pytest.mark.parametrize("group", [*GROUPS, CropShift(3)], ids=names([*GROUPS, CropShift(3)]))
def test_the_name_of_a_group_builds_it_again(group):
    assert group_from_spec(group.name) == group


@pytest.mark.parametrize(
    ("spec", "group"),
    [
        ("CyclicShift", CyclicShift(28, 32)),
        ({"name": "CyclicShift", "width": 8}, CyclicShift(28, 8)),
        ({"name": "Cyclic", "n": 8}, Cyclic(8)),
        ({"name": "D4"}, Dihedral(4)),
        ({"name": "CropShift", "reach": 3}, CropShift(3)),
        ({"name": "Flip", "axes": ["up_down"]}, Flip(("up_down",))),
        ("Flip:left_right", Flip(("left_right",))),
    ],
)
def test_groups_are_built_by_name_and_parameters(spec, group):
    assert group_from_spec(spec, height=28, width=32) == group


def test_an_unknown_group_is_answered_with_the_known_ones():
    with pytest.raises(InvalidRequest) as caught:
        group_from_spec("SO17")
    assert all(entry["name"] in caught.value.message for entry in group_catalogue())


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ("CyclicShift", "group.height"),
        ("CropShift", "group.reach"),
        ({"name": "C4", "angle": 3}, "group.angle"),
        ("C0", "n"),
        ({"name": "Cyclic", "n": 2.5}, "n"),
        ({"name": "Cyclic", "n": True}, "n"),
        ({"name": "Flip", "axes": []}, "axes"),
        ({"name": "Flip", "axes": 3}, "axes"),
        ({"name": "Flip", "axes": [["left_right"]]}, "axes"),
        ({}, "group"),
        ({"name": ["C4"]}, "group"),
    ],
)
def test_a_bad_parameter_is_named(spec, field):
    with pytest.raises(InvalidRequest) as caught:
        group_from_spec(spec)
    assert caught.value.field == field


def test_the_catalogue_is_json_and_each_example_builds_its_family():
    for entry in json.loads(json.dumps(group_catalogue())):
        group = group_from_spec(entry["example"], height=8, width=8)
        assert group.is_group == entry["is_group"]
        assert (group.order is not None) == entry["finite"]
        assert group.parameters().keys() == entry["parameters"].keys()
