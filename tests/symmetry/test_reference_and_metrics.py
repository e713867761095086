"""Metrics against brute force, references and their strength."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special, stats

from equiserve.errors import InvalidRequest
from equiserve.symmetry import (
    METRICS,
    OrbitOutputs,
    consensus_reference,
    decisions_of,
    identity_consistency,
    identity_reference,
    jensen_shannon,
    label_reference,
    margins,
    measure,
    metric_catalogue,
    modal_consistency,
    orbit_variance_ratio,
    pair_agreement,
    relative_errors,
    worst_margin,
)

decisions = hnp.arrays(np.int64, st.integers(1, 20), elements=st.integers(-1, 4))
outputs = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 12), st.integers(2, 5)), elements=st.floats(-100, 100, width=32)
)
distributions = outputs.map(lambda logits: np.exp(logits / 20) / np.exp(logits / 20).sum(axis=1, keepdims=True))
sharp = hnp.arrays(np.int64, st.integers(1, 12), elements=st.integers(0, 3)).map(lambda d: np.eye(4)[d])


@given(decisions)
def test_decision_metrics_equal_their_definitions_by_loops(d):
    n = len(d)
    agree = [[d[i] == d[j] and d[i] >= 0 for j in range(n)] for i in range(n)]
    assert modal_consistency(d) == pytest.approx(max(sum(d[i] == c for i in range(n)) for c in range(5)) / n)
    assert identity_consistency(d) == pytest.approx(sum(agree[0]) / n)
    if n > 1:
        pairs = [agree[i][j] for i in range(n) for j in range(n) if i != j]
        assert pair_agreement(d) == pytest.approx(sum(pairs) / len(pairs))


@given(st.one_of(distributions, sharp))
def test_jensen_shannon_is_bounded_and_equals_the_mean_divergence_from_the_mean(p):
    value = jensen_shannon(p)
    assert 0 <= value <= np.log2(min(p.shape)) + 1e-12
    assert value == pytest.approx(np.mean(stats.entropy(p, p.mean(axis=0), axis=1, base=2)), abs=1e-9)


@given(distributions.filter(lambda p: len(p) >= 2))
def test_jensen_shannon_of_two_is_the_mean_relative_entropy_to_the_middle(p):
    middle = (p[0] + p[1]) / 2
    expected = (special.rel_entr(p[0], middle) + special.rel_entr(p[1], middle)).sum() / 2 / np.log(2)
    assert jensen_shannon(p[:2]) == pytest.approx(expected, abs=1e-9)


def test_jensen_shannon_reaches_its_ends():
    assert jensen_shannon(np.tile([0.1, 0.7, 0.2], (9, 1))) == 0
    assert jensen_shannon(np.eye(8)) == pytest.approx(3)
    assert jensen_shannon(np.array([[1.0, 0, 0], [0, 1.0, 0]])) == pytest.approx(1)


@given(outputs)
def test_relative_errors_are_symmetric_and_bounded(f):
    errors = relative_errors(f, f[0])
    assert errors[0] == 0
    assert ((errors >= 0) & (errors <= 1 + 1e-12)).all()
    np.testing.assert_allclose(errors, [relative_errors(f[:1], row)[0] for row in f])
    for row, error in zip(f, errors, strict=True):
        size = np.abs(row).mean() + np.abs(f[0]).mean()
        assert error == pytest.approx(np.abs(row - f[0]).mean() / size if size > 1e-30 else 0)


def test_relative_errors_of_nothing_are_nothing_and_of_opposites_are_one():
    assert relative_errors(np.zeros((2, 3)), np.zeros(3)).tolist() == [0, 0]
    assert relative_errors(np.array([[1.0, -2.0]]), np.array([-1.0, 2.0])).tolist() == [1]


@given(outputs, st.sampled_from([1e-200, 1.0, 1e200]))
def test_the_variance_ratio_splits_the_energy_of_the_orbit(f, scale):
    ratio = orbit_variance_ratio(f * scale)
    assert 0 <= ratio <= 1 + 1e-12
    energy = np.mean(np.sum(f**2, axis=1))
    if energy > 1e-6:
        assert energy * (1 - ratio) == pytest.approx(np.sum(f.mean(axis=0) ** 2), rel=1e-6, abs=1e-9 * energy)


def test_the_variance_ratio_reaches_its_ends():
    assert orbit_variance_ratio(np.tile([3.0, 4.0], (5, 1))) == 0
    assert orbit_variance_ratio(np.zeros((5, 2))) == 0
    assert orbit_variance_ratio(np.array([[1.0, 0], [-1.0, 0]])) == 1


@given(distributions)
def test_a_margin_is_negative_exactly_where_another_class_is_ahead(p):
    for label in range(p.shape[1]):
        expected = [row[label] - max(v for c, v in enumerate(row) if c != label) for row in p]
        np.testing.assert_allclose(margins(p, label), expected, atol=1e-15)
        assert worst_margin(p, label) == pytest.approx(min(expected), abs=1e-15)


def test_a_failed_member_counts_against_every_metric():
    p = np.tile([0.9, 0.1], (4, 1))
    p[2] = np.nan
    values = measure(OrbitOutputs(p, p))
    assert values == {
        "modal_consistency": 0.75,
        "pair_agreement": 0.5,
        "identity_consistency": 0.75,
        "worst_margin": -1.0,
        "jensen_shannon": 1.0,
        "relative_error": 1.0,
        "orbit_variance_ratio": 1.0,
    }
    everything = measure(OrbitOutputs(np.full((3, 2), np.inf), np.full((3, 2), np.nan)))
    assert everything["modal_consistency"] == everything["pair_agreement"] == everything["identity_consistency"] == 0


@given(distributions)
def test_a_consistent_orbit_has_the_best_value_of_every_metric_even_if_it_is_wrong(p):
    flat = np.tile(p[0], (6, 1))
    values = measure(OrbitOutputs(flat, flat, consensus_reference(flat)))
    for name in ("modal_consistency", "pair_agreement", "identity_consistency"):
        assert values[name] == 1
    for name in ("jensen_shannon", "orbit_variance_ratio"):
        assert values[name] == 0
    assert values["relative_error"] == pytest.approx(0, abs=1e-12)


def test_the_exact_members_are_measured_apart():
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.9, 0.1]])
    exact = OrbitOutputs(p, p).subset(np.array([True, False, True]))
    assert measure(exact, ["modal_consistency", "relative_error"]) == {"modal_consistency": 1, "relative_error": 0}


def test_outputs_that_are_no_distribution_have_output_metrics_only():
    regression = OrbitOutputs(np.random.default_rng(0).normal(size=(5, 3)))
    assert set(measure(regression)) == {"relative_error", "orbit_variance_ratio"}
    with pytest.raises(InvalidRequest, match="jensen_shannon needs class probabilities"):
        measure(regression, ["jensen_shannon"])
    with pytest.raises(InvalidRequest, match="accuracy"):
        measure(regression, ["accuracy"])


def test_the_metric_catalogue_is_json_and_names_each_metric():
    catalogue = json.loads(json.dumps(metric_catalogue()))
    assert [entry["name"] for entry in catalogue] == list(METRICS)
    assert all(entry["formula"] and entry["better"] in ("higher", "lower") for entry in catalogue)


def test_consensus_is_the_class_with_most_votes_not_the_largest_mean():
    p = np.array([[0.55, 0.45, 0], [0.55, 0.45, 0], [0, 1, 0]])
    reference = consensus_reference(p)
    assert reference.label == 0
    assert reference.tied == ()
    assert reference.strength.modal_share == pytest.approx(2 / 3)
    assert reference.strength.margin == pytest.approx(1 / 3)
    assert reference.strength.entropy == pytest.approx(stats.entropy([2, 1], base=2))
    np.testing.assert_allclose(reference.output, p.mean(axis=0))


def test_a_tie_is_reported_and_goes_to_the_larger_mean_score():
    reference = consensus_reference(np.array([[0.6, 0.4, 0], [0, 0.9, 0.1]]))
    assert reference.label == 1
    assert reference.tied == (0, 1)
    assert reference.strength.margin == 0
    assert reference.strength.entropy == 1


def test_a_failed_member_weakens_the_consensus():
    p = np.array([[0.9, 0.1], [np.nan, np.nan], [0.9, 0.1], [0.9, 0.1]])
    reference = consensus_reference(p)
    assert reference.label == 0
    assert reference.strength.modal_share == 0.75
    assert consensus_reference(np.full((3, 2), np.nan)).label is None
    assert identity_reference(p[1:]).label is None


def test_references_name_their_kind():
    p = np.array([[0.2, 0.8], [0.9, 0.1], [0.9, 0.1]])
    assert identity_reference(p).to_json() == {"kind": "identity", "label": 1, "tied": [], "strength": None}
    assert label_reference(0).label == 0
    assert consensus_reference(p).to_json()["strength"]["modal_share"] == pytest.approx(2 / 3)
    assert decisions_of(p).tolist() == [1, 0, 0]
