"""One orbit's answers, and the registry of metrics that measure them by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import InvalidRequest
from equiserve.symmetry import metrics
from equiserve.symmetry.reference import Reference, decisions_of, identity_reference


@dataclass(frozen=True, eq=False)
class OrbitOutputs:
    """What a model said about the members of one orbit.

    Args:
        outputs: [n, K] pulled-back outputs as served (logits, probabilities or values).
        probabilities: [n, K] rows summing to 1, for classifiers; None where the output is no distribution.
        reference: What to compare with; None for the identity's answer.
    """

    outputs: NDArray[Any]
    probabilities: NDArray[Any] | None = None
    reference: Reference | None = None

    @cached_property
    def decisions(self) -> NDArray[np.int64]:
        """[n] class ids, -1 for failures."""
        return decisions_of(self.outputs)

    @cached_property
    def truth(self) -> Reference:
        """The reference, the identity's answer by default."""
        return self.reference or identity_reference(self.outputs)

    def subset(self, members: NDArray[np.bool_]) -> OrbitOutputs:
        """Return the members that a mask [n] selects, against the same reference; the identity must be one."""
        probabilities = None if self.probabilities is None else self.probabilities[members]
        return OrbitOutputs(self.outputs[members], probabilities, self.truth)


@dataclass(frozen=True)
class Metric:
    """A named measure of one orbit, for discovery and selection.

    Args:
        name: What requests and reports call it.
        formula: In the notation of `metrics`.
        range: Smallest and largest value.
        better: Which end is consistent.
        needs: What the model must give: a decision, a distribution, or any output.
        compute: From the orbit's outputs to the value.
    """

    name: str
    formula: str
    range: tuple[str, str]
    better: Literal["higher", "lower"]
    needs: Literal["decisions", "probabilities", "outputs"]
    compute: Callable[[OrbitOutputs], float]


def _relative_error(o: OrbitOutputs) -> float:
    # Labels carry no output: the identity's stands in.
    reference = o.outputs[0] if o.truth.output is None else o.truth.output
    return float(metrics.relative_errors(o.outputs, reference).max())


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "modal_consistency",
            "max_c n_c / n",
            ("0", "1"),
            "higher",
            "decisions",
            lambda o: metrics.modal_consistency(o.decisions),
        ),
        Metric(
            "pair_agreement",
            "sum_c n_c (n_c - 1) / (n (n - 1))",
            ("0", "1"),
            "higher",
            "decisions",
            lambda o: metrics.pair_agreement(o.decisions),
        ),
        Metric(
            "identity_consistency",
            "mean_g [argmax F_g = argmax F_e]",
            ("0", "1"),
            "higher",
            "decisions",
            lambda o: metrics.identity_consistency(o.decisions),
        ),
        Metric(
            "worst_margin",
            "min_g (p_g(reference) - max_(c != reference) p_g(c))",
            ("-1", "1"),
            "higher",
            "probabilities",
            lambda o: metrics.worst_margin(_distribution(o), o.truth.label),
        ),
        Metric(
            "jensen_shannon",
            "H(mean_g P_g) - mean_g H(P_g), bits",
            ("0", "log2(min(n, K))"),
            "lower",
            "probabilities",
            lambda o: metrics.jensen_shannon(_distribution(o)),
        ),
        Metric(
            "relative_error",
            "max_g mean|F_g - F_ref| / (mean|F_g| + mean|F_ref|)",
            ("0", "1"),
            "lower",
            "outputs",
            _relative_error,
        ),
        Metric(
            "orbit_variance_ratio",
            "mean_g |F_g - mean F|^2 / mean_g |F_g|^2",
            ("0", "1"),
            "lower",
            "outputs",
            lambda o: metrics.orbit_variance_ratio(o.outputs),
        ),
    )
}


def metric_catalogue() -> list[dict[str, Any]]:
    """Return a JSON description of every metric."""
    return [{k: v for k, v in asdict(metric).items() if k != "compute"} for metric in METRICS.values()]


def measure(outputs: OrbitOutputs, names: Iterable[str] | None = None) -> dict[str, float]:
    """Return the named metrics of one orbit, or every one that the model's outputs allow.

    Raises:
        InvalidRequest: Unknown name, or a metric of distributions where there is none.
    """
    if names is None:
        names = [m.name for m in METRICS.values() if outputs.probabilities is not None or m.needs == "outputs"]
    values = {}
    for name in names:
        metric = METRICS.get(name)
        if metric is None:
            raise InvalidRequest(f"metrics: unknown metric {name!r}, expected any of {list(METRICS)}", field="metrics")
        if metric.needs != "outputs" and outputs.probabilities is None:
            raise InvalidRequest(
                f"metrics: {name} needs class probabilities, which this model does not give", field="metrics"
            )
        values[name] = metric.compute(outputs)
    return values


def _distribution(outputs: OrbitOutputs) -> NDArray[Any]:
    assert outputs.probabilities is not None
    return outputs.probabilities
