"""Whatever a client sends, it gets the documented status and a sentence, and its neighbours notice nothing."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
import pytest_asyncio
from bench.server import ServerProcess
from bench.traffic import Traffic
from PIL import Image
from tritonclient.grpc import service_pb2

CLASSIFIER = "fashion-mnist-vit"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def traffic(server: ServerProcess, question: np.ndarray, answer: np.ndarray) -> AsyncIterator[Traffic]:
    """Good requests over both protocols during the whole module; its end fails if any of them was harmed."""
    async with Traffic(server, question, answer) as running:
        yield running


# ---------------------------------------------------------------- REST


@dataclass
class Bad:
    """A request that must be refused, and how."""

    name: str
    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    path: str = "/v2/models/tiny/infer"
    says: str = ""


ROW = np.zeros((1, 1, 28, 28), np.float32)


def tensor(**changes: Any) -> dict[str, Any]:
    return {"name": "x", "shape": [1, 1, 28, 28], "datatype": "FP32", "data": [0.0] * 784} | changes


def as_json(*tensors: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"inputs": list(tensors), **more}).encode()


def binary_body(size: int = 3136, shape: tuple[int, ...] = (1, 1, 28, 28)) -> tuple[bytes, dict[str, str]]:
    """Return a v2 binary request whose header says that the tensor has `size` bytes, and its headers."""
    declared = {"name": "x", "shape": list(shape), "datatype": "FP32", "parameters": {"binary_data_size": size}}
    header = json.dumps({"inputs": [declared]}).encode()
    return header + ROW.tobytes(), {"inference-header-content-length": str(len(header))}


def lying(length: str) -> dict[str, str]:
    return {"inference-header-content-length": length}


GOOD_BINARY, GOOD_HEADERS = binary_body()
RAGGED = [[[[0.0] * 28] * 27 + [[0.0] * 27]]]
NAN = as_json(tensor()).replace(b"[0.0, 0.0", b"[NaN, 0.0", 1)
INFINITE = as_json(tensor()).replace(b"[0.0, 0.0", b"[Infinity, 0.0", 1)

REST_MATRIX = [
    Bad("not json", 400, b"{inputs:"),
    Bad("empty body", 400, b""),
    Bad("json that is no object", 400, b"[1, 2]"),
    Bad("no inputs", 400, b"{}", says="inputs"),
    Bad("inputs that are no list", 400, b'{"inputs": {"x": 1}}', says="inputs"),
    Bad("deep nesting", 400, b'{"inputs": ' + b"[" * 100_000),
    Bad("wrong name", 400, as_json(tensor(name="y")), says="'x'"),
    Bad("extra input", 400, as_json(tensor(), tensor(name="y")), says="'y'"),
    Bad("same input twice", 400, as_json(tensor(), tensor()), says="x"),
    Bad("unknown output", 400, as_json(tensor(), outputs=[{"name": "nothing"}]), says="nothing"),
    Bad("unknown datatype", 400, as_json(tensor(datatype="FP33")), says="FP33"),
    Bad("wrong datatype", 400, as_json(tensor(datatype="INT64", data=[0] * 784)), says="FP32"),
    Bad("wrong shape", 400, as_json(tensor(shape=[1, 1, 28, 29], data=[0.0] * 812)), says="[1, 1, 28, 29]"),
    Bad("wrong rank", 400, as_json(tensor(shape=[784])), says="784"),
    Bad("no rows", 400, as_json(tensor(shape=[0, 1, 28, 28], data=[]))),
    Bad("negative size", 400, as_json(tensor(shape=[-1, 1, 28, 28]))),
    Bad("enormous shape", 400, as_json(tensor(shape=[2**62, 2**62, 2, 2]))),
    Bad("too few numbers", 400, as_json(tensor(data=[0.0] * 783)), says="783"),
    Bad("too many numbers", 400, as_json(tensor(data=[0.0] * 785)), says="785"),
    Bad("ragged lists", 400, as_json(tensor(data=RAGGED)), says="inputs[0].data"),
    Bad("text among numbers", 400, as_json(tensor(data=["zero"] * 784)), says="data"),
    Bad("null among numbers", 400, as_json(tensor(data=[None] * 784)), says="data"),
    Bad("NaN literal", 400, NAN),
    Bad("Infinity literal", 400, INFINITE),
    Bad("neither data nor binary size", 400, as_json({"name": "x", "shape": [1, 1, 28, 28], "datatype": "FP32"})),
    Bad("truncated binary", 400, GOOD_BINARY[:-1], GOOD_HEADERS),
    Bad("binary with a byte too many", 400, GOOD_BINARY + b"\0", GOOD_HEADERS),
    Bad("binary size that is not the shape's", 400, *binary_body(size=3132)),
    Bad("negative binary size", 400, *binary_body(size=-4)),
    Bad("enormous binary size", 400, *binary_body(size=2**63)),
    Bad("header length beyond the body", 400, GOOD_BINARY, lying("999999")),
    Bad("header length inside the header", 400, GOOD_BINARY, lying("10")),
    Bad("header length inside the data", 400, GOOD_BINARY, lying("3000")),
    Bad("negative header length", 400, GOOD_BINARY, lying("-1")),
    Bad("header length in words", 400, GOOD_BINARY, lying("many")),
    Bad("header length nan", 400, GOOD_BINARY, lying("nan")),
    Bad("not the compression it says", 400, as_json(tensor()), {"content-encoding": "gzip"}),
    Bad("negative priority", 400, as_json(tensor(), parameters={"priority": -1}), says="priority"),
    Bad("timeout in words", 400, as_json(tensor(), parameters={"timeout": "soon"}), says="timeout"),
    Bad("unknown model", 404, as_json(tensor()), path="/v2/models/no_such_model/infer", says="no_such_model"),
    Bad("unknown version", 404, as_json(tensor()), path="/v2/models/tiny/versions/9/infer", says="9"),
    Bad("version in words", 404, as_json(tensor()), path="/v2/models/tiny/versions/newest/infer", says="newest"),
    Bad("path that leaves the folder", 404, as_json(tensor()), path="/v2/models/..%2f..%2fetc/infer"),
    Bad("unknown route", 404, b"{}", path="/v2/models/tiny/guess"),
    Bad("deadline in the past", 504, as_json(tensor()), {"x-request-timeout-ms": "0"}),
    Bad("deadline in words", 400, as_json(tensor()), {"x-request-timeout-ms": "soon"}, says="x-request-timeout-ms"),
]


def assert_refused(response: httpx.Response, status: int, says: str) -> None:
    assert response.status_code == status, response.text[:500]
    body = response.json()
    assert set(body) == {"error", "code", "field"}
    assert body["error"]
    assert body["code"]
    assert says in body["error"] + str(body["field"])
    assert response.headers["x-request-id"] == "bad"


@pytest.mark.parametrize("bad", REST_MATRIX, ids=[bad.name for bad in REST_MATRIX])
async def test_rest_refuses(server: ServerProcess, traffic: Traffic, bad: Bad) -> None:
    async with httpx.AsyncClient(base_url=f"http://{server.http}") as client:
        response = await client.post(bad.path, content=bad.body, headers={"x-request-id": "bad", **bad.headers})
    assert_refused(response, bad.status, bad.says)
    await traffic.more(1)


async def test_rest_refuses_a_gzip_body_that_inflates_beyond_the_limit(server: ServerProcess, traffic: Traffic) -> None:
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(compressor.compress(bytes(1 << 20)) for _ in range(200)) + compressor.flush()
    async with httpx.AsyncClient(base_url=f"http://{server.http}", timeout=30) as client:
        response = await client.post(
            "/v2/models/tiny/infer", content=bomb, headers={"x-request-id": "bad", "content-encoding": "gzip"}
        )
    assert_refused(response, 413, "")
    await traffic.more(1)


# ---------------------------------------------------------------- pictures


def png_claiming(width: int, height: int) -> bytes:
    """Return a PNG whose header promises a huge picture: a decompression bomb of a few hundred kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    compressor = zlib.compressobj(9)
    rows = b"".join(compressor.compress(bytes(width + 1)) for _ in range(min(height, 2000))) + compressor.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def broken_png() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.arange(784, dtype=np.uint8).reshape(28, 28)).save(stream, "PNG")
    return stream.getvalue()[:-200]


PICTURES = {
    "text called .png": (b"this is no picture, whatever its name says\n" * 20, 400, "not_a_picture"),
    "nothing called .png": (b"", 400, ""),
    "half a picture": (broken_png(), 400, ""),
    "decompression bomb": (png_claiming(40_000, 40_000), 413, "picture_too_large"),
}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("way", ["upload", "body"])
async def test_classify_refuses(server: ServerProcess, zoo: object, traffic: Traffic, name: str, way: str) -> None:
    content, status, code = PICTURES[name]
    asked: dict[str, Any] = (
        {"files": {"file": ("boot.png", content, "image/png")}}
        if way == "upload"
        else {"content": content, "headers": {"content-type": "image/png"}}
    )
    async with httpx.AsyncClient(base_url=f"http://{server.http}", timeout=30) as client:
        response = await client.post(f"/v2/models/{CLASSIFIER}/classify", **asked)
    assert response.status_code == status, response.text[:500]
    assert code in response.json()["code"]
    await traffic.more(1)


# ---------------------------------------------------------------- gRPC


def message(model: str = "tiny", version: str = "", raw: bytes | None = ROW.tobytes(), **changes: Any) -> Any:
    request = service_pb2.ModelInferRequest(model_name=model, model_version=version)
    request.inputs.add(**({"name": "x", "datatype": "FP32", "shape": [1, 1, 28, 28]} | changes))
    if raw is not None:
        request.raw_input_contents.append(raw)
    return request


def mixed() -> Any:
    request = message()
    request.inputs[0].contents.fp32_contents.extend([0.0] * 784)
    return request


def asking_for(output: str) -> Any:
    request = message()
    request.outputs.add(name=output)
    return request


INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
RPC_MATRIX: dict[str, tuple[Any, grpc.StatusCode, str]] = {
    "wrong name": (message(name="y"), INVALID, "'x'"),
    "wrong datatype": (message(datatype="INT32"), INVALID, "FP32"),
    "unknown datatype": (message(datatype="FP33"), INVALID, "FP33"),
    "wrong shape": (message(raw=bytes(4 * 812), shape=[1, 1, 28, 29]), INVALID, "[1, 1, 28, 29]"),
    "wrong rank": (message(shape=[784]), INVALID, "784"),
    "negative size": (message(shape=[-1, 1, 28, 28]), INVALID, ""),
    "enormous shape": (message(shape=[2**62, 2**62, 2, 2]), INVALID, ""),
    "truncated raw contents": (message(raw=ROW.tobytes()[:-1]), INVALID, ""),
    "too many raw contents": (message(raw=ROW.tobytes() + b"\0"), INVALID, ""),
    "no contents": (message(raw=None), INVALID, ""),
    "raw and typed contents": (mixed(), INVALID, ""),
    "unknown output": (asking_for("nothing"), INVALID, "nothing"),
    "unknown model": (message(model="no_such_model"), NOT_FOUND, "no_such_model"),
    "unknown version": (message(version="9"), NOT_FOUND, "9"),
}


@pytest.mark.parametrize("name", RPC_MATRIX)
async def test_grpc_refuses(server: ServerProcess, traffic: Traffic, name: str) -> None:
    request, status, says = RPC_MATRIX[name]
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await infer_call(channel)(request.SerializeToString(), timeout=20)
    assert refused.value.code() is status, refused.value
    assert says in (refused.value.details() or "")
    await traffic.more(1)


async def test_grpc_refuses_bytes_that_are_no_message(server: ServerProcess, traffic: Traffic) -> None:
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await infer_call(channel)(b"\xff" * 100, timeout=20)
    assert refused.value.code() is INVALID
    await traffic.more(1)


async def test_grpc_says_that_a_deadline_in_the_past_has_passed(server: ServerProcess, traffic: Traffic) -> None:
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await infer_call(channel)(
                message().SerializeToString(), timeout=20, metadata=[("x-request-timeout-ms", "0")]
            )
    assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await traffic.more(1)


def infer_call(channel: grpc.aio.Channel) -> Any:
    return channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
