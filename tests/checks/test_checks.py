"""Equivariance checks of numpy classifiers through the real scheduler, batcher and workers."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from equiserve.artifact import File, GroupSpec, Symmetry, Version
from equiserve.artifact.folder import find_model
from equiserve.checks import CheckRequest, run_check
from equiserve.engine import Calibration, RequestContext, ServedModel
from equiserve.errors import InvalidRequest, Overloaded, TooLarge, Unsupported
from equiserve.runtimes import open_runtime
from picture_runtimes import EXACT_SHIFTS, SHIFTS, PictureRuntime, by_position, constant, histogram, serve
from planes import until

PICTURE = np.random.default_rng(2).integers(0, 256, (1, 28, 28), np.uint8)
PICTURE[0, :10] //= 4
LABELS = ["dark", "dim", "light", "bright"]
DECLARED = {"groups": SHIFTS, "symmetries": EXACT_SHIFTS, "labels": LABELS}


async def check(model, compute, picture=PICTURE, *, deadline=np.inf, max_orbit=4096, **request):
    return await run_check(
        model,
        CheckRequest("fake", picture=picture, **request),
        RequestContext("check-1", deadline=deadline),
        compute=compute,
        max_pixels=10**6,
        max_orbit=max_orbit,
    )


# ---------------------------------------------------------------- verdicts


async def test_an_invariant_model_passes_on_every_shift_to_the_last_bit(scheduler, compute):
    report = (await check(serve(scheduler, PictureRuntime(histogram), **DECLARED), compute)).to_json()
    assert report["verdict"]["status"] == "pass"
    assert report["statement"] == "'dark' on all 784 circular shifts, and every output is the same to the last bit."
    assert report["bitwise_identical"] == {"identical": 784, "of": 784}
    assert report["summary"]["exact"]["modal_consistency"] == 1.0
    assert report["summary"]["resampled"] is None
    assert report["coverage"] == {"checked": 784, "planned": 784, "exact": 784}
    assert report["level"] == "exact"
    assert report["worst"] is None


async def test_a_model_that_looks_at_places_fails_and_the_worst_shift_is_named(scheduler, compute):
    model = serve(scheduler, PictureRuntime(by_position), **DECLARED)
    report = (await check(model, compute, reference="identity")).to_json()
    # The truth, shift by shift, without group, orbit or engine.
    moved = np.stack([np.roll(PICTURE, (dy, dx), (1, 2)) for dy in range(28) for dx in range(28)])
    scores = by_position(moved).astype(np.float32)
    probabilities = softmax(scores.astype(np.float64), axis=1)
    answer = int(scores[0].argmax())
    elements = report["elements"]
    assert [LABELS.index(label) for label in elements["label"]] == scores.argmax(axis=1).tolist()
    assert elements["probability"] == pytest.approx(probabilities[:, answer], rel=1e-6)
    assert elements["agrees"] == (scores.argmax(axis=1) == answer).tolist()
    margin = probabilities[:, answer] - np.delete(probabilities, answer, axis=1).max(axis=1)
    worst = divmod(int(margin.argmin()), 28)
    assert report["worst"]["element"] == {"dy": worst[0], "dx": worst[1]}
    assert report["verdict"]["status"] == "fail"
    assert report["worst"]["description"] in report["statement"]
    assert report["worst"]["description"] in report["verdict"]["reason"]


async def test_a_constant_picture_is_not_informative(scheduler, compute):
    report = (await check(serve(scheduler, PictureRuntime(histogram), **DECLARED), compute, PICTURE * 0 + 9)).to_json()
    assert report["verdict"]["status"] == "not_informative"
    assert report["controls"]["did_it_act"] == {"changed": 0, "of": 783}


async def test_a_constant_model_is_not_informative(scheduler, compute):
    report = (await check(serve(scheduler, PictureRuntime(constant), **DECLARED), compute)).to_json()
    assert report["verdict"]["status"] == "not_informative"
    assert "unrelated" in report["verdict"]["reason"]
    assert set(report["controls"]["unrelated"].values()) == {0.0}


async def test_a_model_that_rolls_dice_is_caught_by_the_repeats(scheduler, compute):
    dice = np.random.default_rng(3)
    model = serve(scheduler, PictureRuntime(lambda p: histogram(p) + dice.normal(size=(len(p), 4))), **DECLARED)
    report = (await check(model, compute)).to_json()
    assert report["verdict"]["status"] == "not_informative"
    assert "same batch" in report["verdict"]["reason"]
    assert report["noise_floor"]["value"] > 1e-2
    assert not report["controls"]["repeat"]["identical"]


async def test_a_model_that_normalises_over_the_batch_is_caught_by_the_repeats(scheduler, compute):
    model = serve(
        scheduler,
        PictureRuntime(lambda p: histogram(p) * (1 + p[:, 0, 0, :1].mean() / 100 + np.arange(len(p))[:, None])),
        **DECLARED,
    )
    report = (await check(model, compute)).to_json()
    assert report["verdict"]["status"] == "not_informative"
    assert "another batch" in report["verdict"]["reason"]
    assert report["controls"]["repeat"]["same_batch"] == 0.0


async def test_outputs_that_are_not_finite_count_as_failures(scheduler, compute):
    def fragile(pictures):
        return np.where(pictures[:, 0, :1, 0] > 200, np.nan, histogram(pictures))

    broken = int((PICTURE[0] > 200).sum())
    report = (await check(serve(scheduler, PictureRuntime(fragile), **DECLARED), compute, outputs=True)).to_json()
    assert report["verdict"]["status"] == "fail"
    assert "not finite" in report["verdict"]["reason"]
    assert report["elements"]["label"].count(None) == broken
    assert report["elements"]["probability"].count(None) == broken
    assert report["summary"]["all"]["modal_consistency"] == pytest.approx(1 - broken / 784)
    json.dumps(report, allow_nan=False)


async def test_a_model_that_is_consistently_wrong_still_passes(scheduler, compute):
    model = serve(scheduler, PictureRuntime(histogram), **DECLARED)
    report = (await check(model, compute, reference="label", label="bright")).to_json()
    assert report["verdict"]["status"] == "pass"
    assert not any(report["elements"]["agrees"])
    assert report["reference"]["prediction"] == {"label": "bright", "index": 3}


async def test_the_shipped_anchored_transformer_is_invariant_to_every_circular_shift(scheduler, compute, zoo):
    folder = find_model(zoo, "fashion-mnist-vit-apa")
    manifest, version = folder.manifest(), max(folder.versions)
    opened = open_runtime("onnx", folder.file(version, "onnx"), manifest, device="cpu", threads=1)
    calibration = Calibration(True, 2, 1e-7, True, 16, 0.0, 0.0, 1, "this cpu", opened.version)
    model = ServedModel(
        manifest, str(version), opened, calibration, scheduler, file_digest="0" * 64, max_queued_rows=4096
    )
    boot = (Path(__file__).parents[1] / "data" / "ankle_boot.png").read_bytes()
    report = (await check(model, compute, boot)).to_json()
    assert report["verdict"]["status"] == "pass"
    assert report["bitwise_identical"] == {"identical": 784, "of": 784}
    assert report["noise_floor"]["value"] == 0.0


# ---------------------------------------------------------------- groups, elements, references


async def test_the_first_declared_symmetry_is_checked_by_default(scheduler, compute):
    groups = {"turns": GroupSpec(name="Cyclic", parameters={"n": 4}), **SHIFTS}
    symmetries = [Symmetry(group="turns", level="approximate"), *EXACT_SHIFTS]
    model = serve(scheduler, PictureRuntime(histogram), groups=groups, symmetries=symmetries)
    report = (await check(model, compute)).to_json()
    assert (report["group"]["name"], report["level"]) == ("C4", "approximate")
    # By the manifest's own name, by the group's, and by its parameters.
    for asked in ("shifts", "CyclicShift", {"name": "CyclicShift", "height": 28, "width": 28}):
        report = (await check(model, compute, group=asked, elements=9)).to_json()
        assert (report["group"]["name"], report["level"]) == ("CyclicShift:28x28", "exact")
        assert len(report["elements"]["element"]) == 9


async def test_an_undeclared_group_is_checked_against_no_promise(scheduler, compute):
    report = (await check(serve(scheduler, PictureRuntime(by_position), **DECLARED), compute, group="D4")).to_json()
    assert (report["level"], report["declared"]) == ("none", None)
    assert report["coverage"] == {"checked": 8, "planned": 8, "exact": 8}


async def test_a_declaration_measured_on_another_file_is_void(scheduler, compute):
    version = Version(files={"model.onnx": File(sha256="a" * 64, bytes=1)})
    for digest, level in (("a" * 64, "exact"), ("b" * 64, "none")):
        declared = [Symmetry(group="shifts", level="exact", file_digest=digest)]
        model = serve(scheduler, PictureRuntime(histogram), groups=SHIFTS, symmetries=declared, versions={"1": version})
        assert (await check(model, compute, elements=4)).to_json()["level"] == level


async def test_resampled_elements_are_told_apart_from_exact_ones(scheduler, compute):
    report = (await check(serve(scheduler, PictureRuntime(by_position)), compute, group="SO2", elements=24)).to_json()
    exact = [e["angle_deg"] for e, sure in zip(*map(report["elements"].get, ("element", "exact")), strict=True) if sure]
    assert sorted(exact) == [0, 90, 180, 270]
    assert report["summary"]["exact"] != report["summary"]["resampled"]
    assert report["bitwise_identical"]["of"] == 4
    trip = report["controls"]["round_trip"]
    assert 0 < len(trip["elements"]) <= 8
    assert 0 < trip["relative_error"] < 1
    assert report["provenance"]["boundary"] == "inscribed disc"


async def test_listed_elements_are_checked_after_the_identity(scheduler, compute):
    model = serve(scheduler, PictureRuntime(histogram), **DECLARED)
    report = (await check(model, compute, elements=[{"dy": 1, "dx": 2}, {"dx": -1}])).to_json()
    assert report["elements"]["element"] == [{"dy": 0, "dx": 0}, {"dy": 1, "dx": 2}, {"dy": 0, "dx": 27}]


async def test_the_symmetrized_prediction_is_the_mean_over_the_orbit(scheduler, compute):
    report = (await check(serve(scheduler, PictureRuntime(by_position)), compute, group="C4")).to_json()
    turned = np.stack([np.rot90(PICTURE, k, (1, 2)) for k in range(4)])
    mean = softmax(by_position(turned), axis=1).mean(axis=0)
    predictions = report["symmetrized_prediction"]["predictions"]
    assert [guess["index"] for guess in predictions] == np.argsort(-mean).tolist()
    assert [guess["probability"] for guess in predictions] == pytest.approx(sorted(mean, reverse=True), rel=1e-6)


async def test_only_the_metrics_asked_for_are_reported(scheduler, compute):
    model = serve(scheduler, PictureRuntime(histogram), **DECLARED)
    report = (await check(model, compute, elements=4, metrics=["worst_margin"])).to_json()
    assert report["summary"]["all"].keys() == {"worst_margin"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"group": "SO17"}, "group"),
        ({"group": 4}, "group"),
        ({"group": "CyclicShift:27x28"}, "group.height"),
        ({"elements": 0}, "elements"),
        ({"elements": True}, "elements"),
        ({"elements": []}, "elements"),
        ({"elements": [{"dy": 1}, {"angle_deg": "x"}]}, "elements[1]"),
        ({"reference": "oracle"}, "reference"),
        ({"reference": "label"}, "label"),
        ({"reference": "label", "label": 4}, "label"),
        ({"reference": "label", "label": "cat"}, "label"),
        ({"label": 1}, "label"),
        ({"metrics": ["beauty"]}, "metrics"),
        ({"picture": b"no picture"}, "picture"),
    ],
)
async def test_what_cannot_be_checked_is_refused_before_the_model_runs(scheduler, compute, fields, field):
    runtime = PictureRuntime(histogram)
    with pytest.raises(InvalidRequest) as caught:
        await check(serve(scheduler, runtime, **DECLARED), compute, **fields)
    assert caught.value.field == field
    assert runtime.batches == []


async def test_a_model_that_declares_nothing_asks_for_a_group(scheduler, compute):
    with pytest.raises(InvalidRequest, match="'CyclicShift'") as caught:
        await check(serve(scheduler, PictureRuntime(histogram)), compute)
    assert caught.value.code == "group_missing"


async def test_a_model_that_is_no_classifier_is_refused(scheduler, compute):
    with pytest.raises(Unsupported):
        await check(serve(scheduler, PictureRuntime(histogram, shape=(-1, 5))), compute)


@pytest.mark.parametrize(("elements", "asked"), [(None, 784), (600, 600), ([{"dy": 1}] * 501, 501)])
async def test_an_orbit_over_the_limit_is_refused_and_both_numbers_named(scheduler, compute, elements, asked):
    with pytest.raises(TooLarge, match=f"{asked} elements.* at most 500") as caught:
        await check(serve(scheduler, PictureRuntime(histogram), **DECLARED), compute, elements=elements, max_orbit=500)
    assert caught.value.code == "orbit_too_large"


async def test_a_huge_group_is_refused_before_it_is_listed(scheduler, compute):
    with pytest.raises(TooLarge):
        await check(serve(scheduler, PictureRuntime(histogram)), compute, group={"name": "Cyclic", "n": 10**15})


# ---------------------------------------------------------------- as a guest of the engine


async def test_every_batch_of_a_check_has_the_same_size(scheduler, compute):
    runtime = PictureRuntime(histogram)
    report = (await check(serve(scheduler, runtime, **DECLARED), compute, elements=100)).to_json()
    sizes = [len(batch) for batch in runtime.batches]
    # Two control batches are as small as the model is ever run; one has each control picture once.
    assert sizes[:3] == [2, 2, 4]
    assert set(sizes[3:]) == {8}
    assert report["cost"]["batch_size"] == 8
    assert report["cost"]["forward_passes"] == sum(sizes)
    assert report["cost"]["batches"] == len(sizes)


async def test_padding_and_controls_of_360_rotations_cost_a_twentieth_of_them(scheduler, compute):
    runtime = PictureRuntime(by_position)
    model = serve(scheduler, runtime, max_batch=32)
    report = (await check(model, compute, group="SO2", elements=360)).to_json()
    assert sum(map(len, runtime.batches)) == report["cost"]["forward_passes"] == 360 + 1 + 1 + 12
    assert report["controls"]["repeat"]["repeats"] == 4
    assert None not in report["controls"]["unrelated"].values()
    assert len(report["controls"]["round_trip"]["elements"]) == 8


async def test_a_long_check_keeps_the_event_loop_for_moments_only(scheduler, compute, monkeypatch):
    steps: list[float] = []
    run = asyncio.events.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        began = time.thread_time()  # CPU, so that a busy machine changes little
        run(handle)
        steps.append(time.thread_time() - began)

    model = serve(scheduler, PictureRuntime(by_position), max_batch=32)
    monkeypatch.setattr(asyncio.events.Handle, "_run", timed)
    report = (await check(model, compute, group="SO2", elements=4000, max_orbit=4000)).to_json()
    monkeypatch.undo()
    assert report["coverage"]["checked"] == 4000
    # 0.16 ms where it was written; a request may wait for 5 ms.
    assert len(steps) > 500
    assert np.percentile(steps, 99) < 2.5e-3


async def test_a_small_orbit_does_not_fill_a_large_batch(scheduler, compute):
    model = serve(scheduler, PictureRuntime(histogram), max_batch=64)
    assert (await check(model, compute, group="C4")).to_json()["cost"]["batch_size"] == 4


async def test_a_batch_holds_no_more_pixels_than_one_picture_may(scheduler, compute):
    runtime = PictureRuntime(histogram, shape=(-1, 1, -1, -1))
    wide = np.tile(PICTURE, (1, 20, 20))
    report = (await check(serve(scheduler, runtime), compute, wide, group="D4")).to_json()
    assert report["cost"]["batch_size"] == 10**6 // wide.size


async def test_a_model_without_batch_axis_can_be_checked(scheduler, compute):
    runtime = PictureRuntime(by_position, shape=(1, 1, 28, 28))
    report = (await check(serve(scheduler, runtime, max_batch=0), compute, group="C4")).to_json()
    assert {len(batch) for batch in runtime.batches} == {1}
    assert report["coverage"]["checked"] == 4
    assert set(report["controls"]["unrelated"]) == {"blank", "negative", "noise"}


async def test_foreground_calls_overtake_a_running_check_between_two_batches(scheduler, compute):
    runtime = PictureRuntime(histogram)
    runtime.free = 20
    model = serve(scheduler, runtime, **DECLARED)
    running = asyncio.create_task(check(model, compute))
    await until(lambda: len(runtime.batches) == 21)
    urgent = np.full((1, 1, 28, 28), 77, np.uint8)
    calls = [asyncio.create_task(model.infer([urgent])) for _ in range(3)]
    await until(lambda: model.pending_calls >= 3)
    runtime.gate.set()
    await asyncio.gather(*calls)
    report = (await running).to_json()
    # The three ran together, right after the batch that was under way, in company of nothing else.
    assert (runtime.batches[21] == 77).all()
    assert len(runtime.batches[21]) == 3
    assert not any((batch == 77).all(axis=(1, 2, 3)).any() for batch in runtime.batches[22:])
    assert report["bitwise_identical"]["identical"] == 784


async def test_a_cancelled_check_stops_calling_the_model(scheduler, compute):
    runtime = PictureRuntime(histogram)
    runtime.free = 20
    model = serve(scheduler, runtime, **DECLARED)
    running = asyncio.create_task(check(model, compute))
    await until(lambda: len(runtime.batches) == 21)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    runtime.gate.set()
    await until(lambda: scheduler.idle)
    # The lane is free again: another caller is served, and nothing of the check came before it.
    await model.infer([np.full((1, 1, 28, 28), 77, np.uint8)])
    assert len(runtime.batches) == 22


async def test_a_deadline_gives_a_partial_report_that_states_its_coverage(scheduler, compute):
    runtime = PictureRuntime(histogram)
    runtime.free = 20
    model = serve(scheduler, runtime, **DECLARED)
    deadline = asyncio.get_running_loop().time() + 2.0
    try:
        report = (await check(model, compute, deadline=deadline)).to_json()
    finally:
        runtime.gate.set()
    controls = 3
    assert report["coverage"]["checked"] == 8 * (20 - controls)
    assert len(report["elements"]["label"]) == 8 * (20 - controls)
    assert report["verdict"]["status"] == "inconclusive"
    assert "136 of 784" in report["verdict"]["reason"]


async def test_a_deadline_before_the_first_answer_still_gives_a_report(scheduler, compute):
    model = serve(scheduler, PictureRuntime(histogram), **DECLARED)
    report = await check(model, compute, deadline=asyncio.get_running_loop().time())
    assert report.to_json()["coverage"] == {"checked": 0, "planned": 784, "exact": 0}
    assert report.to_json()["verdict"]["status"] == "inconclusive"
    assert report.to_svg().startswith("<svg")


async def test_a_full_queue_is_waited_for_once_the_check_has_begun(scheduler, compute):
    class Crowded:
        """Refuses every third batch, as a queue full of foreground rows would."""

        def __init__(self, model, first: int) -> None:
            self.model, self.calls = model, first

        def __getattr__(self, name):
            return getattr(self.model, name)

        async def infer_background(self, inputs):
            self.calls += 1
            if self.calls % 3 == 0:
                raise Overloaded("queue full", code="queue_full", retry_after_s=0.0)
            return await self.model.infer_background(inputs)

    model = serve(scheduler, PictureRuntime(histogram), **DECLARED)
    report = (await check(Crowded(model, 0), compute, elements=24)).to_json()
    assert report["coverage"]["checked"] == 24
    with pytest.raises(Overloaded):
        await check(Crowded(model, 2), compute, elements=24)


async def test_a_report_is_plain_json(scheduler, compute):
    for group in ("CyclicShift", "SO2", "D4", "CropShift:3", "Flip"):
        report = (await check(serve(scheduler, PictureRuntime(by_position)), compute, group=group)).to_json()
        assert json.loads(json.dumps(report, allow_nan=False)) == report
        assert list(report)[:2] == ["statement", "verdict"]
        assert report["id"] == "check-1"
