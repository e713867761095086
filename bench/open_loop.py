"""Requests that come when they come, however long the last one took: what a caller sees who does not wait in turn."""

from __future__ import annotations

import asyncio
import time

import numpy as np

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]

# A server closes what has been idle for five seconds: what comes near is not used again.
_KEEP_S = 2.0


async def poisson_latencies(address: str, message: bytes, rate: float, seconds: float, seed: int) -> np.ndarray:
    """Return the latencies in milliseconds [n] of requests that arrive as a Poisson process.

    Args:
        address: Host and port.
        message: A whole HTTP/1.1 request.
        rate: Requests a second on average.
        seconds: How long they keep arriving.
        seed: Of the arrivals: the same seed gives the same moments.

    Raises:
        RuntimeError: An answer was not 200.
    """
    gaps = np.random.default_rng(seed).exponential(1 / rate, max(1, round(rate * seconds)))
    idle: list[tuple[Connection, float]] = []
    latencies: list[float] = []

    async def connection() -> Connection:
        while idle:
            kept, since = idle.pop()
            if time.perf_counter() - since < _KEEP_S:
                return kept
            kept[1].close()
        host, _, port = address.rpartition(":")
        return await asyncio.open_connection(host, int(port))

    async def ask(due: float) -> None:
        chosen = await connection()
        await _ask(chosen, message)
        # From the moment it was due: a client that is late must not hide what the server made it wait.
        latencies.append(time.perf_counter() - due)
        idle.append((chosen, time.perf_counter()))

    tasks, began = [], time.perf_counter()
    for moment in began + np.cumsum(gaps):
        await asyncio.sleep(max(0.0, float(moment) - time.perf_counter()))
        tasks.append(asyncio.create_task(ask(float(moment))))
    await asyncio.gather(*tasks)
    for (_, writer), _ in idle:
        writer.close()
    return np.array(latencies) * 1e3


async def _ask(connection: Connection, message: bytes) -> None:
    reader, writer = connection
    writer.write(message)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    body = await reader.readexactly(int(head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]))
    if not head.startswith(b"http/1.1 200"):
        raise RuntimeError(f"the server answered {head.decode('latin-1')}{body[:500].decode('latin-1')}")
