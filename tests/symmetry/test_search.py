"""The search for the worst element, on functions whose minimum is known and on the shipped transformer."""

import math

import numpy as np
import pytest

from equiserve.errors import InvalidRequest
from equiserve.symmetry.elements import Rotation3D, Shift
from equiserve.symmetry.groups import group_from_spec
from equiserve.symmetry.search import OneParameterSearch, RotationSearch, ShiftSearch


def found(search, function, budget):
    """Return what a search observes of a function within a budget."""
    observed = {}
    while len(observed) < budget and (elements := search.next_elements(observed)[: budget - len(observed)]):
        assert not observed.keys() & set(elements)
        observed |= {element: function(element) for element in elements}
    return observed


def dip(place, width, depth):
    """Return a slow wave on the circle with one narrow dip."""

    def function(angle):
        away = (angle - place + 180) % 360 - 180
        return 0.5 + 0.2 * math.cos(math.radians(3 * angle)) - depth * math.exp(-((away / width) ** 2))

    return function


@pytest.mark.parametrize("place", np.random.default_rng(0).uniform(0, 360, 20).round(3))
def test_sixty_searched_angles_reach_deeper_than_360_uniform_ones(place):
    function = dip(place, width=8, depth=1.0)
    searched = min(found(OneParameterSearch(), function, 60).values())
    uniform = min(function(angle) for angle in range(360))
    truth = min(function(angle) for angle in np.linspace(0, 360, 36000))
    assert searched <= uniform + 1e-4
    assert searched - truth < 2e-3


def test_sixty_searched_angles_find_as_many_wrong_ones_as_360_uniform_ones():
    rng = np.random.default_rng(1)
    places, widths = rng.uniform(0, 360, 100), rng.uniform(7, 14, 100)
    functions = [dip(place, width, 0.75) for place, width in zip(places, widths, strict=True)]
    searched = sum(min(found(OneParameterSearch(), function, 60).values()) < 0 for function in functions)
    uniform = sum(min(function(angle) for angle in range(360)) < 0 for function in functions)
    coarse = sum(min(function(angle) for angle in range(0, 360, 15)) < 0 for function in functions)
    assert searched >= uniform > coarse


def test_a_search_starts_with_24_uniform_elements_and_goes_on_in_rounds_of_6():
    search = OneParameterSearch()
    first = search.next_elements({})
    np.testing.assert_allclose(first, np.arange(24) * 15)
    observed = {angle: math.sin(math.radians(angle)) for angle in first}
    second = search.next_elements(observed)
    assert len(second) == 6
    # The minimum is at 270 degrees: both intervals that touch it are divided.
    assert {262.5, 277.5} <= set(second)
    assert search.next_elements(dict(list(observed.items())[:20])) == first[20:]


def test_the_mean_is_over_the_uniform_elements_only():
    search, function = OneParameterSearch(), dip(100, 5, 2.0)
    observed = found(search, function, 60)
    assert search.uniform_mean(observed) == pytest.approx(np.mean([function(angle) for angle in range(0, 360, 15)]))
    assert np.mean(list(observed.values())) < search.uniform_mean(observed) - 0.05


def test_the_circle_has_no_seam():
    observed = found(OneParameterSearch(), dip(359.3, 3, 2.0), 60)
    assert abs((min(observed, key=observed.get) + 180) % 360 - 180 + 0.7) < 0.3


def test_a_range_is_searched_from_end_to_end_and_not_beyond():
    search = OneParameterSearch(-30, 30, periodic=False)
    assert (search.uniform_elements()[0], search.uniform_elements()[-1]) == (-30, 30)
    observed = found(search, lambda angle: (angle - 17.21) ** 2, 60)
    assert min(observed, key=observed.get) == pytest.approx(17.21, abs=0.1)
    assert all(-30 <= angle <= 30 for angle in observed)


def test_a_finite_group_is_searched_on_its_own_elements_until_none_is_left():
    search = OneParameterSearch(spacing=360 / 40)
    observed = found(search, dip(99, 20, 1.0), 1000)
    assert len(observed) == 40
    assert all(abs(angle / 9 - round(angle / 9)) < 1e-6 for angle in observed)
    large = found(OneParameterSearch(spacing=1.0), dip(99, 8, 1.0), 60)
    assert min(large, key=large.get) == 99


def test_a_flat_function_is_searched_in_its_widest_gaps():
    observed = sorted(found(OneParameterSearch(), lambda angle: 1.0, 60))
    assert np.diff(observed).max() == pytest.approx(7.5)


def test_an_output_that_is_not_finite_is_searched_as_the_lowest_value():
    def function(angle):
        return math.nan if angle == 150 else 1.0

    observed = found(OneParameterSearch(), function, 60)
    assert len(observed) == 60


def test_a_search_that_cannot_start_is_refused():
    with pytest.raises(InvalidRequest, match="expected low < high"):
        OneParameterSearch(10, 10)
    with pytest.raises(InvalidRequest, match="at least 2 and 1"):
        OneParameterSearch(uniform=1)
    with pytest.raises(InvalidRequest, match="low < high in both directions"):
        ShiftSearch((0, 0), (0, 5))


@pytest.mark.parametrize("target", [(0, 0), (9, 21), (27, 1), (14, 13)])
def test_a_quadtree_finds_the_worst_circular_shift_in_an_eighth_of_all(target):
    def bowl(shift):
        down, right = ((a - b + 14) % 28 - 14 for a, b in zip((shift.dy, shift.dx), target, strict=True))
        return math.hypot(down, right)

    search = ShiftSearch((0, 0), (28, 28), periodic=True)
    assert len(search.uniform_elements()) == 16
    observed = found(search, bowl, 98)
    assert min(observed, key=observed.get) == Shift(*target)
    assert all(0 <= shift.dy < 28 and 0 <= shift.dx < 28 for shift in observed)


def test_a_window_of_shifts_is_searched_to_the_last_one():
    observed = found(ShiftSearch((-4, -3), (4, 3)), lambda shift: -shift.dy - shift.dx, 1000)
    assert len(observed) == 9 * 7
    assert min(observed, key=observed.get) == Shift(4, 3)
    search = ShiftSearch((-4, -3), (4, 3))
    assert search.uniform_mean(observed) == pytest.approx(0)


@pytest.mark.parametrize("seed", range(5))
def test_rotations_of_space_are_refined_around_the_worst_one(seed):
    group = group_from_spec("SO3")
    target = group.sample(np.random.default_rng(seed), 1)[0]

    def away(element):
        return group.distance(element, target)

    search = RotationSearch(group)
    observed = found(search, away, 150)
    # The nearest of 150 well-spread rotations is some 20 degrees away, and as much as 40.
    assert min(observed.values()) < 12
    assert all(isinstance(element, Rotation3D) for element in observed)
    assert search.uniform_mean(observed) == pytest.approx(np.mean([away(g) for g in group.grid(60)]))


def test_the_search_finds_the_wrong_angles_of_the_shipped_transformer():
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    import onnxruntime as ort
    from bench.pictures import fashion_pictures
    from bench.search import MODEL, compare

    if not MODEL.exists():
        pytest.skip(f"no {MODEL.name} of fashion-mnist-vit")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(MODEL), options, providers=["CPUExecutionProvider"])
    result = compare(session, fashion_pictures()[::20], 30.0)
    assert result["search 60"].pictures >= result["grid 360"].pictures > 0
    assert result["search 60"].gap < result["grid 60"].gap
