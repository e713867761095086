"""Models come and go, and the server itself ends, without a request being lost."""

from __future__ import annotations

import asyncio
import time
import urllib.error
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import onnxruntime as ort
import pytest
import tritonclient.grpc.aio as triton_grpc
import tritonclient.http.aio as triton_http
from bench.models import add_model, row, tiny, vit
from bench.server import ServerProcess
from bench.traffic import Traffic
from tritonclient.utils import InferenceServerException


def truth(file: Path, question: np.ndarray) -> np.ndarray:
    logits: np.ndarray = ort.InferenceSession(str(file)).run(None, {"x": question})[0]
    return logits


def tensor(library: object, question: np.ndarray) -> object:
    made = library.InferInput("x", list(question.shape), "FP32")  # type: ignore[attr-defined]
    made.set_data_from_numpy(question)
    return made


async def more(answers: int, answered: Callable[[], int], loops: list[asyncio.Task[None]]) -> None:
    """Wait until so many more requests of the loops have been answered, or one of them has failed."""
    target = answered() + answers
    while True:
        await asyncio.sleep(0.005)
        if answered() >= target or any(loop.done() for loop in loops):
            return


@pytest.mark.parametrize("library", [triton_http, triton_grpc], ids=["REST", "gRPC"])
async def test_a_plain_onnx_file_dropped_into_the_folder_is_served_and_unloaded(
    server: ServerProcess, repository_on_disk: Path, question: np.ndarray, answer: np.ndarray, library: object
) -> None:
    name = f"newcomer-{'rest' if library is triton_http else 'grpc'}"
    address = server.http if library is triton_http else server.grpc
    async with Traffic(server, question, answer), library.InferenceServerClient(address) as client:  # type: ignore[attr-defined]
        assert not await client.is_model_ready(name)
        file = add_model(repository_on_disk, name, tiny(seed=5))
        await client.load_model(name)
        assert await client.is_model_ready(name)
        result = await client.infer(name, [tensor(library, question)])
        np.testing.assert_allclose(result.as_numpy("logits"), truth(file, question), rtol=1e-5, atol=1e-6)
        await client.unload_model(name)
        assert not await client.is_model_ready(name)
        with pytest.raises(InferenceServerException, match=name):
            await client.infer(name, [tensor(library, question)])


async def test_a_new_version_takes_over_under_traffic_and_no_request_is_lost(
    server: ServerProcess, repository_on_disk: Path, question: np.ndarray
) -> None:
    old = truth(add_model(repository_on_disk, "renewed", tiny(seed=1)), question)
    async with triton_http.InferenceServerClient(server.http) as client:
        await client.load_model("renewed")
        asked = [tensor(triton_http, question)]
        stopping, answers = False, []

        async def ask() -> None:
            while not stopping:
                result = await client.infer("renewed", asked)
                answers.append((result.get_response()["model_version"], result.as_numpy("logits")))

        loops = [asyncio.create_task(ask()) for _ in range(4)]
        new = truth(add_model(repository_on_disk, "renewed", tiny(seed=2), version=2), question)
        for _ in range(3):
            await client.load_model("renewed")
        await more(20, lambda: len(answers), loops)
        stopping = True
        await asyncio.gather(*loops)
    for version, logits in answers:
        np.testing.assert_allclose(logits, {"1": old, "2": new}[version], rtol=1e-5, atol=1e-6)
    assert answers[-1][0] == "2"


async def test_unloading_under_traffic_answers_what_was_taken_and_refuses_the_rest(
    server: ServerProcess, repository_on_disk: Path, question: np.ndarray
) -> None:
    expected = truth(add_model(repository_on_disk, "fleeting", tiny(seed=3)), question)
    async with (
        triton_http.InferenceServerClient(server.http) as rest,
        triton_grpc.InferenceServerClient(server.grpc) as rpc,
    ):
        await rest.load_model("fleeting")
        refused: set[str] = set()
        answered = 0
        stopping = False

        async def ask(client: object, library: object) -> None:
            nonlocal answered
            while not stopping:
                try:
                    result = await client.infer("fleeting", [tensor(library, question)])  # type: ignore[attr-defined]
                except InferenceServerException as error:
                    refused.add(str(error.status()))
                    await asyncio.sleep(0.002)
                else:
                    np.testing.assert_allclose(result.as_numpy("logits"), expected, rtol=1e-5, atol=1e-6)
                    answered += 1

        loops = [asyncio.create_task(ask(rest, triton_http)) for _ in range(3)]
        loops += [asyncio.create_task(ask(rpc, triton_grpc)) for _ in range(3)]
        for _ in range(3):
            await rest.unload_model("fleeting")
            await rest.load_model("fleeting")
            await more(10, lambda: answered, loops)
        stopping = True
        await asyncio.gather(*loops)
    assert refused <= {"404", "503", "StatusCode.NOT_FOUND", "StatusCode.UNAVAILABLE"}


async def test_a_broken_file_is_refused_and_the_old_model_stays(
    server: ServerProcess, repository_on_disk: Path, question: np.ndarray
) -> None:
    file = add_model(repository_on_disk, "spoiled", tiny(seed=4))
    expected = truth(file, question)
    async with triton_http.InferenceServerClient(server.http) as client:
        await client.load_model("spoiled")
        file.write_bytes(b"this is no ONNX file")
        with pytest.raises(InferenceServerException, match="spoiled"):
            await client.load_model("spoiled")
        result = await client.infer("spoiled", [tensor(triton_http, question)])
    np.testing.assert_allclose(result.as_numpy("logits"), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # aiohttp's opinion of its own caller
async def test_sigterm_turns_readiness_off_first_and_finishes_what_is_under_way(
    start: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    models = tmp_path / "models"
    file = add_model(models, "vit", vit())
    add_model(models, "tiny", tiny())
    server = start(models, EQUISERVE_DRAIN_S="60", EQUISERVE_GRACE_S="100")
    rows = np.repeat(row("vit"), 150, axis=0)
    expected = truth(file, rows[:1])
    async with (
        triton_http.InferenceServerClient(server.http, conn_timeout=120) as rest,
        triton_grpc.InferenceServerClient(server.grpc) as rpc,
    ):
        slow = [
            asyncio.create_task(rest.infer("vit", [tensor(triton_http, rows)])),
            asyncio.create_task(rpc.infer("vit", [tensor(triton_grpc, rows)])),
        ]
        async with httpx.AsyncClient(base_url=f"http://{server.http}", timeout=30) as client:
            while (await pending(client)) < 2:
                assert [task.exception() for task in slow if task.done()] == []
                await asyncio.sleep(0.01)
            server.terminate()
            until = time.monotonic() + 30
            while (ready := await client.get("/v2/health/ready")).status_code == 200:
                assert time.monotonic() < until
                await asyncio.sleep(0.01)
            assert (ready.status_code, ready.json()) == (503, {"ready": False})
            # Unready, but still serving: load balancers have not noticed yet.
            assert (await client.get("/v2/health/live")).status_code == 200
            assert not await rpc.is_server_ready()
            result = await rest.infer("tiny", [tensor(triton_http, row("tiny"))])
            assert result.as_numpy("logits").shape == (1, 10)
        # A second signal shortens the drain; what is under way is finished all the same.
        server.terminate()
        for answered in await asyncio.gather(*slow):
            logits = answered.as_numpy("logits")
            np.testing.assert_allclose(logits, np.repeat(expected, 150, axis=0), rtol=1e-3, atol=1e-4)
    assert await asyncio.to_thread(server.wait, 110) == 0
    with pytest.raises(urllib.error.URLError):
        server.get("/v2/health/live")


async def pending(client: httpx.AsyncClient) -> int:
    """Return the inference requests that the server has taken and not yet answered."""
    text = (await client.get("/metrics")).text
    value = next(line for line in text.splitlines() if line.startswith("equiserve_inflight_requests ")).split()[1]
    return int(float(value)) - 1
