"""The search for the worst element under way: rounds of a few elements, in the same background batches as the orbit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from equiserve.checks.element_search import ElementSearch
from equiserve.checks.findings import Findings
from equiserve.checks.measurement import Searched
from equiserve.checks.orbit_run import OrbitRun
from equiserve.engine import ComputePool
from equiserve.symmetry import Element


class SearchRun:
    """A search that begins where the orbit, its uniform start, has ended.

    Args:
        search: How elements are chosen.
        findings: Of the orbit; its reference's margin is what the search makes small.
        run: Runs the model.
        compute: Chooses elements.
    """

    def __init__(self, search: ElementSearch, findings: Findings, run: OrbitRun, compute: ComputePool) -> None:
        self._search = search
        self._findings = findings
        self._run = run
        self._compute = compute
        self._keys: list[Any] = []
        scores = findings.scores
        self._searched = Searched([], np.zeros(0, np.bool_), np.zeros(0, np.bool_), scores[:0])
        findings.measured.searched = self._searched

    async def next_round(self) -> bool:
        """Try the next elements; returns whether there may be more."""
        chosen = await self._compute.run(self._choose)
        if not chosen:
            return False
        orbit = self._findings.plan.orbit
        moved: list[np.ndarray] = []

        def pictures() -> np.ndarray:
            moved.append(orbit.action.orbit(orbit.picture, chosen))
            return moved[0]

        scores = self._findings.plan.pull_back(chosen, await self._run.ask(pictures))
        shape = orbit.picture.shape[1:]
        exact = np.array([orbit.action.exact(element, shape) for element in chosen], np.bool_)
        self._searched.add(chosen, exact, (moved[0] != orbit.picture).any(axis=(1, 2, 3)), scores)
        return True

    def _choose(self) -> list[Element]:
        searched, findings = self._searched, self._findings
        left = self._search.budget - findings.checked - len(self._keys)
        if left <= 0 or findings.reference.label is None:
            searched.ended = "budget" if left <= 0 else "nothing_left"
            return []
        keys = self._search.method.next_elements(self._observed())[:left]
        if not keys:
            searched.ended = "nothing_left"
        self._keys += keys
        return [self._search.element(key) for key in keys]

    def _observed(self) -> dict[Any, float]:
        """Return the margins of all that was tried, by the method's keys."""
        findings = replace(self._findings)  # a copy that has not looked at the search yet
        rows = {element: row for row, element in enumerate(findings.elements)}
        start = self._search.method.uniform_elements()
        found = findings.searched
        assert found is not None
        return {key: float(findings.margins[rows[self._search.element(key)]]) for key in start} | dict(
            zip(self._keys, found.margins.tolist(), strict=True)
        )
