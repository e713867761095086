"""Pictures and options arrive the same, whichever way they are sent. The tasks themselves have tests of their own."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest
import pytest_asyncio
from asgi_call import Call, chunk, client_of

from equiserve.checks import CheckRequest
from equiserve.dataplane import DataPlane
from equiserve.engine import RequestContext
from equiserve.rest.app import build_app
from equiserve.tasks.classify import Classification, ClassifyRequest, Prediction

PICTURE = bytes(range(256)) * 3
CLASSIFY = "/v2/models/m/versions/3/classify"
CHECK = "/v2/models/m/equivariance"


class Report:
    def to_json(self) -> dict[str, Any]:
        return {"value": np.float32(0.5), "gap": float("nan")}


class Recorder(DataPlane):
    """Keeps what the edge asked of the data plane."""

    classified: ClassifyRequest
    checked: CheckRequest

    async def classify(self, request: ClassifyRequest, context: RequestContext) -> Classification:
        self.classified = request
        guess = [[Prediction("boot", 9, 0.75)] for _ in request.pictures]
        return Classification(request.model, request.version, "onnx", guess, [None] * len(guess), "exact")

    async def check(self, request: CheckRequest, context: RequestContext) -> Any:
        self.checked = request
        return Report()


@pytest.fixture
def recorder(plane: DataPlane) -> Recorder:
    return Recorder(plane.repository, plane.admission, plane.compute, plane.settings)


@pytest_asyncio.fixture(loop_scope="session")
async def tasks(recorder: Recorder) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(build_app(recorder, lambda: b"")) as client:
        yield client


TEXT = base64.b64encode(PICTURE).decode()
WAYS: dict[str, dict[str, Any]] = {
    "form": {"files": {"file": ("boot.png", PICTURE, "image/png")}, "data": {"top_k": "2", "runtime": "onnx"}},
    "body": {"content": PICTURE, "headers": {"content-type": "image/png"}, "params": {"top_k": 2, "runtime": "onnx"}},
    "octets": {
        "content": PICTURE,
        "headers": {"content-type": "application/octet-stream"},
        "params": {"top_k": 2, "runtime": "onnx"},
    },
    "body as curl sends it": {
        "content": PICTURE,
        "headers": {"content-type": "application/x-www-form-urlencoded"},
        "params": {"top_k": 2, "runtime": "onnx"},
    },
    "json": {"json": {"image": TEXT, "top_k": 2, "runtime": "onnx"}},
    "json list, options in the query": {"json": {"images": [TEXT]}, "params": {"top_k": 2, "runtime": "onnx"}},
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_picture_and_its_options_arrive_whichever_way(
    tasks: httpx.AsyncClient, recorder: Recorder, way: str
) -> None:
    response = await tasks.post(CLASSIFY, **WAYS[way])
    assert response.status_code == 200, response.text
    assert response.json()["predictions"] == [[{"label": "boot", "index": 9, "probability": 0.75}]]
    asked = recorder.classified
    assert list(asked.pictures) == [PICTURE]
    assert (asked.model, asked.version, asked.top_k, asked.runtime) == ("m", "3", 2, "onnx")


@pytest.mark.parametrize("way", ["body", "form", "json"])
async def test_a_picture_that_comes_in_pieces_arrives_whole(recorder: Recorder, way: str) -> None:
    sent = httpx.Request("POST", "http://x", **WAYS[way])
    body, middle = sent.read(), len(sent.read()) // 2
    app = build_app(recorder, lambda: b"")
    headers = {"content-type": sent.headers["content-type"]}
    call = await Call(app, CLASSIFY, [chunk(body[:middle], more=True), chunk(body[middle:])], headers).finish()
    assert (call.status, recorder.classified.pictures) == (200, [PICTURE])


async def test_several_files_of_a_form_arrive_in_order(tasks: httpx.AsyncClient, recorder: Recorder) -> None:
    big = PICTURE * 3000  # above the size at which form parsers turn to temporary files
    files = [("file", (f"{index}.png", part, "image/png")) for index, part in enumerate((PICTURE, big, b"third"))]
    assert (await tasks.post(CLASSIFY, files=files)).status_code == 200
    assert list(recorder.classified.pictures) == [PICTURE, big, b"third"]
    assert recorder.classified.top_k == 5


@pytest.mark.parametrize("shape", [(5, 7), (3, 5, 7)])
async def test_pixels_arrive_as_an_array(tasks: httpx.AsyncClient, recorder: Recorder, shape: tuple[int, ...]) -> None:
    pixels = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    assert (await tasks.post(CLASSIFY, json={"pixels": pixels.tolist()})).status_code == 200
    (received,) = recorder.classified.pictures
    assert isinstance(received, np.ndarray)
    assert received.dtype == np.uint8
    np.testing.assert_array_equal(received, pixels)


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"content": b""}, "image"),
        ({"json": {}}, "image"),
        ({"json": []}, "body"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, "body"),
        ({"json": {"image": "not base64!"}}, "image"),
        ({"json": {"image": 3}}, "image"),
        ({"json": {"images": "x"}}, "images"),
        ({"json": {"images": [TEXT, None]}}, "images[1]"),
        ({"json": {"pixels": [1, 2]}}, "pixels"),
        ({"json": {"pixels": [[1, 2], [3]]}}, "pixels"),
        ({"json": {"pixels": [[1, 256]]}}, "pixels"),
        ({"json": {"pixels": [[[[1]]]]}}, "pixels"),
        ({"json": {"pixels": [[]]}}, "pixels"),
        ({"json": {"image": TEXT, "top_k": "many"}}, "top_k"),
        ({"json": {"image": TEXT, "top_k": True}}, "top_k"),
        ({"json": {"image": TEXT, "runtime": 1}}, "runtime"),
        ({"json": {"image": TEXT, "topk": 3}}, "topk"),
        ({"json": {"image": TEXT, "top_k": 3}, "params": {"top_k": 4}}, "top_k"),
        ({"files": {"picture": ("a.png", PICTURE)}}, "picture"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, "body"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=b"}}, "body"),
    ],
)
async def test_what_is_no_submission_is_refused_by_name(
    tasks: httpx.AsyncClient, sent: dict[str, Any], field: str
) -> None:
    response = await tasks.post(CLASSIFY, **sent)
    assert (response.status_code, response.json()["field"]) == (400, field), response.text


@pytest.mark.parametrize("way", ["query", "json"])
async def test_the_options_of_a_check_arrive_typed(tasks: httpx.AsyncClient, recorder: Recorder, way: str) -> None:
    if way == "query":
        text = {
            "group": '{"name": "CyclicShift", "height": 28}',
            "elements": "[[0, 1]]",
            "reference": "label",
            "label": "boot",
            "metrics": "agreement, accuracy",
            "outputs": "true",
        }
        response = await tasks.post(CHECK, content=PICTURE, params=text)
    else:
        typed = {
            "group": {"name": "CyclicShift", "height": 28},
            "elements": [[0, 1]],
            "reference": "label",
            "label": "boot",
            "metrics": ["agreement", "accuracy"],
            "outputs": True,
        }
        response = await tasks.post(CHECK, json={"image": TEXT, **typed})
    assert response.status_code == 200, response.text
    asked = recorder.checked
    assert (asked.picture, asked.group) == (PICTURE, {"name": "CyclicShift", "height": 28})
    assert (asked.elements, asked.reference, asked.label) == ([[0, 1]], "label", "boot")
    assert (asked.metrics, asked.outputs) == (["agreement", "accuracy"], True)


async def test_a_check_may_be_asked_with_nothing_but_a_picture(tasks: httpx.AsyncClient, recorder: Recorder) -> None:
    response = await tasks.post(CHECK, content=PICTURE, params={"elements": "64", "label": "7"})
    assert response.json() == {"value": 0.5, "gap": None}
    asked = recorder.checked
    assert (asked.elements, asked.label, asked.group, asked.reference) == (64, 7, None, "consensus")


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"images": [TEXT, TEXT]}, "image"),
        ({"image": TEXT, "reference": "nothing"}, "reference"),
        ({"image": TEXT, "elements": "[1"}, "elements"),
        ({"image": TEXT, "elements": 1.5}, "elements"),
        ({"image": TEXT, "group": 3}, "group"),
        ({"image": TEXT, "metrics": [1]}, "metrics"),
        ({"image": TEXT, "outputs": "maybe"}, "outputs"),
    ],
)
async def test_an_option_of_another_kind_is_refused_by_name(
    tasks: httpx.AsyncClient, options: dict[str, Any], field: str
) -> None:
    response = await tasks.post(CHECK, json=options)
    assert (response.status_code, response.json()["field"]) == (400, field), response.text
