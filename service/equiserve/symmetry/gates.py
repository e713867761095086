"""Gates: what a user demands of a metric, such as ``orbit_consistency=0.95``, and whether an interval meets it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from equiserve.errors import InvalidRequest
from equiserve.symmetry.measurement import METRICS, Metric
from equiserve.symmetry.statistics import percent
from equiserve.symmetry.verdict import Status, Verdict

# Other names that the literature and our own command line use for the same thing.
SYNONYMS = {"orbit_consistency": "modal_consistency", "js_divergence": "jensen_shannon"}

_BOUND = {"higher": "min", "lower": "max"}


@dataclass(frozen=True, slots=True)
class Gate:
    """A threshold that a metric must reach.

    Args:
        metric: A name of `METRICS`.
        bound: The smallest value that passes, or the largest where less is better.
        better: Which of the two, from the metric.
        confidence: With which one limit of an interval must clear the bound (one-sided).
    """

    metric: str
    bound: float
    better: Literal["higher", "lower"]
    confidence: float = 0.95

    def judge(self, low: float, value: float, high: float, *, over: str, next_step: str) -> Verdict:
        """Judge an interval whose ends hold one-sided at ``confidence``; ``low == high`` for what was enumerated.

        Args:
            low: Lower limit.
            value: What was measured.
            high: Upper limit.
            over: Words for what it was measured on, e.g. ``100 inputs``.
            next_step: What would decide where the interval contains the bound.
        """
        near, far = (low, high) if self.better == "higher" else (high, low)
        shown = f"{self.metric} is {value:.4g} over {over}"
        if low != high:
            shown += f" (between {low:.4g} and {high:.4g} at {percent(self.confidence)} confidence each)"
        demand = f"{'at least' if self.better == 'higher' else 'at most'} {self.bound:g}"
        if self._passes(near):
            return Verdict("pass", f"{shown}: {demand}, as demanded.")
        if not self._passes(far):
            return Verdict("fail", f"{shown}; demanded: {demand}.", "See the worst inputs and elements of the report.")
        return Verdict("inconclusive", f"{shown}, which does not decide on {demand}.", next_step)

    def to_json(self) -> dict[str, Any]:
        """Return the gate as JSON values that `gates_from_json` reads."""
        return {self.metric: {_BOUND[self.better]: self.bound, "confidence": self.confidence}}

    def _passes(self, value: float) -> bool:
        return value >= self.bound if self.better == "higher" else value <= self.bound


def gate_from_text(text: str, field: str = "gate") -> Gate:
    """Read ``metric=bound``, as on the command line; ``metric>=bound`` and ``metric<=bound`` say the direction too.

    Raises:
        InvalidRequest: Not of that form, an unknown metric, a bound out of range, or the wrong direction.
    """
    for sign, direction in ((">=", "min"), ("<=", "max"), ("=", None)):
        name, found, bound = text.partition(sign)
        if found:
            metric = _metric(name.strip(), field)
            return Gate(metric.name, _bound(bound.strip(), metric, direction, field), metric.better)
    raise InvalidRequest(f"{field}: got {text!r}, expected metric=bound, e.g. orbit_consistency=0.95", field=field)


def gates_from_json(value: object, field: str = "gate") -> list[Gate]:
    """Read what a request demands.

    Args:
        value: ``"orbit_consistency=0.95"``, a list of such, or an object of metric names whose values are numbers or
            ``{"min" | "max": number, "confidence": number}``; None demands nothing.
        field: Name of the request's field, for errors.

    Raises:
        InvalidRequest: Anything else, an unknown metric, a bound out of range, or the wrong direction.
    """
    if value is None:
        return []
    if isinstance(value, str):
        return [gate_from_text(part, field) for part in value.split(",")]
    if isinstance(value, Mapping):
        return [_gate(name, demand, field) for name, demand in value.items()]
    if isinstance(value, Sequence):
        return [gate for part in value for gate in gates_from_json(part, field)]
    raise InvalidRequest(f"{field}: got {value!r}, expected text or an object by metric names", field=field)


def verdict_of(verdicts: Sequence[Verdict]) -> Verdict:
    """Return one verdict for all: it passes where each passes, and fails where one fails.

    No correction for their number is due: that all pass is claimed only where each is shown at its own confidence
    (intersection-union test).

    Args:
        verdicts: At least one.
    """
    order: tuple[Status, ...] = ("fail", "inconclusive", "not_informative", "pass")
    status = next(status for status in order if any(verdict.status == status for verdict in verdicts))
    chosen = [verdict for verdict in verdicts if verdict.status == status]
    steps = dict.fromkeys(verdict.next_step for verdict in chosen if verdict.next_step)
    return Verdict(status, " ".join(verdict.reason for verdict in chosen), " ".join(steps) or None)


def _gate(name: object, demand: object, field: str) -> Gate:
    metric = _metric(str(name), field)
    if not isinstance(demand, Mapping):
        return Gate(metric.name, _bound(demand, metric, None, field), metric.better)
    place = f"{field}.{name}"
    directions = [key for key in demand if key in ("min", "max")]
    unknown = demand.keys() - {"min", "max", "confidence"}
    if len(directions) != 1 or unknown:
        raise InvalidRequest(
            f"{place}: got {dict(demand)!r}, expected {{'{_BOUND[metric.better]}': number, 'confidence': number}}",
            field=place,
        )
    confidence = demand.get("confidence", 0.95)
    if not _is_number(confidence) or not 0.5 < confidence < 1:
        raise InvalidRequest(
            f"{place}.confidence: got {confidence!r}, expected a number between 0.5 and 1", field=f"{place}.confidence"
        )
    bound = _bound(demand[directions[0]], metric, directions[0], place)
    return Gate(metric.name, bound, metric.better, float(confidence))


def _metric(name: str, field: str) -> Metric:
    metric = METRICS.get(SYNONYMS.get(name, name))
    if metric is None:
        known = ", ".join([*METRICS, *SYNONYMS])
        raise InvalidRequest(f"{field}: unknown metric {name!r}, expected any of {known}", field=field)
    return metric


def _bound(value: object, metric: Metric, direction: str | None, field: str) -> float:
    if direction not in (None, _BOUND[metric.better]):
        raise InvalidRequest(
            f"{field}: {metric.name} is better the {metric.better} it is, expected a "
            f"{_BOUND[metric.better]} bound, got a {direction} bound",
            field=field,
        )
    try:
        bound = float(value) if isinstance(value, str) or _is_number(value) else math.nan  # type: ignore[arg-type]
    except ValueError:
        bound = math.nan
    low, high = (_end(end) for end in metric.range)
    if not low <= bound <= high:
        raise InvalidRequest(
            f"{field}: got {value!r} for {metric.name}, expected a number from {metric.range[0]} to {metric.range[1]}",
            field=field,
        )
    return bound


def _end(text: str) -> float:
    """Return an end of a metric's range; one that depends on the data bounds nothing beforehand."""
    try:
        return float(text)
    except ValueError:
        return math.inf


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
