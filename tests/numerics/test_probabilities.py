"""softmax against scipy, and at the ends of the range."""

import numpy as np
from scipy import special

from equiserve.numerics.probabilities import softmax


def test_softmax_equals_scipy_and_does_not_overflow():
    logits = np.random.default_rng(0).normal(scale=50, size=(4, 3, 10)).astype(np.float32)
    np.testing.assert_allclose(softmax(logits), special.softmax(logits.astype(np.float64), axis=-1), rtol=1e-12)
    np.testing.assert_array_equal(softmax(np.array([1e30, 0, -np.inf])), [1, 0, 0])


def test_a_row_that_is_not_finite_is_not_disguised():
    rows = softmax(np.array([[0.0, np.nan], [np.inf, 0.0], [0.0, 0.0]]))
    assert np.isnan(rows[:2]).all()
    assert rows[2].tolist() == [0.5, 0.5]
