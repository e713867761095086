"""A regressor over both edges: named tensors in and out with units, raw or as JSON, or as a drawing of the motion."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from xml.etree import ElementTree

import numpy as np
import orjson
import pytest
import pytest_asyncio

from equiserve.errors import InvalidRequest, Unsupported
from equiserve.rpc.generated import equivariance_pb2, regressor_pb2
from equiserve.rpc.generated.regressor_pb2_grpc import RegressorStub
from planes import Edges, both_edges, served_plane
from tensor_models import graph, write_repository

RNG = np.random.default_rng(0)
POINTS = {"datatype": "FP32", "axes": ["batch", "item", "coord"], "kind": "point", "units": "m", "frame": "world"}
PAST = {**POINTS, "name": "past", "shape": [-1, 2, 3, 3], "axes": ["batch", "time", "item", "coord"]}
NOW = {**POINTS, "name": "now", "shape": [-1, 3, 3]}
FUTURE = {**NOW, "name": "future", "relative_to": "now"}
MOTION = {"past": ["past", "now"], "future": "future", "bones": [[1, 0], [2, 1]], "ahead": "0.3 s"}
# future = now + (now - the mean of the past): a motion that goes on.
GOES_ON = graph(
    "(float[batch,2,3,3] past, float[batch,3,3] now) => (float[batch,3,3] future)",
    """
    one = Constant<value = int64[1] {1}>()
    mean = ReduceMean<keepdims = 0>(past, one)
    step = Sub(now, mean)
    future = Add(now, step)
    """,
)
DECLARED = {
    "task": "regress",
    "frames": {"world": {"dim": 3, "up": [0, 1, 0], "units": "m"}},
    "inputs": [PAST, NOW],
    "outputs": [FUTURE],
    "groups": {"turns": {"name": "SO(3)", "frame": "world"}},
    "symmetries": [{"group": "turns", "level": "exact"}],
    "task_options": {"motion": MOTION},
}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "motion": (GOES_ON, DECLARED),
    "mute": (GOES_ON, {**DECLARED, "task_options": {}}),
    "astray": (GOES_ON, {**DECLARED, "task_options": {"motion": {**MOTION, "future": "fate"}}}),
    "classes": (GOES_ON, {**DECLARED, "task": "classify"}),
}
POSE = np.array([[0.0, 1.0, 0.0], [0.1, 0.5, 0.0], [0.0, 0.0, 0.1]], np.float32)
WAY = np.array([0.0, 0.0, 0.2], np.float32)
INPUTS = {"past": np.stack([np.stack([POSE, POSE + WAY])] * 2), "now": np.stack([POSE + 2 * WAY] * 2)}
EXPECTED = INPUTS["now"] + (INPUTS["now"] - INPUTS["past"].mean(axis=1))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def edges(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edges]:
    root = tmp_path_factory.mktemp("regressors")
    write_repository(root, MODELS)
    async with served_plane(root, tmp_path_factory.mktemp("cache")) as plane, both_edges(plane) as edges:
        yield edges


def tensors(arrays: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    return [
        {"name": name, "datatype": "FP32", "shape": list(array.shape), "data": array.ravel().tolist()}
        for name, array in arrays.items()
    ]


async def test_named_tensors_come_back_with_their_units_and_what_holds_of_them(edges: Edges):
    reply = await edges.http.post("/v2/models/motion/versions/1/regress", json={"inputs": tensors(INPUTS)})
    answer = reply.json()
    future = answer["outputs"]["future"]
    np.testing.assert_allclose(future["data"], EXPECTED, atol=1e-6)
    assert (future["units"], future["kind"], future["frame"], future["relative_to"]) == ("m", "point", "world", "now")
    assert (answer["model"], answer["version"], answer["runtime"]) == ("motion", "1", "onnx")
    assert answer["guarantee"] == "it moves with the input exactly under turns (declared)"
    assert future["error"] is None


async def test_the_truth_is_answered_with_the_error_in_the_units_of_the_output(edges: Edges):
    truth = {"future": EXPECTED + np.float32(0.5)}
    answer = await edges.client.regress("motion", INPUTS, truth)
    assert answer["outputs"]["future"]["error"] == pytest.approx(0.5, abs=1e-6)


async def test_raw_in_is_raw_out_and_the_same_numbers(edges: Edges):
    entries = [
        {"name": n, "datatype": "FP32", "shape": list(a.shape), "parameters": {"binary_data_size": a.nbytes}}
        for n, a in INPUTS.items()
    ]
    header = orjson.dumps({"inputs": entries})
    body = header + b"".join(array.tobytes() for array in INPUTS.values())
    headers = {"inference-header-content-length": str(len(header))}
    reply = await edges.http.post("/v2/models/motion/regress", content=body, headers=headers)
    assert reply.headers["content-type"] == "application/octet-stream"
    raw = reply.content[int(reply.headers["inference-header-content-length"]) :]
    np.testing.assert_allclose(np.frombuffer(raw, np.float32).reshape(EXPECTED.shape), EXPECTED, atol=1e-6)


async def test_both_edges_give_the_same_answer(edges: Edges):
    answer = await edges.client.regress("motion", INPUTS, {"future": EXPECTED})
    messages = [
        equivariance_pb2.Tensor(name=name, datatype="FP32", shape=array.shape, data=array.tobytes())
        for name, array in INPUTS.items()
    ]
    truth = equivariance_pb2.Tensor(name="future", datatype="FP32", shape=EXPECTED.shape, data=EXPECTED.tobytes())
    request = regressor_pb2.RegressRequest(model="motion", inputs=messages, truth=[truth], include_svg=True)
    told = await RegressorStub(edges.channel).Regress(request)
    (output,) = told.outputs
    array = np.frombuffer(output.tensor.data, np.float32).reshape(output.tensor.shape)
    np.testing.assert_array_equal(array, np.array(answer["outputs"]["future"]["data"], np.float32))
    assert (output.units, output.kind, output.error) == ("m", "point", answer["outputs"]["future"]["error"])
    assert (told.guarantee, told.svg[:4]) == (answer["guarantee"], "<svg")


async def test_a_motion_is_drawn_with_past_prediction_and_truth(edges: Edges):
    drawing = await edges.client.draw_motion("motion", INPUTS, {"future": EXPECTED}, row=1)
    root = ElementTree.fromstring(drawing)
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"past, darker is later", "prediction", "what came true", "from the side", "from the front"} <= set(words)
    assert any("0.3 s ahead" in word for word in words if word)
    assert any(word and word.endswith(" m") for word in words)  # the scale bar
    without = await edges.client.draw_motion("motion", INPUTS)
    assert "what came true" not in without


@pytest.mark.parametrize(
    ("model", "options", "error", "field"),
    [
        ("mute", {}, Unsupported, "accept"),
        ("astray", {}, Unsupported, "task_options.motion"),
        ("motion", {"row": 2}, InvalidRequest, "row"),
    ],
)
async def test_what_cannot_be_drawn_is_refused_with_the_place(
    edges: Edges, model: str, options: dict[str, Any], error: type, field: str
):
    with pytest.raises(error) as raised:
        await edges.client.draw_motion(model, INPUTS, **options)
    assert raised.value.field == field


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "inputs"),
        ({"inputs": tensors({"past": INPUTS["past"]})}, "inputs.now"),
        ({"inputs": tensors(INPUTS), "truth": tensors({"fate": EXPECTED})}, "truth.fate"),
        ({"inputs": tensors(INPUTS), "truth": tensors({"future": EXPECTED[:1]})}, "truth.future"),
        ({"inputs": tensors(INPUTS), "truth": [{"name": "future"}]}, "truth[0].datatype"),
        ({"inputs": tensors(INPUTS), "truth": [1]}, "truth"),
        ({"inputs": tensors(INPUTS), "rows": 1}, "rows"),
    ],
)
async def test_bad_requests_name_the_field(edges: Edges, body: dict[str, Any], field: str):
    reply = await edges.http.post("/v2/models/motion/regress", json=body)
    assert (reply.status_code, reply.json()["field"]) == (400, field)


async def test_a_classifier_is_no_regressor(edges: Edges):
    with pytest.raises(Unsupported, match="classify"):
        await edges.client.regress("classes", INPUTS)


async def test_a_drawing_of_numbers_that_are_not_finite_is_refused(edges: Edges):
    broken = {**INPUTS, "now": np.full_like(INPUTS["now"], np.nan)}
    with pytest.raises(InvalidRequest, match="finite"):
        await edges.client.draw_motion("motion", broken)
