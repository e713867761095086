"""What the server offers beside a report: events, estimates, previews, comparisons, and outputs that are kept."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import AsyncIterator
from contextlib import aclosing

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image

from equiserve.checks import Checker, CheckRequest, report_of
from equiserve.engine import ComputePool, RequestContext, Scheduler
from equiserve.errors import InvalidRequest, NotFound, TooLarge
from picture_runtimes import EXACT_SHIFTS, SHIFTS, PictureRuntime, by_position, constant, histogram, serve

PICTURE = np.random.default_rng(2).integers(0, 256, (1, 28, 28), np.uint8)
PICTURE[0, :10] //= 4
CONTEXT = RequestContext("check-1")
CONTROLS = 3


class House:
    """Two models, whose runtimes keep what they were given, and a checker of them."""

    def __init__(self, cache_bytes: int = 1 << 24, **options: object) -> None:
        self.scheduler = Scheduler(1)
        self.compute = ComputePool(1)
        self.runtimes = {"blind": PictureRuntime(histogram), "positional": PictureRuntime(by_position)}
        self.models = {name: self._serve(name, runtime) for name, runtime in self.runtimes.items()}
        self.checker = Checker(
            self.find, self.compute, max_pixels=10**6, max_orbit=1000, cache_bytes=cache_bytes, **options
        )

    def _serve(self, name: str, runtime: PictureRuntime, **options: object):
        labels = ["dark", "dim", "light", "bright"]
        model = serve(self.scheduler, runtime, groups=SHIFTS, symmetries=EXACT_SHIFTS, labels=labels, **options)
        model.name, model.file_digest = name, hashlib.sha256(name.encode()).hexdigest()
        return model

    def add(self, name: str, runtime: PictureRuntime, **options: object) -> PictureRuntime:
        self.runtimes[name], self.models[name] = runtime, self._serve(name, runtime, **options)
        return runtime

    async def find(self, name: str, version: str, runtime: str | None):
        if name not in self.models or version not in ("", "1"):
            raise NotFound(f"unknown model {name}", field="model")
        return self.models[name]

    async def report(self, model: str, **request: object) -> dict:
        picture = request.pop("picture", PICTURE)
        report = await report_of(self.checker.events(CheckRequest(model, picture, **request), CONTEXT))
        return report.to_json()

    async def events(self, model: str, **request: object) -> list:
        asked = CheckRequest(model, PICTURE, **request)
        return [(event.name, event.to_json()) async for event in self.checker.events(asked, CONTEXT)]

    def rows(self, model: str) -> int:
        return sum(map(len, self.runtimes[model].batches))


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    for runtime in house.runtimes.values():
        runtime.gate.set()
    house.compute.stop()
    house.scheduler.stop(5)


# ---------------------------------------------------------------- events


async def test_a_check_tells_its_plan_its_progress_its_verdict_and_its_report_in_this_order(house: House) -> None:
    events = await house.events("positional", elements=100, reference="identity")
    names = [name for name, _ in events]
    assert names == ["started", *["progress"] * 13, "verdict", "completed"]
    report = events[-1][1]
    assert report["coverage"]["checked"] == 100
    assert events[-2][1]["verdict"] == report["verdict"]
    json.dumps(events, allow_nan=False)


async def test_the_partial_curves_make_up_the_curve_of_the_report(house: House) -> None:
    events = await house.events("positional", elements=100, reference="identity")
    report = events[-1][1]["elements"]
    parts = [content for name, content in events if name == "progress"]
    assert [part["done"] for part in parts] == [*range(8, 97, 8), 100]
    for column in ("element", "exact", "label", "agrees"):
        assert [value for part in parts for value in part["elements"][column]] == report[column]
    curve = [value for part in parts for value in part["elements"]["probability"]]
    assert curve == pytest.approx(report["probability"], rel=1e-9)
    assert [index for part in parts for index in part["elements"]["index"]] == list(range(100))


async def test_the_estimate_of_the_first_event_is_what_the_check_then_costs(house: House) -> None:
    for group, elements in (("CyclicShift", 100), ("SO2", 24), ("D4", None)):
        events = await house.events("positional", group=group, elements=elements)
        estimate, cost = events[0][1]["estimate"], events[-1][1]["cost"]
        assert cost["cached"] == 0
        assert {key: cost[key] for key in ("batch_size", "batches", "forward_passes")} == {
            key: estimate[key] for key in ("batch_size", "batches", "forward_passes")
        }


async def test_closing_the_stream_stops_the_check_after_the_batch_that_is_under_way(house: House) -> None:
    runtime = house.runtimes["blind"]
    async with aclosing(house.checker.events(CheckRequest("blind", PICTURE), CONTEXT)) as events:
        async for event in events:
            if event.name == "progress":
                break
    await house.models["blind"].infer([np.full((1, 1, 28, 28), 77, np.uint8)])
    # The batch that was told, perhaps the next one, and the call just made; 98 were planned.
    assert len(runtime.batches) <= CONTROLS + 1 + 2 + 1


async def test_a_cancelled_check_reports_what_it_covered(house: House) -> None:
    seen = []
    events = house.checker.events(
        CheckRequest("blind", PICTURE), CONTEXT, cancelled=lambda: seen.count("progress") == 5
    )
    async for event in events:
        seen.append(event.name)
    report = event.to_json()
    assert report["coverage"] == {"checked": 40, "planned": 784, "exact": 40}
    assert report["verdict"]["status"] == "inconclusive"
    assert "cancelled after 40 of 784" in report["verdict"]["reason"]
    assert "the check was cancelled" in report["statement"]


# ---------------------------------------------------------------- outputs that are kept


async def test_the_same_elements_again_cost_no_forward_pass_and_say_the_same_to_the_last_bit(house: House) -> None:
    for group, elements in (("CyclicShift", 100), ("SO2", 24)):
        first = await house.report("positional", group=group, elements=elements, outputs=True)
        before = house.rows("positional")
        again = await house.report(
            "positional", group=group, elements=elements, outputs=True, reference="identity", metrics=["worst_margin"]
        )
        assert house.rows("positional") == before
        assert again["cost"]["forward_passes"] == again["cost"]["batches"] == 0
        assert again["cost"]["cached"] >= elements
        assert again["elements"]["output"] == first["elements"]["output"]
        assert again["controls"]["repeat"] == first["controls"]["repeat"]
        assert again["controls"]["round_trip"] == first["controls"]["round_trip"]
        assert again["summary"]["all"].keys() == {"worst_margin"}


async def test_what_is_kept_equals_what_a_fresh_run_gives(house: House) -> None:
    await house.report("positional", elements=30)
    kept = await house.report("positional", elements=100, outputs=True)
    house.checker.cache = type(house.checker.cache)(0)
    fresh = await house.report("positional", elements=100, outputs=True)
    assert kept["cost"]["cached"] > 0
    assert fresh["cost"]["cached"] == 0
    for column in ("element", "output", "probability", "label"):
        assert kept["elements"][column] == fresh["elements"][column]
    assert kept["controls"]["did_it_act"] == fresh["controls"]["did_it_act"]


async def test_a_finer_grid_runs_only_its_new_elements(house: House) -> None:
    await house.report("positional", group="SO2", elements=24)
    before = house.rows("positional")
    finer = await house.report("positional", group="SO2", elements=48)
    # 24 new elements in batches of 8; the round trips are others, so that the controls are run again.
    assert house.rows("positional") - before == 24 + (2 + 2 + 8 + 8)
    assert finer["cost"]["cached"] >= 24
    assert finer["coverage"]["checked"] == 48


async def test_another_picture_model_or_group_finds_nothing(house: House) -> None:
    await house.report("positional", elements=16)
    for change in ({"picture": PICTURE ^ 1}, {"group": "CropShift:2"}):
        assert (await house.report("positional", **{"elements": 16, **change}))["cost"]["cached"] == 0
    # The same file under another manifest: what its input takes may differ.
    house.add("positional", PictureRuntime(by_position), kinds=("picture", "probabilities"))
    assert (await house.report("positional", elements=16))["cost"]["cached"] == 0


async def test_without_measured_invariance_a_batch_is_used_as_a_whole_or_not_at_all(house: House) -> None:
    def company(pictures: np.ndarray) -> np.ndarray:
        """Depend on the place in the batch by as much as rounding would."""
        return (histogram(pictures) + np.arange(len(pictures))[:, None] * 1e-6).astype(np.float32)

    runtime = house.add("fickle", PictureRuntime(company))
    model = house.models["fickle"]
    model.calibrate(type(model.calibration)(**{**vars(model.calibration), "exact_in_batches": False}))
    first = await house.report("fickle", elements=20, outputs=True)
    before = house.rows("fickle")
    again = await house.report("fickle", elements=20, outputs=True)
    assert house.rows("fickle") == before
    assert again["elements"]["output"] == first["elements"]["output"]
    # Another orbit has the same elements in other company: nothing may be taken from the first one.
    other = await house.report("fickle", elements=first["elements"]["element"][:13], outputs=True)
    assert len(runtime.batches[-1]) == 7
    assert other["elements"]["output"][:7] == first["elements"]["output"][:7]
    assert house.rows("fickle") == before + 7


async def test_outputs_of_a_model_that_rolls_dice_are_not_kept(house: House) -> None:
    dice = np.random.default_rng(3)
    house.add("dice", PictureRuntime(lambda p: histogram(p) + dice.normal(size=(len(p), 4))))
    for _ in range(2):
        report = await house.report("dice", elements=16)
        assert report["cost"]["cached"] == 0
        assert report["verdict"]["status"] == "not_informative"


async def test_the_cache_keeps_to_its_bound_and_drops_what_was_used_longest_ago() -> None:
    small = House(cache_bytes=20_000)
    for seed in range(6):
        picture = np.random.default_rng(seed).integers(0, 256, (1, 28, 28), np.uint8)
        await small.report("blind", picture=picture, elements=16)
        assert small.checker.cache.held_bytes <= 20_000
    assert (await small.report("blind", picture=picture, elements=16))["cost"]["forward_passes"] == 0
    oldest = np.random.default_rng(0).integers(0, 256, (1, 28, 28), np.uint8)
    assert (await small.report("blind", picture=oldest, elements=16))["cost"]["cached"] == 0
    small.compute.stop()
    small.scheduler.stop(5)


# ---------------------------------------------------------------- estimate, preview, comparison


async def test_an_estimate_runs_nothing_and_a_preview_shows_exactly_what_the_model_would_get(house: House) -> None:
    asked = CheckRequest("blind", PICTURE, group="D4")
    estimate = await house.checker.estimate(asked)
    assert estimate["estimate"]["elements"] == 8
    assert estimate["estimate"]["exact"] == 8
    preview = (await house.checker.preview(asked, 8)).to_json()
    assert house.rows("blind") == 0
    shown = [np.asarray(Image.open(io.BytesIO(base64.b64decode(one["png"])))) for one in preview["pictures"]]
    truth = [np.rot90(mirrored, k) for mirrored in (PICTURE[0], PICTURE[0][:, ::-1]) for k in range(4)]
    assert sorted(p.tobytes() for p in shown) == sorted(np.ascontiguousarray(p).tobytes() for p in truth)
    assert (shown[0] == PICTURE[0]).all()
    assert preview["pictures"][0]["description"] == "the picture as it came"


async def test_a_contact_sheet_holds_every_picture_in_order(house: House) -> None:
    preview = await house.checker.preview(CheckRequest("blind", PICTURE, group="C4"), 4)
    sheet = np.asarray(Image.open(io.BytesIO(preview.to_png())))
    # Three times as large, so that one can see them.
    assert sheet.shape == (84, 4 * 84 + 3 * 8)
    for place, picture in enumerate(preview.pictures[:, 0]):
        shown = sheet[:, place * 92 : place * 92 + 84]
        assert (shown[1::3, 1::3] == picture).all()
        assert (shown[::3, ::3] == shown[2::3, 2::3]).all()


@pytest.mark.parametrize("count", [-1, 65])
async def test_a_preview_of_too_many_or_too_few_pictures_is_refused(house: House, count: int) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await house.checker.preview(CheckRequest("blind", PICTURE), count)
    assert caught.value.field == "preview"


async def test_the_learned_cost_gives_seconds_once_something_ran(house: House) -> None:
    asked = CheckRequest("blind", PICTURE, elements=16)
    assert (await house.checker.estimate(asked))["estimate"]["seconds"] is None
    await house.report("blind", elements=16)
    estimate = (await house.checker.estimate(asked))["estimate"]
    cost = house.models["blind"].cost
    expected = cost.per_row_s * estimate["forward_passes"] + cost.fixed_s * estimate["batches"]
    assert estimate["seconds"] == pytest.approx(expected, abs=1e-6)


async def test_an_orbit_over_the_cap_is_refused_with_cap_and_estimate(house: House) -> None:
    await house.report("blind", elements=16)
    with pytest.raises(TooLarge, match=r"3000 elements .*\(about .* s of the model's time\), at most 1000 .* a job"):
        await house.report("blind", group="SO2", elements=3000)


async def test_two_models_are_compared_on_the_very_same_elements(house: House) -> None:
    report = await house.report("blind", compare_with="positional:1", reference="identity")
    comparison = report["comparison"]
    alone = await house.report("positional", reference="identity")
    assert comparison["elements"]["element"] == report["elements"]["element"]
    assert comparison["summary"] == alone["summary"]
    assert comparison["verdict"] == alone["verdict"]
    agrees = np.array(report["elements"]["agrees"]), np.array(alone["elements"]["agrees"])
    paired = comparison["paired"]
    assert paired["elements"] == 784
    assert paired["both_agree"] == (agrees[0] & agrees[1]).sum()
    assert paired["only_this_agrees"] == (agrees[0] & ~agrees[1]).sum()
    assert paired["only_other_agrees"] == (~agrees[0] & agrees[1]).sum()
    difference = np.array(report["elements"]["probability"]) - np.array(alone["elements"]["probability"])
    assert comparison["difference"]["probability"] == pytest.approx(difference)
    assert comparison["difference"]["index"] == list(range(784))
    assert "is more consistent for this picture: 784 of 784" in comparison["statement"]
    json.dumps(report, allow_nan=False)


async def test_a_comparison_tells_the_progress_of_both_models(house: House) -> None:
    events = await house.events("blind", elements=16, compare_with="positional")
    names = [name for name, _ in events]
    assert names == ["started", "progress", "progress", "started", "progress", "progress", "verdict", "completed"]
    assert events[-1][1]["comparison"]["paired"]["elements"] == 16
    assert {subject[0] for subject, _ in house.checker.statistics.checks} == {"blind", "positional"}


async def test_models_whose_pictures_the_group_moves_differently_are_not_compared(house: House) -> None:
    house.add("larger", PictureRuntime(constant, shape=(-1, 1, 32, 32)), input_fit="resize")
    with pytest.raises(InvalidRequest) as caught:
        await house.report("blind", compare_with="larger")
    assert (caught.value.code, caught.value.field) == ("not_comparable", "compare_with")
    # Turns by 90 degrees are the same whatever the size.
    assert "comparison" in await house.report("blind", group="C4", compare_with="larger")
    with pytest.raises(NotFound):
        await house.report("blind", compare_with="nobody")


async def test_what_was_checked_is_counted_by_model_group_and_verdict(house: House) -> None:
    await house.report("blind", elements=16)
    await house.report("positional", elements=16)
    await house.report("positional", elements=16)
    counted = house.checker.statistics
    blind, positional = (("blind", "1", "CyclicShift:28x28"), ("positional", "1", "CyclicShift:28x28"))
    assert counted.checks == {(blind, "request"): 1, (positional, "request"): 2}
    assert counted.elements == {blind: 16, positional: 32}
    assert counted.verdicts == {(blind, "pass"): 1, (positional, "fail"): 2}
    assert counted.cached[positional] >= 16
    assert counted.consistency[blind, "request"] == 1 > counted.consistency[positional, "request"]
