"""`generate` and `generate_stream`: what comes back, in which form, and what is refused."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import orjson
import pytest
import pytest_asyncio
from asgi_call import Call, chunk, client_of
from PIL import Image
from starlette.types import ASGIApp

from equiserve.dataplane import DataPlane
from equiserve.rest.app import build_app
from equiserve.tasks.generate.encoding import sheet
from generator_models import SIZE, mean_picture
from generator_planes import draw, generator_plane, write_generators
from planes import until

DRAW = "/v2/models/steered/generate"
STREAM = "/v2/models/steered/generate_stream"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DataPlane]:
    root = write_generators(tmp_path_factory.mktemp("generators"))
    async with generator_plane(root, max_pictures=32) as plane:
        yield plane


@pytest.fixture(scope="module")
def app(plane: DataPlane) -> ASGIApp:
    return build_app(plane, lambda: b"")


@pytest_asyncio.fixture(loop_scope="session")
async def client(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


def pixels_of(body: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(body)) as image:
        return np.asarray(image)


def events_of(body: bytes) -> list[tuple[str, dict[str, Any]]]:
    events = []
    for block in body.decode().strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n"))
        events.append((lines["event"], orjson.loads(lines["data"])))
    return events


WAYS: dict[str, dict[str, Any]] = {
    "json": {"json": {"label": 1, "angle": 30.5, "seed": 7, "steps": 5}},
    "json with parameters, as Triton's": {
        "json": {"id": "x", "label": 1, "parameters": {"angle": 30.5, "seed": 7, "steps": 5}}
    },
    "query": {"params": {"label": "1", "angle": "30.5", "seed": "7", "steps": "5"}},
    "form": {"data": {"label": "ring", "angle": "30.5", "seed": "7", "steps": "5"}},
    "json as curl sends it": {
        "content": b'{"label": "ring", "angle": 30.5, "seed": 7, "steps": 5}',
        "headers": {"content-type": "application/x-www-form-urlencoded"},
    },
}


@pytest.mark.parametrize("way", WAYS)
async def test_the_same_options_give_the_same_picture_whichever_way_they_come(client, plane, way: str) -> None:
    response = await client.post(DRAW, **WAYS[way])
    assert response.status_code == 200, response.text
    reply = response.json()
    assert (reply["model_name"], reply["model_version"]) == ("steered", "1")
    assert reply["parameters"]["label"] == 1
    expected = await draw(plane, label=1, angle=30.5, seed=7, steps=5)
    png = base64.b64decode(reply["pictures"][0]["png"])
    np.testing.assert_array_equal(pixels_of(png), sheet(expected.pictures)[0])


@pytest.mark.parametrize("media_type", ["image/png", "image/webp", "application/x-npz", "application/octet-stream"])
@pytest.mark.parametrize("n", [1, 3])
async def test_every_form_holds_the_same_pictures(client, plane, media_type: str, n: int) -> None:
    asked = {"label": "bar", "seed": 9, "steps": 4, "n": n}
    response = await client.post(DRAW, json=asked, headers={"accept": media_type})
    assert (response.status_code, response.headers["content-type"]) == (200, media_type)
    expected = await draw(plane, **asked)
    if media_type == "application/x-npz":
        with np.load(io.BytesIO(response.content)) as content:
            np.testing.assert_array_equal(content["pictures"], expected.pictures)
            assert orjson.loads(content["parameters"].tobytes()) == expected.parameters.to_json()
    elif media_type == "application/octet-stream":
        shape = [int(size) for size in response.headers["x-tensor-shape"].split(",")]
        np.testing.assert_array_equal(np.frombuffer(response.content, "<f4").reshape(shape), expected.pictures)
    else:
        decoded = pixels_of(response.content)
        np.testing.assert_array_equal(decoded if decoded.ndim == 2 else decoded[..., 0], sheet(expected.pictures)[0])


async def test_a_png_carries_the_parameters_that_draw_it_again(client) -> None:
    first = await client.post(DRAW, json={"label": 0, "angle": 12.5}, headers={"accept": "image/png"})
    assert first.headers["etag"].startswith('"')
    with Image.open(io.BytesIO(first.content)) as image:
        parameters = orjson.loads(str(image.text["parameters"]))
    assert str(parameters["seed"]) == first.headers["x-equiserve-seed"]
    asked = {name: parameters[name] for name in ("label", "angle", "mode", "seed", "steps", "solver", "guidance", "n")}
    again = await client.post(DRAW, json=asked, headers={"accept": "image/png"})
    assert again.content == first.content
    assert again.headers["etag"] == first.headers["etag"]


async def test_who_has_the_picture_is_told_so_without_drawing_it(client, plane) -> None:
    asked = {"json": {"label": 0, "seed": 4}, "headers": {"accept": "image/png"}}
    tag = (await client.post(DRAW, **asked)).headers["etag"]
    counted = (await plane.repository.get("steered")).statistics
    before = counted.executions
    known = {"accept": "image/png", "if-none-match": f'"other", {tag}'}
    response = await client.post(DRAW, json=asked["json"], headers=known)
    assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", tag)
    assert counted.executions == before
    for change in ({"seed": 5}, {"angle": 1}, {"steps": 3}, {"guidance": 2}):
        assert (await client.post(DRAW, json=asked["json"] | change, headers=known)).status_code == 200
    assert (await client.post(DRAW, json=asked["json"], headers=known | {"accept": "image/webp"})).status_code == 200


async def test_a_stream_shows_the_picture_forming(client, plane) -> None:
    asked = {"label": 2, "seed": 3, "steps": 10, "angle": -20, "n": 2}
    response = await client.post(STREAM, json=asked)
    assert response.headers["content-type"].startswith("text/event-stream")
    events = events_of(response.content)
    names = [name for name, _ in events]
    assert names[0] == "progress"
    assert names[-1] == "completed"
    assert events[0][1] | {"eta_ms": 0} == {
        "id": response.headers["x-request-id"],
        "step": 0,
        "of": 10,
        "sigma": 40.0,
        "eta_ms": 0,
    }
    previews = [content for name, content in events if name == "preview"]
    assert len(previews) == 4
    assert previews[0]["step"] <= 3
    assert pixels_of(base64.b64decode(previews[0]["png"])).shape == (SIZE, 2 * SIZE + 2)
    plain = (await client.post(DRAW, json=asked)).json()
    assert events[-1][1]["pictures"] == plain["pictures"]
    assert events[-1][1]["parameters"] == plain["parameters"]


async def test_a_stream_of_many_pictures_is_encoded_off_the_loop_and_says_the_same(client) -> None:
    asked = {"seed": 3, "steps": 4, "n": 24}
    many = events_of((await client.post(STREAM, json=asked | {"previews": 1})).content)
    assert [name for name, _ in many if name != "progress"] == ["preview", "completed"]
    size = 5 * SIZE + 4 * 2
    assert pixels_of(base64.b64decode(dict(many)["preview"]["png"])).shape == (size, size)
    assert many[-1][1]["pictures"] == (await client.post(DRAW, json=asked)).json()["pictures"]


async def test_a_positive_angle_turns_counter_clockwise_as_seen(client) -> None:
    response = await client.post(
        DRAW, json={"label": 0, "angle": 90, "n": 16, "seed": 0}, headers={"accept": "application/octet-stream"}
    )
    mean = np.frombuffer(response.content, "<f4").reshape(16, SIZE, SIZE).mean(axis=0)
    # The blob that angle 0 draws on the right is on top.
    assert mean[: SIZE // 2].mean() > mean[SIZE // 2 :].mean() + 0.05
    np.testing.assert_allclose(mean_picture(0, 90)[0], np.rot90(mean_picture(0, 0)[0]), atol=1e-6)


@pytest.mark.parametrize("path", [DRAW, STREAM])
@pytest.mark.parametrize(
    ("sent", "status", "field"),
    [
        ({"json": {"steps": 0}}, 400, "steps"),
        ({"json": {"steps": 10_000}}, 400, "steps"),
        ({"params": {"steps": "many"}}, 400, "steps"),
        ({"json": {"solver": "euler"}}, 400, "solver"),
        ({"json": {"label": 10}}, 400, "label"),
        ({"json": {"label": [1]}}, 400, "label"),
        ({"params": {"angle": "nan"}}, 400, "angle"),
        ({"params": {"angle": "north"}}, 400, "angle"),
        ({"json": {"angle": True}}, 400, "angle"),
        ({"content": b'{"angle": NaN}'}, 400, "body"),
        ({"json": {"n": 33}}, 400, "n"),
        ({"params": {"guidance": "2"}}, 400, "guidance"),
        ({"content": b'{"seed": 18446744073709551616}'}, 400, "seed"),
        ({"params": {"seed": "18446744073709551616"}}, 400, "seed"),
        ({"params": {"seed": "-1"}}, 400, "seed"),
        ({"json": {"stepps": 3}}, 400, "stepps"),
        ({"json": {"seed": 3}, "params": {"seed": 4}}, 400, "seed"),
        ({"json": {"parameters": 3}}, 400, "parameters"),
        ({"json": [1]}, 400, "body"),
        ({"json": {"runtime": "tensorrt"}}, 404, "runtime"),
    ],
)
async def test_what_cannot_be_drawn_is_an_error_by_name(client, path: str, sent, status: int, field: str) -> None:
    response = await client.post(path, **sent)
    assert (response.status_code, response.json()["field"]) == (status, field), response.text


async def test_the_largest_seed_travels_whole(client) -> None:
    for sent in ({"params": {"seed": str(2**64 - 1)}}, {"json": {"seed": 2**64 - 1}}):
        response = await client.post(DRAW, **sent)
        assert response.json()["parameters"]["seed"] == 2**64 - 1, response.text


async def test_a_model_of_another_task_draws_nothing(plane, client) -> None:
    response = await client.post("/v2/models/nothing/generate", json={})
    assert response.status_code == 404
    assert (await client.post("/v2/models/plain/generate", json={"guidance": 2})).json()["field"] == "guidance"


async def test_a_generation_is_cancelled_by_its_id(plane, app, client) -> None:
    call = Call(app, STREAM, [chunk(b'{"steps": 1000}')], {"x-request-id": "abc"})
    await until(lambda: len(call.answers) > 3)
    response = await client.delete("/v2/generations/abc")
    assert response.json() == {"id": "abc", "cancelled": 1}
    await call.finish()
    assert events_of(call.body)[-1][0] == "error"
    assert events_of(call.body)[-1][1]["code"] == "cancelled"
    assert (await client.delete("/v2/generations/abc")).status_code == 404
    assert plane.generations.rows == 0


@pytest.mark.parametrize("path", [DRAW, STREAM])
async def test_who_hangs_up_frees_the_rows(plane, app, path: str) -> None:
    call = Call(app, path, [chunk(b'{"steps": 1000, "n": 2}')])
    await until(lambda: plane.generations.rows == 2)
    await asyncio.sleep(0.06)  # past the time for which a quick request goes unwatched
    call.hang_up()
    await until(lambda: plane.generations.rows == 0)
    await call.finish()


async def test_the_api_s_description_has_the_routes(client) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    for path in ("/v2/models/{model}/generate", "/v2/models/{model}/versions/{version}/generate_stream"):
        operation = paths[path]["post"]
        assert {"label", "angle", "seed", "steps"} <= {one["name"] for one in operation["parameters"]}
    assert "image/png" in paths["/v2/models/{model}/generate"]["post"]["responses"]["200"]["content"]
    assert "delete" in paths["/v2/generations/{id}"]
