"""Which of a manifest's groups a check of a picture runs over."""

from __future__ import annotations

import numpy as np

from equiserve.artifact import GroupSpec, Symmetry
from equiserve.artifact.manifest import Override
from equiserve.checks import CheckRequest, run_check
from equiserve.engine import RequestContext
from picture_runtimes import PictureRuntime, histogram, serve

PICTURE = np.random.default_rng(2).integers(0, 256, (1, 8, 8), np.uint8)


async def checked_group(scheduler, compute, groups, symmetries, asked=None, scores=histogram, **manifest):
    runtime = PictureRuntime(scores, shape=(-1, 1, 8, 8))
    model = serve(scheduler, runtime, groups=groups, symmetries=symmetries, **manifest)
    report = await run_check(
        model,
        CheckRequest("fake", PICTURE, group=asked, elements=4),
        RequestContext("check-1"),
        compute=compute,
        max_pixels=10**6,
        max_orbit=100,
    )
    return report.to_json()


async def test_a_group_that_does_not_act_on_pictures_is_no_default(scheduler, compute):
    groups = {"points": GroupSpec(name="S5"), "space": GroupSpec(name="SO(3)"), "shifts": GroupSpec(name="CyclicShift")}
    symmetries = [Symmetry(group=name, level="exact") for name in groups]
    report = await checked_group(scheduler, compute, groups, symmetries)
    assert (report["group"]["name"], report["level"]) == ("CyclicShift:8x8", "exact")


async def test_a_declared_range_is_the_window_that_is_checked(scheduler, compute):
    groups = {"upright": GroupSpec(name="SO(2)", range=30.0)}
    report = await checked_group(scheduler, compute, groups, [Symmetry(group="upright", level="approximate")])
    assert report["level"] == "approximate"
    assert not report["group"]["is_group"]
    assert all(min(e["angle_deg"], 360 - e["angle_deg"]) <= 30 for e in report["elements"]["element"])
    whole = await checked_group(scheduler, compute, groups, [Symmetry(group="upright", level="approximate")], "SO2")
    assert (whole["group"]["name"], whole["level"]) == ("SO2", "none")


def six_or_nine(pictures):
    """See a 6 where the upper half is the brighter one, else a 9."""
    upper, lower = (half.sum(axis=(1, 2, 3), dtype=float) for half in (pictures[:, :, :4], pictures[:, :, 4:]))
    return np.stack([upper, lower, np.zeros(len(pictures))], axis=1) / 1000


async def test_a_six_that_is_a_nine_upside_down_is_no_failure_where_the_manifest_says_so(scheduler, compute):
    groups, exact = {"upside": GroupSpec(name="C2")}, [Symmetry(group="upside", level="exact")]
    said = {"element": {"angle_deg": 180}, "classes": {"six": "nine", "nine": "six"}}
    relabel = [Override(group="upside", tensor="scores", action={"relabel": [said]})]
    model = {"scores": six_or_nine, "labels": ["six", "nine", "other"]}
    unsaid = await checked_group(scheduler, compute, groups, exact, **model)
    assert unsaid["verdict"]["status"] == "fail"
    assert "changes from 'six' to 'nine' under a rotation by 180 degrees" in unsaid["verdict"]["reason"]
    report = await checked_group(scheduler, compute, groups, exact, overrides=relabel, **model)
    assert report["verdict"]["status"] == "pass"
    assert report["elements"]["label"] == ["six", "six"]
    assert [(m["element"]["angle_deg"], m["classes"]) for m in report["relabelled"]] == [(180, said["classes"])]
    assert "a rotation by 180 degrees makes 'six' a 'nine'" in report["statement"]
    # Of another group nothing was said; a range leaves the half turn out.
    assert (await checked_group(scheduler, compute, groups, exact, "C4", overrides=relabel, **model))[
        "relabelled"
    ] == []
    upright = await checked_group(scheduler, compute, groups, exact, "SO2[-80,80]", overrides=relabel, **model)
    assert all(abs((e["angle_deg"] + 180) % 360 - 180) <= 80 for e in upright["elements"]["element"])
