"""Group axioms for every family of the catalogue, and for matrix groups, on random elements."""

import contextlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equiserve.errors import InvalidRequest
from equiserve.symmetry import (
    O2,
    O3,
    SE3,
    SO2,
    SO3,
    AboutAxis,
    AngleRange,
    Cyclic,
    CyclicShift,
    Dihedral,
    DirectProduct,
    Icosahedral,
    Intensity,
    IntensityChange,
    LinearGroup,
    MatrixGroup,
    Permutation,
    Product,
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
    YDown,
    element_from_json,
    group_catalogue,
    group_from_spec,
)

TETRAHEDRAL = MatrixGroup(
    discrete=[[[0, 0, 1], [1, 0, 0], [0, 1, 0]], [[-1, 0, 0], [0, -1, 0], [0, 0, 1]]],
)
LORENTZ = MatrixGroup(lie=[[[0, 1], [1, 0]]], discrete=[[[-1, 0], [0, -1]]])
WHOLE_GROUPS = [
    *(group_from_spec(entry["example"], height=6, width=5) for entry in group_catalogue() if entry["is_group"]),
    AboutAxis(Dihedral(5), (1.0, 2.0, -0.5)),
    AboutAxis(O2(), (0.0, 0.0, -1.0)),
    Icosahedral(inversion=True),
    Translations(2, 10.0),
    Symmetric(20),
    TETRAHEDRAL,
    LORENTZ,
    DirectProduct([SO3(), TimeReversal(), Symmetric(4)]),
]
WINDOWS = [
    *(group_from_spec(entry["example"]) for entry in group_catalogue() if not entry["is_group"]),
    AngleRange(Dihedral(12), -60, 90),
    AboutAxis(AngleRange(SO2(), -45, 45), (0.0, 1.0, 0.0)),
    Scaling(0.9, 1.5, 2),
    IntensityChange(0.5, 1.0),
]
GROUPS = WHOLE_GROUPS + WINDOWS
NOT_BI_INVARIANT = (SE3, MatrixGroup)


def near(group, g, h):
    return group.distance(g, h) < 1e-6 * (1 + abs(group.distance(g, group.identity)))


@st.composite
def random_elements(draw, groups, count):
    group = draw(st.sampled_from(groups))
    return group, group.sample(np.random.default_rng(draw(st.integers(0, 2**32))), count)


@given(random_elements(WHOLE_GROUPS, 3))
def test_composition_is_associative_and_stays_in_the_group(case):
    group, (g, h, k) = case
    left, right = group.compose(group.compose(g, h), k), group.compose(g, group.compose(h, k))
    assert near(group, left, right)
    assert near(group, group.canonical(left), left)


@given(random_elements(GROUPS, 1))
def test_the_identity_changes_nothing_and_the_inverse_undoes(case):
    group, (g,) = case
    assert near(group, group.compose(g, group.identity), g)
    assert near(group, group.compose(group.identity, g), g)
    assert near(group, group.compose(g, group.inverse(g)), group.identity)
    assert near(group, group.compose(group.inverse(g), g), group.identity)


@given(random_elements(WHOLE_GROUPS, 3))
def test_distance_is_a_metric_that_composition_preserves(case):
    group, (g, h, k) = case
    assert group.distance(g, g) < 1e-6
    assert group.distance(g, h) == pytest.approx(group.distance(h, g), abs=1e-6)
    assert group.distance(g, k) <= group.distance(g, h) + group.distance(h, k) + 1e-6
    if not isinstance(group, MatrixGroup):
        assert group.distance(group.compose(k, g), group.compose(k, h)) == pytest.approx(group.distance(g, h), abs=1e-5)
    if not isinstance(group, NOT_BI_INVARIANT):
        assert group.distance(group.compose(g, k), group.compose(h, k)) == pytest.approx(group.distance(g, h), abs=1e-5)


@given(random_elements(GROUPS, 2))
def test_elements_survive_json_and_equal_values_hash_alike(case):
    group, (g, h) = case
    read = element_from_json(json.loads(json.dumps(g.to_json())))
    assert read == g
    assert hash(read) == hash(g)
    assert group.canonical(read) == g
    assert isinstance(group.describe(h), str)


@given(random_elements([g for g in GROUPS if isinstance(g, LinearGroup)], 2))
def test_matrices_multiply_as_elements_do(case):
    group, (g, h) = case
    try:
        product = group.compose(g, h)
        size = group.dim
    except InvalidRequest:
        return  # a window that is left, or a product without coordinates
    np.testing.assert_allclose(group.matrix(product), group.matrix(g) @ group.matrix(h), atol=1e-6, rtol=1e-6)
    point = np.arange(1.0, size + 1)
    once = group.matrix(product) @ point + group.translation(product)
    twice = group.matrix(g) @ (group.matrix(h) @ point + group.translation(h)) + group.translation(g)
    np.testing.assert_allclose(once, twice, atol=1e-5, rtol=1e-6)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_grids_and_samples_hold_distinct_canonical_elements_with_the_identity_first(group):
    for n in (1, 2, 5, 24):
        grid = group.grid(n)
        assert grid[0] == group.identity
        assert len(grid) == len(set(grid)) == min(n, group.order or n)
        sample = group.sample(np.random.default_rng(0), n)
        assert len(sample) == n
        assert all(group.canonical(g) == g for g in grid + sample)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_every_group_is_built_again_from_its_spec_and_named_ones_from_their_name(group):
    assert group_from_spec(json.loads(json.dumps(group.spec()))) == group
    if "Matrix(" not in group.name:
        assert group_from_spec(group.name) == group


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_the_exact_subgroup_lies_in_the_group(group):
    exact = group.exact_subgroup()
    if exact is not None and exact.order is not None:
        assert all(near(group, group.canonical(g), g) for g in exact.grid(20))


@pytest.mark.parametrize("group", [g for g in GROUPS if g.order and g.order <= 120], ids=lambda group: group.name)
def test_a_finite_group_lists_each_element_once(group):
    elements = group.elements()
    assert len(elements) == len(set(elements)) == group.order
    if group.is_group:
        products = {group.compose(g, h) for g in elements[:12] for h in elements[:12]}
        assert products <= set(elements)


@pytest.mark.parametrize("group", WINDOWS, ids=lambda group: group.name)
def test_windows_say_that_they_are_no_groups(group):
    assert not group.is_group


@pytest.mark.parametrize(
    ("group", "product"),
    [
        (AngleRange(SO2(), -30, 30), (Rotation(20), Rotation(20))),
        (Scaling(0.5, 2), (Scale(1.9), Scale(1.9))),
        (TimeShift(2), (TimeStep(2), TimeStep(1))),
        (IntensityChange(0.8, 1.2, 10), (Intensity(1.1, 9), Intensity(1.1, 9))),
    ],
)
def test_a_product_that_leaves_its_window_is_refused(group, product):
    with pytest.raises(InvalidRequest, match="is not an element of"):
        group.compose(*product)


def test_a_range_of_angles_leaves_out_the_half_turn_that_makes_a_9_of_a_6():
    window = group_from_spec({"name": "SO2", "range": [-150, 150]})
    assert all(g.angle_deg <= 150 or g.angle_deg >= 210 for g in window.grid(61) + window.sample(RNG(), 200))
    with pytest.raises(InvalidRequest, match="-150 to 150 degrees"):
        window.canonical(Rotation(180))
    assert group_from_spec("SO2[-30,30]") == group_from_spec({"name": "SO2", "range": 30})
    assert [g.angle_deg for g in AngleRange(Cyclic(8), -90, 45).elements()] == [0, 45, 270, 315]


def test_what_undoes_an_element_of_a_lopsided_range_is_accepted():
    window = AngleRange(SO2(), 0, 90)
    assert window.inverse(Rotation(60)) == Rotation(300)
    assert Scaling(1, 4).inverse(Scale(4)) == Scale(0.25)
    assert Scaling(1, 4).canonical(Scale(0.25)) == Scale(0.25)


def test_the_ends_of_a_whole_turn_are_one_element():
    angles = [g.angle_deg for g in AngleRange(SO2(), -180, 180).grid(8)]
    assert sorted(angles) == [0, 45, 90, 135, 180, 225, 270, 315]
    assert sorted(g.angle_deg for g in AngleRange(SO2(), -30, 30).grid(5)) == [0, 15, 30, 330, 345]


@pytest.mark.parametrize(
    ("spec", "group"),
    [
        ("SO(3)", SO3()),
        ("O(2)", O2()),
        ("T(2)", Translations(2)),
        ("SE(3)", SE3()),
        ({"name": "SO(2)", "axis": [0, 2, 0]}, AboutAxis(SO2(), (0.0, 1.0, 0.0))),
        ("SO2 about -1,0,0", AboutAxis(SO2(), (-1.0, 0.0, 0.0))),
        ("SO2[-30,30] about y", AboutAxis(AngleRange(SO2(), -30, 30), (0.0, 1.0, 0.0))),
        ({"name": "O2", "range": 45, "axis": "z"}, AboutAxis(AngleRange(O2(), -45, 45), (0.0, 0.0, 1.0))),
        ("D4 x TimeReversal", DirectProduct([Dihedral(4), TimeReversal()])),
        (
            {"name": "DirectProduct", "factors": ["D4", {"name": "TimeReversal"}]},
            DirectProduct([Dihedral(4), TimeReversal()]),
        ),
        ({"name": "custom", "lie": [[[0, -1], [1, 0]]]}, MatrixGroup(lie=[[[0, -1], [1, 0]]])),
        ("CyclicShift x TimeReversal", DirectProduct([CyclicShift(6, 5), TimeReversal()])),
        ("C8 y-down", YDown(Cyclic(8))),
    ],
)
def test_the_spellings_of_the_field_are_read(spec, group):
    assert group_from_spec(spec, height=6, width=5) == group


@pytest.mark.parametrize(
    "spec",
    [
        "S100000",
        "SO2[10,30]",
        "SO2[-30,400]",
        "SO3 about y",
        "C4 x C4 x C4 x C4 x C4",
        {"name": "SO2", "axis": [0, 0, 0]},
        {"name": "SO2", "axis": ["a", 0, 0]},
        {"name": "SO2", "range": "wide"},
        {"name": "SO3", "range": 30},
        "Scaling:2..3",
        {"name": "Scaling", "low": float("nan"), "high": 2},
        {"name": "T3", "reach": -1},
        {"name": "MatrixGroup"},
        {"name": "MatrixGroup", "lie": [[[0, 1]]]},
        {"name": "MatrixGroup", "lie": [[["a"]]]},
        {"name": "MatrixGroup", "discrete": [[[0, 0], [0, 0]]]},
        {"name": "MatrixGroup", "discrete": [[[2.0]]]},
        {"name": "MatrixGroup", "discrete": [[[0.6, -0.8], [0.8, 0.6]]]},
        {"name": "DirectProduct", "factors": "D4"},
        {"name": "DirectProduct", "factors": [1, 2]},
        {"name": "AboutAxis", "group": {"name": "AboutAxis", "group": "SO2", "axis": "x"}, "axis": "x"},
        "C" * 300,
    ],
)
def test_specs_that_make_no_group_are_refused(spec):
    with pytest.raises(InvalidRequest):
        group_from_spec(spec)


@pytest.mark.parametrize(
    "value",
    [
        {"quaternion": [0, 0, 0, 0]},
        {"quaternion": [1, 0, 0]},
        {"quaternion": [1, 0, 0, "a"]},
        {"quaternion": [1, 0, 0, 0], "translation": [1, 2]},
        {"translation": []},
        {"scale": 0},
        {"scale": True},
        {"scale": 1e-13},
        {"gain": 1e-13, "offset": 0},
        {"permutation": [0, 0]},
        {"permutation": [0, 1.0]},
        {"time_reversed": 1},
        {"time_steps": 1.0},
        {"gain": -1},
        {"matrix": [[1, 2]]},
        {"product": [{"dz": 1}]},
        {"product": [], "dy": 1},
    ],
)
def test_what_is_no_element_is_refused(value):
    with pytest.raises(InvalidRequest):
        element_from_json(value)


@pytest.mark.parametrize(
    ("group", "element", "words"),
    [
        (SO3(), Rotation3D.about((0, 1, 0), 90), "a rotation by 90 degrees about (0, 1, 0)"),
        (SO3(), Rotation3D.about((0, 1, 0), 270), "a rotation by 90 degrees about (0, -1, 0)"),
        (O3(), Rotation3D((1, 0, 0, 0), inverted=True), "the inversion"),
        (
            SE3(),
            RigidMotion(Rotation3D((1, 0, 0, 0)), (1, 0, 0.5)),
            "a rotation by 0 degrees and then a translation by (1, 0, 0.5)",
        ),
        (group_from_spec("SO2 about y"), Rotation(30), "a rotation by 30 degrees about y"),
        (Translations(), Translation((0, -1.5, 2)), "a translation by (0, -1.5, 2)"),
        (Scaling(0.5, 2), Scale(1.25), "a scaling by 1.25"),
        (Symmetric(4), Permutation((1, 0, 2, 3)), "a permutation that moves 2 of 4 items"),
        (TimeShift(3), TimeStep(-2), "a shift by 2 frames earlier"),
        (
            DirectProduct([Dihedral(4), TimeReversal()]),
            Product((Rotation(90), Reversal(True))),
            "a rotation by 90 degrees counter-clockwise with time reversal",
        ),
        (IntensityChange(0.5, 2, 9), Intensity(1.5, -3), "a change of brightness to 1.5 x -3"),
    ],
)
def test_elements_of_every_kind_are_described_in_words(group, element, words):
    assert group.describe(element) == words


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.sampled_from(["SO2", "y", "D4", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "n", "x"]), inner, max_size=2),
    max_leaves=6,
)


@given(
    st.sampled_from([*group_catalogue(), {"name": "MatrixGroup", "parameters": {"lie": "", "discrete": ""}}]), st.data()
)
def test_any_json_makes_a_group_or_a_typed_error(family, data):
    keys = [*family["parameters"], "axis", "range"]
    given_keys = data.draw(st.lists(st.sampled_from(keys), unique=True))
    spec = {"name": family["name"], **{key: data.draw(JSON) for key in given_keys}}
    with contextlib.suppress(InvalidRequest):
        assert group_from_spec(spec, height=6, width=5).spec()


@given(
    st.dictionaries(
        st.sampled_from(
            ["dy", "angle_deg", "reflected", "quaternion", "inverted", "translation", "scale", "permutation"]
        )
        | st.sampled_from(["time_reversed", "time_steps", "gain", "offset", "matrix", "product"]),
        JSON | st.lists(st.integers(-2, 3) | st.floats(), max_size=4),
        max_size=2,
    )
)
def test_any_json_makes_an_element_or_a_typed_error(value):
    with contextlib.suppress(InvalidRequest):
        assert element_from_json(element_from_json(value).to_json()) == element_from_json(value)


def test_a_few_elements_of_an_enormous_group_cost_no_more_than_of_a_small_one():
    for group in (Cyclic(10**12), Dihedral(10**12), AboutAxis(Dihedral(10**12), (1.0, 0.0, 0.0))):
        assert len(set(group.grid(4))) == 4
        assert len(group.sample(RNG(), 4)) == 4
        assert group.generators().shape[1:] == (group.dim, group.dim)


def test_a_matrix_group_is_enumerated_from_its_generators():
    assert TETRAHEDRAL.order == 12
    assert LORENTZ.order is None
    boost = LORENTZ.sample(RNG(), 1)[0]
    metric = np.diag([1, -1])
    np.testing.assert_allclose(np.array(boost.rows).T @ metric @ np.array(boost.rows), metric, atol=1e-6)


def test_shifts_are_no_elements_of_a_product_of_others():
    with pytest.raises(InvalidRequest, match="D4 x TimeReversal"):
        DirectProduct([Dihedral(4), TimeReversal()]).canonical(Shift(0, 1))


def RNG():  # noqa: N802
    return np.random.default_rng(0)
