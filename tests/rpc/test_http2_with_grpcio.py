"""gRPC's own clients, sync and aio, against our HTTP/2 over real sockets, on both event loops that it may run on."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import grpc
import pytest
import uvloop
from http2_peer import LIMITS, Service, offload

from equiserve.rpc.http2.server import Http2Server

BIG = replace(LIMITS, max_message_bytes=64 << 20, max_held_bytes=256 << 20, max_calls=1000)
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Running:
    """A server in a thread of its own."""

    def __init__(self, new_event_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self._loop_factory = new_event_loop
        self._started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._started.result(20)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=self._loop_factory) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self.service = Service()
        self.server = Http2Server(BIG, offload)
        self.server.add_generic_rpc_handlers([self.service.handler()])
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        await self.server.start()
        self.loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        self._started.set_result(None)
        await self._ended.wait()

    def stop(self, grace_s: float | None) -> Future[None]:
        """Begin to stop the server."""
        return asyncio.run_coroutine_threadsafe(self.server.stop(grace_s), self.loop)

    def end(self) -> None:
        """Stop the server; nothing of any call may be left."""
        self.stop(None).result(20)
        self.loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(20)
        assert (self.server.calls, self.server.held_bytes) == (0, 0)


def until(condition: Callable[[], bool]) -> None:
    """Wait until the server's thread has come so far."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    running = Running(request.param)
    yield running
    running.end()


@pytest.fixture
def channel(running: Running) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(running.address, UNLIMITED) as channel:
        yield channel


def test_a_message_of_40_megabytes_goes_both_ways(channel: grpc.Channel) -> None:
    big = bytes(range(256)) * (160 << 10)
    assert channel.unary_unary("/test.Echo/Unary")(big, timeout=60) == big


def test_many_calls_over_many_channels_get_their_own_answers(running: Running) -> None:
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.insecure_channel(running.address, options) for _ in range(20)]
    asked = [f"{number} {'x' * (number * 37 % 9000)}".encode() for number in range(1000)]
    under_way = [
        channels[number % 20].unary_unary(f"/test.Echo/{('Unary', 'Task')[number % 2]}").future(raw, timeout=60)
        for number, raw in enumerate(asked)
    ]
    assert [call.result() for call in under_way] == asked
    for channel in channels:
        channel.close()


def test_a_stream_of_answers_is_made_as_it_is_read(running: Running, channel: grpc.Channel) -> None:
    answers = channel.unary_stream("/test.Echo/Count")(b"20000", timeout=60)
    first = next(answers)
    ahead = running.service.written
    assert ahead < 20_000
    assert sum(map(len, answers)) + len(first) == 20_000_000


def test_a_stream_both_ways_answers_each_message_in_turn(channel: grpc.Channel) -> None:
    asked = [bytes([number]) * (number * 1000) for number in range(100)]
    assert list(channel.stream_stream("/test.Echo/Chat")(iter(asked), timeout=60)) == asked


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
@pytest.mark.parametrize("method", ["Unary", "Task"])
def test_compressed_requests_are_understood(channel: grpc.Channel, compression: grpc.Compression, method: str) -> None:
    assert channel.unary_unary(f"/test.Echo/{method}")(bytes(100_000), compression=compression) == bytes(100_000)
    chat = channel.stream_stream("/test.Echo/Chat")(iter([bytes(5000)] * 3), compression=compression)
    assert list(chat) == [bytes(5000)] * 3


def test_statuses_messages_and_metadata_arrive(channel: grpc.Channel) -> None:
    expected = {
        b"typed": (grpc.StatusCode.NOT_FOUND, "nothing of this name"),
        b"aborted": (grpc.StatusCode.DATA_LOSS, "lost: 100 % — all"),
        b"raised": (grpc.StatusCode.INTERNAL, "internal error"),
    }
    for raw, status in expected.items():
        with pytest.raises(grpc.RpcError) as failed:
            channel.unary_unary("/test.Echo/Fails")(raw)
        error: Any = failed.value
        assert (error.code(), error.details()) == status
        if raw == b"aborted":
            assert dict(error.trailing_metadata())["why"] == "a test"
    with pytest.raises(grpc.RpcError, match="UNIMPLEMENTED"):
        channel.unary_unary("/test.Echo/Nothing")(b"")
    with pytest.raises(grpc.RpcError, match="UNIMPLEMENTED"):
        channel.stream_stream("/no.such/Service")(iter([b"x"])).result()


@pytest.mark.parametrize("method", ["Held", "HeldTask"])
def test_a_deadline_and_a_cancelled_call_reach_the_handler(
    running: Running, channel: grpc.Channel, method: str
) -> None:
    held = channel.unary_unary(f"/test.Echo/{method}")
    with pytest.raises(grpc.RpcError, match="DEADLINE_EXCEEDED"):
        held(b"late", timeout=0.1)
    call = held.future(b"given up")
    until(lambda: len(running.service.asked) == 2)
    call.cancel()
    until(lambda: running.service.cancelled == 2)


def test_metadata_up_to_a_full_head_arrives_and_more_fails_the_call_alone(channel: grpc.Channel) -> None:
    method = channel.unary_unary("/test.Echo/Unary")
    assert method(b"x", metadata=(("x-long", "v" * 20_000), ("raw-bin", bytes(100)))) == b"x"
    with pytest.raises(grpc.RpcError):
        method(b"x", metadata=(("x-long", "v" * 100_000),))
    assert method(b"x") == b"x"


def test_a_stopping_server_finishes_what_is_under_way_and_takes_nothing_new(
    running: Running, channel: grpc.Channel
) -> None:
    held = channel.unary_unary("/test.Echo/Held").future(b"x", timeout=60)
    until(lambda: bool(running.service.asked))
    stopping = running.stop(30)
    running.loop.call_soon_threadsafe(running.service.release.set)
    assert held.result() == b"x"
    stopping.result(20)
    with pytest.raises(grpc.RpcError, match="UNAVAILABLE"):
        channel.unary_unary("/test.Echo/Unary")(b"x", timeout=20)


async def test_the_aio_client_cancels_streams_and_reads_them_slowly() -> None:
    service = Service()
    server = Http2Server(BIG, offload)
    server.add_generic_rpc_handlers([service.handler()])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", UNLIMITED) as channel:
        stream = channel.unary_stream("/test.Echo/Count")(b"1000000")
        for _ in range(3):
            assert len(await stream.read()) == 1000
        stream.cancel()
        async with asyncio.timeout(20):
            while server.calls:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert service.written < 1_000_000
        chat = channel.stream_stream("/test.Echo/Chat")()
        for raw in (b"a", bytes(3 << 20), b"c"):
            await chat.write(raw)
            assert await chat.read() == raw
        await chat.done_writing()
        assert await chat.read() is grpc.aio.EOF
        assert await chat.code() is grpc.StatusCode.OK
    await server.stop(1)
