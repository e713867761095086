"""What the engine promises to its callers, over a runtime that tests can hold back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace

import numpy as np
import pytest
from engine_calls import Build, row, started

from equiserve.engine import Scheduler, ServedModel
from equiserve.engine.calibration import unmeasured
from equiserve.errors import DeadlineExceeded, InternalError, Overloaded, Unavailable
from fake_runtime import DoublingRuntime, doubling_manifest


async def test_every_caller_gets_its_own_rows_back_from_shared_batches(build: Build) -> None:
    runtime = DoublingRuntime()
    model = build(runtime, max_queued_rows=10_000)
    generator = np.random.default_rng(0)
    sizes = generator.integers(1, 10, 200)
    answers = await asyncio.gather(*(model.infer(row(float(i), int(size))) for i, size in enumerate(sizes)))
    for i, (size, (y,)) in enumerate(zip(sizes, answers, strict=True)):
        assert y.shape == (size, 3)
        assert (y == 2 * i).all()
    assert max(runtime.batches) <= 4
    assert len(runtime.batches) < sizes.sum(), "rows did share batches"


async def test_a_free_worker_takes_everything_that_waits_up_to_the_largest_batch(build: Build) -> None:
    runtime = DoublingRuntime()
    model = build(runtime)
    runtime.gate.clear()
    tasks = await started(model.infer(row(0)), *(model.infer(row(i)) for i in range(1, 7)))
    runtime.gate.set()
    await asyncio.gather(*tasks)
    assert runtime.batches == [1, 4, 2]


async def test_urgent_calls_overtake_and_equal_ones_keep_their_order(build: Build) -> None:
    runtime = DoublingRuntime()
    model = build(runtime, max_batch=1)
    runtime.gate.clear()
    order: list[str] = []

    async def call(name: str, priority: int) -> None:
        await model.infer(row(1), priority=priority)
        order.append(name)

    tasks = await started(call("first", 9), call("late", 9), call("later", 9), call("urgent", 1))
    runtime.gate.set()
    await asyncio.gather(*tasks)
    assert order == ["first", "urgent", "late", "later"]


async def test_only_like_shapes_share_a_batch(build: Build) -> None:
    runtime = DoublingRuntime()
    model = build(runtime)
    runtime.gate.clear()
    tasks = await started(model.infer(row(0)), *(model.infer(row(i, width=3 + i % 2)) for i in range(1, 5)))
    runtime.gate.set()
    answers = await asyncio.gather(*tasks)
    assert [y.shape[1] for (y,) in answers] == [3, 4, 3, 4, 3]
    assert sorted(runtime.batches) == [1, 2, 2]


async def test_background_calls_run_alone_exactly_as_given_and_after_all_foreground(build: Build) -> None:
    runtime = DoublingRuntime()
    model = build(runtime)
    runtime.gate.clear()
    order: list[str] = []

    async def call(name: str, work: Awaitable[object]) -> None:
        await work
        order.append(name)

    tasks = await started(
        call("running", model.infer(row(1))),
        call("check", model.infer_background(row(1, rows=3))),
        call("foreground", model.infer(row(1))),
    )
    runtime.gate.set()
    await asyncio.gather(*tasks)
    assert order == ["running", "foreground", "check"]
    assert runtime.batches == [1, 1, 3]


async def test_a_poisoned_row_fails_only_its_own_caller(build: Build) -> None:
    runtime = DoublingRuntime()
    model = build(runtime)
    runtime.gate.clear()
    tasks = await started(model.infer(row(0)), *(model.infer(row(v)) for v in (1.0, runtime.poison, 3.0)))
    runtime.gate.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(answers[2], InternalError)
    assert [answers[i][0][0, 0] for i in (0, 1, 3)] == [0, 2, 6]


async def test_a_full_queue_refuses_and_says_when_to_come_back(build: Build) -> None:
    runtime = DoublingRuntime()
    model = build(runtime, max_queued_rows=4, per_row_s=0.5)
    runtime.gate.clear()
    tasks = await started(model.infer(row(0)), *(model.infer(row(0, rows=2)) for _ in range(2)))
    with pytest.raises(Overloaded) as refused:
        await model.infer(row(0))
    assert refused.value.code == "queue_full"
    assert refused.value.retry_after_s == pytest.approx(2.0)
    runtime.gate.set()
    await asyncio.gather(*tasks)


async def test_a_cancelled_caller_takes_its_rows_out_of_the_queue(build: Build) -> None:
    runtime = DoublingRuntime()
    model = build(runtime)
    runtime.gate.clear()
    tasks = await started(model.infer(row(0)), model.infer(row(1)), model.infer(row(2)))
    tasks[1].cancel()
    await asyncio.sleep(0)
    runtime.gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert runtime.batches == [1, 1], "the cancelled row never ran"


async def test_a_deadline_is_kept_even_while_the_model_hangs(build: Build) -> None:
    runtime = DoublingRuntime()
    model = build(runtime)
    runtime.gate.clear()
    loop = asyncio.get_running_loop()
    with pytest.raises(DeadlineExceeded):
        await model.infer(row(0), deadline=loop.time() + 0.02)
    runtime.gate.set()
    (y,) = await model.infer(row(4))
    assert y[0, 0] == 8


async def test_a_deadline_in_the_past_never_reaches_the_model(build: Build) -> None:
    runtime = DoublingRuntime()
    model = build(runtime)
    with pytest.raises(DeadlineExceeded):
        await model.infer(row(0), deadline=asyncio.get_running_loop().time() - 1)
    assert runtime.batches == []


async def test_a_hopeless_deadline_is_refused_by_the_learned_cost(build: Build) -> None:
    model = build(DoublingRuntime(), per_row_s=10.0)
    with pytest.raises(Overloaded) as refused:
        await model.infer(row(0), deadline=asyncio.get_running_loop().time() + 1)
    assert refused.value.code == "deadline_unreachable"


async def test_a_queue_timeout_counts_waiting_only(build: Build) -> None:
    runtime = DoublingRuntime()
    model = build(runtime, max_batch=1)
    runtime.gate.clear()
    tasks = await started(model.infer(row(1), queue_timeout_s=0.05), model.infer(row(2), queue_timeout_s=0.05))
    with pytest.raises(DeadlineExceeded):
        await tasks[1]
    runtime.gate.set()
    (y,) = await tasks[0]
    assert y[0, 0] == 2, "the call that had started is answered"


async def test_lone_rows_are_padded_to_the_smallest_stable_batch(build: Build) -> None:
    runtime = DoublingRuntime()
    model = build(runtime)
    model.calibrate(replace(model.calibration, measured=True, stable_batch=2, exact_in_batches=True))
    (y,) = await model.infer(row(5))
    assert y.shape == (1, 3)
    assert (y == 10).all()
    assert runtime.batches == [2]
    assert model.statistics.padded_rows == 1


async def test_unloading_fails_what_waits_and_answers_what_runs(build: Build) -> None:
    runtime = DoublingRuntime()
    model = build(runtime)
    runtime.gate.clear()
    tasks = await started(model.infer(row(1)), model.infer(row(2)))
    model.retire()
    with pytest.raises(Unavailable):
        await tasks[1]
    with pytest.raises(Unavailable):
        await model.infer(row(3))
    runtime.gate.set()
    (y,) = await tasks[0]
    assert y[0, 0] == 2


async def test_a_batch_delay_is_kept_only_where_the_manifest_asks(scheduler: Scheduler) -> None:
    runtime = DoublingRuntime()
    model = ServedModel(
        doubling_manifest(4, delay_us=200_000),
        "1",
        runtime,
        replace(unmeasured(runtime, 4), stable_batch=1),
        scheduler,
        file_digest="0" * 64,
        max_queued_rows=64,
    )
    lone = asyncio.ensure_future(model.infer(row(1)))
    await asyncio.sleep(0.02)
    assert runtime.batches == [], "a batch that is not full waits for company"
    await asyncio.gather(lone, *(model.infer(row(i)) for i in range(3)))
    assert runtime.batches == [4], "a full one does not"
