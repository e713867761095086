from __future__ import annotations

import numpy as np
import pytest

from equiserve.engine.batcher import split_rows
from equiserve.engine.cost import BatchCost


def test_the_cost_of_a_row_and_of_a_batch_are_learned_from_what_ran() -> None:
    cost = BatchCost()
    generator = np.random.default_rng(0)
    for rows in generator.integers(1, 17, 500):
        cost.observe(int(rows), 0.002 * rows + 0.01)
    assert cost.per_row_s == pytest.approx(0.002, rel=1e-3)
    assert cost.fixed_s == pytest.approx(0.01, rel=1e-3)
    assert cost.estimate_queue(33, 16) == pytest.approx(33 * 0.002 + 3 * 0.01, rel=1e-3)


def test_batches_of_one_size_teach_the_level_only() -> None:
    cost = BatchCost(per_row_s=0.001, fixed_s=0.003)
    for _ in range(100):
        cost.observe(1, 0.008)
    assert cost.estimate(1) == pytest.approx(0.008)
    assert cost.fixed_s == pytest.approx(3 * cost.per_row_s)


def test_an_old_cost_is_forgotten() -> None:
    cost = BatchCost()
    for seconds in [0.001] * 300 + [0.01] * 300:
        cost.observe(1, seconds)
    assert cost.estimate(1) == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize(("rows", "cap"), [(1, 1), (16, 16), (17, 16), (100, 7), (5, 100)])
def test_a_request_is_split_evenly_and_completely(rows: int, cap: int) -> None:
    sizes = [part.stop - part.start for part in split_rows(rows, cap)]
    assert sum(sizes) == rows
    assert max(sizes) <= cap
    assert max(sizes) - min(sizes) <= 1
