"""The metrics that requests and reports know by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from equiserve.symmetry import metrics, structured_metrics
from equiserve.symmetry.orbit_outputs import OrbitOutputs, OutputKind

#: What a metric is computed from: a decision, a distribution, any numbers, or one kind of output.
Needs = Literal["decisions", "probabilities", "outputs"] | OutputKind


@dataclass(frozen=True)
class Metric:
    """A named measure of one orbit, for discovery and selection.

    Args:
        name: What requests and reports call it.
        formula: In the notation of `metrics`.
        range: Smallest and largest value.
        better: Which end is consistent.
        needs: What the model must give.
        compute: From the orbit's outputs to the value.
        headline: Whether a report has it unasked.
    """

    name: str
    formula: str
    range: tuple[str, str]
    better: Literal["higher", "lower"]
    needs: Needs
    compute: Callable[[OrbitOutputs], float]
    headline: bool = True

    def applies_to(self, outputs: OrbitOutputs) -> bool:
        """Return whether the metric can be computed from these outputs."""
        if self.needs in ("decisions", "probabilities"):
            return outputs.probabilities is not None
        if self.needs == "outputs":
            # Differences of ids, or of lists of boxes in any order, mean nothing.
            return outputs.kind not in ("boxes", "segmentation")
        return outputs.kind == self.needs

    def to_json(self) -> dict[str, Any]:
        """Return the description as JSON values."""
        return {
            "name": self.name,
            "formula": self.formula,
            "range": self.range,
            "better": self.better,
            "needs": self.needs,
        }


def _distribution(outputs: OrbitOutputs) -> NDArray[Any]:
    assert outputs.probabilities is not None
    return outputs.probabilities


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean())


def _psnr(o: OrbitOutputs) -> float:
    peak = float(np.ptp(o.target)) if o.peak is None else o.peak
    return structured_metrics.equivariance_psnr(o.outputs, o.target, peak, o.mask)


def _flat(o: OrbitOutputs) -> NDArray[Any]:
    return o.target.reshape(-1)


_CLASSIFIERS = (
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
)

_NUMBERS = (
    Metric(
        "relative_error",
        "max_g mean|F_g - F_ref| / (mean|F_g| + mean|F_ref|)",
        ("0", "1"),
        "lower",
        "outputs",
        lambda o: float(metrics.relative_errors(o.rows, _flat(o)).max()),
    ),
    Metric(
        "orbit_variance_ratio",
        "mean_g |F_g - mean F|^2 / mean_g |F_g|^2",
        ("0", "1"),
        "lower",
        "outputs",
        lambda o: metrics.orbit_variance_ratio(o.rows),
    ),
    Metric(
        "one_sided_relative_error",
        "max_g |F_g - F_ref| / |F_ref|",
        ("0", "inf"),
        "lower",
        "outputs",
        lambda o: float(metrics.one_sided_relative_errors(o.rows, _flat(o)).max()),
        headline=False,
    ),
    Metric(
        "rms_error",
        "mean_g sqrt(mean (F_g - F_ref)^2)",
        ("0", "inf"),
        "lower",
        "outputs",
        lambda o: _mean(metrics.rms_errors(o.rows, _flat(o))),
        headline=False,
    ),
    Metric(
        "max_error",
        "max_g max|F_g - F_ref|",
        ("0", "inf"),
        "lower",
        "outputs",
        lambda o: float(metrics.max_errors(o.rows, _flat(o)).max()),
        headline=False,
    ),
    Metric(
        "cosine_similarity",
        "mean_g <F_g, F_ref> / (|F_g| |F_ref|)",
        ("-1", "1"),
        "higher",
        "outputs",
        lambda o: _mean(metrics.cosine_similarities(o.rows, _flat(o))),
        headline=False,
    ),
)

_STRUCTURED = (
    Metric(
        "box_iou",
        "mean_g of IoU, boxes matched within class (Hungarian), 0 for a box without partner",
        ("0", "1"),
        "higher",
        "boxes",
        lambda o: _mean(structured_metrics.box_agreements(o.outputs, o.target)[0]),
    ),
    Metric(
        "box_matched_share",
        "mean_g of the share of boxes matched at IoU >= 0.5",
        ("0", "1"),
        "higher",
        "boxes",
        lambda o: _mean(structured_metrics.box_agreements(o.outputs, o.target)[1]),
    ),
    Metric(
        "endpoint_error",
        "mean_g mean_p |u_g - u_ref|, in the flow's unit",
        ("0", "inf"),
        "lower",
        "flow",
        lambda o: _mean(structured_metrics.endpoint_errors(o.outputs, o.target, o.mask)),
    ),
    Metric(
        "angular_error",
        "mean_g mean_p angle(u_g, u_ref) where |u_ref| > 5 % of its largest, degrees",
        ("0", "180"),
        "lower",
        "flow",
        lambda o: _mean(structured_metrics.angular_errors(o.outputs, o.target, o.mask)),
    ),
    Metric(
        "geodesic_angle",
        "max_g of the angle of R_g R_ref^T, degrees",
        ("0", "180"),
        "lower",
        "rotations",
        lambda o: float(structured_metrics.geodesic_angles(o.outputs, o.target).max()),
    ),
    Metric(
        "average_displacement",
        "mean_g mean_t |x_g(t) - x_ref(t)| (ADE), in the trajectories' unit",
        ("0", "inf"),
        "lower",
        "trajectories",
        lambda o: _mean(structured_metrics.displacement_errors(o.outputs, o.target)[0]),
    ),
    Metric(
        "final_displacement",
        "mean_g |x_g(T) - x_ref(T)| (FDE), in the trajectories' unit",
        ("0", "inf"),
        "lower",
        "trajectories",
        lambda o: _mean(structured_metrics.displacement_errors(o.outputs, o.target)[1]),
    ),
    Metric(
        "pixel_agreement",
        "mean_g of the share of visible pixels that keep their id",
        ("0", "1"),
        "higher",
        "segmentation",
        lambda o: _mean(structured_metrics.segmentation_agreement(o.outputs, o.target, o.mask)),
    ),
    Metric(
        "equivariance_psnr",
        "10 log10(peak^2 / mean_g mean_p (F_g - F_ref)^2) over valid pixels, dB",
        ("-inf", "inf"),
        "higher",
        "pictures",
        _psnr,
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in (*_CLASSIFIERS, *_NUMBERS, *_STRUCTURED)}
