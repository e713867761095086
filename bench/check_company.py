"""What others feel of a long check: foreground latency with and without it, and how late the event loop runs."""

from __future__ import annotations

import asyncio
import io
import json
import re
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from bench.cpu import machine_cpu_s, tree_cpu_s
from bench.open_loop import poisson_latencies
from bench.pictures import fixed_picture
from bench.server import ServerProcess
from bench.wire import rest_request
from PIL import Image

ELEMENTS = 10_000
FOREGROUND = "vit"
#: What runs before a window counts: foreground traffic must be seen before the check chooses its batch.
LEAD_S = 1.0
_LAG = re.compile(r'^equiserve_event_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True)
class CompanyWindow:
    """What one window of foreground traffic saw.

    Attributes:
        latencies_ms: Of each request [n].
        lag_edges_s: Upper edges of the buckets of the event loop's lag [b], the last infinite.
        lag_counts: Heartbeats in each bucket [b].
        others_cores: Cores that other programs used; this client's are not among them.
    """

    latencies_ms: np.ndarray
    lag_edges_s: np.ndarray
    lag_counts: np.ndarray
    others_cores: float


#: A window without a check, and one with a check under way, of the same arrivals.
CompanyPair = tuple[CompanyWindow, CompanyWindow]


async def measure_company(
    server: ServerProcess, checked: str, rate: float, rounds: int, seconds: float
) -> list[CompanyPair]:
    """Measure pairs of windows; which of a pair comes first alternates.

    Args:
        server: Serves `FOREGROUND` and the checked model.
        checked: The model that is checked.
        rate: Foreground requests a second.
        rounds: Pairs.
        seconds: Length of a window.
    """
    pairs = []
    for seed in range(rounds):
        windows = {}
        for checking in (False, True) if seed % 2 else (True, False):
            windows[checking] = await _window(server, checked if checking else None, rate, seconds, seed)
        pairs.append((windows[False], windows[True]))
    return pairs


async def _window(server: ServerProcess, checked: str | None, rate: float, seconds: float, seed: int) -> CompanyWindow:
    message = rest_request("binary", FOREGROUND, server.http)
    await poisson_latencies(server.http, message, rate, LEAD_S, seed=1000 + seed)
    with _checks(server, checked):
        edges, before = await asyncio.to_thread(event_loop_lag, server)
        cpu, machine, mine, began = tree_cpu_s(server.pid), machine_cpu_s(), time.process_time(), time.perf_counter()
        latencies = await poisson_latencies(server.http, message, rate, seconds, seed)
        elapsed = time.perf_counter() - began
        used = tree_cpu_s(server.pid) - cpu + time.process_time() - mine
        others = (machine_cpu_s() - machine - used) / elapsed
        _, after = await asyncio.to_thread(event_loop_lag, server)
    return CompanyWindow(latencies, edges, after - before, others)


@contextmanager
def _checks(server: ServerProcess, model: str | None) -> Iterator[None]:
    """Keep a job of `ELEMENTS` rotations under way, the next one as soon as one is done; None = nothing."""
    if model is None:
        yield
        return
    stop = threading.Event()
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(_check_on, server, model, stop)
        try:
            yield
        finally:
            stop.set()
            running.result()


def _check_on(server: ServerProcess, model: str, stop: threading.Event) -> None:
    picture = _png(model)
    while not stop.is_set():
        job = json.loads(_call(server, "POST", f"/v2/jobs?model={model}&group=SO2&elements={ELEMENTS}", picture))["id"]
        while (state := _state(server, job)) in ("queued", "running") and not stop.wait(0.2):
            pass
        if state in ("failed", "cancelled"):
            raise RuntimeError(f"the check of {model} ended as {state!r}")
    if state != "done":
        _call(server, "DELETE", f"/v2/jobs/{job}")
    # Nothing of it may run in the window that follows.
    while _state(server, job) in ("queued", "running"):
        time.sleep(0.05)


def _state(server: ServerProcess, job: str) -> str:
    # Not parsed: a result has a row an element, and to read it would hold up this client's clock.
    found = re.search(rb'"state":\s*"(\w+)"', _call(server, "GET", f"/v2/jobs/{job}"))
    assert found is not None
    return found.group(1).decode()


def _png(model: str) -> bytes:
    """Return the benchmark's picture as the model takes it: grey, or three channels of 64 pixels a side."""
    picture = Image.fromarray(fixed_picture())
    if model == FOREGROUND:
        picture = picture.convert("RGB").resize((64, 64))
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def _call(server: ServerProcess, method: str, path: str, body: bytes | None = None) -> bytes:
    headers = {"content-type": "image/png"} if body else {}
    request = urllib.request.Request(f"http://{server.http}{path}", body, headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        content: bytes = answer.read()
    return content


def event_loop_lag(server: ServerProcess) -> tuple[np.ndarray, np.ndarray]:
    """Return the edges of the lag's histogram in seconds [b], the last infinite, and the counts so far [b]."""
    found = _LAG.findall(_call(server, "GET", "/metrics").decode())
    edges = np.array([float(edge) for edge, _ in found])
    return edges, np.diff([float(count) for _, count in found], prepend=0.0)


def lag_percentile_ms(edges_s: np.ndarray, counts: np.ndarray, percent: float) -> float:
    """Return a percentile of a histogram in milliseconds, linear within its bucket (its last edge where beyond)."""
    wanted = counts.sum() * percent / 100
    reached = np.concatenate([[0.0], np.cumsum(counts)])
    bucket = int(np.searchsorted(reached[1:], wanted))
    low = edges_s[bucket - 1] if bucket else 0.0
    if np.isinf(edges_s[bucket]):
        return float(low) * 1e3
    part = (wanted - reached[bucket]) / counts[bucket]
    return float(low + part * (edges_s[bucket] - low)) * 1e3
