"""Who may wait in a model's queue, for how long, and who gives room to whom."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
import uvloop
from engine_calls import Build, row, started

from equiserve.engine import Scheduler, ServedModel
from equiserve.engine.batcher import Batcher
from equiserve.engine.calibration import unmeasured
from equiserve.engine.core import Call
from equiserve.engine.cost import BatchCost
from equiserve.engine.scheduler import RecentBatches
from equiserve.errors import InternalError, Overloaded
from fake_runtime import DoublingRuntime, doubling_manifest


@pytest.mark.parametrize("delay_us", [100, 400, 1400])
def test_a_lone_request_is_answered_after_its_delay_on_a_loop_that_counts_whole_milliseconds(delay_us: int) -> None:
    async def ask() -> np.ndarray:
        scheduler = Scheduler(threads=1)
        runtime = DoublingRuntime()
        model = ServedModel(
            doubling_manifest(4, delay_us=delay_us),
            "1",
            runtime,
            replace(unmeasured(runtime, 4), stable_batch=1),
            scheduler,
            file_digest="0" * 64,
            max_queued_rows=64,
        )
        try:
            async with asyncio.timeout(10):
                (y,) = await model.infer(row(3))
        finally:
            scheduler.stop(timeout_s=5)
        return y

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert (runner.run(ask()) == 6).all()


async def test_a_cancelled_request_gives_its_room_in_the_queue_back_at_once(build: Build) -> None:
    runtime = DoublingRuntime()
    model = build(runtime, max_queued_rows=4)
    runtime.gate.clear()
    tasks = await started(model.infer(row(0)), *(model.infer(row(i), priority=200) for i in range(1, 5)))
    for task in tasks[1:]:
        task.cancel()
    await asyncio.gather(*tasks[1:], return_exceptions=True)
    assert model.pending_rows == model.pending_calls == 0
    tasks += await started(model.infer(row(7, rows=4)))
    assert model.pending_rows == 4
    runtime.gate.set()
    (y,) = await tasks[-1]
    assert (y == 14).all()
    await tasks[0]
    assert model.pending_rows == model.pending_calls == 0
    assert runtime.batches == [1, 4]


async def test_requests_given_up_by_the_thousand_hold_no_memory(build: Build) -> None:
    runtime = DoublingRuntime()
    model = build(runtime)
    runtime.gate.clear()
    (running,) = await started(model.infer(row(0)))
    for _ in range(40):
        tasks = await started(*(model.infer(row(1), priority=200) for _ in range(50)))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert len(model._batcher._heap) < 300  # what waits in vain has no door of its own
    runtime.gate.set()
    await running


async def test_background_rows_take_no_room_from_foreground_requests(build: Build) -> None:
    runtime = DoublingRuntime()
    model = build(runtime, max_queued_rows=4, per_row_s=1.0)
    runtime.gate.clear()
    loop = asyncio.get_running_loop()
    tasks = await started(
        model.infer(row(0)),
        *(model.infer_background(row(i, rows=2)) for i in (1, 2)),
        model.infer(row(3)),
        model.infer(row(4), deadline=loop.time() + 60),
        model.infer(row(5), deadline=loop.time() + 4.5),
    )
    assert model.pending_rows == 7
    with pytest.raises(Overloaded) as refused:
        await model.infer_background(row(6))
    assert refused.value.code == "queue_full"
    runtime.gate.set()
    answers = await asyncio.gather(*tasks)
    assert [y[0, 0] for (y,) in answers] == [0, 2, 4, 6, 8, 10]


async def test_a_background_batch_lasts_no_longer_than_the_foregrounds_of_any_model(build: Build) -> None:
    model = build(DoublingRuntime(), max_batch=64)
    model.cost = BatchCost(per_row_s=1e-3, fixed_s=1e-3)
    # Nobody is there: 30 ms at most, for whoever comes in the middle.
    assert model.background_rows() == 32
    model.cost = BatchCost(per_row_s=1e-4)
    assert model.background_rows() == 64
    foreground = model._scheduler.foreground
    for seconds in (9.0, *[0.004] * 1000):
        foreground.observe(seconds)
    assert model.background_rows() == 44
    model.cost = BatchCost(per_row_s=1e-3, fixed_s=1e-3)
    assert model.background_rows() == 3
    # A row that lasts longer is still one row; of an unknown model nothing longer is risked.
    model.cost = BatchCost(per_row_s=1.0)
    assert model.background_rows() == model.min_batch
    model.cost = BatchCost()
    assert model.background_rows() == model.min_batch


async def test_what_ran_in_the_background_or_long_ago_is_no_foreground_traffic(build: Build) -> None:
    model = build(DoublingRuntime(), max_batch=64)
    await model.infer_background(row(1, rows=64))
    assert model._scheduler.foreground.typical_s() is None
    await model.infer(row(1))
    assert model._scheduler.foreground.typical_s() is not None
    gone = RecentBatches(expires_s=0.0)
    gone.observe(1.0)
    assert gone.typical_s() is None


async def test_a_request_larger_than_the_whole_queue_waits_in_pieces_and_comes_back_in_order(build: Build) -> None:
    runtime = DoublingRuntime()
    model = build(runtime, max_batch=4, max_queued_rows=16)
    runtime.gate.clear()
    values = np.arange(601, dtype=np.float32)[:, None]
    (task,) = await started(model.infer([values]))
    assert model.pending_rows <= 16
    runtime.gate.set()
    (y,) = await task
    assert np.array_equal(y, values * 2)
    assert max(runtime.batches) <= 4


async def test_a_queue_of_unlike_shapes_is_not_gone_through_for_every_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = 0
    order = Call.order

    def counting(call: Call) -> tuple[bool, int, float, int]:
        nonlocal moved
        moved += 1
        return order(call)

    batcher = Batcher(max_batch=4)
    for width in range(1000):
        batcher.put(Call(row(1, width=width), 1, ((width,),), asyncio.get_running_loop().create_future()))
    monkeypatch.setattr(Call, "order", counting)
    batches = [batcher.take() for _ in range(10)]
    assert [batch and batch.calls[0].key for batch in batches] == [((width,),) for width in range(10)]
    assert moved < 1000, "calls were moved within the queue"


class Summing(DoublingRuntime):
    """Declares rows and gives one number for all of them: a graph that lies about its batch axis."""

    def run(self, inputs: Mapping[str, np.ndarray]) -> Sequence[np.ndarray]:
        return [super().run(inputs)[0].sum(axis=0, keepdims=True)]


async def test_an_answer_without_a_row_for_each_row_is_nobodys_answer(build: Build) -> None:
    runtime = Summing()
    model = build(runtime)
    runtime.gate.clear()
    tasks = await started(*(model.infer(row(i)) for i in range(3)))
    runtime.gate.set()
    answers = await asyncio.gather(*tasks)
    assert [y[0, 0] for (y,) in answers] == [0, 2, 4], "each alone: nobody saw another's numbers"
    with pytest.raises(InternalError, match="rows"):
        await model.infer(row(1, rows=3))


async def test_failures_are_counted_under_their_true_reason(build: Build) -> None:
    runtime = DoublingRuntime()
    model = build(runtime)
    with pytest.raises(InternalError) as failed:
        await model.infer(row(runtime.poison))
    model.statistics.failed(failed.value, 1)
    model.statistics.failed(asyncio.CancelledError(), 1)
    assert dict(model.statistics.failures) == {"BACKEND": 1, "CANCELED": 1}
