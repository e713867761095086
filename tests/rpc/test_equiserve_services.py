"""`equiserve.v1` says the same as the tasks behind it: real checks and classifications of numpy models."""

from __future__ import annotations

import io
import xml.etree.ElementTree
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
import numpy as np
import pytest
import pytest_asyncio
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from PIL import Image
from raw_client import refusal_of
from scipy.special import softmax
from scripted_plane import ScriptedPlane, served

from equiserve.checks import CheckReport, CheckRequest, run_check
from equiserve.engine import RequestContext, Scheduler
from equiserve.rpc.generated import classifier_pb2, equivariance_pb2
from equiserve.rpc.generated.classifier_pb2_grpc import ClassifierStub
from equiserve.rpc.generated.equivariance_pb2_grpc import EquivarianceStub
from equiserve.rpc.generated.picture_pb2 import Picture, Pixels
from equiserve.symmetry import group_catalogue, metric_catalogue
from equiserve.tasks.classify import Classification, ClassifyRequest, classify
from picture_runtimes import EXACT_SHIFTS, SHIFTS, PictureRuntime, by_position, histogram, serve

PIXELS = np.random.default_rng(2).integers(0, 256, (1, 28, 28), np.uint8)
LABELS = ["dark", "dim", "light", "bright"]
MODELS = {"blind": histogram, "positional": by_position}


class PicturePlane(ScriptedPlane):
    """Classifies and checks with two models; keeps the last request and report."""

    def __init__(self) -> None:
        super().__init__()
        self.scheduler = Scheduler(1)
        self.models = {
            name: serve(self.scheduler, PictureRuntime(scores), groups=SHIFTS, symmetries=EXACT_SHIFTS, labels=LABELS)
            for name, scores in MODELS.items()
        }
        self.request: Any = None
        self.report: CheckReport | None = None

    async def classify(self, request: ClassifyRequest, context: RequestContext) -> Classification:
        self.request = request
        return await classify(
            self.models[request.model],
            request,
            context,
            compute=self.compute,
            max_pixels=self.settings.max_pixels,
            max_orbit=self.settings.max_orbit,
        )

    async def check(self, request: CheckRequest, context: RequestContext) -> CheckReport:
        self.request = request
        self.report = await run_check(
            self.models[request.model],
            request,
            context,
            compute=self.compute,
            max_pixels=self.settings.max_pixels,
            max_orbit=self.settings.max_orbit,
        )
        return self.report

    def group_catalogue(self) -> list[dict[str, Any]]:
        return group_catalogue()

    def metric_catalogue(self) -> list[dict[str, Any]]:
        return metric_catalogue()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plane() -> AsyncIterator[PicturePlane]:
    plane = PicturePlane()
    yield plane
    plane.scheduler.stop(5)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def channel(plane: PicturePlane) -> AsyncIterator[grpc.aio.Channel]:
    async with served(plane) as channel:
        yield channel


def as_pixels(array: np.ndarray) -> Picture:
    channels, height, width = array.shape
    return Picture(pixels=Pixels(channels=channels, height=height, width=width, data=array.tobytes()))


def as_png(array: np.ndarray) -> Picture:
    file = io.BytesIO()
    Image.fromarray(array[0]).save(file, "PNG")
    return Picture(file=file.getvalue())


PICTURE = as_pixels(PIXELS)


@pytest.mark.parametrize("encode", [as_pixels, as_png])
async def test_a_file_and_its_pixels_get_the_models_probabilities(channel: grpc.aio.Channel, encode: Any) -> None:
    pictures = [encode(PIXELS), encode(255 - PIXELS)]
    request = classifier_pb2.ClassifyRequest(model="positional", pictures=pictures, top_k=3)
    response = await ClassifierStub(channel).Classify(request)
    assert (response.model, response.version, response.runtime) == ("fake", "1", "onnx")
    truth = softmax(by_position(np.stack([PIXELS, 255 - PIXELS])).astype(np.float32).astype(np.float64), axis=1)
    assert len(response.classifications) == 2
    for row, entry in zip(truth, response.classifications, strict=True):
        best = np.argsort(-row)[:3]
        assert [prediction.index for prediction in entry.predictions] == best.tolist()
        assert [prediction.label for prediction in entry.predictions] == [LABELS[index] for index in best]
        np.testing.assert_allclose([prediction.probability for prediction in entry.predictions], row[best], rtol=1e-6)
        assert not entry.HasField("resized_from")


async def test_what_a_classify_request_leaves_out_is_the_tasks_default(
    channel: grpc.aio.Channel, plane: PicturePlane
) -> None:
    response = await ClassifierStub(channel).Classify(classifier_pb2.ClassifyRequest(model="blind", pictures=[PICTURE]))
    default = ClassifyRequest("blind")
    asked = plane.request
    assert (asked.version, asked.runtime, asked.top_k, asked.priority) == (
        default.version,
        default.runtime,
        default.top_k,
        default.priority,
    )
    assert response.HasField("guarantee")  # it declares an exact symmetry


@pytest.mark.parametrize(
    ("picture", "code", "field"),
    [
        (Picture(), "missing_picture", "pictures[0]"),
        (Picture(pixels=Pixels(channels=1, height=28, width=28, data=b"abc")), "wrong_size", "pictures[0].pixels.data"),
        (Picture(pixels=Pixels()), "wrong_size", "pictures[0].pixels.data"),
        (Picture(file=b"text called a picture"), "not_a_picture", "pictures"),
    ],
)
async def test_what_is_no_picture_is_refused(
    channel: grpc.aio.Channel, picture: Picture, code: str, field: str
) -> None:
    request = classifier_pb2.ClassifyRequest(model="blind", pictures=[picture])
    refusal = await refusal_of(ClassifierStub(channel).Classify(request))
    assert (refusal.status, refusal.code, refusal.field) == (grpc.StatusCode.INVALID_ARGUMENT, code, field)


async def test_top_k_of_zero_is_refused_not_taken_for_the_default(channel: grpc.aio.Channel) -> None:
    request = classifier_pb2.ClassifyRequest(model="blind", pictures=[PICTURE], top_k=0)
    refusal = await refusal_of(ClassifierStub(channel).Classify(request))
    assert (refusal.status, refusal.field) == (grpc.StatusCode.INVALID_ARGUMENT, "top_k")


async def test_the_declared_symmetry_is_checked_when_no_group_is_named(channel: grpc.aio.Channel) -> None:
    request = equivariance_pb2.CheckRequest(model="blind", picture=PICTURE)
    response = await EquivarianceStub(channel).Check(request)
    assert response.verdict.status == equivariance_pb2.VERDICT_STATUS_PASS
    assert response.level == equivariance_pb2.SYMMETRY_LEVEL_EXACT
    assert (response.bitwise_identical.identical, response.bitwise_identical.of) == (784, 784)
    assert response.coverage.checked == 784
    assert all(response.elements.agrees)
    assert not response.HasField("worst")
    assert not response.svg


async def test_a_symmetry_that_does_not_hold_fails_and_names_the_worst_shift(channel: grpc.aio.Channel) -> None:
    request = equivariance_pb2.CheckRequest(model="positional", picture=PICTURE)
    response = await EquivarianceStub(channel).Check(request)
    assert response.verdict.status == equivariance_pb2.VERDICT_STATUS_FAIL
    shift = response.worst.element.shift
    shifted = np.roll(PIXELS, (shift.dy, shift.dx), (1, 2))
    answer = LABELS[int(np.argmax(by_position(shifted[None])[0]))]
    assert response.worst.label == answer
    assert response.worst.label != response.reference.prediction.label


@pytest.mark.parametrize("group", [None, "C8"], ids=["exact", "resampled"])
async def test_the_message_says_all_that_the_rest_report_says(
    channel: grpc.aio.Channel, plane: PicturePlane, group: str | None
) -> None:
    request = equivariance_pb2.CheckRequest(model="positional", picture=PICTURE, include_outputs=True, count=8)
    if group:
        request.group.name = group
    response = await EquivarianceStub(channel).Check(request)
    assert plane.report is not None
    report = plane.report.to_json()
    message = MessageToDict(response, preserving_proto_field_name=True)
    assert message["elements"].keys() == {
        {"element": "elements", "label": "labels", "probability": "probabilities"}.get(
            name, name if name in ("exact", "agrees") else f"{name}s"
        )
        for name in report["elements"]
    }
    columns = response.elements
    assert list(columns.probabilities) == report["elements"]["probability"]
    assert list(columns.labels) == report["elements"]["label"]
    assert [list(row.values) for row in columns.outputs] == report["elements"]["output"]
    assert len(columns.elements) == len(report["elements"]["element"]) == 8
    assert missing(report, message, skip={"elements", "resized_from", "element"}) == []
    assert response.verdict.reason == report["verdict"]["reason"]
    assert dict(response.summary.all) == report["summary"]["all"]
    assert response.id == report["id"]


def missing(report: Mapping[str, Any], message: Mapping[str, Any], skip: set[str], path: str = "") -> list[str]:
    """Return the paths of a report that have a value and do not occur in the message.

    protobuf's JSON form leaves out zeros, false and empty text: these count as said.
    """
    lost: list[str] = []
    for key, value in report.items():
        if key in skip or not value:
            continue
        if key not in message:
            lost.append(path + key)
        elif isinstance(value, Mapping):
            lost += missing(value, message[key], skip, f"{path}{key}.")
    return lost


async def test_every_field_of_a_check_request_reaches_the_check(channel: grpc.aio.Channel, plane: PicturePlane) -> None:
    parameters = Struct()
    parameters.update({"n": 8})
    elements = [
        equivariance_pb2.Element(rotation=equivariance_pb2.Rotation(angle_deg=45)),
        equivariance_pb2.Element(rotation=equivariance_pb2.Rotation(angle_deg=90)),
    ]
    request = equivariance_pb2.CheckRequest(
        model="blind",
        version="1",
        runtime="onnx",
        picture=PICTURE,
        group=equivariance_pb2.Group(name="Cyclic", parameters=parameters),
        elements=equivariance_pb2.ElementList(elements=elements),
        reference=equivariance_pb2.REFERENCE_LABEL,
        label_name="dim",
        metrics=["modal_consistency"],
        include_svg=True,
    )
    response = await EquivarianceStub(channel).Check(request)
    asked = plane.request
    assert (asked.version, asked.runtime, asked.reference, asked.label) == ("1", "onnx", "label", "dim")
    assert asked.group == {"name": "Cyclic", "n": 8}
    assert asked.elements == [{"angle_deg": 45, "reflected": False}, {"angle_deg": 90, "reflected": False}]
    assert response.reference.kind == equivariance_pb2.REFERENCE_LABEL
    assert list(response.summary.all) == ["modal_consistency"]
    assert xml.etree.ElementTree.fromstring(response.svg).tag.endswith("svg")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"reference": 99}, "reference"),
        ({"elements": equivariance_pb2.ElementList(elements=[equivariance_pb2.Element()])}, "elements[0]"),
        ({"count": 0}, "elements"),
        ({"metrics": ["charm"]}, "metrics"),
        ({"label_index": 2}, "label"),
    ],
)
async def test_a_bad_field_of_a_check_is_refused_by_name(
    channel: grpc.aio.Channel, change: dict[str, Any], field: str
) -> None:
    request = equivariance_pb2.CheckRequest(model="blind", picture=PICTURE, **change)
    refusal = await refusal_of(EquivarianceStub(channel).Check(request))
    assert (refusal.status, refusal.field) == (grpc.StatusCode.INVALID_ARGUMENT, field)


async def test_a_check_that_runs_out_of_time_reports_what_it_covered(
    channel: grpc.aio.Channel, plane: PicturePlane
) -> None:
    runtime = plane.models["blind"].runtime
    runtime.free, free = len(runtime.batches) + 6, runtime.free  # type: ignore[attr-defined]
    try:
        request = equivariance_pb2.CheckRequest(model="blind", picture=PICTURE)
        response = await EquivarianceStub(channel).Check(request, metadata=(("x-request-timeout-ms", "400"),))
    finally:
        runtime.free = free  # type: ignore[attr-defined]
        runtime.gate.set()  # type: ignore[attr-defined]
    assert response.coverage.checked < response.coverage.planned == 784
    assert response.verdict.status == equivariance_pb2.VERDICT_STATUS_INCONCLUSIVE


async def test_the_catalogues_are_those_of_the_library(channel: grpc.aio.Channel) -> None:
    stub = EquivarianceStub(channel)
    groups = await stub.ListGroups(equivariance_pb2.ListGroupsRequest())
    assert [group.example for group in groups.groups] == [group["example"] for group in group_catalogue()]
    assert all(group.description and group.exactness for group in groups.groups)
    metrics = await stub.ListMetrics(equivariance_pb2.ListMetricsRequest())
    assert [metric.name for metric in metrics.metrics] == [metric["name"] for metric in metric_catalogue()]
    assert all(len(metric.range) == 2 for metric in metrics.metrics)


async def test_a_search_and_its_gate_travel_with_all_that_they_found(
    channel: grpc.aio.Channel, plane: PicturePlane
) -> None:
    gate = Struct()
    gate.update({"orbit_consistency": {"min": 0.9, "confidence": 0.99}})
    request = equivariance_pb2.CheckRequest(
        model="positional", picture=PICTURE, search=True, search_budget=40, gate=gate, group={"name": "SO2"}
    )
    response = await EquivarianceStub(channel).Check(request)
    assert plane.report is not None
    report = plane.report.to_json()
    searched, told = response.search, report["search"]
    assert (searched.budget, searched.uniform, searched.searched) == (40, 24, 16)
    assert searched.ended == told["ended"] == "budget"
    assert [e.rotation.angle_deg for e in searched.elements.elements] == [
        e["angle_deg"] for e in told["elements"]["element"]
    ]
    assert searched.worst.margin == told["worst"]["margin"]
    assert searched.worst.element.rotation.angle_deg == told["worst"]["element"]["angle_deg"]
    (judged,) = response.gates
    assert (judged.gate, judged.confidence) == ("modal_consistency >= 0.9", 0.99)
    assert judged.value == report["gates"][0]["value"]
    assert judged.status == response.verdict.status
    assert response.spectrum.exact_subgroup == report["spectrum"]["exact_subgroup"] == 1
    assert list(response.spectrum.shares) == report["spectrum"]["shares"]


async def test_random_elements_and_the_right_class_come_back_with_seed_and_split_error(
    channel: grpc.aio.Channel, plane: PicturePlane
) -> None:
    drawn = equivariance_pb2.RandomElements(count=20, seed=2**40)
    request = equivariance_pb2.CheckRequest(
        model="positional",
        picture=PICTURE,
        random=drawn,
        group={"name": "SO2"},
        reference=equivariance_pb2.REFERENCE_LABEL,
        label_name="dim",
    )
    response = await EquivarianceStub(channel).Check(request)
    assert plane.report is not None
    report = plane.report.to_json()
    assert response.sampled == drawn
    split = {"total": response.error_split.total, "incurable": response.error_split.incurable}
    assert split.items() <= report["error_split"].items()
    assert response.HasField("error_split")
    ladder = report["controls"]["kernel_ladder"]
    assert response.controls.HasField("kernel_ladder") == (ladder is not None)
    if ladder is not None:
        assert dict(response.controls.kernel_ladder.figures[0].values) == ladder["figures"][0]["values"]
