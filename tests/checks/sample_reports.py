"""Reports as the server writes them, with curves that a test chooses."""

from __future__ import annotations

from typing import Any

import numpy as np

from equiserve.symmetry import PictureAction, group_from_spec


def sample_report(spec: str, values: Any = None, count: int = 72, **changes: Any) -> dict[str, Any]:
    """Return the report on one 28 x 28 picture under a group, `values` the probabilities of 'coat'."""
    group = group_from_spec(spec, height=28, width=28)
    members = list(group.grid(min(count, group.order or count)))
    given = np.linspace(0.2, 0.9, len(members)) if values is None else np.asarray(values, float)
    exact = [bool(PictureAction(group).exact(g, (28, 28))) for g in members]
    elements = [g.to_json() for g in members]
    shared = {"group": {"name": group.name, "parameters": group.parameters(), "order": group.order, "is_group": True}}
    return curve_report(elements, given, exact) | shared | changes


def curve_report(elements: list[Any], values: Any, exact: list[bool] | None = None, **changes: Any) -> dict[str, Any]:
    """Return the report over any elements (JSON values); more than one half agrees with 'coat', NaN is a failure."""
    values = np.asarray(values, float)
    finite = np.isfinite(values)
    agrees = np.where(finite, values, 0) > 0.5
    share = float(agrees.mean()) if len(values) else 0.0
    probability = [float(v) if ok else None for v, ok in zip(values, finite, strict=True)]
    worst = int(np.argmin(np.where(finite, values, -1))) if len(values) else None
    return {
        "statement": "'coat' on most.",
        "verdict": {"status": "fail", "reason": "The answer changes.", "next_step": "Look into it."},
        "id": "check-1",
        "model": "a model",
        "version": "1",
        "runtime": "onnx",
        "file_digest": "0123456789abcdef" * 4,
        "group": {"name": "G", "parameters": {}, "order": len(values), "is_group": True},
        "level": "none",
        "declared": None,
        "coverage": {"checked": len(values), "planned": len(values), "exact": len(values)},
        "reference": {"kind": "consensus", "prediction": {"label": "coat", "index": 4}, "tied": [], "strength": None},
        "summary": {"exact": None, "resampled": None, "all": {"modal_consistency": share, "jensen_shannon": 0.1}},
        "worst": None if worst is None else {"index": worst, "element": elements[worst], "description": "there"},
        "bitwise_identical": {"identical": 1, "of": len(values)},
        "noise_floor": {"value": 1e-7, "batch_invariance": "exact"},
        "controls": {
            "repeat": {"same_batch": 0.0, "other_batches": 1e-7, "identical": False, "repeats": 4},
            "unrelated": {"blank": 0.4, "negative": None, "noise": 0.6},
            "did_it_act": {"changed": len(values) - 1, "of": len(values) - 1},
            "round_trip": {"elements": [], "relative_error": 0.01, "agrees": 1.0},
        },
        "symmetrized_prediction": None,
        "elements": {
            "element": elements,
            "exact": exact or [True] * len(values),
            "label": [("coat" if same else "shirt") if ok else None for same, ok in zip(agrees, finite, strict=True)],
            "probability": probability,
            "margin": [2 * p - 1 if p is not None else -1.0 for p in probability],
            "agrees": agrees.tolist(),
            "relative_error": [0.25 if ok else None for ok in finite],
        },
        "resized_from": None,
        "cost": {
            "forward_passes": 80,
            "batches": 10,
            "cached": 0,
            "batch_size": 8,
            "wall_ms": 120.0,
            "transform_ms": 1,
        },
        "provenance": {
            "kernel": "permutation",
            "boundary": "circular",
            "dtype": "UINT8",
            "software": {"equiserve": "0", "runtime": "1", "numpy": "2", "python": "3"},
            "cpu": "a cpu",
        },
    } | changes


def searched_report(spec: str, tried: list[dict[str, Any]], values: list[float], count: int) -> dict[str, Any]:
    """Return a `sample_report` whose search tried further elements, the last of them the worst of all."""
    report = sample_report(spec, np.full(count, 0.9), count)
    found = {"element": tried[-1], "description": "there", "label": "shirt", "probability": values[-1], "margin": -1.0}
    rows = {
        "element": tried,
        "exact": [False] * len(tried),
        "label": ["coat" if value > 0.5 else "shirt" for value in values],
        "probability": values,
        "margin": [2 * value - 1 for value in values],
        "agrees": [value > 0.5 for value in values],
    }
    search = {"budget": 60, "uniform": count, "searched": len(tried), "ended": "budget", "worst": found}
    return report | {"search": search | {"elements": rows}}
