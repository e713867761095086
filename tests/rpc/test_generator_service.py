"""`equiserve.v1.Generator` says the same as the task behind it, over a real server."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator

import grpc
import numpy as np
import orjson
import pytest
import pytest_asyncio
from google.protobuf.json_format import MessageToDict
from PIL import Image

from equiserve.dataplane import DataPlane
from equiserve.rpc.generated import generator_pb2
from equiserve.rpc.generated.generator_pb2_grpc import GeneratorStub
from equiserve.tasks.generate.encoding import sheet
from generator_planes import draw, generator_plane, write_generators
from planes import grpc_edge, until

Request = generator_pb2.GenerateRequest


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DataPlane]:
    root = write_generators(tmp_path_factory.mktemp("generators"))
    async with generator_plane(root) as plane:
        yield plane


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stub(plane: DataPlane) -> AsyncIterator[GeneratorStub]:
    async with grpc_edge(plane) as address, grpc.aio.insecure_channel(address) as channel:
        yield GeneratorStub(channel)


async def test_a_message_draws_what_the_task_draws(stub: GeneratorStub, plane: DataPlane) -> None:
    asked = {"seed": 2**64 - 2, "steps": 6, "n": 3, "angle": 40.0, "guidance": 2.0, "solver": "unipc"}
    expected = await draw(plane, label=1, **asked)
    raw = generator_pb2.PICTURE_FORMAT_RAW
    response = await stub.Generate(Request(model="steered", label_name="ring", format=raw, **asked))
    pictures = np.frombuffer(response.content, "<f4").reshape(tuple(response.shape))
    np.testing.assert_array_equal(pictures, expected.pictures)
    parameters = MessageToDict(response.parameters, preserving_proto_field_name=True)
    assert parameters | {"seed": int(parameters["seed"])} == expected.parameters.to_json()
    assert (response.calls, response.rows) == (6, 6)
    assert response.environment["batch_invariance"]


async def test_a_picture_is_a_png_that_says_how_it_was_drawn(stub: GeneratorStub, plane: DataPlane) -> None:
    response = await stub.Generate(Request(model="steered", label_index=0))
    assert response.media_type == "image/png"
    with Image.open(io.BytesIO(response.content)) as image:
        parameters = orjson.loads(str(image.text["parameters"]))
        pixels = np.asarray(image)
    expected = await draw(plane, label=0, seed=parameters["seed"])
    np.testing.assert_array_equal(pixels, sheet(expected.pictures)[0])
    again = await stub.Generate(Request(model="steered", label_index=0, seed=parameters["seed"]))
    assert (again.content, again.etag) == (response.content, response.etag)


async def test_a_stream_shows_the_picture_forming(stub: GeneratorStub) -> None:
    request = Request(model="steered", seed=1, steps=9)
    events = [
        event async for event in stub.GenerateStream(generator_pb2.GenerateStreamRequest(generate=request, previews=2))
    ]
    names = [event.WhichOneof("event") for event in events]
    assert (names[0], names[-1], names.count("preview")) == ("progress", "completed", 2)
    first = next(event.preview for event in events if event.HasField("preview"))
    assert first.step <= 3
    assert first.png.startswith(b"\x89PNG")
    assert events[-1].completed.content == (await stub.Generate(request)).content


@pytest.mark.parametrize("how", ["by id", "by the call"])
async def test_a_generation_is_cancelled(stub: GeneratorStub, plane: DataPlane, how: str) -> None:
    request = generator_pb2.GenerateStreamRequest(generate=Request(model="steered", steps=1000, n=2))
    call = stub.GenerateStream(request)
    first = await call.read()
    await until(lambda: plane.generations.rows == 2)
    if how == "by id":
        ended = await stub.CancelGeneration(generator_pb2.CancelGenerationRequest(id=first.progress.id))
        assert ended.cancelled == 1
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await _read_to_the_end(call)
        assert refused.value.code() == grpc.StatusCode.CANCELLED
    else:
        call.cancel()
    await until(lambda: plane.generations.rows == 0)


async def _read_to_the_end(call) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"steps": 0}, "invalid_steps", "steps"),
        ({"steps": 10_000}, "invalid_steps", "steps"),
        ({"solver": "euler"}, "invalid_solver", "solver"),
        ({"label_index": 9}, "invalid_label", "label"),
        ({"angle": float("nan")}, "invalid_angle", "angle"),
        ({"n": 10_000}, "invalid_n", "n"),
        ({"guidance": 3.0}, "invalid_guidance", "guidance"),
        ({"format": 77}, "invalid_request", "format"),
    ],
)
async def test_what_cannot_be_drawn_is_refused_by_name(stub: GeneratorStub, fields, code: str, field: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.Generate(Request(model="steered", **fields))
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    trailers = dict(refused.value.trailing_metadata())
    assert (trailers["equiserve-code"], trailers["equiserve-field"]) == (code, field)


async def test_a_deadline_that_cannot_be_met_is_refused_or_missed_in_time(stub: GeneratorStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as late:
        await asyncio.wait_for(stub.Generate(Request(model="steered", steps=1000, n=64), timeout=0.05), 10)
    assert late.value.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED)
