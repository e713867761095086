"""The sections of a report that hold figures, as JSON values."""

from __future__ import annotations

from typing import Any

import numpy as np

from equiserve.checks.controls import UNRELATED
from equiserve.checks.findings import Findings
from equiserve.checks.kernel_control import kernel_findings
from equiserve.checks.spectrum import spectrum_json, spectrum_of
from equiserve.symmetry import decisions_of, measure
from equiserve.symmetry.consensus import error_split

_SYMMETRIZED_CLASSES = 5


def reference(findings: Findings) -> dict[str, Any]:
    """Return what each answer was compared with."""
    reference, names = findings.reference, findings.class_names
    label = reference.label
    return {
        "kind": findings.request.reference,
        "prediction": None if label is None else {"label": names[label], "index": label},
        "tied": [names[index] for index in reference.tied],
        "strength": reference.strength.to_json() if reference.strength else None,
    }


def summary(findings: Findings) -> dict[str, Any]:
    """Return the metrics over exact elements, over the others, and over all; the identity belongs to each."""
    exact, wanted = findings.exact, findings.request.metrics
    others = ~exact
    others[0] = True
    return {
        "exact": measure(findings.outputs.subset(exact), wanted),
        "resampled": None if exact.all() else measure(findings.outputs.subset(others), wanted),
        "all": measure(findings.outputs, wanted),
    }


def worst(findings: Findings) -> dict[str, Any] | None:
    """Return the element that is furthest from the reference, or None where all are alike."""
    index = findings.worst
    if index is None:
        return None
    element = findings.elements[index]
    return {
        "index": index,
        "element": element.to_json(),
        "description": findings.group.describe(element) if index else "the picture as it came",
        "label": answer(findings, index),
        "probability": _number(findings.probabilities[index]),
        "margin": float(findings.margins[index]),
    }


def controls(findings: Findings) -> dict[str, Any]:
    """Return what the controls showed; see `controls`."""
    controls, changed = findings.measured.controls, findings.changed
    repeats, rows = findings.repeat_errors, [*controls.repeats, findings.scores[0]]
    report: dict[str, Any] = {
        "repeat": {
            "same_batch": float(repeats[0]) if repeats.size else None,
            "other_batches": float(repeats[1:].max()) if repeats.size > 1 else None,
            "identical": all(row.tobytes() == rows[0].tobytes() for row in rows),
            "repeats": len(rows),
        },
        "unrelated": {name: controls.unrelated_errors().get(name) for name in UNRELATED},
        "did_it_act": {"changed": int(changed.sum()), "of": len(changed) - 1},
        "round_trip": None,
    }
    report["kernel_ladder"] = _kernel_ladder(findings)
    if controls.round_trip is not None:
        scores = np.concatenate([findings.scores[:1], controls.round_trip])
        decisions = np.argmax(scores, axis=1)
        errors = findings.errors_against_identity(controls.round_trip)
        report["round_trip"] = {
            "elements": [element.to_json() for element in controls.trips],
            "relative_error": float(errors.max()),
            "agrees": float(np.mean(decisions[1:] == decisions[0])),
        }
    return report


def _kernel_ladder(findings: Findings) -> dict[str, Any] | None:
    """Return the figures that the verdict turns on, with the worst elements through each kernel; None where not run."""
    ladder = findings.measured.ladder
    if ladder is None:
        return None
    return {
        "elements": [findings.judged.elements[index].to_json() for index in ladder.members],
        "figures": [
            {
                "metric": one.metric,
                "threshold": one.threshold,
                "values": one.finding.values,
                "moved": one.finding.moved,
                "limited": one.finding.limited,
            }
            for one in kernel_findings(findings)
        ],
    }


def spectrum(findings: Findings) -> dict[str, Any] | None:
    """Return which subgroup of C_n holds exactly; None where the elements are no whole C_n."""
    return spectrum_json(spectrum_of(findings), findings.thresholds.exact_error**2)


def search(findings: Findings) -> dict[str, Any] | None:
    """Return what a search tried and the worst that it knows; None where none ran."""
    plan, searched = findings.plan, findings.searched
    if plan.search is None or searched is None:
        return None
    more, label = searched.measured, findings.reference.label
    answers = decisions_of(more.scores)
    given = np.full(len(answers), np.nan) if label is None else searched.probabilities[:, label]
    rows = {
        "element": [element.to_json() for element in more.elements],
        "exact": more.exact.tolist(),
        "label": [None if answer < 0 else findings.class_names[answer] for answer in answers],
        "probability": [_number(value) for value in np.where(searched.finite, given, np.nan)],
        "margin": searched.margins.tolist(),
        "agrees": [bool(answer == label) for answer in answers],
    }
    lowest = int(searched.margins.argmin()) if len(answers) else 0
    found = worst(findings)
    if len(answers) and (found is None or searched.margins[lowest] < found["margin"]):
        element = more.elements[lowest]
        found = {key: rows[key][lowest] for key in ("element", "label", "probability", "margin")}
        found["description"] = findings.group.describe(element)
    return {
        "budget": plan.search.budget,
        "uniform": findings.checked,
        "searched": len(answers),
        "ended": more.ended,
        "worst": found and {key: value for key, value in found.items() if key != "index"},
        "elements": rows,
    }


def split_error(findings: Findings) -> dict[str, float] | None:
    """Return the Brier score over the orbit, split by what the group average cures; None without the right class."""
    given, label = findings.outputs.probabilities, findings.plan.label
    if given is None or label is None or not findings.finite.all():
        return None
    truth = np.zeros(given.shape[1])
    truth[label] = 1.0
    return error_split(given, truth).to_json()


def symmetrized(findings: Findings) -> dict[str, Any] | None:
    """Return the mean of the probabilities over the orbit: the group average (Reynolds operator) of the model."""
    given = findings.outputs.probabilities
    if given is None or not findings.finite.any():
        return None
    mean = given[findings.finite].mean(axis=0)
    best = np.argsort(-mean, kind="stable")[:_SYMMETRIZED_CLASSES].tolist()
    return {
        "averaged_over": int(findings.finite.sum()),
        "predictions": [
            {"label": findings.class_names[index], "index": index, "probability": float(mean[index])} for index in best
        ],
    }


def elements(findings: Findings) -> dict[str, list[Any]]:
    """Return the curves of the NERO plot and what belongs to each element: a list a quantity."""
    columns: dict[str, list[Any]] = {
        "element": [element.to_json() for element in findings.elements],
        "exact": findings.exact.tolist(),
        "label": [answer(findings, index) for index in range(findings.checked)],
        "probability": [_number(value) for value in findings.probabilities.tolist()],
        "margin": findings.margins.tolist(),
        "agrees": findings.agrees.tolist(),
        "relative_error": findings.relative_errors.tolist(),
    }
    if findings.request.outputs:
        columns["output"] = [[_number(value) for value in row] for row in findings.scores.tolist()]
    return columns


def answer(findings: Findings, index: int) -> str | None:
    """Return the name of an element's answer; None where the output was not finite."""
    decision = int(findings.outputs.decisions[index])
    return None if decision < 0 else findings.class_names[decision]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
