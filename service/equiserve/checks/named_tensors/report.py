"""What a check of named tensors found, in the shape of every report: an error curve, and a section an output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.checks.gated import gates_over
from equiserve.checks.named_tensors.findings import OutputFindings, TensorFindings, stopped
from equiserve.checks.named_tensors.measurement import TensorMeasurement
from equiserve.checks.named_tensors.outputs import consensus_strength
from equiserve.checks.named_tensors.planner import TensorPlan
from equiserve.checks.named_tensors.request import TensorCheckRequest
from equiserve.checks.report import CheckReport, report_head
from equiserve.checks.spectrum import spectrum_json, spectrum_over
from equiserve.engine import ServedModel
from equiserve.symmetry import METRICS, Verdict, measure


def write_tensor_report(
    model: ServedModel,
    plan: TensorPlan,
    measured: TensorMeasurement,
    request: TensorCheckRequest,
    report_id: str,
) -> CheckReport:
    """Judge what was measured and write it down; not for the event loop."""
    content = _head(model, plan, measured, report_id)
    if not len(measured.members):
        reason = f"{stopped(measured)} before any of {len(plan.orbit)} elements was checked."
        content |= {"statement": reason, "verdict": Verdict("inconclusive", reason, "Allow more time.").to_json()}
        return CheckReport(content)
    measured = measured.with_boxes_in_order(plan.orbit)
    labels = model.manifest.labels
    outputs = [OutputFindings(name, plan, measured, request, labels) for name in measured.outputs]
    found = TensorFindings(plan, measured, outputs)
    floors = [output.noise_floor for output in outputs if output.noise_floor is not None]
    content |= {
        "statement": found.statement,
        "verdict": found.verdict.to_json(),
        "reference": {"kind": request.reference, "prediction": None, "tied": [], "strength": None},
        "summary": _over_outputs([_summary(output, found.exact) for output in outputs]),
        "worst": _worst(found),
        "bitwise_identical": {"identical": int((found.identical & found.exact).sum()), "of": int(found.exact.sum())},
        "noise_floor": content["noise_floor"] | {"value": max(floors, default=None)},
        "controls": _controls(found),
        "spectrum": _spectrum(found),
        "elements": {
            "element": [element.to_json() for element in found.elements],
            "exact": found.exact.tolist(),
            "relative_error": found.errors.tolist(),
            "agrees": found.agrees.tolist(),
        },
        "outputs": {output.name: _output(output, found.exact) for output in outputs},
    }
    if plan.gates:
        content |= gates_over([content], plan.gates)
    return CheckReport(content)


def _head(model: ServedModel, plan: TensorPlan, measured: TensorMeasurement, report_id: str) -> dict[str, Any]:
    orbit, members = plan.orbit, measured.members
    lossless = bool(orbit.exact.all())
    return report_head(
        model,
        report_id=report_id,
        group=plan.group,
        level=plan.level,
        declared=plan.declared,
        coverage={"checked": len(members), "planned": len(orbit), "exact": int(orbit.exact[members].sum())},
        sampled=plan.draw.to_json() if plan.draw else None,
        cost={
            "forward_passes": measured.forward_passes,
            "batches": measured.batches,
            "batch_size": measured.batch,
            "cached": 0,
            "wall_ms": round(measured.wall_s * 1e3, 3),
            "transform_ms": round(measured.transform_s * 1e3, 3),
        },
        provenance={
            "kernel": "exact"
            if lossless
            else "as declared; pixel grids by 4-fold upsampling and bilinear interpolation",
            "boundary": "inscribed disc" if orbit.prepared else "none needed",
            "dtype": ", ".join(f"{name} {array.dtype}" for name, array in orbit.inputs.items()),
        },
    )


def _output(output: OutputFindings, exact: NDArray[np.bool_]) -> dict[str, Any]:
    given, errors = output.outputs, output.errors
    content: dict[str, Any] = {
        "kind": "classes" if given.probabilities is not None else given.kind,
        "verdict": output.verdict.to_json(),
        "reference": given.truth.kind,
        "strength": consensus_strength(given),
        "summary": _summary(output, exact),
        "worst": int(errors.argmax()),
        "noise_floor": output.noise_floor,
        "relative_error": errors.tolist(),
        "agrees": output.agrees.tolist(),
    }
    if output.request.outputs:
        content["values"] = given.rows.tolist()
        content["shape"] = list(given.outputs.shape[1:])
    return content


def _summary(output: OutputFindings, exact: NDArray[np.bool_]) -> dict[str, Any]:
    """Return the metrics over exact elements, over the others, and over all; the identity belongs to each."""
    given, asked = output.outputs, output.request.metrics
    names = None if asked is None else [name for name in asked if METRICS[name].applies_to(given)]
    others = ~exact
    others[0] = True
    return {
        "exact": measure(given.subset(exact), names),
        "resampled": None if exact.all() else measure(given.subset(others), names),
        "all": measure(given, names),
    }


def _spectrum(found: TensorFindings) -> dict[str, Any] | None:
    """Return the orbit spectrum of the output that is furthest off; None where there is none."""
    if not found.finite.all() or len(found.elements) < len(found.plan.orbit):
        return None
    worst = found.worst_output
    if worst.outputs.rows.dtype.kind != "f":
        return None
    spectrum = spectrum_over(found.plan.group, found.elements, worst.outputs.rows)
    return spectrum_json(spectrum, worst.thresholds.exact_error**2)


def _over_outputs(summaries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return of each metric its worst value among the outputs that have it."""
    merged: dict[str, Any] = {}
    for part in ("exact", "resampled", "all"):
        given = [summary[part] for summary in summaries]
        if any(metrics is None for metrics in given):
            merged[part] = None
            continue
        names = dict.fromkeys(name for metrics in given for name in metrics)
        merged[part] = {
            name: (min if METRICS[name].better == "higher" else max)(m[name] for m in given if name in m)
            for name in names
        }
    return merged


def _worst(found: TensorFindings) -> dict[str, Any] | None:
    index = found.worst
    if index is None:
        return None
    element, error = found.elements[index], float(found.errors[index])
    return {
        "index": index,
        "element": element.to_json(),
        "description": found.plan.group.describe(element) if index else "the input as it came",
        "output": max(found.outputs, key=lambda output: float(output.errors[index])).name,
        "relative_error": error,
    }


def _controls(found: TensorFindings) -> dict[str, Any]:
    repeats, changed = found.measured.repeats, found.measured.changed[found.measured.members]
    errors = [output.repeat_errors for output in found.outputs if output.repeat_errors.size]
    others = [float(e[1:].max()) for e in errors if e.size > 1]
    same = all(
        np.array_equal(repeat[output.name], repeats[0][output.name], equal_nan=True)
        for repeat in repeats
        for output in found.outputs
    )
    unrelated: dict[str, float | None] = {}
    for name in found.measured.unrelated:
        shown = [error for output in found.outputs if (error := output.unrelated_errors.get(name)) is not None]
        unrelated[name] = max(shown, default=None)
    return {
        "repeat": {
            "same_batch": max((float(e[0]) for e in errors), default=None),
            "other_batches": max(others, default=None),
            "identical": same,
            "repeats": len(repeats),
        },
        "unrelated": unrelated,
        "did_it_act": {"changed": int(changed.sum()), "of": len(changed) - 1},
        "round_trip": None,
    }
