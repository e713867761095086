"""Pictures drawn through the real engine: right, reproducible, independent of their company, bounded."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from equiserve.dataplane import DataPlane
from equiserve.engine import RequestContext
from equiserve.errors import (
    Cancelled,
    DeadlineExceeded,
    InternalError,
    InvalidRequest,
    NotFound,
    Overloaded,
    Unsupported,
)
from equiserve.numerics.rotation import ROTATION_MODES
from equiserve.numerics.sampling import Sampling
from equiserve.numerics.solvers import SOLVERS
from equiserve.tasks.generate import Completed, GenerateRequest, Preview, Progress
from equiserve.tasks.generate.encoding import entity_tag
from generator_models import DEVIATION, LABELS, SIGMA_MAX, SIGMA_MIN, SIZE, denoise, mean_picture, write_generator
from generator_planes import draw, generator_plane, watch, write_generators
from planes import until


@pytest.fixture(scope="module")
def generators(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_generators(tmp_path_factory.mktemp("generators"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plane(generators: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DataPlane]:
    async with generator_plane(generators, max_pictures=32) as plane:
        yield plane


@pytest.mark.parametrize("label", [None, 0, "bar"])
async def test_pictures_are_those_of_their_class_and_angle(plane: DataPlane, label) -> None:
    drawn = await draw(plane, label=label, angle=25, n=32, seed=3, preset="quality")
    index = LABELS.index(label) if isinstance(label, str) else label
    assert drawn.parameters.label == index
    deviation = drawn.pictures - mean_picture(index, 25)
    assert abs(deviation.mean()) < 0.02
    # Noise of neighbouring pixels was mixed when it was turned, so its spread is known and its mean a little less so.
    assert deviation.std() == pytest.approx(DEVIATION, rel=0.06)
    np.testing.assert_allclose(drawn.pictures.mean(axis=0), mean_picture(index, 25), atol=5 * DEVIATION / math.sqrt(32))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("mode", ROTATION_MODES)
async def test_the_server_draws_what_a_loop_in_numpy_draws(plane: DataPlane, solver: str, mode) -> None:
    drawn = await draw(plane, label=1, angle=130, mode=mode, solver=solver, steps=8, n=2, seed=2**64 - 1)
    plan = Sampling.of(
        SOLVERS[solver],
        8,
        (SIGMA_MIN, SIGMA_MAX),
        shape=(1, SIZE, SIZE),
        seeds=(2**64 - 1, 0),
        mode=mode,
        angle_deg=130,
    )
    state = plan.start()
    while not plan.ended(state):
        state = plan.advance(state, denoise(state.x, plan.level(state), 1, plan.features))
    np.testing.assert_allclose(drawn.pictures, plan.finished(state.x), atol=2e-4)
    assert drawn.calls == plan.calls


async def test_guidance_weighs_the_class_against_none(plane: DataPlane) -> None:
    """For Gaussians of equal spread the guided estimate is that of a Gaussian with the mean moved on by as much."""
    drawn = await draw(plane, label=2, guidance=2.5, n=8, seed=5, preset="quality")
    plain = await draw(plane, label=2, n=8, seed=5, preset="quality")
    none = await draw(plane, n=8, seed=5, preset="quality")
    np.testing.assert_allclose(drawn.pictures, none.pictures + 2.5 * (plain.pictures - none.pictures), atol=1e-3)
    assert (drawn.rows, plain.rows) == (16, 8)


def write_steered(models: Path, **options: object) -> None:
    """Write the repository of one generator with more in its `task_options`."""
    write_generator(models / "steered")
    path = models / "steered" / "model.yaml"
    content = yaml.safe_load(path.read_text())
    content["task_options"] |= options
    path.write_text(yaml.safe_dump(content))


async def test_the_manifests_guidance_is_what_a_class_gets_where_none_is_asked_for(tmp_path: Path) -> None:
    write_steered(tmp_path / "models", guidance=2.5)
    async with generator_plane(tmp_path / "models", tmp_path / "cache") as plane:
        usual, asked = await draw(plane, label=2, seed=5), await draw(plane, label=2, seed=5, guidance=2.5)
        np.testing.assert_array_equal(usual.pictures, asked.pictures)
        assert usual.parameters.guidance == 2.5
        assert (await draw(plane, label=2, guidance=1.0)).parameters.guidance == 1.0
        assert (await draw(plane)).parameters.guidance == 1.0


@pytest.mark.parametrize("solver", ["dpmpp_2m", "heun"])
async def test_the_class_is_weighed_within_the_manifests_band_only_and_costs_rows_there_only(
    tmp_path: Path, solver: str
) -> None:
    low, high = 0.3, 5.0
    write_steered(tmp_path / "models", guidance=2.5, guidance_band=[low, high])
    plan = Sampling.of(SOLVERS[solver], 8, (SIGMA_MIN, SIGMA_MAX), shape=(1, SIZE, SIZE), seeds=(5, 6))
    state, rows = plan.start(), 0
    while not plan.ended(state):
        level = plan.level(state)
        denoised, guided = denoise(state.x, level, 2, plan.features), low <= level <= high
        if guided:
            nothing = denoise(state.x, level, None, plan.features)
            denoised = nothing + np.float32(2.5) * (denoised - nothing)
        rows += 4 if guided else 2
        state = plan.advance(state, denoised)
    async with generator_plane(tmp_path / "models", tmp_path / "cache") as plane:
        statistics = (await plane.repository.get("steered")).statistics
        before = statistics.rows
        drawn = await draw(plane, label=2, seed=5, n=2, solver=solver, steps=8)
        assert statistics.rows - before == rows < 4 * plan.calls
        assert (drawn.rows, drawn.calls) == (4, plan.calls)
    np.testing.assert_allclose(drawn.pictures, plan.finished(state.x), atol=2e-4)
    assert drawn.environment["guidance_band"] == "0.3 to 5"


@pytest.mark.parametrize("name", ["guidance_band", "drift_band"])
async def test_a_manifest_whose_band_ends_before_it_begins_is_refused_with_its_name(tmp_path: Path, name: str) -> None:
    write_steered(tmp_path / "models", **{name: [4, 0.6]})
    async with generator_plane(tmp_path / "models", tmp_path / "cache") as plane:
        with pytest.raises(InternalError, match=f"{name}: got 4 to 0.6") as refused:
            await draw(plane, label=1)
        assert refused.value.code == "invalid_manifest"


async def test_what_a_manifest_says_of_drawing_is_part_of_the_entity_tag(tmp_path: Path) -> None:
    for name, option in (("a", {}), ("b", {"guidance_band": [1, 2]}), ("c", {"drift_band": [1, 2]})):
        write_steered(tmp_path / name, **option)
    tags = set()
    for name in "abc":
        async with generator_plane(tmp_path / name, tmp_path / "cache") as plane:
            generation = await plane.plan_generation(GenerateRequest("steered", label=1, seed=5))
            tags.add(entity_tag(generation.parameters, generation.identity, "png"))
    assert len(tags) == 3


async def test_a_seed_is_drawn_and_echoed_where_none_is_given(plane: DataPlane) -> None:
    first, second = await draw(plane), await draw(plane)
    assert first.parameters.seed != second.parameters.seed
    again = await draw(plane, seed=first.parameters.seed)
    np.testing.assert_array_equal(again.pictures, first.pictures)


async def test_several_pictures_are_independent_requests_of_the_following_seeds(plane: DataPlane) -> None:
    for options in ({}, {"solver": "ddpm", "steps": 15, "angle": 40}, {"label": 1, "guidance": 3.0}):
        together = await draw(plane, seed=70, n=5, **options)
        alone = [await draw(plane, seed=70 + k, **options) for k in range(5)]
        np.testing.assert_array_equal(together.pictures, np.concatenate([one.pictures for one in alone]))


def random_request(random: np.random.Generator) -> dict[str, object]:
    solver = str(random.choice(list(SOLVERS)))
    label = [None, 0, 1, 2][random.integers(4)]
    return {
        "model": str(random.choice(["steered", "steered", "upright"])),
        "solver": solver,
        "steps": int(random.integers(1, 12)),
        "label": label,
        "guidance": 1.0 if label is None else float(random.choice([1.0, 2.0, 0.0])),
        "angle": float(random.choice([0, 90, 33.5, -140])),
        "mode": [None, "exact", "drift", "drift_x0"][random.integers(4)],
        "n": int(random.choice([1, 1, 1, 2, 6])),
        "seed": int(random.integers(2**63)),
    }


async def test_a_picture_does_not_depend_on_its_company(plane: DataPlane, generators: Path, tmp_path: Path) -> None:
    """200 requests join and leave at random, some cancelled under way: each as it is alone, after a restart too."""
    random = np.random.default_rng(0)
    requests = [random_request(random) for _ in range(200)]

    async def one(place: int, request: dict) -> Completed | None:
        await asyncio.sleep(float(random.uniform(0, 0.3)))
        work = asyncio.ensure_future(draw(plane, id=f"r{place}", **request))
        if place % 10 == 9:
            await asyncio.sleep(float(random.uniform(0, 0.02)))
            work.cancel()
        return (await asyncio.gather(work, return_exceptions=True))[0]

    served = {name: (await plane.repository.get(name)).statistics for name in ("steered", "upright")}
    before = {name: counted.executions for name, counted in served.items()}
    rows = {name: counted.rows for name, counted in served.items()}
    together = await asyncio.gather(*(one(place, request) for place, request in enumerate(requests)))
    mean = sum(counted.rows - rows[name] for name, counted in served.items()) / sum(
        counted.executions - before[name] for name, counted in served.items()
    )
    assert mean > 2, "they did share batches"
    assert plane.generations.rows == len(plane.generations) == 0
    async with generator_plane(generators) as restarted:
        for request, drawn in zip(requests, together, strict=True):
            if isinstance(drawn, Completed):
                alone = await draw(restarted, **request)
                np.testing.assert_array_equal(drawn.pictures, alone.pictures, err_msg=str(request))


async def test_a_stream_shows_the_picture_within_three_steps_and_ends_with_it(plane: DataPlane) -> None:
    options = {"label": 0, "seed": 1, "steps": 12, "n": 2, "previews": 3}
    events = [event async for event in watch(plane, **options)]
    assert isinstance(events[0], Progress)
    assert (events[0].call, events[0].calls, events[0].sigma) == (0, 12, SIGMA_MAX)
    previews = [event for event in events if isinstance(event, Preview)]
    assert len(previews) == 3
    assert previews[0].call <= 3
    assert [event.call for event in events if isinstance(event, Progress)] == list(range(13))
    distance = [np.abs(event.pictures - events[-1].pictures).mean() for event in previews]
    assert distance[0] > distance[-1]
    alone = await draw(plane, **options)
    np.testing.assert_array_equal(events[-1].pictures, alone.pictures)


@pytest.mark.parametrize("steps", [1, 2, 3, 1000])
async def test_a_stream_tells_of_few_steps_and_of_at_most_a_hundred(plane: DataPlane, steps: int) -> None:
    events = [event async for event in watch(plane, steps=steps, previews=5)]
    assert isinstance(events[-1], Completed)
    assert sum(isinstance(event, Progress) for event in events) <= 101
    assert all(event.call <= 3 for event in [e for e in events if isinstance(e, Preview)][:1])
    assert sum(isinstance(event, Preview) for event in events) <= 5


class Held:
    """Holds back every call of a model until it is released."""

    def __init__(self, model) -> None:
        self.runtime, self.gate, self.batches = model.runtime, threading.Event(), []
        for name in ("name", "version", "device", "threads", "inputs", "outputs"):
            setattr(self, name, getattr(model.runtime, name))
        self.device = "held"  # a call that may run on the event loop would hold up all that could release it

    def run(self, inputs):
        self.batches.append(len(inputs["x"]))
        self.gate.wait(30)
        return self.runtime.run(inputs)


@pytest_asyncio.fixture(loop_scope="session")
async def held(plane: DataPlane) -> AsyncIterator[Held]:
    model = await plane.repository.get("steered")
    held = Held(model)
    model.replace_runtime(held)
    yield held
    held.gate.set()
    model.replace_runtime(held.runtime)


@pytest.mark.parametrize("how", ["id", "disconnect"])
async def test_a_cancelled_generation_frees_its_rows_within_one_step(plane: DataPlane, held: Held, how: str) -> None:
    running = asyncio.ensure_future(draw(plane, id="running"))
    await until(lambda: held.batches)
    waiting = asyncio.ensure_future(draw(plane, id="waiting", n=3))
    model = await plane.repository.get("steered")
    await until(lambda: model.pending_rows == 3)
    for id, work in (("waiting", waiting), ("running", running)):
        if how == "id":
            assert plane.cancel_generation(id, RequestContext("other")) == 1
        else:
            work.cancel()
        with pytest.raises((Cancelled, asyncio.CancelledError)):
            await work
    assert model.pending_rows == plane.generations.rows == 0
    held.gate.set()
    await draw(plane)
    assert held.batches[:2] == [1, 1], "the three rows that waited never ran"


async def test_closing_a_stream_frees_its_rows(plane: DataPlane) -> None:
    generation = await plane.plan_generation(GenerateRequest("steered", steps=500))
    async with aclosing(plane.generate_events(generation, RequestContext("id"), progress=True)) as events:
        async for event in events:
            if event.call == 10:
                break
    assert plane.generations.rows == 0
    assert (await plane.repository.get("steered")).pending_rows == 0


async def test_only_the_same_credential_cancels(plane: DataPlane, held: Held) -> None:
    generation = await plane.plan_generation(GenerateRequest("steered"))
    work = asyncio.ensure_future(plane.generate(generation, RequestContext("mine", credential="Bearer a")))
    await until(lambda: held.batches)
    for id, credential in (("mine", "Bearer b"), ("other", "Bearer a")):
        with pytest.raises(NotFound):
            plane.cancel_generation(id, RequestContext("x", credential=credential))
    held.gate.set()
    await work


async def test_a_deadline_ends_a_generation_and_a_hopeless_one_is_refused(plane: DataPlane, held: Held) -> None:
    now = asyncio.get_running_loop().time()
    with pytest.raises(DeadlineExceeded):
        await draw(plane, deadline=now + 0.2, steps=1)
    held.gate.set()
    model = await plane.repository.get("steered")
    model.cost.per_row_s = 1.0
    with pytest.raises(Overloaded) as refused:
        await draw(plane, deadline=now + 60, steps=1000)
    assert refused.value.code == "deadline_unreachable"
    assert plane.generations.rows == 0


async def test_no_more_rows_are_under_way_than_the_server_holds(generators: Path, tmp_path: Path) -> None:
    async with generator_plane(generators, max_queued_rows=8) as plane:
        model = await plane.repository.get("steered")
        held = Held(model)
        model.replace_runtime(held)
        first = asyncio.ensure_future(draw(plane, n=6))
        await until(lambda: held.batches)
        with pytest.raises(Overloaded) as refused:
            await draw(plane, n=3)
        assert refused.value.code == "too_many_rows"
        held.gate.set()
        await first
        await draw(plane, n=3)


@pytest.mark.parametrize(
    ("field", "options", "said"),
    [
        ("steps", {"steps": 0}, "from 1 to 1000"),
        ("steps", {"steps": 10_000}, "from 1 to 1000"),
        ("steps", {"steps": 2.5}, "whole number"),
        ("solver", {"solver": "euler"}, "dpmpp_2m"),
        ("preset", {"preset": "best"}, "balanced"),
        ("label", {"label": 3}, "0 to 2"),
        ("label", {"label": -1}, "0 to 2"),
        ("label", {"label": "square"}, "ring"),
        ("label", {"label": True}, "0 to 2"),
        ("angle", {"angle": math.nan}, "degrees from -3600 to 3600"),
        ("angle", {"angle": math.inf}, "degrees"),
        ("angle", {"angle": 1e9}, "degrees"),
        ("mode", {"mode": "spin"}, "conditioned"),
        ("n", {"n": 0}, "from 1 to 32"),
        ("n", {"n": 33}, "from 1 to 32"),
        ("guidance", {"guidance": 21, "label": 1}, "from 0 to 20"),
        ("guidance", {"guidance": math.nan, "label": 1}, "from 0 to 20"),
        ("guidance", {"guidance": 2.0}, "no label"),
        ("guidance", {"guidance": 2.0, "model": "plain"}, "knows no classes"),
        ("label", {"label": 0, "model": "plain"}, "knows no classes"),
        ("mode", {"mode": "conditioned", "model": "plain"}, "exact"),
        ("seed", {"seed": 2**64}, str(2**64 - 1)),
        ("seed", {"seed": -1}, "from 0"),
        ("seed", {"seed": 1.5}, "whole number"),
        ("priority", {"priority": -1}, "whole number"),
        ("previews", {"previews": -1}, "whole number"),
    ],
)
async def test_what_cannot_be_drawn_is_refused_by_name_and_range(plane: DataPlane, field, options, said) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await draw(plane, **{"model": "steered", **options})
    assert refused.value.field == field
    assert refused.value.code == f"invalid_{field}"
    assert said in refused.value.message


async def test_what_is_no_generator_draws_nothing(plane: DataPlane, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await draw(plane, "nothing")
    root = write_generators(tmp_path)
    for name, changed in (("infers", ("task: generate", "task: infer")), ("silent", ("sigma_max", "sigma_most"))):
        text = (root / "plain" / "model.yaml").read_text()
        folder = root / name
        (folder / "1").mkdir(parents=True)
        (folder / "1" / "model.onnx").write_bytes((root / "plain" / "1" / "model.onnx").read_bytes())
        (folder / "model.yaml").write_text(text.replace("name: plain", f"name: {name}").replace(*changed))
    async with generator_plane(root) as other:
        with pytest.raises(Unsupported, match="draws no pictures"):
            await draw(other, "infers")
        with pytest.raises(Exception, match="sigma_max"):
            await draw(other, "silent")


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**64 - 1), st.floats(-3600, 3600), st.integers(1, 1000))
def test_canonical_parameters_are_one_text_for_one_picture(seed: int, angle: float, steps: int) -> None:
    import orjson

    from equiserve.tasks.generate import GenerateParameters

    known = {"version": "1", "file_digest": "0" * 64, "runtime": "onnx", "label": None, "mode": "exact"}
    one = GenerateParameters(model="m", angle=angle, seed=seed, steps=steps, solver="ddim", guidance=1.0, n=1, **known)
    assert orjson.loads(one.canonical()) == one.to_json()
    assert one.canonical() == GenerateParameters(**orjson.loads(one.canonical())).canonical()
