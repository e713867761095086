"""The parts of a report that have a curve of their own: its inputs, or the two models that it compares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np


def compares_models(report: Mapping[str, Any]) -> bool:
    """Return whether a report compares two models, and has the curves of both."""
    other = report.get("comparison")
    return bool(other and other["elements"] and report["elements"])


def parts_of(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the reports, each with its `name`, that a report holds: of one input, of several, or of two models.

    Inputs that could not be checked have no curve and are left out.
    """
    if compares_models(report):
        return [{**report, "name": _model(report)}, _other(report)]
    rows = [row for row in report.get("inputs", [report]) if "error" not in row]
    return [{**row, "name": name_of(row)} for row in rows]


def name_of(row: Mapping[str, Any]) -> str:
    """Return the name of an input."""
    return str(row.get("name") or (f"{noun_of(row)} {row['index']}" if "index" in row else f"the {noun_of(row)}"))


def noun_of(report: Mapping[str, Any]) -> str:
    """Return what a report's input is."""
    return "input" if "outputs" in report else "picture"


def _other(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the other model's part of a comparison as a report; what the comparison leaves out is not known."""
    other = report["comparison"]
    columns = other["elements"]
    labels = columns.get("label", ())
    agreeing = [label for label, same in zip(labels, columns["agrees"], strict=False) if same]
    most = Counter(agreeing).most_common(1)
    # A margin that is missing is that of an output that was not finite.
    given = columns["margin"] if "margin" in columns else [-error for error in columns["relative_error"]]
    margins = np.array([-2.0 if margin is None else margin for margin in given])
    worst = int(margins.argmin()) if margins.min() < margins.max() else None
    unknown = {"controls": None, "declared": None, "symmetrized_prediction": None}
    return {
        **report,
        **unknown,
        **other,
        "name": _model(other),
        "noise_floor": {"value": None, "batch_invariance": None},
        "reference": {"prediction": {"label": most[0][0]} if most else None},
        "worst": None if worst is None else {"index": worst, "element": columns["element"][worst]},
    }


def _model(report: Mapping[str, Any]) -> str:
    return f"{report['model']}, version {report['version']}, {report['runtime']}"
