"""CPU accounting: what a process tree used, what the machine used, and whether it is quiet enough to measure."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]

#: Cores that other programs may use while a figure is taken.
QUIET_CORES = 0.15


def tree_cpu_s(pid: int) -> float:
    """Return user and system CPU seconds of a process and its living descendants."""
    root = psutil.Process(pid)
    total = 0.0
    for process in (root, *root.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def tree_rss_bytes(pid: int) -> int:
    """Return the resident memory of a process and its descendants."""
    root = psutil.Process(pid)
    return sum(process.memory_info().rss for process in (root, *root.children(recursive=True)))


def machine_cpu_s() -> float:
    """Return the CPU seconds that all programs of this machine used since it started."""
    fields = [int(field) for field in Path("/proc/stat").read_text("ascii").split("\n", 1)[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) / os.sysconf("SC_CLK_TCK")


def interpreter_loop_ms() -> float:
    """Return the milliseconds of a fixed loop of interpreted Python, the best of five.

    The front end's figures scale with this one, the bound's do not. A Python that was built without optimisation (what
    pyenv does unless told otherwise) takes half as long again as a distribution's.
    """
    best = float("inf")
    for _ in range(5):
        began, table = time.perf_counter(), {}
        for number in range(100_000):
            table[number % 1000] = str(number)
        best = min(best, time.perf_counter() - began)
    return best * 1e3


def cores_used_by_others(seconds: float = 2.0) -> float:
    """Return how many cores were busy over a pause of this process."""
    mine, machine, began = time.process_time(), machine_cpu_s(), time.perf_counter()
    time.sleep(seconds)
    used = machine_cpu_s() - machine - (time.process_time() - mine)
    return used / (time.perf_counter() - began)
