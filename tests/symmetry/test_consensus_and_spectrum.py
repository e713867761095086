"""Consensus of outputs that are no classes, the split of the error, and the spectrum of an orbit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.transform import Rotation as Turn

from equiserve.symmetry.consensus import (
    average_consensus,
    error_split,
    median_consensus,
    medoid_consensus,
    rotation_consensus,
)
from equiserve.symmetry.metrics import orbit_variance_ratio
from equiserve.symmetry.spectrum import orbit_spectrum

RNG = np.random.default_rng(0)
orbits = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 12), st.integers(1, 5)), elements=st.floats(-100, 100, width=32)
)


@given(orbits, st.integers(0, 2**31))
def test_the_error_is_what_symmetrising_cannot_cure_plus_what_it_cures(f, seed):
    truth = np.random.default_rng(seed).normal(scale=10, size=f.shape[1])
    split = error_split(f, truth)
    brute = np.mean([np.sum((row - truth) ** 2) for row in f])
    assert split.total == pytest.approx(brute)
    assert split.total == pytest.approx(split.incurable + split.curable, rel=1e-9, abs=1e-9)
    assert split.incurable <= split.total + 1e-9


def test_averaging_over_the_group_cures_exactly_the_curable_part():
    f, truth = RNG.normal(size=(8, 3)), RNG.normal(size=3)
    averaged = np.tile(average_consensus(f).output, (8, 1))
    assert error_split(averaged, truth).total == pytest.approx(error_split(f, truth).incurable)
    assert error_split(averaged, truth).curable == pytest.approx(0)


@pytest.mark.parametrize("consensus", [average_consensus, median_consensus, medoid_consensus])
def test_members_that_agree_are_the_consensus_at_full_strength(consensus):
    one = RNG.normal(size=(2, 3))
    result = consensus(np.stack([one] * 5))
    np.testing.assert_allclose(result.output, one)
    assert result.strength == pytest.approx(1)
    assert result.members == 5
    assert result.reference().kind == "consensus"


def test_one_broken_member_moves_the_average_but_not_the_median_or_the_medoid():
    f = np.ones((9, 2)) + RNG.normal(scale=0.01, size=(9, 2))
    f[4] = 1000
    assert average_consensus(f).output.max() > 100
    for robust in (median_consensus(f), medoid_consensus(f)):
        np.testing.assert_allclose(robust.output, 1, atol=0.05)
        assert 0.8 < robust.strength < 0.95
    assert medoid_consensus(f).medoid != 4
    assert average_consensus(f).strength < 0.3


@pytest.mark.parametrize("consensus", [average_consensus, median_consensus, medoid_consensus])
def test_failed_members_have_no_part_in_a_consensus_but_weaken_it(consensus):
    f = np.ones((4, 2))
    f[1] = np.nan
    result = consensus(f)
    np.testing.assert_array_equal(result.output, [1, 1])
    assert (result.members, result.strength) == (3, pytest.approx(0.75))
    assert consensus(np.full((3, 2), np.inf)).strength == 0


def test_the_mean_rotation_equals_scipys_and_is_a_rotation():
    turns = Turn.from_rotvec(RNG.normal(scale=0.4, size=(7, 3)))
    result = rotation_consensus(turns.as_matrix())
    np.testing.assert_allclose(result.output, turns.mean().as_matrix(), atol=1e-12)
    assert 0.7 < result.strength < 1
    # The average of these three is nearest to a reflection among all orthogonal matrices.
    apart = Turn.from_rotvec(np.pi * np.eye(3)).as_matrix()
    assert np.linalg.det(rotation_consensus(apart).output) == pytest.approx(1)
    joints = np.stack([turns.as_matrix(), turns.inv().as_matrix()], axis=1)
    np.testing.assert_allclose(rotation_consensus(joints).output[1], turns.inv().mean().as_matrix(), atol=1e-12)


def test_the_medoid_is_counted_among_all_members():
    f = np.array([[np.nan], [5.0], [1.0], [1.1], [1.2]])
    assert medoid_consensus(f).medoid == 3


@given(orbits.filter(lambda f: len(f) > 1))
def test_the_energy_off_frequency_zero_is_the_variance_ratio(f):
    spectrum = orbit_spectrum(f)
    assert spectrum.shares.sum() == pytest.approx(1)
    assert spectrum.variance_ratio == pytest.approx(orbit_variance_ratio(f), abs=1e-9)


def test_a_c4_averaged_function_is_exactly_c4_and_not_more():
    angles = np.arange(24) * 2 * np.pi / 24

    def raw(angle):
        return np.stack([np.cos(angle) ** 5 + 0.3 * np.sin(2 * angle), np.exp(3 * np.sin(angle))], axis=-1)

    averaged = np.mean([raw(angles + quarter * np.pi / 2) for quarter in range(4)], axis=0)
    spectrum = orbit_spectrum(averaged)
    assert spectrum.exact_subgroup() == 4
    assert spectrum.variance_ratio > 1e-4
    assert spectrum.share_outside(4) < 1e-20
    assert spectrum.statement().startswith("Exactly C4")
    assert orbit_spectrum(raw(angles)).exact_subgroup() == 1
    assert "no rotation" in orbit_spectrum(raw(angles)).statement()
    assert orbit_spectrum(np.ones((24, 2))).exact_subgroup() == 24
    assert orbit_spectrum(np.zeros((24, 2))).variance_ratio == 0
    assert orbit_spectrum(averaged).to_json()["exact_subgroup"] == 4


@pytest.mark.parametrize("n", [7, 8])
def test_a_pure_wave_lies_at_its_frequency(n):
    for frequency in range(1, n // 2 + 1):
        wave = np.cos(2 * np.pi * frequency * np.arange(n) / n)
        shares = orbit_spectrum(wave[:, None]).shares
        assert shares[frequency] == pytest.approx(1)
