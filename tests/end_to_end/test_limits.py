"""What a client cannot do to the server: fill its memory, hold its places, overrun its queue."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path

import grpc
import httpx
import numpy as np
import onnxruntime as ort
import pytest
import tritonclient.grpc.aio as triton_grpc
import tritonclient.http.aio as triton_http
from bench.cpu import tree_rss_bytes
from bench.models import add_model, row, vit
from bench.server import HOST, ServerProcess
from bench.traffic import Traffic
from tritonclient.utils import InferenceServerException

GIGABYTE = 1 << 30


def connect(server: ServerProcess) -> socket.socket:
    return socket.create_connection((HOST, server.http_port), timeout=30)


def head(server: ServerProcess, *headers: str) -> bytes:
    lines = ["POST /v2/models/tiny/infer HTTP/1.1", f"host: {server.http}", *headers, "", ""]
    return "\r\n".join(lines).encode()


def read_answer(connection: socket.socket) -> bytes:
    """Return all that comes until the server closes; a reset after the answer is its way of refusing the rest."""
    answer = b""
    try:
        while part := connection.recv(65536):
            answer += part
    except ConnectionResetError:
        pass
    return answer


def inflight(server: ServerProcess) -> float:
    """Return the requests under way beside the one that asks."""
    text = httpx.get(f"http://{server.http}/metrics").text
    return float(next(line for line in text.splitlines() if line.startswith("equiserve_inflight_requests ")).split()[1])


async def test_a_gigabyte_that_is_announced_is_refused_before_it_is_sent(
    server: ServerProcess, question: np.ndarray, answer: np.ndarray
) -> None:
    async with Traffic(server, question, answer):

        def ask() -> bytes:
            with connect(server) as connection:
                connection.sendall(head(server, f"content-length: {GIGABYTE}"))
                return read_answer(connection)

        refusal = await asyncio.to_thread(ask)
    assert refusal.startswith(b"HTTP/1.1 413 "), refusal[:200]
    assert json.loads(refusal.partition(b"\r\n\r\n")[2])["code"] == "body_too_large"


async def test_a_gigabyte_that_is_streamed_is_refused_long_before_its_end(
    server: ServerProcess, question: np.ndarray, answer: np.ndarray
) -> None:
    before = tree_rss_bytes(server.pid)
    async with Traffic(server, question, answer):

        def ask() -> tuple[int, bytes]:
            chunk = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
            sent = 0
            with connect(server) as connection:
                connection.sendall(head(server, "transfer-encoding: chunked"))
                try:
                    while sent < GIGABYTE:
                        connection.sendall(chunk)
                        sent += 1 << 20
                except (BrokenPipeError, ConnectionResetError):
                    pass
                return sent, read_answer(connection)

        sent, refusal = await asyncio.to_thread(ask)
    assert sent < GIGABYTE // 4
    # The answer may be lost when the server resets a connection that is still being written to.
    assert refusal == b"" or refusal.startswith(b"HTTP/1.1 413 "), refusal[:200]
    assert tree_rss_bytes(server.pid) - before < 200 << 20


async def test_grpc_refuses_a_message_over_the_limit(
    server: ServerProcess, question: np.ndarray, answer: np.ndarray
) -> None:
    options = [("grpc.max_send_message_length", -1)]
    async with Traffic(server, question, answer), grpc.aio.insecure_channel(server.grpc, options=options) as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(bytes(100 << 20), timeout=60)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_clients_that_go_away_leave_nothing_behind(
    server: ServerProcess, question: np.ndarray, answer: np.ndarray
) -> None:
    header = json.dumps({"inputs": [tensor_header(question)]}).encode()
    body = header + question.tobytes()
    whole = head(server, f"content-length: {len(body)}", f"inference-header-content-length: {len(header)}") + body

    def go_away() -> None:
        for part in (whole[:40], whole[:-2000], whole[:-1], whole):
            for _ in range(5):
                with connect(server) as connection:
                    connection.sendall(part)

    async def hang_up() -> None:
        tensor = triton_grpc.InferInput("x", [200, 1, 28, 28], "FP32")
        tensor.set_data_from_numpy(np.repeat(question, 200, axis=0))
        async with triton_grpc.InferenceServerClient(server.grpc) as client:
            for _ in range(5):
                call = asyncio.create_task(client.infer("tiny", [tensor]))
                await asyncio.sleep(0.002)
                call.cancel()

    before = inflight(server)
    async with Traffic(server, question, answer):
        await asyncio.gather(asyncio.to_thread(go_away), hang_up())
    until = time.monotonic() + 30
    while inflight(server) != before:
        assert time.monotonic() < until, f"{inflight(server)} requests under way, {before} before"
        await asyncio.sleep(0.05)


def tensor_header(array: np.ndarray) -> dict[str, object]:
    parameters = {"binary_data_size": array.nbytes}
    return {"name": "x", "shape": list(array.shape), "datatype": "FP32", "parameters": parameters}


async def test_a_full_queue_refuses_at_once_and_answers_what_it_took(
    start: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    file = add_model(tmp_path / "models", "vit", vit())
    question = row("vit")
    answer = ort.InferenceSession(str(file)).run(None, {"x": question})[0]
    server = start(tmp_path / "models", EQUISERVE_MAX_QUEUED_ROWS="2", EQUISERVE_DRAIN_S="0")
    taken = {"REST": 0, "gRPC": 0}
    refused: dict[str, list[str]] = {"REST": [], "gRPC": []}

    def enough() -> bool:
        return all(taken.values()) and all(refused.values())

    async with (
        triton_http.InferenceServerClient(server.http, conn_limit=16) as rest,
        triton_grpc.InferenceServerClient(server.grpc) as rpc,
    ):
        tensor = triton_http.InferInput("x", list(question.shape), "FP32")
        tensor.set_data_from_numpy(question)
        rpc_tensor = triton_grpc.InferInput("x", list(question.shape), "FP32")
        rpc_tensor.set_data_from_numpy(question)

        async def ask(protocol: str) -> None:
            until = time.monotonic() + 60
            while not enough() and time.monotonic() < until:
                try:
                    if protocol == "REST":
                        result = await rest.infer("vit", [tensor])
                    else:
                        result = await rpc.infer("vit", [rpc_tensor])
                except InferenceServerException as error:
                    refused[protocol].append(str(error.status()))
                    await asyncio.sleep(0.01)
                else:
                    np.testing.assert_allclose(result.as_numpy("logits"), answer, rtol=1e-3, atol=1e-4)
                    taken[protocol] += 1

        await asyncio.gather(*(ask(protocol) for protocol in ("REST", "gRPC") for _ in range(12)))
    assert enough(), (taken, refused)
    assert set(refused["REST"]) == {"429"}
    assert set(refused["gRPC"]) == {"StatusCode.RESOURCE_EXHAUSTED"}
    assert server.stop() == 0


async def test_a_full_queue_says_when_to_come_back(start: Callable[..., ServerProcess], tmp_path: Path) -> None:
    add_model(tmp_path / "models", "vit", vit())
    server = start(tmp_path / "models", EQUISERVE_MAX_QUEUED_ROWS="2", EQUISERVE_DRAIN_S="0")
    question = row("vit")
    header = json.dumps({"inputs": [tensor_header(question)]}).encode()
    async with httpx.AsyncClient(base_url=f"http://{server.http}", timeout=60) as client:

        async def ask() -> httpx.Response:
            return await client.post(
                "/v2/models/vit/infer",
                content=header + question.tobytes(),
                headers={"inference-header-content-length": str(len(header))},
            )

        refusals: list[httpx.Response] = []
        until = time.monotonic() + 60
        while not refusals and time.monotonic() < until:
            answers = await asyncio.gather(*(ask() for _ in range(24)))
            refusals = [answer for answer in answers if answer.status_code != 200]
    assert refusals
    for refusal in refusals:
        assert refusal.status_code == 429
        assert int(refusal.headers["retry-after"]) >= 1
        assert refusal.json()["code"] == "queue_full"
