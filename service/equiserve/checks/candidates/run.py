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
from equiserve.symmetry.independent_pairs import Named, moved_rows, pair_errors

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
            given = (candidate.signature, candidate.elements, self._plan.inputs, pairs)
            outputs = await self._call(await self._compute.run(moved_rows, *given))
            for name, errors in (await self._compute.run(pair_errors, *given, outputs, answers)).items():
                found.setdefault(name, []).append(errors)
        return {name: np.concatenate(parts) for name, parts in found.items()}

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
        return {spec.name: array[:size] for spec, array in zip(self._model.runtime.outputs, outputs, strict=True)}
