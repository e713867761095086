"""The Hungarian method against scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linear_sum_assignment

from equiserve.numerics.assignment import assign

costs = hnp.arrays(
    np.float64, st.tuples(st.integers(0, 7), st.integers(0, 7)), elements=st.integers(-5, 5) | st.floats(-1, 1)
)


@given(costs)
def test_the_pairing_costs_as_little_as_scipys(c):
    rows, columns = assign(c)
    assert len(rows) == min(c.shape)
    assert len(set(rows.tolist())) == len(set(columns.tolist())) == len(rows)
    assert (np.diff(rows) > 0).all()
    expected = linear_sum_assignment(c)
    assert c[rows, columns].sum() == pytest.approx(c[expected].sum(), abs=1e-9)


@pytest.mark.parametrize("shape", [(60, 60), (40, 90), (90, 40)])
def test_large_pairings_are_scipys(shape):
    c = np.random.default_rng(0).normal(size=shape)
    rows, columns = assign(c)
    expected_rows, expected_columns = linear_sum_assignment(c)
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_array_equal(columns, expected_columns)
