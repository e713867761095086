"""Bounds against scipy and the published table."""

import doctest

import pytest
from scipy import stats

from equiserve.symmetry import certified_share, elements_needed, statistics, wilson_interval
from equiserve.symmetry.statistics import certificate, clopper_pearson_interval, inputs_certificate, percent


@pytest.mark.parametrize(("n", "share"), [(59, 0.950), (72, 0.959), (299, 0.990), (360, 0.992), (1000, 0.997)])
def test_clean_random_elements_certify_the_known_shares(n, share):
    assert certified_share(n) == pytest.approx(share, abs=5e-4)
    exact = stats.binomtest(n, n, alternative="greater").proportion_ci(0.95, method="exact").low
    assert certified_share(n) == pytest.approx(exact)


@pytest.mark.parametrize(("share", "n"), [(0.95, 59), (0.99, 299), (0.999, 2995)])
def test_the_number_of_elements_for_a_contract(share, n):
    assert elements_needed(share) == n
    assert certified_share(n) >= share > certified_share(n - 1)


@pytest.mark.parametrize(("successes", "n"), [(0, 5), (3, 5), (5, 5), (70, 72), (950, 1000)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_wilson_interval_equals_scipy(successes, n, confidence):
    expected = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    assert wilson_interval(successes, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("successes", "n"), [(0, 5), (1, 1), (3, 5), (5, 5), (70, 72), (950, 1000), (2, 4000)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_clopper_and_pearsons_interval_equals_scipy(successes, n, confidence):
    expected = stats.binomtest(successes, n).proportion_ci(confidence, method="exact")
    assert clopper_pearson_interval(successes, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_nothing_tried_says_nothing():
    assert certified_share(0) == 0
    assert wilson_interval(0, 0) == clopper_pearson_interval(0, 0) == (0, 1)


def test_a_certificate_never_promises_more_than_its_bound():
    assert doctest.testmod(statistics).failed == 0
    assert certificate(298).startswith("298 clean random elements: at least 98.9 % of the group")
    assert inputs_certificate(1).startswith("1 clean input: at least 5 % of inputs")
    assert (percent(1.0), percent(0.9999)) == ("100 %", "99.9 %")
