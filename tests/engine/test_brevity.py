"""A lone call of a model that is known to be brief runs on the event loop, and no other does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence

import numpy as np
from engine_calls import Build, row
from hypothesis import given
from hypothesis import strategies as st

from equiserve.engine.brevity import _LONGEST_PROOF, _PROOF, BRIEF_S, Brevity
from equiserve.engine.model import ServedModel
from fake_runtime import DoublingRuntime
from planes import until

SHAPES = ((1, 4),)


class Where(DoublingRuntime):
    """Keeps by which thread each batch was run."""

    def __init__(self) -> None:
        super().__init__()
        self.threads_used: list[threading.Thread] = []

    def run(self, inputs: Mapping[str, np.ndarray]) -> Sequence[np.ndarray]:
        self.threads_used.append(threading.current_thread())
        return super().run(inputs)

    @property
    def on_the_loop(self) -> list[bool]:
        return [thread is threading.main_thread() for thread in self.threads_used]


def prove(model: ServedModel, shapes: tuple[tuple[int, ...], ...] = SHAPES) -> None:
    """Let a model have been brief for long, however busy this machine is."""
    for _ in range(2 * _PROOF):
        model._lane.brevity.observe(shapes, BRIEF_S / 2)


async def test_a_model_has_to_prove_itself_first(build: Build) -> None:
    runtime = Where()
    model = build(runtime)
    await model.infer(row(1))
    assert runtime.on_the_loop == [False]


async def test_a_lone_call_of_a_brief_model_runs_on_the_loop(build: Build) -> None:
    runtime = Where()
    model = build(runtime)
    shapes = (row(1)[0].shape,)
    prove(model, shapes)
    (y,) = await model.infer(row(3))
    assert (y == 6).all()
    assert runtime.on_the_loop == [True]
    assert model.statistics.executions == 1


async def test_another_session_has_to_prove_itself_anew(build: Build) -> None:
    model, other = build(Where()), Where()
    prove(model, (row(1)[0].shape,))
    model.replace_runtime(other)
    await model.infer(row(3))
    assert other.on_the_loop == [False]


async def test_company_background_and_other_shapes_go_to_a_worker(build: Build) -> None:
    runtime = Where()
    model = build(runtime)
    shapes = (row(1)[0].shape,)
    prove(model, shapes)
    await asyncio.gather(model.infer(row(1)), model.infer(row(2)))
    assert runtime.on_the_loop == [False]
    await model.infer_background(row(1))
    assert runtime.on_the_loop[1:] == [False]
    await model.infer(row(1, rows=2))
    assert runtime.on_the_loop[2:] == [False]
    await model.infer([np.zeros((1, 7), np.float32)])
    assert runtime.on_the_loop[3:] == [False]


async def test_what_waits_while_a_worker_runs_does_not_run_on_the_loop(build: Build) -> None:
    runtime = Where()
    model = build(runtime)
    shapes = (row(1)[0].shape,)
    runtime.gate.clear()
    first = asyncio.ensure_future(model.infer(row(1)))
    await until(lambda: runtime.threads_used)
    prove(model, shapes)
    second = asyncio.ensure_future(model.infer(row(2)))
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(runtime.threads_used) == 1
    runtime.gate.set()
    await asyncio.gather(first, second)


async def test_a_call_that_fails_on_the_loop_fails_alone(build: Build) -> None:
    runtime = Where()
    model = build(runtime)
    prove(model, (row(1)[0].shape,))
    results = await asyncio.gather(model.infer(row(666)), return_exceptions=True)
    assert "poisoned" in str(results[0])
    (y,) = await model.infer(row(1))
    assert (y == 2).all()


def test_a_stall_takes_the_good_name_away_each_time_for_longer() -> None:
    brevity, needed = Brevity(), []
    for _ in range(4):
        count = 0
        while not brevity.proven(SHAPES):
            brevity.observe(SHAPES, BRIEF_S / 2)
            count += 1
        needed.append(count)
        brevity.observe(SHAPES, 1.0)
        assert not brevity.proven(SHAPES)
    assert needed == [_PROOF, 2 * _PROOF, 4 * _PROOF, 8 * _PROOF]


def test_a_late_batch_now_and_then_is_forgiven_and_a_habit_is_not() -> None:
    brevity = Brevity()
    for number in range(1000):
        brevity.observe(SHAPES, 2e-3 if number % 20 == 19 else BRIEF_S / 2)
    assert brevity.proven(SHAPES)
    for number in range(1000):
        brevity.observe(SHAPES, 2e-3 if number % 4 == 3 else BRIEF_S / 2)
    assert not brevity.proven(SHAPES)


@given(st.lists(st.sampled_from([BRIEF_S / 2, 2e-3, 10e-3]), max_size=300))
def test_as_many_brief_batches_as_the_longest_proof_always_suffice(seconds: list[float]) -> None:
    brevity = Brevity()
    for one in seconds:
        brevity.observe(SHAPES, one)
    for _ in range(_LONGEST_PROOF):
        if brevity.proven(SHAPES):
            break
        brevity.observe(SHAPES, BRIEF_S)
    assert brevity.proven(SHAPES)
    brevity.observe(((1, 5),), BRIEF_S)
    assert not brevity.proven(SHAPES)
    assert not brevity.proven(((1, 5),))
