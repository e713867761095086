"""How many CPU threads this process may use: affinity and cgroup quota, not the host's core count."""

from __future__ import annotations

import math
import os
from pathlib import Path

from threadpoolctl import threadpool_limits


def one_thread_a_product() -> None:
    """Let numpy's matrix products run on the thread that asks for them, for the whole process.

    The compute pool shares out the CPUs already; BLAS threads of its own wait for one another in a busy loop, and a
    refinement on a busy machine took ten times the CPU with them.
    """
    threadpool_limits(limits=1, user_api="blas")


def cpu_budget(setting: int | None = None) -> int:
    """Return the CPU threads to share out: the smallest of affinity, cgroup quota and the operator's setting."""
    budget = float(len(os.sched_getaffinity(0)))
    budget = min(budget, _cgroup_quota())
    if setting is not None:
        budget = min(budget, setting)
    return max(1, math.ceil(budget))


def _cgroup_quota() -> float:
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text("ascii").split()
        if quota != "max":
            return int(quota) / int(period)
    except (OSError, ValueError):
        pass  # no cgroup v2 here
    try:
        quota_us = int(Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us").read_text("ascii"))
        period_us = int(Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us").read_text("ascii"))
        if quota_us > 0:
            return quota_us / period_us
    except (OSError, ValueError):
        pass  # no cgroup v1 either
    return math.inf
