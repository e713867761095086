"""What follows from the findings: the verdict, and the sentence for a person."""

from __future__ import annotations

import numpy as np

from equiserve.checks.control_verdicts import indifferent, unsteady
from equiserve.checks.findings import Findings
from equiserve.checks.kernel_control import kernel_verdict, ladder_members
from equiserve.checks.measurement import Measurement
from equiserve.checks.spectrum import spectrum_of
from equiserve.symmetry import Verdict, decisions_of, judge


def conclude(findings: Findings) -> Verdict:
    """Return the judgement of the orbit, after the controls had their say."""
    verdict = _judged(findings)
    return kernel_verdict(findings, verdict) or verdict


def kernel_members(findings: Findings) -> np.ndarray:
    """Return the rows of `Findings.judged` to try with other kernels: none where these could not change the verdict."""
    return ladder_members(findings, _judged(findings).status)


def statement(findings: Findings) -> str:
    """Return the finding in one sentence for a person, with one more for a search and for an exact subgroup."""
    many = _plural(findings.group.name)
    checked, label = findings.checked, findings.reference.label
    planned, stopped = len(findings.plan.orbit), _stopped(findings.measured)
    partly = "" if checked == planned else f" (of {planned}; {stopped[0].lower()}{stopped[1:]})"
    if label is None:
        return f"No answer: the model's output is not finite on any of {checked} {many}{partly}."
    name = findings.class_names[label]
    agreeing, worst = int(findings.agrees.sum()), findings.worst
    more = _of_relabelling(findings) + _of_search(findings) + _of_spectrum(findings)
    if agreeing == checked:
        bits = ", and every output is the same to the last bit" if findings.identical.all() else ""
        return f"'{name}' on all {checked} {many}{partly}{bits}.{more}"
    where = "" if worst is None else f"; furthest from it {_where(findings, worst)}: {_answer(findings, worst)}"
    return f"'{name}' on {agreeing} of {checked} {many}{partly}{where}.{more}"


def _judged(findings: Findings) -> Verdict:
    """Return the verdict before another kernel was tried."""
    limits, judged = findings.thresholds, findings.judged
    repeats = findings.repeat_errors
    if repeats.size and repeats.max() > limits.relative_error:
        return unsteady(repeats.max(), "picture", in_same_batch=bool(repeats[0] > limits.relative_error))
    verdict = judge(
        findings.plan.level,
        group=findings.group,
        elements=judged.elements,
        exact=judged.exact,
        changed=judged.changed,
        outputs=judged.outputs,
        class_names=findings.class_names,
        sampled=findings.plan.draw is not None,
        thresholds=limits,
    )
    if verdict.status != "pass":
        return verdict
    unrelated = findings.measured.controls.unrelated_errors()
    if unrelated and max(unrelated.values()) <= limits.relative_error:
        return indifferent("picture", unrelated)
    if findings.checked < len(findings.plan.orbit):
        return Verdict(
            "inconclusive",
            f"{_stopped(findings.measured)} after {findings.checked} of {len(findings.plan.orbit)} elements. "
            f"So far: {verdict.reason}",
            "Allow more time, or ask for fewer elements.",
        )
    return verdict


def _of_relabelling(findings: Findings) -> str:
    relabelling = findings.plan.relabelling
    if relabelling is None:
        return ""
    told = [
        f"{findings.group.describe(element)} makes {findings.class_names[old]!r} a {findings.class_names[new]!r}"
        for element, moves in relabelling.labels.items()
        for old, new in moves.items()
    ]
    more = f", and {len(told) - 2} more such" if len(told) > 2 else ""
    return f" Declared and allowed for: {' and '.join(told[:2])}{more}."


def _of_search(findings: Findings) -> str:
    searched = findings.searched
    if searched is None:
        return ""
    tried, label = len(searched.margins), findings.reference.label
    if not tried:
        return " The search tried nothing more."
    differing = int((decisions_of(searched.measured.scores) != label).sum())
    lowest = int(searched.margins.argmin())
    if searched.margins[lowest] >= findings.margins.min():
        return f" A search among {tried} more found nothing worse; {differing or 'none'} of them give another answer."
    element = searched.measured.elements[lowest]
    decision = int(decisions_of(searched.measured.scores[lowest : lowest + 1])[0])
    return (
        f" A search among {tried} more, of which {differing or 'none'} give another answer, found the worst under "
        f"{findings.group.describe(element)}: {_name(findings, decision)}."
    )


def _of_spectrum(findings: Findings) -> str:
    spectrum, tolerance = spectrum_of(findings), findings.thresholds.exact_error**2
    if spectrum is None or spectrum.exact_subgroup(tolerance) in (1, spectrum.elements):
        return ""
    return f" {spectrum.statement(tolerance)}"


def _stopped(measured: Measurement) -> str:
    return "The check was cancelled" if measured.stopped == "cancelled" else "The deadline passed"


def _where(findings: Findings, index: int) -> str:
    return "on the picture itself" if index == 0 else f"under {findings.group.describe(findings.elements[index])}"


def _answer(findings: Findings, index: int) -> str:
    return _name(findings, int(findings.outputs.decisions[index]))


def _name(findings: Findings, decision: int) -> str:
    return "an output that is not finite" if decision < 0 else f"'{findings.class_names[decision]}'"


def _plural(group: str) -> str:
    kind = group.split(":")[0]
    if kind in ("CyclicShift", "CropShift"):
        return "circular shifts" if kind == "CyclicShift" else "shifts"
    if kind == "Scaling":
        return "scalings"
    return "flips" if kind == "Flip" else "rotations and reflections" if kind.startswith(("D", "O2")) else "rotations"
