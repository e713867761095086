"""Nothing that a client sends, or stops sending, costs the server more than its bounds."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import orjson
import pytest
import uvicorn
from asgi_call import DISCONNECT, Call, chunk
from starlette.types import Message

from equiserve.errors import DeadlineExceeded
from equiserve.rest.watch import Watch
from planes import until

HELD = "/v2/models/held/infer"
MIB = 1 << 20


def ask(value: float, **parameters: Any) -> bytes:
    tensor = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [value, value]}
    return orjson.dumps({"inputs": [tensor], "parameters": parameters})


def nothing_is_held(held: Any) -> bool:
    return held.admission.inflight_requests == 0 and held.admission.inflight_bytes == 0


async def test_an_announced_gigabyte_is_refused_before_a_byte_is_read(hold: Callable[..., Any]) -> None:
    held = hold(max_body_bytes=MIB)
    call = Call(held.app, HELD, [], {"content-length": str(1 << 30)})
    await until(lambda: len(call.answers) >= 2)
    assert (call.status, call.json()["code"], call.delivered) == (413, "body_too_large", 0)
    assert call.headers["connection"] == "close"
    call.hang_up()
    await call.finish()
    assert nothing_is_held(held)


async def test_a_gigabyte_in_chunks_is_refused_as_soon_as_it_is_too_much(hold: Callable[..., Any]) -> None:
    held = hold(max_body_bytes=4 * MIB)

    async def endless() -> AsyncIterator[Message]:
        for _ in range(1024):
            yield chunk(bytes(MIB), more=True)

    call = await Call(held.app, HELD, endless(), {"transfer-encoding": "chunked"}).finish()
    assert (call.status, call.headers["connection"]) == (413, "close")
    # What is over the limit is read and dropped for a moment only, so that the answer can arrive.
    assert call.delivered <= (4 + 1 + 8 + 1) * MIB
    assert nothing_is_held(held)


async def test_a_body_in_many_tiny_chunks_is_answered(hold: Callable[..., Any]) -> None:
    held = hold()
    held.runtime.gate.set()
    body = ask(3)
    parts = [chunk(body[index : index + 1], more=True) for index in range(len(body))]
    call = await Call(held.app, HELD, [*parts, chunk(b"")], {"transfer-encoding": "chunked"}).finish()
    assert call.json()["outputs"][0]["data"] == [6.0, 6.0]


async def test_bodies_of_all_requests_together_are_bounded(hold: Callable[..., Any]) -> None:
    held = hold(max_body_bytes=MIB, max_inflight_bytes=MIB)
    first = Call(held.app, HELD, [], {"content-length": str(MIB)})
    await asyncio.sleep(0)
    second = await Call(held.app, HELD, [chunk(ask(1))], {"content-length": str(len(ask(1)))}).finish()
    assert (second.status, second.json()["code"]) == (429, "too_many_bytes")
    assert int(second.headers["retry-after"]) >= 1
    first.hang_up()
    await first.finish()
    assert nothing_is_held(held)


async def test_a_small_body_that_inflates_beyond_the_limit_is_refused(hold: Callable[..., Any]) -> None:
    held = hold(max_body_bytes=MIB)
    bomb = gzip.compress(bytes(64 * MIB))
    assert len(bomb) < MIB
    call = await Call(held.app, HELD, [chunk(bomb)], {"content-encoding": "gzip"}).finish()
    assert (call.status, call.json()["code"]) == (413, "body_too_large")
    assert nothing_is_held(held)


async def test_a_client_that_leaves_while_it_uploads_gets_and_costs_nothing(
    hold: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    held = hold()
    with caplog.at_level(logging.INFO, "equiserve.rest"):
        call = await Call(held.app, HELD, [chunk(ask(1)[:10], more=True), DISCONNECT]).finish()
    assert call.answers == []
    assert [record.status for record in caplog.records] == [499]  # type: ignore[attr-defined]
    assert nothing_is_held(held)


async def test_rows_of_a_client_that_left_are_never_computed(
    hold: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    held = hold()
    first = Call(held.app, HELD, [chunk(ask(1))])
    await until(lambda: held.runtime.calls == 1)
    second = Call(held.app, HELD, [chunk(ask(2))])
    await until(lambda: held.model.pending_rows == 1)
    second.hang_up()
    with caplog.at_level(logging.INFO, "equiserve.rest"):
        await second.finish()
    held.runtime.gate.set()
    await first.finish()
    third = await Call(held.app, HELD, [chunk(ask(3))]).finish()
    assert (first.status, third.status, second.answers) == (200, 200, [])
    assert held.runtime.rows == [1.0, 3.0]
    assert [record.status for record in caplog.records] == [499]  # type: ignore[attr-defined]
    assert nothing_is_held(held)


async def test_a_full_queue_is_refused_with_a_time_to_retry(hold: Callable[..., Any]) -> None:
    held = hold(max_queued_rows=1)
    running = Call(held.app, HELD, [chunk(ask(1))])
    await until(lambda: held.runtime.calls == 1)
    waiting = Call(held.app, HELD, [chunk(ask(2))])
    await until(lambda: held.model.pending_rows == 1)
    refused = await Call(held.app, HELD, [chunk(ask(3))]).finish()
    assert (refused.status, refused.json()["code"]) == (429, "queue_full")
    assert int(refused.headers["retry-after"]) >= 1
    held.runtime.gate.set()
    assert [(await call.finish()).status for call in (running, waiting)] == [200, 200]


async def test_more_requests_than_may_be_under_way_are_refused(hold: Callable[..., Any]) -> None:
    held = hold(max_inflight_requests=1)
    first = Call(held.app, HELD, [chunk(ask(1))])
    await until(lambda: held.admission.inflight_requests == 1)
    second = await Call(held.app, HELD, [chunk(ask(2))]).finish()
    alive = await Call(held.app, "/v2/health/live", [chunk(b"")], method="GET").finish()
    assert (second.status, second.json()["code"], alive.status) == (429, "too_many_requests", 200)
    held.runtime.gate.set()
    await first.finish()


@pytest.mark.parametrize("milliseconds", ["0", "-5", "-inf"])
async def test_a_deadline_in_the_past_is_answered_504(hold: Callable[..., Any], milliseconds: str) -> None:
    call = await Call(hold().app, HELD, [chunk(ask(1))], {"x-request-timeout-ms": milliseconds}).finish()
    assert (call.status, call.json()["code"]) == (504, "deadline_exceeded")
    assert call.headers["x-request-id"]


@pytest.mark.parametrize("milliseconds", ["soon", "nan", ""])
async def test_a_deadline_that_is_no_number_is_refused(hold: Callable[..., Any], milliseconds: str) -> None:
    call = await Call(hold().app, HELD, [chunk(ask(1))], {"x-request-timeout-ms": milliseconds}).finish()
    assert (call.status, call.json()["field"]) == (400, "x-request-timeout-ms")


async def test_a_deadline_that_passes_is_answered_504(hold: Callable[..., Any]) -> None:
    call = await Call(hold().app, HELD, [chunk(ask(1))], {"x-request-timeout-ms": "80"}).finish()
    assert (call.status, call.json()["code"]) == (504, "deadline_exceeded")


async def test_a_request_that_takes_long_is_answered_all_the_same(hold: Callable[..., Any]) -> None:
    held = hold()
    call = Call(held.app, HELD, [chunk(ask(1))])
    # Longer than the patience after which the watch over the client begins.
    await asyncio.sleep(0.15)
    held.runtime.gate.set()
    await call.finish()
    assert (call.status, call.json()["outputs"][0]["data"]) == (200, [2.0, 2.0])


async def test_an_upload_that_stalls_is_given_up() -> None:
    async def never() -> Message:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    async def upload() -> Watch:
        watch = Watch(never, patience_s=0.0, upload_s=0.01)
        try:
            await never()
        except asyncio.CancelledError:
            watch.acknowledge()
        return watch

    watch = await asyncio.wait_for(asyncio.ensure_future(upload()), 10)
    assert isinstance(watch.verdict, DeadlineExceeded)


async def test_a_fault_of_the_server_tells_nothing_of_its_inside(
    hold: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    held = hold()

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("the secret")

    monkeypatch.setattr(held.model, "infer", broken)
    monkeypatch.setattr("equiserve.dataplane.group_catalogue", broken)
    tensors = await Call(held.app, HELD, [chunk(ask(1))], {"x-request-id": "abc"}).finish()
    behind = await Call(held.app, "/v2/symmetry/groups", [chunk(b"")], {"x-request-id": "abc"}, "GET").finish()
    for call in (tensors, behind):
        assert (call.status, call.json()["code"]) == (500, "internal")
        assert b"secret" not in call.body
        assert b"abc" in call.body
    causes = [record for record in caplog.records if record.exc_info]
    assert [record.request_id for record in causes] == ["abc", "abc"]  # type: ignore[attr-defined]


async def test_over_a_real_socket_a_refused_upload_gets_its_answer_and_the_connection_closes(
    hold: Callable[..., Any],
) -> None:
    held = hold(max_body_bytes=MIB)
    held.runtime.gate.set()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(held.app, http="httptools", lifespan="off", log_config=None, access_log=False)
    )
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    await until(lambda: server.started)
    try:
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(f"POST {HELD} HTTP/1.1\r\nHost: x\r\nContent-Length: {1 << 30}\r\n\r\n".encode())
        writer.write(bytes(MIB))
        answer = await asyncio.wait_for(reader.read(), 20)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b'"body_too_large"' in answer
        writer.close()

        reader, writer = await asyncio.open_connection(*listener.getsockname())
        # The body of a refusal is dropped where it is small, and the connection lives on.
        for headers, status in (("x-request-timeout-ms: 0\r\n", b"504"), ("", b"200")):
            body = ask(1)
            writer.write(f"POST {HELD} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode())
            writer.write(body)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
            assert head.split()[1] == status
            length = next(
                int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line[:14] == b"content-length"
            )
            await reader.readexactly(length)
        writer.close()

        held.runtime.gate.clear()
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(f"POST {HELD} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(ask(1))}\r\n\r\n".encode() + ask(1))
        await until(lambda: held.admission.inflight_requests == 1)
        writer.close()
        await until(lambda: nothing_is_held(held))
    finally:
        held.runtime.gate.set()
        server.should_exit = True
        await serving
        listener.close()
    assert np.isfinite(held.runtime.rows).all()
