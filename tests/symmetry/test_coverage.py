"""Intervals over data sets: how often they hold, against simulations whose truth is known, and their exact cases."""

import math

import numpy as np
import pytest
from bench.coverage import CONSISTENCIES, INPUTS, POPULATIONS, coverage, error_coverage
from scipy import stats

from equiserve.symmetry.clustered import consistency_interval, curve_band, error_interval, inputs_needed

REPETITIONS = 200


@pytest.mark.parametrize("consistency", CONSISTENCIES)
@pytest.mark.parametrize("population", ["beta, correlation 0.2", "perfect but for a few"])
def test_clustered_intervals_hold_for_few_and_many_inputs(population, consistency):
    for inputs in INPUTS:
        cell = coverage(POPULATIONS[population], consistency, inputs, REPETITIONS)
        # A true coverage of 95 % falls below 91 % in 200 repetitions once in 200 times; the draws are fixed.
        assert cell.clustered >= 0.91, (inputs, cell)
        assert cell.above <= 0.07, (inputs, cell)


@pytest.mark.parametrize("inputs", [30, 100])
def test_intervals_that_count_elements_fail_where_clustered_ones_are_nominal(inputs):
    cell = coverage(POPULATIONS["beta, correlation 0.2"], 0.9, inputs, REPETITIONS)
    assert 0.91 <= cell.clustered <= 0.99
    assert cell.naive < 0.6


@pytest.mark.parametrize("inputs", [1, 5, 59, 2000])
def test_clean_inputs_get_the_exact_bound(inputs):
    interval = consistency_interval(np.ones(inputs))
    assert interval.method == "exact"
    assert (interval.mean, interval.high) == (1, 1)
    assert interval.low == pytest.approx(0.025 ** (1 / inputs))


@pytest.mark.parametrize(("right", "inputs"), [(0, 4), (3, 4), (17, 20), (99, 100)])
def test_inputs_that_are_all_right_or_all_wrong_get_clopper_and_pearson(right, inputs):
    values = np.arange(inputs) < right
    expected = stats.binomtest(right, inputs).proportion_ci(0.95, method="exact")
    interval = consistency_interval(values)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_with_few_failing_inputs_the_unseen_ones_may_be_far_worse():
    # One input of 20 lost a single element of 72: an interval of that spread alone would be 0.999 to 1.
    values = np.ones(20)
    values[3] = 71 / 72
    interval = consistency_interval(values)
    assert interval.method == "distribution-free"
    assert interval.low == pytest.approx(consistency_interval(np.ones(20)).low, abs=0.01)


def test_many_failing_inputs_get_an_interval_that_follows_their_skewness():
    rng = np.random.default_rng(0)
    values = rng.beta(8, 1, 60)
    interval = consistency_interval(values)
    assert interval.method == "bootstrap-t"
    assert interval.mean - interval.low > interval.high - interval.mean
    student = stats.t.interval(0.95, 59, values.mean(), values.std(ddof=1) / math.sqrt(60))
    assert interval.low == pytest.approx(student[0], abs=0.01)


def test_equal_inputs_that_fail_alike_do_not_pretend_to_know_the_others():
    interval = consistency_interval(np.full(10, 0.75))
    assert interval.method == "distribution-free"
    assert interval.low < 0.6


def test_a_failure_counts_as_the_worst_value():
    assert consistency_interval([1.0, math.nan]).mean == 0.5
    assert error_interval([0.1, math.nan]).high == math.inf
    assert error_interval([0.1, math.inf], worst=1.0).mean == 0.55


def test_unbounded_errors_stay_open_above_until_there_are_enough_inputs():
    few = error_interval([0.0, 0.0, 2.0, 3.0])
    assert few.high == math.inf
    assert few.to_json()["high"] is None
    many = error_interval(np.random.default_rng(0).gamma(4, 1, 40))
    assert many.low < 4 < many.high < 6
    assert error_interval(np.zeros(40)).high == 0


def test_very_skewed_relative_errors_get_a_bound_that_holds_whatever_their_shape():
    share, _ = error_coverage(2.0, 30, 200, bounded=True)
    assert share > 0.95
    few_large = [0.01] * 28 + [0.5, 0.9]
    assert error_interval(few_large, worst=1.0).method == "distribution-free"
    assert error_interval(np.linspace(0.01, 0.1, 30), worst=1.0).method == "bootstrap-t"
    # Without a largest error nothing bounds what was not seen.
    assert error_interval(few_large).method == "bootstrap-t"


def test_rounding_is_no_failure():
    errors = np.full(40, 1e-7)
    errors[0] = 0.5
    assert error_interval(errors, worst=1.0, negligible=1e-4).method == "distribution-free"


def test_the_interval_is_a_function_of_the_figures_alone():
    values = np.random.default_rng(1).random(1100)
    assert consistency_interval(values) == consistency_interval(values)
    low, high = np.mean(values) + np.array([-1, 1]) * 1.96 * values.std() / math.sqrt(1100)
    interval = consistency_interval(values)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=0.003)


def test_a_band_is_the_interval_of_each_element():
    curves = np.random.default_rng(0).random((12, 3))
    assert curve_band(curves)[1] == consistency_interval(curves[:, 1])


def test_the_number_of_inputs_that_would_decide():
    assert inputs_needed(np.ones(10), 0.95) == 59
    values = np.tile([1.0, 0.9], 10)
    more = inputs_needed(values, 0.94)
    assert 20 < more < 100
    assert consistency_interval(np.tile([1.0, 0.9], more // 2 + 1), 0.9).low == pytest.approx(0.94, abs=0.001)
