"""What is measured at load: runtimes here change their bits with the batch in known ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from equiserve.artifact import TensorSpec
from equiserve.engine import CalibrationCache, calibration
from equiserve.engine.calibration import golden_inputs, measure, unmeasured
from fake_runtime import DoublingRuntime


class MoodyRuntime(DoublingRuntime):
    """Adds `shift_of(batch size)` to every output."""

    inputs = (TensorSpec(name="x", datatype="FP32", shape=(-1, 4)),)

    def __init__(self, shift_of: Mapping[int, float]) -> None:
        super().__init__()
        self.shift_of = shift_of

    def run(self, inputs: Mapping[str, np.ndarray]) -> Sequence[np.ndarray]:
        return [inputs["x"] * 2 + np.float32(self.shift_of.get(len(inputs["x"]), 0.0))]


def calibrate(runtime: DoublingRuntime, max_batch: int = 8) -> tuple[int, float, bool, str]:
    found = measure(lambda _: runtime, max_batch=max_batch, threads=1, fixed_threads=1)
    return found.stable_batch, found.floor, found.exact_in_batches, found.batch_invariance


def test_a_model_whose_bits_never_depend_on_company_is_exact() -> None:
    stable, floor, exact, words = calibrate(MoodyRuntime({}))
    assert (stable, floor, exact, words) == (1, 0.0, True, "exact")


def test_a_model_that_computes_lone_rows_otherwise_is_stable_from_two_rows() -> None:
    stable, floor, exact, words = calibrate(MoodyRuntime({1: 1e-3}))
    assert (stable, exact) == (2, True)
    assert 1e-5 < floor < 1e-2
    assert words.startswith("exact from 2 rows")


def test_a_model_that_changes_up_to_three_rows_is_stable_from_four() -> None:
    assert calibrate(MoodyRuntime({1: 1e-3, 3: 1e-3}))[0] == 4


def test_a_model_whose_bits_change_in_large_batches_only_has_a_floor() -> None:
    stable, floor, exact, words = calibrate(MoodyRuntime({7: 1e-3}))
    assert (stable, exact) == (1, False)
    assert floor > 0
    assert words.startswith("floor")


def test_a_model_that_never_has_company_is_exact() -> None:
    assert calibrate(MoodyRuntime({}), max_batch=1) == (1, 0.0, True, "exact")


def test_a_model_of_text_that_rolls_dice_has_a_floor_and_no_distance() -> None:
    class Dice(DoublingRuntime):
        calls = 0

        def run(self, inputs: Mapping[str, np.ndarray]) -> Sequence[np.ndarray]:
            self.calls += 1
            return [np.full((len(inputs["x"]), 1), b"%d" % self.calls, object)]

    stable, floor, exact, _ = calibrate(Dice())
    assert (stable, floor, exact) == (1, 1.0, False)


def test_what_was_not_measured_is_not_claimed() -> None:
    assert unmeasured(DoublingRuntime(), 8).batch_invariance == "not measured yet"
    assert not unmeasured(DoublingRuntime(), 8).exact_in_batches
    assert [unmeasured(DoublingRuntime(), most).stable_batch for most in (1, 4, 32)] == [1, 4, 8]


@pytest.mark.parametrize(
    "spec",
    [
        TensorSpec(name="x", datatype="UINT8", shape=(-1, 3, -1), value_range=(0, 255)),
        TensorSpec(name="x", datatype="FP64", shape=(-1, 2), value_range=(0.5, 0.75)),
        TensorSpec(name="x", datatype="INT64", shape=(4,)),
        TensorSpec(name="x", datatype="BOOL", shape=(-1, 2)),
    ],
)
def test_golden_inputs_obey_the_declaration_and_are_always_the_same(spec: TensorSpec) -> None:
    first, again = (golden_inputs((spec,), 3)["x"] for _ in range(2))
    assert np.array_equal(first, again)
    assert len(first) == (3 if spec.shape[0] == -1 else 4)
    if spec.value_range:
        assert first.min() >= spec.value_range[0]
        assert first.max() <= spec.value_range[1]


def test_the_cache_returns_what_was_put_and_only_under_the_same_key(tmp_path: Path) -> None:
    cache = CalibrationCache(tmp_path)
    found = measure(lambda _: MoodyRuntime({1: 1e-3}), max_batch=8, threads=1, fixed_threads=1)
    cache.put(found, "digest", "runtime 1", 2)
    assert cache.get("digest", "runtime 1", 2) == found
    assert cache.get("digest", "runtime 2", 2) is None
    assert cache.get("other", "runtime 1", 2) is None


def test_a_cache_that_cannot_be_written_or_read_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    cache = CalibrationCache(tmp_path / "file")
    cache.put(unmeasured(DoublingRuntime(), 8), "digest")
    assert cache.get("digest") is None
    broken = CalibrationCache(tmp_path)
    broken.put(unmeasured(DoublingRuntime(), 8), "digest")
    for path in tmp_path.glob("*.json"):
        path.write_text("{")
    assert broken.get("digest") is None


def test_measuring_is_held_back_and_can_be_stopped_before_any_run_of_the_model() -> None:
    class Stopped(Exception):
        pass

    runtime = MoodyRuntime({})
    asked = 0

    def stop_at_the_fifth() -> None:
        nonlocal asked
        asked += 1
        if asked == 5:
            raise Stopped

    with pytest.raises(Stopped):
        measure(lambda _: runtime, max_batch=8, threads=1, fixed_threads=1, wait_for_idleness=stop_at_the_fifth)
    assert asked == 5


def test_a_noise_level_of_the_golden_input_is_one() -> None:
    spec = TensorSpec(name="sigma", datatype="FP32", shape=(-1,), kind="noise_level")
    assert (golden_inputs((spec,), 50)["sigma"] > 0).all()


@pytest.mark.parametrize(("fixed_s", "batches", "steps"), [(0.0, 8, 4), (1e-3, 32, 16), (10e-3, 64, 64)])
def test_a_model_that_is_called_step_by_step_runs_smaller_batches_where_company_hardly_pays(
    monkeypatch: pytest.MonkeyPatch, fixed_s: float, batches: int, steps: int
) -> None:
    monkeypatch.setattr(calibration, "_fastest", lambda _, inputs, __: 1e-3 * len(inputs["x"]) + fixed_s)
    runtime = MoodyRuntime({})
    for useful, expected in ((calibration.USEFUL, batches), (calibration.USEFUL_STEPS, steps)):
        found = measure(lambda _: runtime, max_batch=64, threads=1, fixed_threads=1, useful=useful)
        assert found.max_batch == expected


def test_checks_run_in_larger_batches_than_requests_where_those_have_the_same_bits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calibration, "_cost", lambda *_: (8, 1e-3, 0.0))  # eight are useful, a millisecond a row

    def largest(shift_of: Mapping[int, float]) -> int:
        return measure(lambda _: MoodyRuntime(shift_of), max_batch=64, threads=1, fixed_threads=1).check_batch

    # 17 rows: the half millisecond that a batch costs the server is 3 % of them.
    assert largest({}) == 17
    assert largest({1: 1e-3}) == 17
    # Other bits from twelve rows on: what is published of up to eight would not hold.
    assert largest({12: 1e-3}) == 8
    assert measure(lambda _: MoodyRuntime({}), max_batch=4, threads=1, fixed_threads=1).check_batch == 4
