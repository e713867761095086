"""Measures an orbit by the names of the catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from equiserve.errors import InvalidRequest
from equiserve.symmetry.metric_catalogue import METRICS, Metric
from equiserve.symmetry.orbit_outputs import OrbitOutputs

__all__ = ["METRICS", "Metric", "OrbitOutputs", "measure", "metric_catalogue"]

_LACKS = {
    "decisions": "class probabilities, which this model does not give",
    "probabilities": "class probabilities, which this model does not give",
    "outputs": "numbers that can be subtracted",
}


def metric_catalogue() -> list[dict[str, Any]]:
    """Return a JSON description of every metric."""
    return [metric.to_json() for metric in METRICS.values()]


def measure(outputs: OrbitOutputs, names: Iterable[str] | None = None) -> dict[str, float]:
    """Return the named metrics of one orbit, or every headline metric that the model's outputs allow.

    Raises:
        InvalidRequest: Unknown name, or a metric of something else than these outputs.
    """
    if names is None:
        names = [m.name for m in METRICS.values() if m.headline and m.applies_to(outputs)]
    values = {}
    for name in names:
        metric = METRICS.get(name)
        if metric is None:
            raise InvalidRequest(f"metrics: unknown metric {name!r}, expected any of {list(METRICS)}", field="metrics")
        if not metric.applies_to(outputs):
            lacking = _LACKS.get(metric.needs, metric.needs)
            raise InvalidRequest(
                f"metrics: {name} needs {lacking}; the output is of kind {outputs.kind}", field="metrics"
            )
        values[name] = metric.compute(outputs)
    return values
