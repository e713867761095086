"""All declared symmetries in one call: what is measured is what is declared, or the reply says which way it is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from equiserve.errors import DeadlineExceeded, InvalidRequest, TooLarge
from equiserve.rpc.generated import candidates_pb2, equivariance_pb2
from equiserve.rpc.generated.candidates_pb2_grpc import CandidatesStub
from planes import Edges, both_edges, served_plane
from tensor_models import CLOUD, MOVED_CLOUD, cloud, write_repository

RNG = np.random.default_rng(3)
CLOUDS = {"x": RNG.normal(size=(64, 5, 3)).astype(np.float32)}
AXES = {axis: {"name": "SO(2)", "axis": axis} for axis in "xyz"}
# y = (x_1, x_2, 2 x_3): exact about z, broken about x and y by an error that has a closed form for each element.
STRETCH = cloud("stretch = Constant<value = float[1,1,3] {1.0, 1.0, 2.0}>() y = Mul(x, stretch)")


def stretched(level: str, value: float | None, **more: Any) -> dict[str, Any]:
    """A manifest that declares one level about all three axes."""
    known = {} if value is None else {"value": value, "metric": "relative_l2"}
    symmetries = [{"group": axis, "level": level, **known, **more} for axis in AXES]
    return {"inputs": [CLOUD], "outputs": [MOVED_CLOUD], "groups": AXES, "symmetries": symmetries}


def true_error(axis: int) -> float:
    """The mean error of the stretch about an axis, by quadrature over the angle and the same clouds."""
    points, errors = CLOUDS["x"].astype(np.float64), []
    first, second = ((1, 2), (2, 0), (0, 1))[axis]
    for angle in np.linspace(0, 2 * np.pi, 180, endpoint=False):
        turn = np.eye(3)
        turn[[first, first, second, second], [first, second, first, second]] = (
            *(np.cos(angle), -np.sin(angle)),
            *(np.sin(angle), np.cos(angle)),
        )
        stretch = np.array([1.0, 1.0, 2.0])
        a, b = (points @ turn.T) * stretch, (points * stretch) @ turn.T
        size = np.linalg.norm(a, axis=(1, 2)) + np.linalg.norm(b, axis=(1, 2))
        errors.append(np.linalg.norm(a - b, axis=(1, 2)) / size)
    return float(np.mean(errors))


TRUE = true_error(0)
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "right": (STRETCH, stretched("approximate", TRUE)),
    "proud": (STRETCH, stretched("exact", None)),
    "modest": (STRETCH, stretched("approximate", 0.9)),
    "boastful": (STRETCH, stretched("approximate", TRUE / 2)),
    "close": (STRETCH, stretched("approximate", TRUE, tolerance=1e-6)),
    "silent": (STRETCH, stretched("none", None)),
    "stale": (STRETCH, stretched("exact", None, file_digest="0" * 64)),
    "mixed": (
        STRETCH,
        {
            **stretched("none", None),
            "groups": {**AXES, "shift": {"name": "S7"}, "turn": {"name": "SO(2)"}},
            "symmetries": [{"group": "turn", "level": "exact"}],
        },
    ),
    "normalised": (
        STRETCH,
        {**stretched("none", None), "inputs": [{**CLOUD, "normalisation": {"scale": [1.2, 1.2, 0.05]}}]},
    ),
    "isotropic": (STRETCH, {**stretched("none", None), "inputs": [{**CLOUD, "normalisation": {"scale": 1.2}}]}),
    "centred": (
        STRETCH,
        {**stretched("none", None), "inputs": [{**CLOUD, "normalisation": {"mean": [0.0, 0.0, 1.0]}}]},
    ),
    "unparsed": (STRETCH, {**stretched("none", None), "inputs": [{**CLOUD, "kind": "tensor", "rep": "V + W"}]}),
    "unfitting": (STRETCH, {**stretched("none", None), "inputs": [{**CLOUD, "kind": "tensor", "rep": "V + V**0"}]}),
    "bare": (STRETCH, {"inputs": [CLOUD], "outputs": [MOVED_CLOUD]}),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def edges(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edges]:
    root = tmp_path_factory.mktemp("candidates")
    write_repository(root, MODELS)
    async with served_plane(root, tmp_path_factory.mktemp("cache")) as plane, both_edges(plane) as edges:
        yield edges


def statuses(report: Any) -> dict[str, str]:
    return {found["group"]: found["status"] for found in report["candidates"]}


@pytest.mark.parametrize(
    ("model", "about_x", "about_z"),
    [
        ("right", "holds", "more_symmetric"),
        ("proud", "violated", "holds"),
        ("modest", "more_symmetric", "more_symmetric"),
        ("boastful", "violated", "more_symmetric"),
        ("close", "inconclusive", "more_symmetric"),
        ("silent", "not_claimed", "more_symmetric"),
    ],
)
async def test_each_candidate_is_compared_with_what_is_declared_of_it(
    edges: Edges, model: str, about_x: str, about_z: str
):
    found = statuses(await edges.client.check_candidates(model, CLOUDS))
    assert found == {"x": about_x, "y": about_x, "z": about_z}


async def test_the_measured_error_is_the_closed_one_within_its_interval(edges: Edges):
    report = await edges.client.check_candidates("right", CLOUDS, elements=1024)
    for axis, found in enumerate(report["candidates"]):
        measured = found["measured"]
        assert (measured["elements"], measured["inputs"]) == (1024, 64)
        if axis == 2:
            assert measured["max"] < 1e-6
        else:
            interval = measured["interval"]
            # Quadrature is over these 64 clouds; the interval is over further clouds, and wider.
            assert interval["low"] < true_error(axis) < interval["high"]
            assert abs(measured["mean"] - true_error(axis)) < 0.01


async def test_a_single_input_gets_an_interval_over_elements(edges: Edges):
    report = await edges.client.check_candidates("right", {"x": CLOUDS["x"][:1]}, ["x"])
    assert report["candidates"][0]["measured"]["interval"]["over"] == "elements"


async def test_a_level_of_another_file_claims_nothing(edges: Edges):
    report = await edges.client.check_candidates("stale", CLOUDS, ["x"])
    assert statuses(report) == {"x": "not_claimed"}
    assert report["candidates"][0]["declared"]["stands"] is False


async def test_a_candidate_that_does_not_act_on_the_space_is_refused_and_the_others_are_measured(edges: Edges):
    report = await edges.client.check_candidates("mixed", CLOUDS)
    found = {one["group"]: one for one in report["candidates"]}
    assert found["shift"]["status"] == found["turn"]["status"] == "refused"
    assert "x" in found["turn"]["reason"]
    assert found["x"]["status"] == "not_claimed"
    assert report["agrees"] is False
    with pytest.raises(InvalidRequest, match="representation"):
        await edges.client.check_candidates("mixed", CLOUDS, ["turn"])


@pytest.mark.parametrize(
    ("model", "place"),
    [
        ("unparsed", "'V + W': got 'W' at character 5, expected a number, 'V' or '('"),
        ("unfitting", "x: axis 'coord' has size [3], but its representation has 4 components"),
    ],
)
async def test_a_representation_that_does_not_parse_or_add_up_is_refused_with_its_place(
    edges: Edges, model: str, place: str
):
    report = await edges.client.check_candidates(model, CLOUDS)
    assert {found["status"] for found in report["candidates"]} == {"refused"}
    assert all(place in found["reason"] for found in report["candidates"])


async def test_normalisation_that_mixes_axes_unevenly_is_warned_of(edges: Edges):
    report = await edges.client.check_candidates("normalised", CLOUDS)
    warned = {found["group"]: bool(found["warnings"]) for found in report["candidates"]}
    assert warned == {"x": True, "y": True, "z": False}
    assert "x.normalisation" in report["candidates"][0]["warnings"][0]
    centred = await edges.client.check_candidates("centred", CLOUDS)
    assert {f["group"]: bool(f["warnings"]) for f in centred["candidates"]} == {"x": True, "y": True, "z": False}
    even = await edges.client.check_candidates("isotropic", CLOUDS)
    assert not any(found["warnings"] for found in even["candidates"])


async def test_both_edges_tell_the_same(edges: Edges):
    report = await edges.client.check_candidates("right", CLOUDS, elements=64, seed=4)
    array = CLOUDS["x"]
    tensor = equivariance_pb2.Tensor(name="x", datatype="FP32", shape=array.shape, data=array.tobytes())
    message = await CandidatesStub(edges.channel).CheckCandidates(
        candidates_pb2.CheckCandidatesRequest(model="right", inputs=[tensor], elements=64, seed=4)
    )
    assert message.statement == report["statement"]
    for told, found in zip(message.candidates, report["candidates"], strict=True):
        status = candidates_pb2.CandidateStatus.Name(told.status)
        assert status == f"CANDIDATE_STATUS_{found['status'].upper()}"
        assert (told.measured.mean, told.measured.low) == (
            found["measured"]["mean"],
            found["measured"]["interval"]["low"],
        )
        assert (told.declared.value, told.declared.stands) == (found["declared"]["value"], True)


@pytest.mark.parametrize(
    ("model", "options", "error", "field"),
    [
        ("right", {"groups": ["w"]}, InvalidRequest, "groups"),
        ("right", {"elements": 8}, InvalidRequest, "elements"),
        ("right", {"elements": 100_000}, TooLarge, "elements"),
        ("bare", {}, InvalidRequest, "groups"),
    ],
)
async def test_bad_requests_name_the_field(edges: Edges, model: str, options: Any, error: type, field: str):
    with pytest.raises(error) as raised:
        await edges.client.check_candidates(model, CLOUDS, **options)
    assert raised.value.field == field


async def test_a_deadline_that_passed_is_told(edges: Edges):
    with pytest.raises(DeadlineExceeded):
        await edges.client.check_candidates("right", CLOUDS, elements=4096, timeout_s=0.01)
