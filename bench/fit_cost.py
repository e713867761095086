"""`python -m bench.fit_cost`: what a fit costs, and whether others feel it: a data plane in this process, no sockets.

One cloud of 5,000 points as a PLY file. CPU seconds of the whole process a fit, from bytes to JSON, without and with
refinement, and of the network's call alone, which tells a slow machine from a slow server; then four callers who refine
without pause while the event loop's lag is taken every 2 ms. The wall clock is honest on a quiet machine only; the CPU
figures are on any.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import time
from pathlib import Path

import numpy as np
import orjson
from bench.body_clouds import people
from bench.fit_serving import fit_plane, ply

from equiserve.dataplane import DataPlane
from equiserve.engine import RequestContext
from equiserve.tasks.fit import FitRequest

CALLERS = 4
PERIOD_S = 0.002


async def one(plane: DataPlane, model: str, content: bytes, *, refine: bool) -> bytes:
    """Answer one request, from bytes to bytes."""
    request = FitRequest(model, content, refine=refine)
    found = await plane.fit(request, RequestContext("bench"))
    return await plane.compute.run(lambda: orjson.dumps(found.to_json(), option=orjson.OPT_SERIALIZE_NUMPY))


async def cost(plane: DataPlane, model: str, clouds: list[bytes], *, refine: bool) -> np.ndarray:
    """Return the CPU seconds of each fit, one at a time."""
    seconds = []
    for content in clouds:
        began = time.process_time()
        await one(plane, model, content, refine=refine)
        seconds.append(time.process_time() - began)
    return np.array(seconds)


def network_cost(plane: DataPlane, times: int = 20) -> np.ndarray:
    """Return the CPU seconds of each of so many calls of the network."""
    (served,) = plane.repository.models()
    points = np.random.default_rng(0).normal(0, 0.4, (1, 2048, 3)).astype(np.float32)
    seconds = []
    for _ in range(times):
        began = time.process_time()
        served.runtime.run({"points": points})
        seconds.append(time.process_time() - began)
    return np.array(seconds)


async def lag(
    plane: DataPlane, model: str, clouds: list[bytes], seconds: float, callers: int
) -> tuple[np.ndarray, int]:
    """Return how late the loop was, in seconds, at each beat, and how many fits ended meanwhile."""
    ends = time.perf_counter() + seconds
    done = 0

    async def call(first: int) -> None:
        nonlocal done
        for place in range(10_000):
            if time.perf_counter() > ends:
                return
            await one(plane, model, clouds[(first + place) % len(clouds)], refine=True)
            done += 1

    calling = [asyncio.ensure_future(call(first)) for first in range(callers)]
    late = []
    while time.perf_counter() < ends:
        due = time.perf_counter() + PERIOD_S
        await asyncio.sleep(PERIOD_S)
        late.append(time.perf_counter() - due)
    await asyncio.gather(*calling)
    return np.array(late), done


async def measure(zoo: Path, model: str, count: int, seconds: float) -> None:
    """Print everything."""
    clouds = [ply(person.points) for person in people("out", count)]
    async with fit_plane(zoo, model) as plane:
        await one(plane, model, clouds[0], refine=True)
        print(f"network alone: {1e3 * np.median(network_cost(plane)):.0f} ms CPU a cloud (median)")
        for refine in (False, True):
            spent = 1e3 * await cost(plane, model, clouds, refine=refine)
            median, p90 = np.median(spent), np.quantile(spent, 0.9)
            print(
                f"{'with' if refine else 'without'} refinement: {median:.0f} ms CPU a cloud (median), p90 {p90:.0f} ms"
            )
        for callers in (0, CALLERS):
            late, done = await lag(plane, model, clouds, seconds, callers)
            p50, p99, largest = 1e3 * np.quantile(late, [0.5, 0.99, 1.0])
            print(
                f"{callers} callers who refine ({done} fits in {seconds:.0f} s): "
                f"loop lag p50 {p50:.1f}, p99 {p99:.1f}, largest {largest:.1f} ms over {len(late)} beats"
            )
        print(f"largest memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(prog="python -m bench.fit_cost", description=__doc__)
    parser.add_argument("--models", type=Path, default=Path("models/zoo"))
    parser.add_argument("--model", default="articulated-body")
    parser.add_argument("--clouds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    # As the server does.
    sys.setswitchinterval(0.001)
    asyncio.run(measure(options.models, options.model, options.clouds, options.seconds))


if __name__ == "__main__":
    main()
