"""One report over one input or several with the gates that they must pass, the curves of every input inside."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from equiserve.checks.data_set import aggregate
from equiserve.errors import InvalidRequest
from equiserve.symmetry.clustered import consistency_interval, error_interval, inputs_needed
from equiserve.symmetry.gates import Gate, verdict_of
from equiserve.symmetry.measurement import METRICS
from equiserve.symmetry.statistics import clopper_pearson_interval
from equiserve.symmetry.verdict import Verdict

# Metrics that count elements: for random ones there are exact limits on the share of the whole group.
_SHARES = ("modal_consistency", "identity_consistency")


def gated_report(inputs: Mapping[str, Mapping[str, Any]], gates: Sequence[Gate] = ()) -> dict[str, Any]:
    """Return the report over n >= 1 inputs; takes milliseconds to seconds, not for the event loop.

    With gates, they decide. An input about which the check says nothing (`not_informative`) would reach any gate, so it
    is left out; where no input says anything, neither does the report.

    Args:
        inputs: By name, the reports of one model and one group, as `CheckReport.to_json()`.
        gates: What must be reached.

    Returns:
        For one input its report, for several `data_set.aggregate` over them; with `gates` in either, and the verdict
        that follows from them.

    Raises:
        InvalidRequest: There is no input, the reports are of several models or groups, or a gate names a metric that
            they do not have.
    """
    reports = list(inputs.values())
    if not reports:
        raise InvalidRequest("inputs: got none, expected at least one", field="inputs")
    for key in ("model", "version", "file_digest", "group"):
        if any(report[key] != reports[0][key] for report in reports):
            raise InvalidRequest(f"inputs: their reports differ in {key}, expected one model and group", field="inputs")
    named = [{"index": index, "name": name, **report} for index, (name, report) in enumerate(inputs.items())]
    content = dict(named[0]) if len(named) == 1 else aggregate(named, {}, len(named))
    return content | gates_over(reports, gates)


def gates_over(reports: Sequence[Mapping[str, Any]], gates: Sequence[Gate]) -> dict[str, Any]:
    """Return `gates`, what each of them showed over n >= 1 reports, and the `verdict` that follows where any judged.

    Raises:
        InvalidRequest: A gate names a metric that the reports do not have.
    """
    telling = [report for report in reports if report["verdict"]["status"] != "not_informative"]
    judged = [_judge(gate, telling) for gate in gates] if telling else []
    content: dict[str, Any] = {"gates": [shown for _, shown in judged]}
    if judged:
        verdict = verdict_of([verdict for verdict, _ in judged])
        silent = len(reports) - len(telling)
        more = f" {silent} of {len(reports)} inputs say nothing and are left out." if silent else ""
        content["verdict"] = Verdict(verdict.status, verdict.reason + more, verdict.next_step).to_json()
    return content


def _judge(gate: Gate, reports: Sequence[Mapping[str, Any]]) -> tuple[Verdict, dict[str, Any]]:
    """Return a gate's verdict over n >= 1 inputs, and both as JSON values."""
    worst, best = _range(gate, max(report["coverage"]["checked"] for report in reports))
    figures = [_figure(report, gate.metric, worst) for report in reports]
    values = [figure for figure in figures if figure is not None]
    missing = len(figures) - len(values)
    low, mean, high = _interval(gate, values, worst, best) if values else (math.nan, math.nan, math.nan)
    drawn = len(reports) == 1 and reports[0].get("sampled") is not None
    if drawn and gate.metric in _SHARES and values:
        low, high = _share_of_the_group(reports[0]["coverage"]["checked"], mean, gate.confidence)
    if missing:
        verdict = Verdict(
            "inconclusive",
            f"{gate.metric} has no figure for {missing} of {len(reports)} inputs: their checks were not finished.",
            "Allow more time, or ask for fewer elements.",
        )
    else:
        over = "this input" if len(values) == 1 else f"{len(values)} inputs"
        over += f", {reports[0]['coverage']['checked']} random elements" if drawn else ""
        next_step = "Draw more random elements." if drawn else _next_step(gate, values)
        verdict = gate.judge(low, mean, high, over=over, next_step=next_step)
    demand = f"{gate.metric} {'>=' if gate.better == 'higher' else '<='} {gate.bound:g}"
    numbers = {"value": mean, "low": low, "high": high}
    return verdict, {
        "gate": demand,
        "inputs": len(reports),
        **{name: number if math.isfinite(number) else None for name, number in numbers.items()},
        "confidence": gate.confidence,
        **verdict.to_json(),
    }


def _figure(report: Mapping[str, Any], metric: str, worst: float) -> float | None:
    """Return a metric over all elements, the worst for one that is not finite; None where the check is partial."""
    coverage = report["coverage"]
    if report["summary"] is None or coverage["checked"] < coverage["planned"]:
        return None
    metrics = report["summary"]["all"]
    if metric not in metrics:
        raise InvalidRequest(f"gate: the check has no {metric}, expected one of {list(metrics)}", field="gate")
    value = metrics[metric]
    return float(value) if value is not None and math.isfinite(value) else worst


def _interval(gate: Gate, values: Sequence[float], worst: float, best: float) -> tuple[float, float, float]:
    """Return lower limit, mean and upper limit, each limit at the gate's confidence; one input's figure is exact."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    both = 2 * gate.confidence - 1
    if gate.better == "lower":
        errors = error_interval(values, both, worst=worst)
        return errors.low, errors.mean, errors.high
    if math.isinf(best):
        return worst, math.fsum(values) / len(values), best  # nothing is known of a mean without a bound
    shares = consistency_interval([(value - worst) / (best - worst) for value in values], both)
    low, mean, high = (worst + share * (best - worst) for share in (shares.low, shares.mean, shares.high))
    return low, mean, high


def _share_of_the_group(elements: int, share: float, confidence: float) -> tuple[float, float]:
    """Return limits, each at `confidence`, on the share of a group: by random elements after the identity."""
    drawn = elements - 1
    kept = max(0, round(share * elements) - 1)
    return clopper_pearson_interval(kept, drawn, 2 * confidence - 1)


def _range(gate: Gate, elements: int) -> tuple[float, float]:
    """Return the metric's worst and best value."""
    low, high = METRICS[gate.metric].range
    try:
        ends = float(low), float(high)
    except ValueError:
        # Of a divergence over n elements, log2(n) is the most.
        ends = 0.0, math.log2(max(elements, 2))
    return ends if gate.better == "higher" else ends[::-1]


def _next_step(gate: Gate, values: Sequence[float]) -> str:
    if METRICS[gate.metric].range == ("0", "1") and gate.better == "higher" and 0 < gate.bound < 1:
        return f"Check about {inputs_needed(values, gate.bound, gate.confidence)} inputs."
    return "Check more inputs."
