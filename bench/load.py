"""A closed-loop load client: so many requests in flight, each answered one replaced at once.

It runs in a process of its own and is told what to do line by line, so that its start-up never falls into a window.
The request is rendered once and responses are only counted, so that it costs about 25 us a REST call and 100 us a
gRPC call. Every response's status is checked, and the first answer of every window is returned for comparison.

    python -m bench.load --http 127.0.0.1:8000 --grpc 127.0.0.1:8001 --pid 1234
    {"kind": "binary", "model": "tiny", "concurrency": 8, "seconds": 1.5}
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import grpc
import numpy as np
import uvloop
from bench.cpu import machine_cpu_s, tree_cpu_s
from bench.wire import grpc_request, outputs_of, rest_request

Load = Callable[[], Awaitable[None]]


@dataclass
class Window:
    """What one window of load measured, from the first request sent to the last one answered.

    Nothing is under way at either end, so CPU, requests and batches belong together exactly.

    Attributes:
        seconds: How long it was.
        requests: Requests answered, one row each.
        failures: Those whose status was not good.
        p50_ms, p99_ms: Latency seen by the client.
        server_cpu_ms: CPU of the server's process tree a request.
        client_cpu_ms: CPU of this client a request.
        others_cores: Cores that all other programs used.
        executions: Batches that the server ran, by size (padding included).
        first: The outputs of the first answer, flat.
    """

    seconds: float
    requests: int
    failures: int
    p50_ms: float
    p99_ms: float
    server_cpu_ms: float
    client_cpu_ms: float
    others_cores: float
    executions: dict[int, int]
    first: list[float]


@dataclass
class _Counter:
    """Latencies, failures, the first answer, and whether to ask on."""

    stopping: bool = False
    latencies: list[float] = field(default_factory=list)
    failures: int = 0
    first: bytes | None = None

    def answered(self, seconds: float, good: bool, body: bytes) -> None:
        if self.first is None:
            self.first = body
        self.failures += not good
        self.latencies.append(seconds)


class LoadClient:
    """Puts load on one server.

    Args:
        http: Host and port of the REST edge; empty where there is none.
        grpc_address: Host and port of the gRPC edge.
        pid: The server's process, for its CPU time.
    """

    def __init__(self, http: str, grpc_address: str, pid: int) -> None:
        self._http = http
        self._grpc = grpc_address
        self._pid = pid

    async def window(self, kind: str, model: str, concurrency: int, seconds: float) -> Window:
        """Load the server for so long and measure it."""
        counter = _Counter()
        connect = self._connect_grpc if kind == "grpc" else self._connect_rest
        load = await connect(kind, model, concurrency, counter)
        before = await self._batches(model)
        server, machine, mine = tree_cpu_s(self._pid), machine_cpu_s(), time.process_time()
        began = time.perf_counter()
        asyncio.get_running_loop().call_later(seconds, setattr, counter, "stopping", True)
        await load()
        elapsed = time.perf_counter() - began
        server, mine = tree_cpu_s(self._pid) - server, time.process_time() - mine
        others = (machine_cpu_s() - machine - server - mine) / elapsed
        after = await self._batches(model)
        latencies = np.array(counter.latencies) * 1e3
        return Window(
            seconds=elapsed,
            requests=latencies.size,
            failures=counter.failures,
            p50_ms=float(np.percentile(latencies, 50)),
            p99_ms=float(np.percentile(latencies, 99)),
            server_cpu_ms=server * 1e3 / latencies.size,
            client_cpu_ms=mine * 1e3 / latencies.size,
            others_cores=others,
            executions={size: count for size in after if (count := after[size] - before.get(size, 0))},
            first=outputs_of(kind, counter.first or b"") if not counter.failures else [],
        )

    async def _batches(self, model: str) -> dict[int, int]:
        """Return how many batches of each size the server ran so far; nothing of one without a REST edge."""
        if not self._http:
            return {}
        host, port = self._http.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            f"GET /v2/models/{model}/stats HTTP/1.1\r\nHost: {self._http}\r\nConnection: close\r\n\r\n".encode()
        )
        body = (await reader.read()).partition(b"\r\n\r\n")[2]
        writer.close()
        entries = json.loads(body)["model_stats"][0]["batch_stats"]
        return {entry["batch_size"]: entry["compute_infer"]["count"] for entry in entries}

    async def _connect_rest(self, kind: str, model: str, concurrency: int, counter: _Counter) -> Load:
        message = rest_request(kind, model, self._http)
        host, port = self._http.split(":")
        loop = asyncio.get_running_loop()
        connections = [
            (await loop.create_connection(lambda: _Connection(message, counter), host, int(port)))[1]
            for _ in range(concurrency)
        ]

        async def load() -> None:
            for connection in connections:
                connection.ask()
            await asyncio.gather(*(connection.ended for connection in connections))

        return load

    async def _connect_grpc(self, kind: str, model: str, concurrency: int, counter: _Counter) -> Load:
        message = grpc_request(model)
        channels = [
            grpc.aio.insecure_channel(self._grpc, options=[("grpc.use_local_subchannel_pool", 1)])
            for _ in range(min(4, concurrency))
        ]
        for channel in channels:
            await asyncio.wait_for(channel.channel_ready(), 10)

        async def one(channel: grpc.aio.Channel) -> None:
            call: Any = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
            while not counter.stopping:
                began = time.perf_counter()
                try:
                    answer, good = await call(message), True
                except grpc.aio.AioRpcError as error:
                    answer, good = str(error).encode(), False
                counter.answered(time.perf_counter() - began, good, answer)

        async def load() -> None:
            await asyncio.gather(*(one(channels[index % len(channels)]) for index in range(concurrency)))
            for channel in channels:
                await channel.close()

        return load


class _Connection(asyncio.Protocol):
    """A keep-alive HTTP/1.1 connection with exactly one request in flight."""

    def __init__(self, message: bytes, counter: _Counter) -> None:
        self._message = message
        self._counter = counter
        self._buffer = bytearray()
        self._end = 0
        self._body = 0
        self._good = False
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def ask(self) -> None:
        self._began = time.perf_counter()
        self._transport.write(self._message)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        if not self._end:
            self._body = buffer.find(b"\r\n\r\n") + 4
            if self._body == 3:
                return
            head = bytes(buffer[: self._body]).lower()
            self._good = head.startswith(b"http/1.1 200")
            # The server sends a length with every answer; one without it fails here, loudly.
            self._end = self._body + int(head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
        if len(buffer) < self._end:
            return
        answer = bytes(buffer[self._body :]) if self._counter.first is None else b""
        self._counter.answered(time.perf_counter() - self._began, self._good, answer)
        buffer.clear()
        self._end = 0
        if self._counter.stopping:
            self._transport.close()
        else:
            self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.ended.done():
            return
        if self._counter.stopping:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(exc or ConnectionError("the server closed a connection under load"))


async def _serve_lines(client: LoadClient) -> None:
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        window = await client.window(**json.loads(line))
        print(json.dumps(asdict(window)), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Closed-loop load client; reads a JSON order a line.")
    parser.add_argument("--http", default="")
    parser.add_argument("--grpc", required=True)
    parser.add_argument("--pid", type=int, required=True)
    arguments = parser.parse_args()
    uvloop.run(_serve_lines(LoadClient(arguments.http, arguments.grpc, arguments.pid)))
