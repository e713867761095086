"""Runs all candidates through the engine, in the background: one element an input, all pairs independent."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.checks.candidates.planner import CandidatePlan, CandidatesPlan, plan_candidates
from equiserve.checks.candidates.report import write_candidates_report
from equiserve.checks.candidates.request import CandidatesRequest
from equiserve.checks.deadline import finish_by, time_to_stop
from equiserve.engine import ComputePool, RequestContext, ServedModel
from equiserve.errors import DeadlineExceeded, Overloaded
from equiserve.symmetry.candidate_judgement import relative_l2

Named = dict[str, NDArray[Any]]
#: Of each candidate, by output, the errors of all pairs, [elements].
Errors = dict[str, dict[str, NDArray[np.float64]]]


async def check_candidates(
    model: ServedModel, request: CandidatesRequest, context: RequestContext, *, compute: ComputePool, max_orbit: int
) -> dict[str, Any]:
    """Measure every declared candidate against what is declared of it; returns the report as JSON values.

    Args:
        model: Any batched model whose manifest names groups and says how its tensors move.
        request: What to check.
        context: Whose deadline holds; its request id becomes the report's.
        compute: Moves tensors there and back.
        max_orbit: Most elements of a candidate, and most inputs.

    Raises:
        InvalidRequest, TooLarge, Unsupported: See `plan_candidates`.
        DeadlineExceeded: The deadline passed; candidates are compared over all their elements or not at all.
        Overloaded, Unavailable, InternalError: See `ServedModel.infer_background`.
    """
    began = time.perf_counter()
    plan = await compute.run(plan_candidates, model, request, max_orbit=max_orbit)
    run = _Run(model, plan, compute)
    try:
        errors, floor = await finish_by(time_to_stop(context.deadline), run.all())
    except TimeoutError:
        raise DeadlineExceeded(
            f"the deadline passed after {run.pairs} pairs of an element and an input; allow more time, or ask for "
            "fewer elements or groups"
        ) from None
    cost = {"forward_passes": run.pairs, "batch_size": plan.batch, "wall_ms": (time.perf_counter() - began) * 1e3}
    return await compute.run(
        write_candidates_report, model, plan, request, errors, floor, report_id=context.request_id, cost=cost
    )


class _Run:
    """One check under way."""

    def __init__(self, model: ServedModel, plan: CandidatesPlan, compute: ComputePool) -> None:
        self._model, self._plan, self._compute = model, plan, compute
        self.pairs = 0

    async def all(self) -> tuple[Errors, dict[str, float]]:
        answers = await self._answers(self._plan.inputs)
        again = await self._answers(self._plan.inputs)
        floor = {name: float(relative_l2(again[name], array).max()) for name, array in answers.items()}
        errors = {}
        for candidate in self._plan.candidates:
            errors[candidate.key] = await self._errors(candidate, answers)
        return errors, floor

    async def _errors(self, candidate: CandidatePlan, answers: Named) -> dict[str, NDArray[np.float64]]:
        found: dict[str, list[NDArray[np.float64]]] = {}
        for start in range(0, len(candidate.elements), self._plan.batch):
            pairs = range(start, min(start + self._plan.batch, len(candidate.elements)))
            moved = await self._compute.run(self._moved, candidate, pairs)
            outputs = await self._call(moved)
            for name, errors in (await self._compute.run(self._compared, candidate, pairs, outputs, answers)).items():
                found.setdefault(name, []).append(errors)
        return {name: np.concatenate(parts) for name, parts in found.items()}

    def _moved(self, candidate: CandidatePlan, pairs: range) -> Named:
        members = [
            candidate.signature.move(candidate.elements[pair], self._row(self._plan.inputs, pair)) for pair in pairs
        ]
        return {name: np.concatenate([member[name] for member in members]) for name in members[0]}

    def _compared(
        self, candidate: CandidatePlan, pairs: range, outputs: Named, answers: Named
    ) -> dict[str, NDArray[np.float64]]:
        signature = candidate.signature
        known = {name: array for name, array in outputs.items() if name in signature.fields}
        found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in known}
        with np.errstate(invalid="ignore", over="ignore"):
            for place, pair in enumerate(pairs):
                inputs = self._row(self._plan.inputs, pair)
                of_moved = {name: array[place : place + 1] for name, array in known.items()}
                back = signature.without_offset(signature.pull_back(candidate.elements[pair], of_moved), inputs)
                own = signature.without_offset(self._row({name: answers[name] for name in known}, pair), inputs)
                for name in known:
                    found[name].append(relative_l2(back[name], own[name]))
        return {name: np.concatenate(parts) for name, parts in found.items()}

    def _row(self, arrays: Named, pair: int) -> Named:
        row = pair % self._plan.rows
        return {name: array[row : row + 1] for name, array in arrays.items()}

    async def _answers(self, inputs: Named) -> Named:
        batches = [
            await self._call({name: array[start : start + self._plan.batch] for name, array in inputs.items()})
            for start in range(0, self._plan.rows, self._plan.batch)
        ]
        return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}

    async def _call(self, rows: Named) -> Named:
        """Return the outputs of at most a batch of rows, padded with the first: all batches are of one size."""
        size = len(next(iter(rows.values())))
        missing = self._plan.batch - size
        given = [
            np.ascontiguousarray(np.concatenate([rows[spec.name], np.repeat(rows[spec.name][:1], missing, axis=0)]))
            for spec in self._model.runtime.inputs
        ]
        while True:
            try:
                outputs = await self._model.infer_background(given)
                break
            except Overloaded as error:
                if not self.pairs:
                    raise
                await asyncio.sleep(min(max(error.retry_after_s, 0.05), 1.0))
        self.pairs += self._plan.batch
        return {
            spec.name: array[:size] for spec, array in zip(self._model.runtime.outputs, outputs, strict=True)
        }
