"""What a check found, as JSON and as a picture."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from equiserve import __version__
from equiserve.artifact import Symmetry
from equiserve.checks import sections
from equiserve.checks.conclusion import conclude, statement
from equiserve.checks.findings import Findings
from equiserve.checks.gated import gates_over
from equiserve.checks.measurement import Measurement
from equiserve.checks.planner import CheckPlan
from equiserve.checks.plots import NeroPlot, draw
from equiserve.checks.request import CheckRequest
from equiserve.classifier import PictureClassifier
from equiserve.engine import ServedModel
from equiserve.symmetry import CropShift, CyclicShift, Group, Level, RelabelClasses, Verdict


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The report of one check.

    Attributes:
        content: The report as JSON values.
    """

    content: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values: `statement` says it in a sentence, `verdict` what to conclude."""
        return self.content

    def to_svg(self) -> str:
        """Return the NERO plot as a self-contained SVG document; takes milliseconds, not for the event loop."""
        return draw(NeroPlot.of(self.content))


def write_report(
    classifier: PictureClassifier, plan: CheckPlan, measured: Measurement, request: CheckRequest, report_id: str
) -> CheckReport:
    """Judge what was measured and write it down; takes milliseconds, not for the event loop.

    Raises:
        InvalidRequest: `label` is no class of the model.
    """
    content = _head(classifier, plan, measured, report_id)
    if not len(measured.members):
        why = "The check was cancelled" if measured.stopped == "cancelled" else "The deadline passed"
        verdict = Verdict(
            "inconclusive", f"{why} before any of {len(plan.orbit)} elements was checked.", "Allow more time."
        )
        content |= {"statement": verdict.reason, "verdict": verdict.to_json()}
        return CheckReport(content)
    findings = Findings(classifier, plan, measured, request)
    content |= {
        "statement": statement(findings),
        "verdict": conclude(findings).to_json(),
        "reference": sections.reference(findings),
        "summary": sections.summary(findings),
        "worst": sections.worst(findings),
        "bitwise_identical": {
            "identical": int((findings.identical & findings.exact).sum()),
            "of": int(findings.exact.sum()),
        },
        "noise_floor": content["noise_floor"] | {"value": findings.noise_floor},
        "controls": sections.controls(findings),
        "spectrum": sections.spectrum(findings),
        "search": sections.search(findings),
        "symmetrized_prediction": sections.symmetrized(findings),
        "error_split": sections.split_error(findings),
        "elements": sections.elements(findings),
    }
    if plan.gates:
        content |= gates_over([content], plan.gates)
    return CheckReport(content)


def report_head(
    model: ServedModel,
    *,
    report_id: str,
    group: Group[Any],
    level: Level,
    declared: Symmetry | None,
    coverage: dict[str, int],
    sampled: dict[str, int] | None,
    cost: dict[str, Any],
    provenance: dict[str, str],
) -> dict[str, Any]:
    """Return a report with every field that does not depend on what was answered, the others empty.

    Args:
        model: The model.
        report_id: Unique for each check.
        group: The group.
        level: What the model declares of it.
        declared: The manifest's entry for it.
        coverage: `checked`, `planned` and `exact` elements.
        sampled: How the elements were drawn at random; None where they were not.
        cost: `forward_passes`, `batches`, `batch_size`, `cached`, `wall_ms`, `transform_ms`.
        provenance: `kernel`, `boundary`, `dtype`.
    """
    return {
        "statement": "",
        "verdict": {},
        "id": report_id,
        "model": model.name,
        "version": model.version,
        "runtime": model.runtime.name,
        "file_digest": model.file_digest,
        "group": group_json(group),
        "level": level,
        "declared": declared and declared.model_dump(mode="json", exclude_none=True),
        "coverage": coverage,
        "sampled": sampled,
        "relabelled": [],
        "reference": None,
        "summary": None,
        "worst": None,
        "bitwise_identical": {"identical": 0, "of": 0},
        "noise_floor": {"value": None, "batch_invariance": model.calibration.batch_invariance},
        "controls": None,
        "spectrum": None,
        "search": None,
        "gates": [],
        "symmetrized_prediction": None,
        "error_split": None,
        "elements": None,
        "resized_from": None,
        "cost": cost,
        "provenance": provenance
        | {
            "software": {
                "equiserve": __version__,
                "runtime": model.runtime.version,
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
            "cpu": model.calibration.cpu,
        },
    }


def _head(classifier: PictureClassifier, plan: CheckPlan, measured: Measurement, report_id: str) -> dict[str, Any]:
    orbit, members = plan.orbit, measured.members
    head = report_head(
        classifier.model,
        report_id=report_id,
        group=orbit.group,
        level=plan.level,
        declared=plan.declared,
        coverage={"checked": len(members), "planned": len(orbit), "exact": int(orbit.exact[members].sum())},
        sampled=plan.draw.to_json() if plan.draw else None,
        cost={
            "forward_passes": measured.forward_passes,
            "batches": measured.batches,
            "batch_size": measured.batch,
            "cached": measured.cached,
            "wall_ms": round(measured.wall_s * 1e3, 3),
            "transform_ms": round(measured.transform_s * 1e3, 3),
        },
        provenance={
            "kernel": "permutation" if orbit.exact.all() else _kernel(plan),
            "boundary": _boundary(plan),
            "dtype": classifier.input.datatype,
        },
    )
    return head | {
        "resized_from": list(plan.resized_from) if plan.resized_from else None,
        "relabelled": relabelled_json(plan.relabelling, classifier.label),
    }


def relabelled_json(relabelling: RelabelClasses | None, name: Callable[[int], str]) -> list[dict[str, Any]]:
    """Return which elements change what a class is, and how: answers are reported in terms of the input as it came."""
    if relabelling is None:
        return []
    return [
        {"element": element.to_json(), "classes": {name(old): name(new) for old, new in moves.items()}}
        for element, moves in relabelling.labels.items()
    ]


def group_json(group: Group[Any]) -> dict[str, Any]:
    """Return a group as JSON values."""
    return {"name": group.name, "parameters": group.parameters(), "order": group.order, "is_group": group.is_group}


def _kernel(plan: CheckPlan) -> str:
    if isinstance(plan.orbit.group, CropShift):
        return "whole pixels"
    return "exact elements by permutation, others by 4-fold upsampling and bilinear interpolation"


def _boundary(plan: CheckPlan) -> str:
    if isinstance(plan.orbit.group, CyclicShift):
        return "circular"
    if isinstance(plan.orbit.group, CropShift):
        return plan.orbit.action.fill
    return "inscribed disc" if plan.orbit.prepared == "disc" else "none needed"
