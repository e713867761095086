"""Random elements, the search, the kernel ladder, gates: what a check concludes where the truth is known."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from scipy import ndimage

from equiserve.artifact import GroupSpec, Symmetry
from equiserve.artifact.folder import find_model
from equiserve.checks import CheckRequest
from equiserve.dataplane import DataPlane
from equiserve.engine import Admission, Calibration, ComputePool, RequestContext, Scheduler, ServedModel
from equiserve.errors import InvalidRequest, TooLarge
from equiserve.runtimes import open_runtime
from equiserve.settings import Settings
from equiserve.symmetry import Rotation, restrict_to_disc
from equiserve.symmetry.kernel_ladder import ladder_pictures
from picture_runtimes import EXACT_SHIFTS, SHIFTS, PictureRuntime, by_position, histogram, serve

NOISE = np.random.default_rng(2).integers(0, 256, (1, 28, 28), np.uint8)


def smooth(values: np.ndarray) -> np.ndarray:
    return ndimage.gaussian_filter(values, 2.5, mode="wrap")


RANDOM = np.random.default_rng(22)
CLOUD = smooth(RANDOM.normal(size=(28, 28)))
CLOUD = ((CLOUD - CLOUD.min()) / np.ptp(CLOUD) * 255).astype(np.uint8)[None]
WEIGHTS = np.stack([smooth(RANDOM.normal(size=(28, 28))) for _ in range(4)])
WEIGHTS -= WEIGHTS.mean((1, 2), keepdims=True)


def linear(weights: np.ndarray, scale: float):
    return lambda pictures: pictures.reshape(len(pictures), -1) @ weights.reshape(len(weights), -1).T / scale


C4_AVERAGED = linear(sum(np.rot90(WEIGHTS, k, (1, 2)) for k in range(4)), 100)


def nine_near(angle_deg: float, within_deg: float):
    """Say 'nine' where a blob that hung straight down is turned by about this angle, and 'six' elsewhere."""
    places = np.arange(28) - 13.5

    def scores(pictures: np.ndarray) -> np.ndarray:
        mass = pictures[:, 0].astype(np.float64)
        down, right = (mass * places[:, None]).sum((1, 2)), (mass * places).sum((1, 2))
        off = np.abs((np.rad2deg(np.arctan2(right, down)) - angle_deg + 180) % 360 - 180)
        return np.stack([np.zeros(len(off)), (within_deg - off) / 30], axis=1)

    return scores


SIX_OR_NINE = nine_near(180, 25)
SIX = np.zeros((1, 28, 28), np.uint8)
SIX[0, 17:23, 11:17] = 200


class House:
    """Models of the test's own behind a data plane."""

    ready = True

    def __init__(self) -> None:
        self.scheduler, self.compute = Scheduler(1), ComputePool(1)
        self.models: dict[str, ServedModel] = {}
        self.files = 0
        self.plane = DataPlane(self, Admission(), self.compute, Settings(max_orbit=1000))

    async def get(self, name: str, version: str = "", runtime: str | None = None) -> ServedModel:
        return self.models[name]

    async def check(self, scores, picture: np.ndarray, *, served: dict | None = None, **request: object) -> dict:
        runtime = scores if isinstance(scores, PictureRuntime) else PictureRuntime(scores)
        self.models["m"] = serve(self.scheduler, runtime, **(served or {}))
        # Outputs are kept by the file's digest: another model is another file.
        self.files += 1
        self.models["m"].file_digest = f"{self.files:064x}"
        report = await self.plane.check(CheckRequest("m", picture, **request), RequestContext("c"))
        return report.to_json()


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    house.compute.stop()
    house.scheduler.stop(5)


SHIFT_EXACT = {"groups": SHIFTS, "symmetries": EXACT_SHIFTS}
TURNS_APPROXIMATE = {
    "groups": {"turns": GroupSpec(name="SO2")},
    "symmetries": [Symmetry(group="turns", level="approximate")],
}


# ---------------------------------------------------------------- statistics


async def test_299_clean_random_elements_certify_99_percent_for_this_input(house: House) -> None:
    report = await house.check(histogram, NOISE, served=SHIFT_EXACT, elements={"random": 299, "seed": 4})
    assert report["verdict"]["status"] == "pass"
    assert "certifies 99 % of the group at 95 % confidence for this input" in report["verdict"]["reason"]
    assert report["sampled"] == {"random": 299, "seed": 4}
    assert report["coverage"]["checked"] == 300  # the identity too


async def test_the_same_seed_draws_the_same_elements_and_another_one_others(house: House) -> None:
    drawn = [
        (await house.check(histogram, NOISE, group="SO2", elements={"random": 5, "seed": seed}))["elements"]["element"]
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


async def test_where_all_of_a_finite_group_is_drawn_nothing_is_left_to_chance(house: House) -> None:
    report = await house.check(histogram, NOISE, group="C4", elements={"random": 50})
    assert report["coverage"]["checked"] == 4
    assert report["sampled"] is None
    assert "certifies" not in report["verdict"]["reason"]


@pytest.mark.parametrize("elements", [{"random": 0}, {"random": 2.5}, {"random": 3, "seed": -1}, {"rand": 3}, {}])
async def test_a_draw_that_is_none_is_refused(house: House, elements: dict) -> None:
    with pytest.raises(InvalidRequest, match="elements"):
        await house.check(histogram, NOISE, group="SO2", elements=elements)


async def test_what_differs_by_less_than_ten_times_the_noise_is_no_violation(house: House) -> None:
    def quiet(pictures: np.ndarray) -> np.ndarray:
        """Tell the brightness, and a little of where it is."""
        moved = (pictures[:, 0, 0, 0] != NOISE[0, 0, 0]) * 2e-3
        return np.stack([pictures.mean((1, 2, 3)) / 32, 1.0 + moved], axis=1)

    def noisy(pictures: np.ndarray) -> np.ndarray:
        return quiet(pictures) * (1 + 1.5e-4 * (np.arange(len(pictures)) % 2))[:, None]

    alone = await house.check(quiet, NOISE, served=SHIFT_EXACT)
    assert alone["noise_floor"]["value"] == 0.0
    assert alone["verdict"]["status"] == "fail"
    with_noise = await house.check(noisy, NOISE, served=SHIFT_EXACT)
    assert 0 < with_noise["noise_floor"]["value"] < 1e-4
    assert with_noise["verdict"]["status"] == "pass"


# ---------------------------------------------------------------- structure


async def test_a_c4_averaged_model_is_exactly_c4_and_not_so2(house: House) -> None:
    report = await house.check(C4_AVERAGED, CLOUD, group="SO2")
    assert report["spectrum"]["exact_subgroup"] == 4
    assert "Exactly C4" in report["statement"]
    assert report["summary"]["exact"]["modal_consistency"] == 1.0
    assert report["summary"]["resampled"]["modal_consistency"] < 1.0
    assert report["verdict"]["status"] == "fail"
    quarters = await house.check(C4_AVERAGED, CLOUD, group="C4")
    assert quarters["verdict"]["status"] == "pass"


async def test_a_model_without_symmetry_is_not_called_exact(house: House) -> None:
    report = await house.check(linear(WEIGHTS, 100), CLOUD, group="C8")
    assert report["spectrum"]["exact_subgroup"] == 1
    assert "Exactly" not in report["statement"]


async def test_turns_that_make_a_nine_of_a_six_are_excluded_by_a_range(house: House) -> None:
    whole = await house.check(SIX_OR_NINE, SIX, group="SO2", served={"labels": ["six", "nine"]})
    assert whole["verdict"]["status"] == "fail"
    assert "180 degrees" in whole["verdict"]["reason"]
    within = await house.check(SIX_OR_NINE, SIX, group="SO2[-150,150]", served={"labels": ["six", "nine"]})
    assert within["verdict"]["status"] == "pass"
    assert within["group"]["is_group"] is False
    angles = [element["angle_deg"] for element in within["elements"]["element"]]
    assert not any(150 < angle < 210 for angle in angles)


async def test_the_error_is_split_into_what_averaging_cures_and_what_it_leaves(house: House) -> None:
    report = await house.check(linear(WEIGHTS, 100), CLOUD, group="C4", reference="label", label=1, outputs=True)
    scores = np.array(report["elements"]["output"])
    given = np.exp(scores - scores.max(axis=1, keepdims=True))
    given /= given.sum(axis=1, keepdims=True)
    truth = np.eye(4)[1]
    split = report["error_split"]
    assert split["total"] == pytest.approx(((given - truth) ** 2).sum(axis=1).mean())
    assert split["incurable"] == pytest.approx(((given.mean(axis=0) - truth) ** 2).sum())
    assert split["total"] == pytest.approx(split["incurable"] + split["curable"])
    assert (await house.check(linear(WEIGHTS, 100), CLOUD, group="C4"))["error_split"] is None


# ---------------------------------------------------------------- kernels


async def test_a_failure_that_the_kernel_makes_is_not_informative(house: House) -> None:
    def roughness(pictures: np.ndarray) -> np.ndarray:
        return (np.diff(pictures.astype(np.float64), axis=-1) ** 2).mean((1, 2, 3))

    turns = [Rotation(5.0 * k) for k in range(72) if 5 * k % 90]
    limit = np.sort(roughness(ladder_pictures(restrict_to_disc(NOISE), turns)["upsample4"]))[3]

    def rough_or_not(pictures: np.ndarray) -> np.ndarray:
        return np.stack([(roughness(pictures) - limit) / 1000, np.zeros(len(pictures))], axis=1)

    report = await house.check(rough_or_not, NOISE, group="SO2")
    assert report["verdict"]["status"] == "not_informative"
    assert "interpolation kernel" in report["verdict"]["reason"]
    (figure,) = report["controls"]["kernel_ladder"]["figures"]
    assert figure["limited"]
    assert len(report["controls"]["kernel_ladder"]["elements"]) == 12
    assert figure["values"]["upsample4"] == report["summary"]["all"]["identity_consistency"]


async def test_a_failure_that_every_kernel_shows_stands(house: House) -> None:
    report = await house.check(nine_near(135, 20), SIX, group="SO2")
    (figure,) = report["controls"]["kernel_ladder"]["figures"]
    assert not figure["limited"]
    assert report["verdict"]["status"] == "fail"


async def test_no_other_kernel_is_tried_where_nothing_is_resampled_or_nothing_hangs_on_it(house: House) -> None:
    for group, elements in (("C4", None), ("SO2[-60,60]", 20)):
        report = await house.check(SIX_OR_NINE, SIX, group=group, elements=elements)
        assert report["controls"]["kernel_ladder"] is None


# ---------------------------------------------------------------- search


async def test_the_search_finds_the_worst_shift_of_a_smooth_model_with_60_evaluations(house: House) -> None:
    asked = {"group": "CyclicShift", "reference": "identity"}
    found = await house.check(linear(WEIGHTS, 300), CLOUD, search=True, **asked)
    everything = await house.check(linear(WEIGHTS, 300), CLOUD, **asked)
    search = found["search"]
    assert found["coverage"]["checked"] + search["searched"] == search["budget"] == 60
    assert search["uniform"] == found["coverage"]["checked"] == 16
    assert search["ended"] == "budget"
    assert search["worst"]["margin"] <= everything["worst"]["margin"] + 0.02
    assert search["worst"]["description"] in found["statement"]
    assert found["verdict"]["status"] == "fail"


async def test_means_are_taken_over_the_uniform_elements_alone(house: House) -> None:
    scores = linear(WEIGHTS, 300)
    found = await house.check(scores, CLOUD, group="SO2", search=True)
    grid = await house.check(scores, CLOUD, group="SO2", elements=24)
    assert found["summary"] == grid["summary"]
    assert found["elements"] == grid["elements"]
    tried = [element["angle_deg"] for element in found["search"]["elements"]["element"]]
    assert len(tried) == len(set(tried)) == 36
    assert not set(tried) & {element["angle_deg"] for element in grid["elements"]["element"]}


async def test_the_search_names_a_wrong_angle_that_the_uniform_start_misses(house: House) -> None:
    for group, start in (("SO2", None), ("C360", None), ("SO2[-120,120]", 17)):
        asked = {"group": group, "elements": start, "search": True}
        report = await house.check(nine_near(97, 4), SIX, served={"labels": ["six", "nine"]}, **asked)
        assert set(report["elements"]["label"]) == {"six"}
        assert report["search"]["worst"]["label"] == "nine"
        assert report["search"]["worst"]["element"]["angle_deg"] == pytest.approx(97, abs=4)
        assert report["verdict"]["status"] == "fail"
        assert report["search"]["worst"]["description"] in report["verdict"]["reason"]


async def test_a_group_within_the_budget_is_tried_whole(house: House) -> None:
    report = await house.check(SIX_OR_NINE, SIX, group="D8", search=True)
    assert report["coverage"]["checked"] == 16
    assert report["search"] is None


async def test_the_estimate_tells_what_a_search_may_cost(house: House) -> None:
    await house.check(histogram, NOISE, group="C4")
    estimate = await house.plane.estimate_check(CheckRequest("m", NOISE, group="SO2", search=True, search_budget=40))
    assert (estimate["estimate"]["elements"], estimate["estimate"]["searched"]) == (24, 16)


@pytest.mark.parametrize(
    ("asked", "error", "field"),
    [
        ({"group": "O2"}, InvalidRequest, "search"),
        ({"group": "SO2", "search_budget": 10}, InvalidRequest, "search_budget"),
        ({"group": "SO2", "search_budget": 2000}, TooLarge, "search_budget"),
        ({"group": "SO2", "elements": {"random": 9}}, InvalidRequest, "elements"),
        ({"group": "SO2", "elements": 100}, InvalidRequest, "elements"),
    ],
)
async def test_a_search_that_cannot_be_is_refused(house: House, asked: dict, error: type, field: str) -> None:
    with pytest.raises(error) as refusal:
        await house.check(SIX_OR_NINE, SIX, search=True, **asked)
    assert refusal.value.field == field


async def test_60_evaluations_find_a_wrong_shift_of_the_shipped_plain_transformer(house: House, zoo: Path) -> None:
    folder = find_model(zoo, "fashion-mnist-vit")
    manifest, version = folder.manifest(), max(folder.versions)
    opened = open_runtime("onnx", folder.file(version, "onnx"), manifest, device="cpu", threads=1)
    calibration = Calibration(True, 2, 1e-7, True, 16, 0.0, 0.0, 1, "this cpu", opened.version)
    house.models["vit"] = ServedModel(
        manifest, str(version), opened, calibration, house.scheduler, file_digest="0" * 64, max_queued_rows=4096
    )
    boot = (Path(__file__).parents[1] / "data" / "ankle_boot.png").read_bytes()
    asked = CheckRequest("vit", boot, group="CyclicShift", search=True)
    report = (await house.plane.check(asked, RequestContext("c"))).to_json()
    assert report["search"]["worst"]["margin"] < 0
    assert report["search"]["worst"]["label"] != "ankle boot"


# ---------------------------------------------------------------- gates


@pytest.mark.parametrize(("bound", "status"), [(0.80, "pass"), (0.95, "fail")])
async def test_a_gate_decides_the_verdict(house: House, bound: float, status: str) -> None:
    report = await house.check(SIX_OR_NINE, SIX, group="SO2", gate={"orbit_consistency": bound})
    (gate,) = report["gates"]
    share = report["summary"]["all"]["modal_consistency"]
    assert (gate["value"], gate["low"], gate["high"]) == (share, share, share)
    assert report["verdict"]["status"] == gate["status"] == status


async def test_random_elements_leave_a_gate_open_that_their_share_does_not_decide(house: House) -> None:
    asked = {"group": "SO2", "elements": {"random": 40, "seed": 1}}
    report = await house.check(SIX_OR_NINE, SIX, gate="orbit_consistency=0.85", **asked)
    (gate,) = report["gates"]
    assert gate["low"] < 0.85 < gate["high"]
    assert report["verdict"]["status"] == "inconclusive"
    assert "random elements" in report["verdict"]["reason"]


async def test_no_gate_passes_a_check_that_says_nothing(house: House) -> None:
    report = await house.check(by_position, NOISE * 0, group="CyclicShift", gate="orbit_consistency=0.5")
    assert report["verdict"]["status"] == "not_informative"
    assert report["gates"] == []


@pytest.mark.parametrize("gate", ["nonsense=1", {"orbit_consistency": 7}, 3])
async def test_a_gate_that_is_none_is_refused_before_anything_runs(house: House, gate: object) -> None:
    runtime = PictureRuntime(histogram)
    with pytest.raises(InvalidRequest) as refusal:
        await house.check(runtime, NOISE, group="C4", gate=gate)
    assert refusal.value.field.startswith("gate")
    assert runtime.batches == []


async def test_a_declared_rotation_symmetry_is_judged_by_its_uniform_elements(house: House) -> None:
    report = await house.check(SIX_OR_NINE, SIX, served=TURNS_APPROXIMATE, search=True)
    assert report["level"] == "approximate"
    share = report["summary"]["all"]["modal_consistency"]
    assert f"{np.floor(share * 1000) / 10:g} % of 24 elements" in report["verdict"]["reason"]
