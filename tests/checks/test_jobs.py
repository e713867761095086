"""Jobs: submitted, followed, cancelled, taken up after a restart; and what a data set's report says."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from equiserve.checks import Checker, CheckRequest
from equiserve.checks.job_store import JobStore
from equiserve.checks.jobs import JobRequest, Jobs
from equiserve.engine import ComputePool, Scheduler
from equiserve.errors import InvalidRequest, NotFound, Overloaded, TooLarge, Unavailable
from picture_runtimes import EXACT_SHIFTS, SHIFTS, PictureRuntime, by_position, histogram, serve
from planes import until

PICTURES = list(np.random.default_rng(2).integers(0, 256, (6, 1, 28, 28), np.uint8))
ALICE, BOB = "Bearer alice", "Bearer bob"
TTL_S = 1000.0


class House:
    """One model and the jobs of one process over a folder."""

    def __init__(self, folder: Path, *, scores=histogram, **bounds: int) -> None:
        self.runtime = PictureRuntime(scores)
        self.scheduler = Scheduler(1)
        self.compute = ComputePool(2)
        self.models = {"fake": serve(self.scheduler, self.runtime, groups=SHIFTS, symmetries=EXACT_SHIFTS)}
        self.checker = Checker(self.find, self.compute, max_pixels=10**6, max_orbit=1000)
        limits = {"max_jobs": 20, "max_bytes": 1 << 24, **bounds}
        self.elements = limits.pop("max_elements", 10_000)
        self.store = JobStore(folder, ttl_s=TTL_S, **limits)
        self.jobs = Jobs(self.checker, self.store, max_elements=self.elements)

    async def find(self, name: str, version: str, runtime: str | None):
        if name not in self.models:
            raise NotFound(f"unknown model {name}", field="model")
        return self.models[name]

    async def submit(self, pictures=PICTURES[:1], *, who: str = ALICE, labels=None, **check: object):
        return await self.jobs.submit(who, JobRequest(CheckRequest("fake", b"", **check), pictures, labels))

    async def ended(self, job, who: str = ALICE):
        for _ in range(30_000):
            found, result = await self.jobs.get(who, job.id)
            if found.has_ended:
                return found, result and json.loads(result)
            await asyncio.sleep(0.002)
        raise AssertionError("the job did not end within a minute")

    async def close(self) -> None:
        await self.jobs.close()
        self.runtime.gate.set()
        self.compute.stop()
        self.scheduler.stop(5)


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path / "jobs")
    yield house
    await house.close()


# ---------------------------------------------------------------- one picture


async def test_a_job_of_one_picture_ends_with_the_report_that_a_check_gives(house: House) -> None:
    job, result = await house.ended(await house.submit(elements=100))
    assert (job.state, job.done, job.planned, job.pictures_done) == ("done", 100, 100, 1)
    assert job.created <= job.started <= job.ended
    assert house.jobs.expires(job) == job.ended + TTL_S
    assert result["verdict"]["status"] == "pass"
    assert result["coverage"] == {"checked": 100, "planned": 100, "exact": 100}
    assert house.checker.statistics.checks == {(("fake", "1", "CyclicShift:28x28"), "job"): 1}


async def test_a_job_may_have_more_elements_than_a_request(house: House) -> None:
    _, result = await house.ended(await house.submit(group="SO2", elements=2000))
    assert result["coverage"]["checked"] == 2000
    with pytest.raises(TooLarge, match=r"20000 elements .* at most 10000"):
        await house.submit(group="SO2", elements=20_000)
    with pytest.raises(TooLarge) as caught:
        await house.submit(PICTURES * 10, elements=300)
    assert caught.value.code == "job_too_large"


async def test_progress_is_seen_while_a_job_runs_and_the_next_one_waits(house: House) -> None:
    house.runtime.free = 10
    first, second = await house.submit(), await house.submit()
    await until(lambda: len(house.runtime.batches) == 11)
    job, result = await house.jobs.get(ALICE, first.id)
    assert (job.state, job.done, job.planned) == ("running", 8 * (10 - 3), 784)
    assert result is None
    assert (await house.jobs.get(ALICE, second.id))[0].state == "queued"
    assert [job.id for job in await house.jobs.list(ALICE)] == [first.id, second.id]
    house.runtime.gate.set()
    assert (await house.ended(second))[0].state == "done"
    assert (await house.ended(first))[0].state == "done"


async def test_a_cancelled_job_keeps_what_it_has_found(house: House) -> None:
    house.runtime.free = 10
    job = await house.submit()
    await until(lambda: len(house.runtime.batches) == 11)
    await house.jobs.delete(ALICE, job.id)
    house.runtime.gate.set()
    job, result = await house.ended(job)
    assert job.state == "cancelled"
    assert result["verdict"]["status"] == "inconclusive"
    assert result["coverage"]["checked"] == 64


async def test_a_job_that_waits_is_cancelled_without_running(house: House) -> None:
    house.runtime.free = 10
    await house.submit()
    waiting = await house.submit()
    await house.jobs.delete(ALICE, waiting.id)
    house.runtime.gate.set()
    job, result = await house.ended(waiting)
    assert job.state == "cancelled"
    assert result["coverage"]["checked"] == 0


async def test_deleting_a_job_that_has_ended_removes_it(house: House) -> None:
    job = await house.submit(elements=8)
    await house.ended(job)
    await house.jobs.delete(ALICE, job.id)
    with pytest.raises(NotFound) as caught:
        await house.jobs.get(ALICE, job.id)
    assert (caught.value.code, caught.value.field) == ("unknown_job", "id")
    assert await house.jobs.list(ALICE) == []


async def test_a_job_is_found_by_its_owners_credential_only(house: House) -> None:
    job = await house.submit(elements=8)
    await house.ended(job)
    for act in (house.jobs.get, house.jobs.delete):
        with pytest.raises(NotFound):
            await act(BOB, job.id)
    assert await house.jobs.list(BOB) == []
    theirs = await house.submit(elements=8, who=BOB)
    assert theirs.id.split("-")[0] != job.id.split("-")[0]
    assert "alice" not in job.id


@pytest.mark.parametrize("identifier", ["", "..", "../secret", "0" * 12 + "-" + "0" * 16, "x" * 200])
async def test_an_id_that_names_no_job_is_not_found(house: House, identifier: str) -> None:
    await house.submit(elements=8)
    with pytest.raises(NotFound):
        await house.jobs.get(ALICE, identifier)


async def test_what_cannot_be_checked_is_refused_at_once(house: House) -> None:
    for fields, field in (
        ({"group": "SO17"}, "group"),
        ({"metrics": ["beauty"]}, "metrics"),
        ({"labels": []}, "labels"),
    ):
        with pytest.raises(InvalidRequest) as caught:
            await house.submit(**fields)
        assert caught.value.field == field
    with pytest.raises(InvalidRequest):
        await house.submit([b"no picture"])
    with pytest.raises(InvalidRequest):
        await house.submit([])
    assert await house.jobs.list(ALICE) == []


async def test_a_model_that_fails_makes_a_failed_job_and_not_a_stuck_one(house: House) -> None:
    house.runtime.scores = lambda pictures: pictures.no_such_attribute
    job, result = await house.ended(await house.submit(elements=8))
    assert (job.state, result) == ("failed", None)
    assert job.error["code"] == "model_failed"
    house.runtime.scores = histogram
    assert (await house.ended(await house.submit(elements=8)))[0].state == "done"


# ---------------------------------------------------------------- bounds and time


async def test_the_number_and_the_bytes_of_jobs_are_bounded(tmp_path: Path) -> None:
    house = House(tmp_path / "jobs", max_jobs=2)
    for _ in range(2):
        await house.ended(await house.submit(elements=8))
    with pytest.raises(Overloaded) as caught:
        await house.submit(elements=8)
    assert caught.value.code == "too_many_jobs"
    await house.close()
    house = House(tmp_path / "small", max_bytes=3000)
    with pytest.raises(Overloaded) as caught:
        await house.submit(PICTURES, elements=8)
    assert caught.value.code == "job_store_full"
    await house.close()


async def test_an_ended_job_is_deleted_when_its_time_to_live_is_over(house: House) -> None:
    job, _ = await house.ended(await house.submit(elements=8))
    house.store.sweep()
    assert (await house.jobs.get(ALICE, job.id))[0].state == "done"
    job.ended = time.time() - TTL_S - 1
    house.store.save(job)
    with pytest.raises(NotFound):
        await house.jobs.get(ALICE, job.id)
    assert await house.jobs.list(ALICE) == []
    house.store.sweep()
    assert not (house.store.folder / job.id).exists()


async def test_a_folder_that_cannot_be_written_to_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("no folder")
    house = House(tmp_path / "taken")
    await house.jobs.start()
    for act in (house.submit(), house.jobs.list(ALICE), house.jobs.get(ALICE, "0" * 12 + "-" + "0" * 16)):
        with pytest.raises(Unavailable) as caught:
            await act
        assert caught.value.code == "no_job_store"
    await house.close()


# ---------------------------------------------------------------- restarts


async def test_a_job_that_ran_when_the_process_ended_goes_on_after_the_next_start(tmp_path: Path) -> None:
    first = House(tmp_path / "jobs")
    first.runtime.free = 20
    job = await first.submit(PICTURES[:3], elements=64)
    await until(lambda: len(first.runtime.batches) == 21)
    await first.close()
    assert json.loads((tmp_path / "jobs" / job.id / "job.json").read_text())["state"] == "running"
    second = House(tmp_path / "jobs")
    await second.jobs.start()
    job, result = await second.ended(job)
    assert (job.state, job.done, job.pictures_done) == ("done", 3 * 64, 3)
    assert result["coverage"] == {
        "inputs": 3,
        "planned_inputs": 3,
        "failed_inputs": 0,
        "checked": 192,
        "planned": 192,
    }
    # The picture that was finished before was not run again: two pictures of 3 control and 8 orbit batches.
    assert len(second.runtime.batches) == 2 * 11
    await second.close()


async def test_a_process_leaves_alone_what_another_one_runs(tmp_path: Path) -> None:
    first, second = House(tmp_path / "jobs"), House(tmp_path / "jobs")
    first.runtime.free = 10
    job = await first.submit()
    await until(lambda: len(first.runtime.batches) == 11)
    await second.jobs.start()
    # Both see it, either may cancel it, one runs it.
    assert (await second.jobs.get(ALICE, job.id))[0].state == "running"
    await second.jobs.delete(ALICE, job.id)
    first.runtime.gate.set()
    assert (await second.ended(job))[0].state == "cancelled"
    assert second.runtime.batches == []
    await first.close()
    await second.close()


async def test_nothing_in_the_store_is_a_pickle_and_only_the_owner_of_the_process_reads_it(house: House) -> None:
    house.runtime.free = 0
    job = await house.submit([PICTURES[0], (Path(__file__).parents[1] / "data" / "bag.png").read_bytes()])
    folder = house.store.folder
    with np.load(folder / job.id / "input.npz", allow_pickle=False) as arrays:
        assert {array.dtype for array in arrays.values()} == {np.dtype(np.uint8)}
    assert os.stat(folder / "secret").st_mode & 0o077 == 0
    assert os.stat(folder / job.id).st_mode & 0o077 == 0


# ---------------------------------------------------------------- data sets


async def test_a_data_set_is_reported_by_picture_and_as_a_whole(tmp_path: Path) -> None:
    house = House(tmp_path / "jobs", scores=by_position)
    job, result = await house.ended(await house.submit(PICTURES, elements=64))
    assert job.state == "done"
    assert result["verdict"]["status"] == "fail"
    assert [row["index"] for row in result["inputs"]] == list(range(6))
    assert result["verdicts"] == {"fail": 6}
    # The truth, from the model alone.
    shifts = list(result["elements"]["element"])
    shares, curves = [], []
    for picture in PICTURES:
        moved = np.stack([np.roll(picture, (shift["dy"], shift["dx"]), (1, 2)) for shift in shifts])
        labels = by_position(moved).astype(np.float32).argmax(axis=1)
        modal = np.bincount(labels).max()
        shares.append(modal / 64)
        curves.append(labels == np.bincount(labels).argmax())
    assert result["consistency"]["mean"] == pytest.approx(np.mean(shares))
    assert result["consistency"]["low"] <= np.mean(shares) <= result["consistency"]["high"]
    assert result["consistency"]["inputs"] == 6
    assert [row["summary"]["all"]["modal_consistency"] for row in result["inputs"]] == pytest.approx(shares)
    assert result["summary"]["all"]["modal_consistency"]["min"] == pytest.approx(min(shares))
    assert result["elements"]["agrees"] == pytest.approx(np.mean(curves, axis=0))
    assert f"picture {int(np.argmin(shares))}" in result["verdict"]["reason"]
    json.dumps(result, allow_nan=False)
    await house.close()


async def test_a_data_set_compares_two_models_picture_by_picture(house: House) -> None:
    other = serve(house.scheduler, PictureRuntime(by_position), groups=SHIFTS, symmetries=EXACT_SHIFTS)
    other.name, other.file_digest = "other", "1" * 64
    house.models["other"] = other
    job, result = await house.ended(await house.submit(PICTURES, elements=64, compare_with="other"))
    assert job.done == job.planned == 2 * 6 * 64
    comparison = result["comparison"]
    alone = [row["comparison"]["summary"]["all"]["modal_consistency"] for row in result["inputs"]]
    assert comparison["inputs"] == comparison["more_consistent"] == 6
    assert comparison["modal_consistency"] == pytest.approx(1 - np.mean(alone))
    assert comparison["got_worse"] == []


async def test_an_invariant_model_passes_on_a_data_set(house: House) -> None:
    _, result = await house.ended(await house.submit(PICTURES, elements=64))
    assert result["verdict"]["status"] == "pass"
    assert result["consistency"]["mean"] == 1
    assert set(result["elements"]["agrees"]) == {1.0}


async def test_each_picture_of_a_data_set_has_its_own_label(house: House) -> None:
    _, result = await house.ended(await house.submit(PICTURES[:3], labels=[0, 1, 2], reference="label", elements=8))
    assert [row["reference"]["prediction"]["index"] for row in result["inputs"]] == [0, 1, 2]


async def test_a_picture_that_cannot_be_read_does_not_spoil_the_others(house: House) -> None:
    job, result = await house.ended(await house.submit([PICTURES[0], b"no picture", PICTURES[1]], elements=8))
    assert job.state == "done"
    assert result["coverage"]["failed_inputs"] == 1
    assert result["inputs"][1]["error"]["field"] == "picture"
    assert result["verdict"]["status"] == "inconclusive"


async def test_outputs_that_are_not_finite_count_as_failures_in_a_data_set(house: House) -> None:
    house.runtime.scores = lambda p: np.where(p[:, 0, :1, 0] > 128, np.nan, histogram(p))
    _, result = await house.ended(await house.submit(PICTURES[:2], elements=64))
    assert result["verdict"]["status"] == "fail"
    assert result["consistency"]["mean"] < 1
    json.dumps(result, allow_nan=False)


async def test_a_cancelled_data_set_says_how_many_pictures_it_reached(house: House) -> None:
    house.runtime.free = 20
    job = await house.submit(PICTURES, elements=64)
    await until(lambda: len(house.runtime.batches) == 21)
    await house.jobs.delete(ALICE, job.id)
    house.runtime.gate.set()
    job, result = await house.ended(job)
    assert job.state == "cancelled"
    assert result["coverage"]["inputs"] == 2
    assert result["coverage"]["planned_inputs"] == 6
    assert result["verdict"]["status"] == "inconclusive"


async def test_a_gate_passes_no_data_set_with_a_picture_that_could_not_be_read(house: House) -> None:
    gate = {"orbit_consistency": {"min": 0.05}}
    job = await house.submit([*PICTURES, b"no picture"], group="C4", gate=gate)
    _, result = await house.ended(job)
    assert result["gates"][0]["status"] == "pass"
    assert result["verdict"]["status"] == "inconclusive"
    assert result["verdict"]["reason"].startswith("1 of 7 pictures have no report.")
