"""What a check of a generator found: the angle reached, and EQ-R in the inscribed disc, for every element."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from equiserve.checks.report import report_head
from equiserve.generator_check.plan import GeneratorPlan
from equiserve.generator_check.plot import draw_angles
from equiserve.generator_check.registration import register
from equiserve.numerics.resampling import disc_mask
from equiserve.numerics.rotation import turn_picture
from equiserve.symmetry import Verdict

#: A generator that misses the angle by more than this in the median does not turn what it draws.
TOLERANCE_DEG = 5.0
#: Pictures that look alike at two angles by this much have no angle to be measured.
LEAST_LEAD = 0.02
_MOST_DB = 100.0


@dataclass(slots=True)
class Drawn:
    """What was drawn.

    Attributes:
        batch: Rows of every call.
        pictures: [n, C, H, W] for each element so far, in order.
        batches: Calls of the model.
        stopped: The deadline came first.
        wall_s: Seconds in all.
    """

    batch: int
    pictures: list[np.ndarray] = field(default_factory=list)
    batches: int = 0
    stopped: bool = False
    wall_s: float = 0.0


@dataclass(frozen=True, slots=True)
class GeneratorCheckReport:
    """The report of one check.

    Attributes:
        content: The report as JSON values, in the shape of every report.
    """

    content: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return self.content

    def to_svg(self) -> str:
        """Return the polar plots of angle error and EQ-R; takes milliseconds, not for the event loop."""
        return draw_angles(self.content)


def write_generator_report(plan: GeneratorPlan, drawn: Drawn, report_id: str) -> GeneratorCheckReport:
    """Measure what was drawn and write it down; not for the event loop."""
    content = _head(plan, drawn, report_id)
    checked = len(drawn.pictures)
    if checked < 2:
        reason = f"The deadline passed before any of {len(plan.elements)} elements was checked."
        verdict = Verdict("inconclusive", reason, "Allow more time.")
        return GeneratorCheckReport(content | {"statement": reason, "verdict": verdict.to_json()})
    pictures, exact = np.stack(drawn.pictures), np.array(plan.exact[:checked])
    angles = np.array([element.angle_deg for element in plan.elements[:checked]])
    seeds = [register(pictures[0, k], pictures[:, k]) for k in range(pictures.shape[1])]
    errors = np.stack([(one.angle_deg - angles + 180) % 360 - 180 for one in seeds])
    error = np.median(errors, axis=0)
    lead = float(np.median([one.lead for one in seeds]))
    expected = np.stack([turn_picture(pictures[0], angle) for angle in angles])
    weights = disc_mask(*pictures.shape[-2:])
    squared = (((pictures - expected) ** 2) * weights).sum(axis=(1, 2, 3, 4))
    mean_square = squared / (weights.sum() * pictures.shape[1] * pictures.shape[2])
    relative = np.sqrt(squared / np.maximum((expected**2 * weights).sum(axis=(1, 2, 3, 4)), 1e-12))
    identical = np.array([np.array_equal(one, other) for one, other in zip(pictures, expected, strict=True)])
    # The identity is what all are compared with: it says nothing of any other element.
    others = np.arange(checked) > 0
    parts = {"exact": exact & others, "resampled": ~exact & others, "all": others}
    summary = {
        name: _summary(error[chosen], mean_square[chosen], relative[chosen]) if chosen.any() else None
        for name, chosen in parts.items()
    }
    worst = int(np.abs(error).argmax())
    counts = {"identical": int((identical & parts["exact"]).sum()), "of": int(parts["exact"].sum())}
    verdict = _verdict(plan, summary["all"] or {}, counts, lead, stopped=drawn.stopped)
    content |= {
        "statement": verdict.reason,
        "verdict": verdict.to_json(),
        "reference": {"kind": "identity", "prediction": None, "tied": [], "strength": None},
        "summary": summary,
        "worst": {
            "index": worst,
            "element": plan.elements[worst].to_json(),
            "description": plan.group.describe(plan.elements[worst]),
            "angle_error_deg": float(error[worst]),
        },
        "bitwise_identical": counts,
        "elements": {
            "element": [element.to_json() for element in plan.elements[:checked]],
            "exact": exact.tolist(),
            "achieved_deg": (angles + error).tolist(),
            "angle_error_deg": error.tolist(),
            "eqr_db": _decibel(mean_square).tolist(),
            "relative_error": relative.tolist(),
        },
        "registration": {"step_deg": 2.0, "lead": lead},
    }
    return GeneratorCheckReport(content)


def _decibel(mean_square: np.ndarray | float) -> np.ndarray:
    """Return EQ-R (Karras et al. 2021, arXiv 2106.12423): PSNR in dB for a range of 2; equal pictures get 100."""
    return np.asarray(np.minimum(10 * np.log10(4 / np.maximum(mean_square, 1e-20)), _MOST_DB))


def _summary(error: np.ndarray, mean_square: np.ndarray, relative: np.ndarray) -> dict[str, float]:
    return {
        "median_angle_error_deg": float(np.median(np.abs(error))),
        "p90_angle_error_deg": float(np.percentile(np.abs(error), 90)),
        # Of the mean error, not the mean of the decibels: exact turns have as many as one likes.
        "eqr_db": float(_decibel(mean_square.mean())),
        "least_eqr_db": float(_decibel(mean_square.max())),
        "max_relative_error": float(relative.max()),
    }


def _verdict(
    plan: GeneratorPlan, summary: dict[str, float], counts: dict[str, int], lead: float, *, stopped: bool
) -> Verdict:
    parameters = plan.generation.parameters
    missed, decibel = summary["median_angle_error_deg"], summary["eqr_db"]
    found = (
        f"mode {parameters.mode}: median angle error {missed:.1f} degrees, EQ-R {decibel:.1f} dB in the inscribed "
        f"disc; {counts['identical']} of {counts['of']} exact turns are bit-identical"
    )
    if lead < LEAST_LEAD:
        reason = f"What {parameters.model} draws here looks alike at several angles ({found})."
        return Verdict("not_informative", reason, "Ask for a class without symmetry, e.g. a 2, 4 or 7.")
    if missed > TOLERANCE_DEG:
        advice = "Use mode conditioned or exact." if parameters.mode.startswith("drift") else None
        return Verdict("fail", f"{parameters.model} misses the angle: {found}.", advice)
    if stopped:
        return Verdict("inconclusive", f"The deadline passed early; until then, {found}.", "Allow more time.")
    return Verdict("pass", f"{parameters.model} turns what it draws as asked: {found}.")


def _head(plan: GeneratorPlan, drawn: Drawn, report_id: str) -> dict[str, Any]:
    generation, checked = plan.generation, len(drawn.pictures)
    head = report_head(
        generation.generator.model,
        report_id=report_id,
        group=plan.group,
        level=plan.level,
        declared=plan.declared,
        coverage={"checked": checked, "planned": len(plan.elements), "exact": sum(plan.exact[:checked])},
        sampled=plan.draw.to_json() if plan.draw else None,
        cost={
            "forward_passes": drawn.batches * drawn.batch,
            "batches": drawn.batches,
            "batch_size": drawn.batch,
            "cached": 0,
            "wall_ms": round(drawn.wall_s * 1e3, 3),
            "transform_ms": 0.0,
        },
        provenance={
            "kernel": "exact turns by permutation, others by 4-fold upsampling and bilinear interpolation",
            "boundary": "inscribed disc",
            "dtype": "FP32",
        },
    )
    return head | {"parameters": generation.parameters.to_json()}
