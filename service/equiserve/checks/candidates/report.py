"""What a check of all candidates found: a line a candidate, and one sentence for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.checks.candidates.planner import CandidatePlan, CandidatesPlan
from equiserve.checks.candidates.request import CandidatesRequest
from equiserve.engine import ServedModel
from equiserve.symmetry.candidate_judgement import CandidateFigures, judge_candidate

_WORDS = {
    "holds": "as declared",
    "violated": "violated",
    "more_symmetric": "more symmetric than declared",
    "inconclusive": "inconclusive",
    "not_claimed": "not claimed",
}


def write_candidates_report(
    model: ServedModel,
    plan: CandidatesPlan,
    request: CandidatesRequest,
    errors: Mapping[str, Mapping[str, NDArray[np.float64]]],
    floor: Mapping[str, float],
    *,
    report_id: str,
    cost: Mapping[str, float],
) -> dict[str, Any]:
    """Judge what was measured and write it down; not for the event loop.

    Args:
        model: The model.
        plan: The candidates.
        request: Its seed and elements are noted.
        errors: By candidate and output, [elements].
        floor: By output, error of the same input twice.
        report_id: Id of the report.
        cost: What it took.
    """
    found = [_candidate(one, errors[one.key], floor, plan.rows) for one in plan.candidates]
    found += [
        {
            "group": one.key,
            "name": model.manifest.groups[one.key].name,
            "declared": None,
            "status": "refused",
            "reason": one.error.message,
            "measured": None,
            "outputs": {},
            "warnings": [],
        }
        for one in plan.refused
    ]
    counts = {words: sum(one["status"] == status for one in found) for status, words in _WORDS.items()}
    said = [f"{count} {words}" for words, count in counts.items() if count]
    said += [f"{len(plan.refused)} refused"] if plan.refused else []
    return {
        "id": report_id,
        "model": model.name,
        "version": model.version,
        "runtime": model.runtime.name,
        "file_digest": model.file_digest,
        "statement": f"Of {len(found)} candidates: {', '.join(said)}.",
        "agrees": not any(one["status"] in ("violated", "refused") for one in found),
        "inputs": plan.rows,
        "elements": request.elements,
        "seed": request.seed,
        "candidates": found,
        "noise_floor": dict(floor),
        "cost": dict(cost),
    }


def _candidate(
    plan: CandidatePlan, errors: Mapping[str, NDArray[np.float64]], floor: Mapping[str, float], rows: int
) -> dict[str, Any]:
    figures = {name: CandidateFigures.of(values, rows) for name, values in errors.items()}
    # Of several outputs the one that is furthest off speaks for the candidate.
    worst = max(figures, key=lambda name: figures[name].mean)
    judgement = judge_candidate(plan.level, plan.declared, figures[worst], floor.get(worst, 0.0))
    declared = None
    if plan.declared is not None:
        declared = {
            **plan.declared.model_dump(mode="json", exclude_none=True),
            "stands": plan.level == plan.declared.level,
        }
    return {
        "group": plan.key,
        "name": plan.signature.group.name,
        "declared": declared,
        "status": judgement.status,
        "reason": judgement.reason,
        "measured": figures[worst].to_json(),
        "outputs": {name: one.to_json() for name, one in figures.items()},
        "warnings": plan.warnings,
    }
