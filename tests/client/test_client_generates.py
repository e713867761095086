"""Both clients draw: arrays, files, events, errors."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import httpx
import numpy as np
import orjson
import pytest
import pytest_asyncio
from in_process import Ask
from PIL import Image

from equiserve.client import AsyncClient
from equiserve.dataplane import DataPlane
from equiserve.errors import InvalidRequest, NotFound
from equiserve.rest.app import build_app
from generator_planes import draw, generator_plane, write_generators


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DataPlane]:
    root = write_generators(tmp_path_factory.mktemp("generators"))
    async with generator_plane(root) as plane:
        yield plane


@pytest.fixture
def ask(asker, plane: DataPlane) -> Ask:
    return asker(httpx.ASGITransport(build_app(plane, lambda: b"")))


async def test_pictures_come_as_arrays_with_what_draws_them_again(ask: Ask, plane: DataPlane) -> None:
    drawn = await ask("generate", "steered", "ring", 33.5, n=2, guidance=1.5)
    expected = await draw(plane, label=1, angle=33.5, n=2, guidance=1.5, seed=drawn.parameters["seed"])
    np.testing.assert_array_equal(drawn.pictures, expected.pictures)
    assert drawn.parameters == expected.parameters.to_json()
    assert drawn.etag == (await ask("generate", "steered", **{k: drawn.parameters[k] for k in SENT})).etag


SENT = ("label", "angle", "seed", "guidance", "n")


async def test_a_file_is_a_png_with_its_parameters(ask: Ask) -> None:
    file = await ask("generate_file", "steered", 0, seed=3, preset="fast")
    with Image.open(io.BytesIO(file)) as image:
        assert orjson.loads(str(image.text["parameters"]))["solver"] == "ipndm"
    webp = await ask("generate_file", "steered", 0, seed=3, preset="fast", media_type="image/webp")
    assert webp[8:12] == b"WEBP"


async def test_errors_come_back_as_they_were_raised(ask: Ask) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await ask("generate", "steered", "square")
    assert (refused.value.code, refused.value.field) == ("invalid_label", "label")
    with pytest.raises(NotFound):
        await ask("cancel_generation", "nobody")


async def test_events_come_in_order_and_end_with_the_pictures(plane: DataPlane) -> None:
    transport = httpx.ASGITransport(build_app(plane, lambda: b""))
    async with AsyncClient(transport=transport) as client:
        events = [event async for event in client.generate_stream("steered", 2, 10, previews=2, seed=1, steps=6)]
        assert [event.name for event in events].count("preview") == 2
        assert events[-1].data["parameters"]["label"] == 2
        with pytest.raises(InvalidRequest):
            async for _ in client.generate_stream("steered", steps=0):
                pass


async def test_a_generator_is_checked(ask: Ask) -> None:
    report = await ask("check_generator", "steered", {"label": 0, "seed": 3, "n": 2}, "C4")
    assert report["verdict"]["status"] == "pass"
    assert report["bitwise_identical"] == {"identical": 3, "of": 3}
