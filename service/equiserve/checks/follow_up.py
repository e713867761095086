"""What a check runs once it has its orbit: the search for the worst element, then the kernel ladder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from equiserve.checks.conclusion import kernel_members
from equiserve.checks.findings import Findings
from equiserve.checks.measurement import Ladder
from equiserve.checks.orbit_run import OrbitRun
from equiserve.checks.search_run import SearchRun
from equiserve.engine import ComputePool
from equiserve.numerics.kernels import KERNELS, Kernel
from equiserve.symmetry import Element, Orbit
from equiserve.symmetry.kernel_ladder import ladder_pictures

_OWN: Kernel = "upsample4"


async def follow_up(findings: Findings, run: OrbitRun, compute: ComputePool, cancelled: Callable[[], bool]) -> None:
    """Search, and try other kernels where the verdict hangs on them; what they find goes into the measurement.

    Args:
        findings: Of the whole orbit.
        run: Runs the model.
        compute: Chooses elements and transforms pictures.
        cancelled: Asked before each round whether the caller wants what there is.
    """
    if findings.plan.search is not None:
        search = SearchRun(findings.plan.search, findings, run, compute)
        while not cancelled() and await search.next_round():
            pass
    # With what the search has found.
    findings = replace(findings)
    members = await compute.run(kernel_members, findings)
    if len(members) and not cancelled():
        await _run_ladder(findings, members, run)


async def _run_ladder(findings: Findings, members: np.ndarray, run: OrbitRun) -> None:
    judged, orbit = findings.judged, findings.plan.orbit
    elements = [judged.elements[index] for index in members]
    others = [kernel for kernel in KERNELS if kernel != _OWN]
    found = await run.ask(lambda: _moved(orbit, elements, others))
    back = [findings.plan.pull_back(elements, part) for part in np.split(found, len(others))]
    scores = dict(zip(others, back, strict=True))
    own = judged.outputs.outputs[members]
    findings.measured.ladder = Ladder(members, {kernel: scores.get(kernel, own) for kernel in KERNELS})


def _moved(orbit: Orbit, elements: list[Element], ladder: list[Kernel]) -> np.ndarray:
    return np.concatenate(list(ladder_pictures(orbit.picture, elements, ladder).values()))  # type: ignore[arg-type]
