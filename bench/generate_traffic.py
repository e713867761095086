"""Requests of a generator over real sockets: the mix, one that streams, one that is cancelled."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from bench.generate_replay import SHARES, STEPS
from bench.server import ServerProcess

SOLVERS = ("ddpm", "ddim", "heun", "dpmpp_2m", "unipc", "ipndm")


def mixed_requests(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Return requests of all solvers, with and without guidance and angle, of 6 to 20 steps and 1 or 2 pictures."""
    random = np.random.default_rng(seed)
    return [
        {
            "solver": SOLVERS[place % len(SOLVERS)],
            "steps": int(random.choice([6, 10, 12, 20])),
            "label": int(random.integers(10)),
            "guidance": float(random.choice([1.0, 1.0, 2.0])),
            "angle": float(random.choice([0.0, 30.0, -75.0])),
            "n": int(random.choice([1, 1, 2])),
            "seed": place,
        }
        for place in range(count)
    ]


def generate(server: ServerProcess, model: str, options: Mapping[str, Any], accept: str = "image/png") -> bytes:
    """Draw a picture and return its file."""
    request = urllib.request.Request(
        f"http://{server.http}/v2/models/{model}/generate",
        json.dumps(options).encode(),
        {"content-type": "application/json", "accept": accept},
    )
    with urllib.request.urlopen(request, timeout=300) as answer:
        body: bytes = answer.read()
    return body


def all_at_once(server: ServerProcess, model: str, requests: Sequence[Mapping[str, Any]]) -> list[bytes]:
    """Draw the pictures of all requests, sent at the same time."""
    with ThreadPoolExecutor(len(requests)) as threads:
        return list(threads.map(lambda options: generate(server, model, options), requests))


def poisson(server: ServerProcess, model: str, rate: float, count: int, seed: int = 0) -> dict[int, float]:
    """Send requests of the replay's mix at random times and return the mean latency in seconds by number of steps."""
    random = np.random.default_rng(seed)
    steps = random.choice(STEPS, count, p=SHARES)
    due = np.cumsum(random.exponential(1 / rate, count))
    began = time.perf_counter()

    def one(place: int) -> float:
        time.sleep(max(0.0, began + due[place] - time.perf_counter()))
        generate(server, model, {"steps": int(steps[place]), "label": place % 10, "seed": place})
        return time.perf_counter() - began - float(due[place])

    with ThreadPoolExecutor(count) as threads:
        latencies = np.array(list(threads.map(one, range(count))))
    return {wanted: float(latencies[steps == wanted].mean()) for wanted in STEPS if (steps == wanted).any()}


def events(
    server: ServerProcess, model: str, options: Mapping[str, Any], id: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the events of a generation as they come."""
    request = urllib.request.Request(
        f"http://{server.http}/v2/models/{model}/generate_stream",
        json.dumps(options).encode(),
        {"content-type": "application/json", "x-request-id": id},
    )
    with urllib.request.urlopen(request, timeout=300) as answer:
        name = ""
        for line in answer:
            if line.startswith(b"event: "):
                name = line[7:].strip().decode()
            elif line.startswith(b"data: "):
                yield name, json.loads(line[6:])


def first_preview(server: ServerProcess, model: str, options: Mapping[str, Any]) -> int:
    """Return after how many calls of the denoiser the first preview comes."""
    return next(content["step"] for name, content in events(server, model, options, "preview") if name == "preview")


def calls_after_cancel(server: ServerProcess, model: str, *, id: str = "to-cancel") -> int:
    """Cancel a long generation by its id and return how many batches ran of it once the cancellation was answered."""
    seen: list[int] = []

    def follow() -> None:
        for _, content in events(server, model, {"steps": 1000, "previews": 0}, id):
            seen.append(content.get("step", 0))

    thread = threading.Thread(target=follow)
    thread.start()
    while not seen or seen[-1] < 10:
        time.sleep(0.005)
    request = urllib.request.Request(f"http://{server.http}/v2/generations/{id}", method="DELETE")
    urllib.request.urlopen(request, timeout=30).close()
    before = executions(server, model)
    thread.join()
    time.sleep(0.2)
    return executions(server, model) - before


def executions(server: ServerProcess, model: str) -> int:
    """Return how many batches the model ran so far."""
    count: int = server.get(f"/v2/models/{model}/stats")["model_stats"][0]["execution_count"]
    return count


def batch_sizes(server: ServerProcess, model: str) -> Counter[int]:
    """Return how many batches of each size the model ran so far; of two, the difference is what ran between them."""
    stats = server.get(f"/v2/models/{model}/stats")["model_stats"][0]["batch_stats"]
    return Counter({entry["batch_size"]: entry["compute_infer"]["count"] for entry in stats})
