"""From the findings on several inputs to one verdict: inputs are what counts, however many elements each was given."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from equiserve.errors import InvalidRequest
from equiserve.symmetry.clustered import Interval, consistency_interval, error_interval, inputs_needed
from equiserve.symmetry.gates import Gate, verdict_of
from equiserve.symmetry.metric_catalogue import METRICS
from equiserve.symmetry.statistics import clopper_pearson_interval, inputs_certificate, percent
from equiserve.symmetry.verdict import Level, Thresholds, Verdict


@dataclass(frozen=True)
class InputFinding:
    """What one input showed.

    Args:
        name: What people call the input.
        verdict: Of this input alone.
        metrics: Its figures by metric names; every input has the same ones.
    """

    name: str
    verdict: Verdict
    metrics: Mapping[str, float]


def judge_inputs(
    level: Level,
    findings: Sequence[InputFinding],
    *,
    gates: Sequence[Gate] = (),
    thresholds: Thresholds | None = None,
) -> Verdict:
    """Judge a data set: inputs drawn independently, each with an orbit of its own.

    Inputs that could not have failed are left out, and counted in the reason. With ``gates`` only they decide.
    Otherwise the declared level does: ``exact`` must hold on every input; ``approximate`` holds where the limits of
    the mean over inputs clear the thresholds; ``none`` answers the question alone, on how many inputs the answer
    stays the same.

    Args:
        level: What the model declares.
        findings: At least one.
        gates: What the user demands.
        thresholds: Defaults to `Thresholds()`.

    Raises:
        InvalidRequest: A gate's metric was not measured.
    """
    limits = thresholds or Thresholds()
    telling = [finding for finding in findings if finding.verdict.status != "not_informative"]
    silent = len(findings) - len(telling)
    if not telling:
        first = findings[0]
        return Verdict(
            "not_informative",
            f"None of {len(findings)} inputs can tell; {first.name}: {first.verdict.reason}",
            first.verdict.next_step,
        )
    if gates:
        verdict = verdict_of([_judge_gate(gate, telling) for gate in gates])
    elif level == "exact":
        verdict = _judge_exact(telling, limits)
    elif level == "approximate" and (demands := _declared_gates(telling, limits)):
        verdict = verdict_of([_judge_gate(gate, telling) for gate in demands])
    else:
        verdict = _judge_undeclared(telling, limits)
    if not silent:
        return verdict
    left_out = f" {silent} of {len(findings)} inputs could not have failed and are left out."
    return Verdict(verdict.status, verdict.reason + left_out, verdict.next_step)


def metric_interval(name: str, values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return the two-sided interval for the mean of a metric over inputs; see `clustered`.

    Args:
        name: Of `METRICS`, one whose best value is 0 or 1.
        values: [m], one an input; NaN is a failure.
        confidence: Of both limits together.

    Raises:
        InvalidRequest: A metric that has no mean over inputs.
    """
    low, high = METRICS[name].range
    if METRICS[name].better == "lower" and low == "0":
        worst = float(high) if high.replace(".", "").isdigit() else math.inf
        return error_interval(values, confidence, worst=worst, negligible=Thresholds().relative_error)
    if (low, high) == ("0", "1"):
        return consistency_interval(values, confidence)
    if (low, high) == ("-1", "1"):
        interval = consistency_interval((np.asarray(values, np.float64) + 1) / 2, confidence)
        low_end, mean, high_end = (2 * end - 1 for end in (interval.low, interval.mean, interval.high))
        return Interval(low_end, mean, high_end, confidence, interval.inputs, interval.method)
    raise InvalidRequest(f"gate: {name} has no mean over inputs; gate another metric", field="gate")


def _judge_gate(gate: Gate, findings: Sequence[InputFinding]) -> Verdict:
    if any(gate.metric not in finding.metrics for finding in findings):
        raise InvalidRequest(f"gate: {gate.metric} was not measured on these outputs", field="gate")
    values = [finding.metrics[gate.metric] for finding in findings]
    # The ends of a two-sided interval of 90 % each hold at 95 %.
    interval = metric_interval(gate.metric, values, 2 * gate.confidence - 1)
    more = f"Submit at least {2 * len(values)} inputs."
    if METRICS[gate.metric].range == ("0", "1") and 0 < gate.bound < 1:
        kept = np.array(values) if gate.better == "higher" else 1 - np.array(values)
        bound = gate.bound if gate.better == "higher" else 1 - gate.bound
        more = f"Submit at least {max(inputs_needed(kept, bound, gate.confidence), len(values) + 1)} inputs."
    over = f"{len(values)} input{'s' if len(values) != 1 else ''}"
    return gate.judge(interval.low, interval.mean, interval.high, over=over, next_step=more)


def _declared_gates(findings: Sequence[InputFinding], limits: Thresholds) -> list[Gate]:
    measured = findings[0].metrics
    if "modal_consistency" in measured:
        return [
            Gate("modal_consistency", limits.modal_consistency, "higher", limits.confidence),
            Gate("jensen_shannon", limits.jensen_shannon, "lower", limits.confidence),
        ]
    if limits.largest_error is not None and "relative_error" in measured:
        return [Gate("relative_error", limits.largest_error, "lower", limits.confidence)]
    return []


def _judge_exact(findings: Sequence[InputFinding], limits: Thresholds) -> Verdict:
    failed = [finding for finding in findings if finding.verdict.status == "fail"]
    undecided = [finding for finding in findings if finding.verdict.status == "inconclusive"]
    for status, concerned in (("fail", failed), ("inconclusive", undecided)):
        if concerned:
            first = concerned[0]
            return Verdict(
                first.verdict.status,
                f"The exact symmetry is {'refuted' if status == 'fail' else 'not decided'} on {len(concerned)} of "
                f"{len(findings)} inputs; {first.name}: {first.verdict.reason}",
                first.verdict.next_step,
            )
    return Verdict(
        "pass", f"The exact symmetry holds on every input. {inputs_certificate(len(findings), limits.confidence)}."
    )


def _judge_undeclared(findings: Sequence[InputFinding], limits: Thresholds) -> Verdict:
    passed = sum(finding.verdict.status == "pass" for finding in findings)
    failed = [finding for finding in findings if finding.verdict.status == "fail"]
    low, high = clopper_pearson_interval(passed, len(findings), limits.confidence)
    held = f"{passed} of {len(findings)} inputs pass by themselves"
    if failed:
        return Verdict(
            "fail",
            f"{held} (of all such inputs between {percent(low)} and {percent(high)} at "
            f"{percent(limits.confidence)} confidence); {failed[0].name}: {failed[0].verdict.reason}",
            failed[0].verdict.next_step,
        )
    if passed < len(findings):
        undecided = next(finding for finding in findings if finding.verdict.status == "inconclusive")
        return Verdict(
            "inconclusive", f"{held}; {undecided.name}: {undecided.verdict.reason}", undecided.verdict.next_step
        )
    return Verdict("pass", f"{held}. {inputs_certificate(len(findings), limits.confidence)}.")
