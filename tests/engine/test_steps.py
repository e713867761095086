"""Steps of longer requests: when their turn comes, who goes before them, how they end."""

from __future__ import annotations

import asyncio
from math import inf

import numpy as np
import pytest
from engine_calls import Build, row, started
from hypothesis import given
from hypothesis import strategies as st

from equiserve.engine.core import CancelToken
from equiserve.errors import Cancelled, DeadlineExceeded, Unavailable
from equiserve.tasks.generate.turns import AGEING, turn
from fake_runtime import DoublingRuntime


class Recording(DoublingRuntime):
    """Keeps the first number of each row in the order in which they ran."""

    def __init__(self) -> None:
        super().__init__()
        self.ran: list[list[float]] = []

    def run(self, inputs):
        self.ran.append(inputs["x"][:, 0].tolist())
        return super().run(inputs)


async def test_the_earliest_turn_goes_first_and_an_ordinary_call_has_its_turn_when_it_came(build: Build) -> None:
    runtime = Recording()
    model = build(runtime, max_batch=1)
    runtime.gate.clear()
    now = asyncio.get_running_loop().time()
    steps = [(1, now + 900), (2, 5.0), (3, now + 300)]
    tasks = await started(
        model.infer(row(0)), *(model.infer_step(row(x), turn=when, token=CancelToken()) for x, when in steps)
    )
    tasks += await started(model.infer(row(4)))
    runtime.gate.set()
    await asyncio.gather(*tasks)
    assert runtime.ran == [[0], [2], [4], [3], [1]]


async def test_a_step_s_deadline_sorts_it_before_nobody(build: Build) -> None:
    runtime = Recording()
    model = build(runtime, max_batch=1)
    runtime.gate.clear()
    now = asyncio.get_running_loop().time()
    tasks = await started(
        model.infer(row(0)),
        model.infer_step(row(1), turn=now + 300, token=CancelToken(), deadline=now + 50),
        model.infer(row(2)),
        model.infer(row(3), deadline=now + 60),
    )
    runtime.gate.set()
    await asyncio.gather(*tasks)
    assert runtime.ran == [[0], [3], [2], [1]]


async def test_a_request_s_next_step_joins_the_next_batch(build: Build) -> None:
    """The queue waits for the steps that a batch sets free, so that the shortest request is never passed over."""
    runtime = Recording()
    model = build(runtime, max_batch=1)

    async def request(x: float, steps: int, when: float) -> None:
        for _ in range(steps):
            await model.infer_step(row(x), turn=when, token=CancelToken())

    runtime.gate.clear()
    tasks = await started(request(2, 3, 2e9), request(1, 3, 1e9))
    runtime.gate.set()
    await asyncio.gather(*tasks)
    assert runtime.ran == [[2], [1], [1], [1], [2], [2]]


async def test_other_models_go_before_the_next_step(build: Build) -> None:
    steps, other = Recording(), Recording()
    generator, classifier = build(steps, max_batch=1), build(other, max_batch=1)
    order: list[str] = []

    async def generate() -> None:
        for _ in range(4):
            await generator.infer_step(row(1), turn=1.0, token=CancelToken())
            order.append("step")

    async def classify() -> None:
        await classifier.infer(row(2))
        order.append("classified")

    steps.gate.clear()
    tasks = await started(generate(), generate(), classify())
    steps.gate.set()
    await asyncio.gather(*tasks)
    assert order.index("classified") <= 2, "it waited for what ran, not for all that was to come"


async def test_background_work_does_not_slip_in_between_two_steps(build: Build) -> None:
    runtime = Recording()
    generator, checked = build(runtime, max_batch=1), build(runtime, max_batch=1)

    async def generate() -> None:
        for _ in range(3):
            await generator.infer_step(row(1), turn=1.0, token=CancelToken())

    runtime.gate.clear()
    tasks = await started(generate(), checked.infer_background(row(2)), checked.infer_background(row(3)))
    runtime.gate.set()
    await asyncio.gather(*tasks)
    assert runtime.ran == [[1], [1], [1], [2], [3]]


async def test_rows_beyond_the_largest_batch_come_back_in_order(build: Build) -> None:
    model = build(DoublingRuntime(), max_batch=4)
    x = np.arange(33, dtype=np.float32).reshape(11, 3)
    (y,) = await model.infer_step([x], turn=1.0, token=CancelToken())
    np.testing.assert_array_equal(y, 2 * x)


@pytest.mark.parametrize("rows", [1, 11])
async def test_a_cancelled_request_frees_its_rows_at_once(build: Build, rows: int) -> None:
    runtime = DoublingRuntime()
    model = build(runtime)
    runtime.gate.clear()
    token = CancelToken()
    tasks = await started(model.infer(row(0)), model.infer_step(row(1, rows=rows), turn=1.0, token=token))
    assert model.pending_rows == rows
    token.cancel(Cancelled("enough"))
    with pytest.raises(Cancelled, match="enough"):
        await tasks[1]
    assert model.pending_rows == 0
    with pytest.raises(Cancelled, match="enough"):
        await model.infer_step(row(1), turn=1.0, token=token)
    runtime.gate.set()
    await tasks[0]
    assert runtime.batches == [1]


async def test_a_step_ends_at_its_request_s_deadline_and_with_its_model(build: Build) -> None:
    runtime = DoublingRuntime()
    model = build(runtime)
    runtime.gate.clear()
    now = asyncio.get_running_loop().time()
    tasks = await started(
        model.infer(row(0)),
        model.infer_step(row(1), turn=1.0, token=CancelToken(), deadline=now + 0.05),
        model.infer_step(row(2), turn=1.0, token=CancelToken()),
    )
    with pytest.raises(DeadlineExceeded):
        await tasks[1]
    model.retire()
    with pytest.raises(Unavailable):
        await tasks[2]
    runtime.gate.set()
    await tasks[0]


@given(st.floats(0, 1e6), st.floats(0, 100), st.floats(1e-3, 100), st.floats(0, 100), st.floats(0, 1e3))
def test_a_turn_orders_by_remaining_work_less_what_was_waited(came, later, remaining, other, passed):
    """What the docstring claims: the constant orders as the ageing rule does at any time."""
    now = came + later + passed
    first = remaining - (now - came) / AGEING
    second = other - (now - came - later) / AGEING
    if abs(first - second) > 1e-6:
        assert (turn(came, remaining) < turn(came + later, other)) == (first < second)


def test_what_must_be_answered_soon_comes_sooner():
    assert turn(0, 1.0, latest_s=3.0) == 2.0
    assert turn(0, 1.0, latest_s=inf) == AGEING
