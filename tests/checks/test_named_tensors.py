"""Checks of any model whose manifest says how its tensors move: known truths, through the data plane."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest
import pytest_asyncio

from equiserve.artifact import Symmetry
from equiserve.checks import TensorCheckRequest
from equiserve.checks.formats import FORMATS
from equiserve.dataplane import DataPlane
from equiserve.engine import RequestContext
from equiserve.errors import EquiServeError, InvalidRequest, TooLarge
from equiserve.symmetry import Icosahedral
from planes import served_plane
from tensor_models import cloud, write_repository

RNG = np.random.default_rng(0)
CLOUD = RNG.uniform(0.2, 1.0, (1, 5, 3)).astype(np.float32)
PICTURE = RNG.random((1, 1, 8, 8)).astype(np.float32)
TRACK = RNG.normal(size=(1, 4, 2)).astype(np.float32)
CONTEXT = RequestContext("check-1")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DataPlane]:
    root = tmp_path_factory.mktemp("tensors")
    write_repository(root)
    async with served_plane(root, tmp_path_factory.mktemp("cache"), max_orbit=500) as plane:
        yield plane


async def check(plane: DataPlane, model: str, x: np.ndarray = CLOUD, **asked: Any) -> dict[str, Any]:
    return (await plane.check(TensorCheckRequest(model, {"x": x}, **asked), CONTEXT)).to_json()


async def refusal(plane: DataPlane, model: str, x: np.ndarray = CLOUD, **asked: Any) -> EquiServeError:
    with pytest.raises(EquiServeError) as caught:
        await check(plane, model, x, **asked)
    return caught.value


# ---------------------------------------------------------------- what holds


async def test_a_vector_valued_equivariant_map_passes_on_the_sixty_rotations_of_the_icosahedron(plane):
    report = await check(plane, "radial", elements=60)
    assert report["verdict"]["status"] == "pass"
    assert report["coverage"] == {"checked": 60, "planned": 60, "exact": 60}
    assert report["level"] == "exact"
    assert max(report["elements"]["relative_error"]) < 1e-6
    assert report["summary"]["resampled"] is None
    assert report["controls"]["did_it_act"] == {"changed": 59, "of": 59}
    assert "all 60 elements of SO3" in report["statement"]


async def test_random_rotations_that_all_agree_certify_a_share_of_the_group(plane):
    report = await check(plane, "radial", elements={"random": 299, "seed": 7})
    assert report["coverage"]["planned"] == 300
    assert "certifies 99 % of the group at 95 % confidence for this input" in report["verdict"]["reason"]
    again = await check(plane, "radial", elements={"random": 299, "seed": 7})
    assert again["elements"]["element"] == report["elements"]["element"]
    other = await check(plane, "radial", elements={"random": 299, "seed": 8})
    assert other["elements"]["element"] != report["elements"]["element"]


@pytest.mark.parametrize(
    ("model", "x", "elements"),
    [
        ("middle", CLOUD, 120),
        ("inertia", CLOUD, 40),
        ("velocity", TRACK, 2),
        ("gradient", PICTURE, 4),
        ("bright", PICTURE, 4),
        ("shouting", CLOUD[0], 12),
    ],
)
async def test_each_kind_of_model_passes_under_the_group_that_it_declares(plane, model, x, elements):
    report = await check(plane, model, x, elements=elements)
    assert report["verdict"]["status"] == "pass", report["statement"]
    assert report["coverage"] == {"checked": elements, "planned": elements, "exact": elements}


async def test_resampled_elements_are_told_apart_and_not_held_against_an_exact_symmetry(plane):
    report = await check(plane, "sharpened", PICTURE, elements=16)
    assert report["coverage"] == {"checked": 16, "planned": 16, "exact": 4}
    assert report["verdict"]["status"] == "pass"
    assert "all 4 exact elements" in report["statement"]
    assert report["summary"]["exact"]["relative_error"] < 1e-6 < report["summary"]["resampled"]["relative_error"]
    assert report["provenance"]["boundary"] == "inscribed disc"


async def test_the_metrics_are_those_of_the_outputs_kind(plane):
    flow = (await check(plane, "gradient", PICTURE))["outputs"]["y"]
    assert (flow["kind"], flow["summary"]["all"]["endpoint_error"]) == ("flow", pytest.approx(0, abs=1e-6))
    ids = (await check(plane, "bright", PICTURE))["outputs"]["y"]
    assert (ids["kind"], ids["summary"]["all"]) == ("segmentation", {"pixel_agreement": 1.0})
    assert (await check(plane, "east", TRACK))["outputs"]["y"]["kind"] == "trajectories"


async def test_a_strangers_regressor_is_checked_with_ten_lines_of_manifest(tmp_path):
    largest = "items = Constant<value = int64[1] {1}>() y = ReduceMax<keepdims = 0>(x, items)"
    model = onnx.parser.parse_model(cloud(largest, "float[batch,3] y"))
    (tmp_path / "extent" / "1").mkdir(parents=True)
    onnx.save(model, tmp_path / "extent" / "1" / "model.onnx")
    (tmp_path / "extent" / "model.yaml").write_text(
        """\
schema: 1
name: extent
frames: {world: {dim: 3}}
groups:
  turns: {name: SO(3), frame: world}
  order: {name: S5}
inputs:
- {name: x, datatype: FP32, shape: [-1, 5, 3], axes: [batch, item, coord], kind: point}
outputs:
- {name: y, datatype: FP32, shape: [-1, 3], axes: [batch, coord], kind: vector}
"""
    )
    async with served_plane(tmp_path, tmp_path / "cache") as plane:
        order = await check(plane, "extent", group="order", elements=120)
        assert max(order["elements"]["relative_error"]) == 0
        # The largest coordinates of a cloud are no vector: they do not turn with it.
        turns = await check(plane, "extent", group="turns", elements=60)
        rotations = [element.matrix() for element in Icosahedral().elements()]
        truth = np.array([(rotation @ CLOUD[0].T).max(axis=1) @ rotation for rotation in rotations])
        sizes = np.abs(truth).mean(axis=1) + np.abs(truth[0]).mean()
        errors = np.abs(truth - truth[0]).mean(axis=1) / sizes
        assert turns["elements"]["relative_error"] == pytest.approx(errors, abs=1e-5)
        # Nothing is declared: what agrees to rounding passes, of anything else only the size can be told.
        assert (order["level"], order["verdict"]["status"]) == ("none", "pass")
        assert turns["verdict"]["status"] == "inconclusive"


# ---------------------------------------------------------------- what does not


async def test_a_flow_that_moves_but_does_not_turn_its_vectors_fails_and_the_half_turn_is_named(plane):
    report = await check(plane, "unturned", PICTURE)
    assert report["verdict"]["status"] == "fail"
    # (a, a) turned by 180 degrees is (-a, -a): as wrong as can be; by 90 degrees one component is right.
    assert report["worst"]["element"]["angle_deg"] == 180
    assert report["elements"]["relative_error"] == pytest.approx([0, 0.5, 1, 0.5])
    assert report["elements"]["agrees"] == [True, False, False, False]
    assert report["worst"]["description"] in report["statement"]
    assert report["summary"]["all"]["angular_error"] == pytest.approx((0 + 90 + 180 + 90) / 4)


async def test_a_model_that_prefers_one_point_of_a_cloud_is_not_invariant_under_permutations(plane):
    report = await check(plane, "first", elements=120)
    assert report["verdict"]["status"] == "fail"
    # Every permutation that leaves the first point where it is agrees: 4! of 5!.
    assert sum(report["elements"]["agrees"]) == 24
    assert "24 of 120" in report["statement"]
    # The average over the group is the mean of the cloud: what a symmetric model would say.
    average = await check(plane, "first", elements=120, reference="consensus", outputs=True)
    assert np.mean(average["outputs"]["y"]["values"], axis=0) == pytest.approx(CLOUD[0].mean(axis=0), abs=1e-6)


async def test_outputs_that_are_not_finite_count_as_failures(plane):
    report = await check(plane, "broken", elements=60)
    assert report["verdict"]["status"] == "fail"
    assert "not finite" in report["verdict"]["reason"]
    assert report["coverage"]["checked"] == 60
    moved = [element.matrix() @ CLOUD[0].T for element in Icosahedral().elements()]
    expected = [bool((np.float32(points) < 0).any()) for points in moved]
    assert [error == 1.0 for error in report["elements"]["relative_error"]] == expected
    assert report["worst"]["relative_error"] == 1.0


async def test_an_error_behind_a_large_offset_is_found_where_the_manifest_says_what_it_is_relative_to(plane):
    far = TRACK + np.float32(1000)
    hidden = await check(plane, "east_unsaid", far, elements=8)
    shown = await check(plane, "east", far, elements=8)
    assert max(hidden["elements"]["relative_error"]) < 0.01
    # East turned by 180 degrees is west.
    assert max(shown["elements"]["relative_error"]) == pytest.approx(1, abs=1e-3)
    assert shown["verdict"]["status"] == "fail"


async def test_of_several_outputs_the_one_that_does_not_follow_is_named(plane):
    report = await check(plane, "two", elements=60)
    assert report["verdict"]["status"] == "fail"
    assert report["outputs"]["y"]["verdict"]["status"] == "pass"
    assert report["outputs"]["z"]["verdict"]["status"] == "fail"
    assert report["worst"]["output"] == "z"
    assert report["verdict"]["reason"].startswith("'z': ")
    errors = [report["outputs"][name]["relative_error"] for name in "yz"]
    assert report["elements"]["relative_error"] == np.max(errors, axis=0).tolist()


# ---------------------------------------------------------------- what says nothing


@pytest.mark.parametrize(
    ("model", "words"),
    [("nothing", "unrelated"), ("dice", "same batch"), ("neighbours", "another batch")],
)
async def test_a_model_that_would_pass_or_fail_anything_is_not_informative(plane, model, words):
    report = await check(plane, model, elements=12)
    assert report["verdict"]["status"] == "not_informative"
    assert words in report["verdict"]["reason"]


async def test_an_input_that_no_element_moves_is_not_informative(plane):
    report = await check(plane, "radial", np.zeros_like(CLOUD), elements=12)
    assert report["verdict"]["status"] == "not_informative"
    assert report["controls"]["did_it_act"] == {"changed": 0, "of": 11}


# ---------------------------------------------------------------- declared errors


def tilted_errors() -> np.ndarray:
    """The relative errors of y = x + 0.1 |x| e_x under the 60 rotations, computed without the package's orbits."""
    x = CLOUD[0].astype(np.float64)
    length = np.linalg.norm(x, axis=1, keepdims=True)

    def tilted(points: np.ndarray) -> np.ndarray:
        return points + 0.1 * length * np.array([1.0, 0, 0])

    truth = tilted(x)
    found = []
    for element in Icosahedral().elements():
        rotation = element.matrix()
        back = tilted(x @ rotation.T) @ rotation
        found.append(np.abs(back - truth).mean() / (np.abs(back).mean() + np.abs(truth).mean()))
    return np.array(found)


@pytest.mark.parametrize(
    ("factor", "status", "words"),
    [(1.0, "pass", "declared is"), (0.5, "fail", "largest under"), (20.0, "pass", "more symmetric than declared")],
)
async def test_an_approximate_symmetry_is_held_to_the_error_that_is_declared(plane, monkeypatch, factor, status, words):
    errors = tilted_errors()
    model = await plane.repository.get("tilted", "")
    declared = Symmetry(group="g", level="approximate", metric="relative_error", value=factor * errors[1:].mean())
    monkeypatch.setattr(model, "manifest", model.manifest.model_copy(update={"symmetries": [declared]}))
    report = await check(plane, "tilted")
    assert report["elements"]["relative_error"] == pytest.approx(errors, abs=1e-6)
    assert report["verdict"]["status"] == status
    assert words in report["verdict"]["reason"]


async def test_the_consensus_is_the_average_over_the_group(plane):
    report = await check(plane, "tilted", reference="consensus", outputs=True)
    values = np.array(report["outputs"]["y"]["values"])
    consensus = values.mean(axis=0)
    expected = np.abs(values - consensus).mean(axis=1) / (np.abs(values).mean(axis=1) + np.abs(consensus).mean())
    assert report["elements"]["relative_error"] == pytest.approx(expected, abs=1e-9)
    # The wrong term turns with the element and averages out.
    assert consensus.reshape(5, 3) == pytest.approx(CLOUD[0], abs=1e-6)
    energy = ((values - consensus) ** 2).mean() / (values**2).mean()
    assert report["outputs"]["y"]["strength"] == pytest.approx(1 - energy)
    assert (await check(plane, "tilted"))["outputs"]["y"]["strength"] is None


async def test_what_holds_under_quarter_turns_alone_is_told_from_the_orbits_spectrum(plane):
    report = await check(plane, "sharpened", PICTURE, elements=24)
    assert report["spectrum"]["exact_subgroup"] == 4
    assert "Exactly C4" in report["spectrum"]["statement"]
    assert (await check(plane, "radial", elements=12))["spectrum"] is None


# ---------------------------------------------------------------- groups, elements, bounds


async def test_a_group_may_be_named_by_the_manifests_key_or_by_its_own_name(plane):
    for group in ("g", "SO3", {"name": "SO3"}, None):
        report = await check(plane, "radial", group=group, elements=4)
        assert (report["level"], report["group"]["name"]) == ("exact", "SO3")
    other = await check(plane, "radial", group="O3", elements=4)
    assert (other["level"], other["declared"]) == ("none", None)


async def test_elements_can_be_named(plane):
    quarter = {"quaternion": [0.5**0.5, 0.0, 0.0, 0.5**0.5]}
    report = await check(plane, "squares", elements=[quarter])
    assert [element["quaternion"][0] for element in report["elements"]["element"]] == pytest.approx([1, 0.5**0.5])
    # (x, y, z) -> (-y, x, z); squares lose the sign: pulled back, the first component is that of x but the second not.
    assert report["verdict"]["status"] == "fail"


@pytest.mark.parametrize(
    ("asked", "field", "words"),
    [
        ({"group": "SO2"}, "x", "axis 'coord' has size [3]"),
        ({"group": "CyclicShift"}, None, "height"),
        ({"group": "Q8"}, "group", "unknown"),
        ({"elements": 0}, "elements", "expected a whole number"),
        ({"elements": {"random": 0}}, "elements", "random"),
        ({"elements": {"random": 9, "at": 1}}, "elements", "random"),
        ({"reference": "label"}, "reference", "consensus"),
        ({"metrics": ["charm"]}, "metrics", "relative_error"),
        ({"elements": {"random": 9, "seed": -1}}, "elements.seed", "-1"),
    ],
)
async def test_what_cannot_be_checked_is_refused_by_name(plane, asked, field, words):
    error = await refusal(plane, "radial", **asked)
    assert isinstance(error, InvalidRequest)
    assert words in error.message
    assert field is None or error.field == field


async def test_inputs_are_held_to_the_models_names_datatypes_and_one_row(plane):
    assert (await refusal(plane, "radial", CLOUD.astype(np.float64))).field == "inputs.x.datatype"
    assert (await refusal(plane, "radial", np.repeat(CLOUD, 2, axis=0))).code == "too_many_inputs"


async def test_an_orbit_over_the_bound_is_refused_before_anything_runs(plane):
    error = await refusal(plane, "radial", elements=501)
    assert isinstance(error, TooLarge)
    assert "501" in error.message
    assert "500" in error.message


async def test_an_estimate_runs_nothing_and_is_what_the_check_then_costs(plane):
    asked = TensorCheckRequest("radial", {"x": CLOUD}, elements=60)
    model = await plane.repository.get("radial", "")
    before = model.statistics.executions
    plan = await plane.estimate_check(asked)
    assert model.statistics.executions == before
    cost = (await plane.check(asked, CONTEXT)).to_json()["cost"]
    assert {key: plan["estimate"][key] for key in ("batch_size", "batches", "forward_passes")} == {
        key: cost[key] for key in ("batch_size", "batches", "forward_passes")
    }


async def test_a_check_that_is_cancelled_reports_what_it_has(plane):
    asked = TensorCheckRequest("radial", {"x": CLOUD}, elements=60)
    batches = iter([False, True])
    events = [e async for e in plane.checker.events(asked, CONTEXT, cancelled=lambda: next(batches))]
    assert [event.name for event in events] == ["started", "progress", "verdict", "completed"]
    report = events[-1].to_json()
    assert 0 < report["coverage"]["checked"] < 60
    assert report["verdict"]["status"] == "inconclusive"
    assert "cancelled" in report["verdict"]["reason"]


@pytest.mark.parametrize("form", [form for form in FORMATS if form.suffix != ".png"], ids=lambda form: form.suffix)
@pytest.mark.parametrize(("model", "x"), [("squares", CLOUD), ("unturned", PICTURE), ("velocity", TRACK)])
async def test_every_form_of_a_report_is_written(plane, form, model, x):
    report = await check(plane, model, x, elements=None if x is not CLOUD else 60)
    written = form.render(report).decode()
    if form.suffix == ".csv":
        rows = list(csv.DictReader(io.StringIO(written)))
        assert [float(row["relative_error"]) for row in rows] == report["elements"]["relative_error"]
        assert {row["probability"] for row in rows} == {""}
    elif form.suffix == ".xml":
        assert xml.etree.ElementTree.fromstring(written).find("testsuite/testcase").attrib["name"] == "the input"
    else:
        assert ("relative_error" if form.suffix == ".json" else "1 - relative error") in written
        assert "probability of '" not in written.replace("`probability of '$", "")
