"""A report's curve as plots draw it: 1 where an answer is the reference's, less the further it is from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def drawn_columns(report: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the report's columns with `probability`, `label` and `margin`.

    Outputs that are no classes have errors only: they are drawn as the agreement, 1 - relative error, and the answer
    in words is the error.
    """
    columns: Mapping[str, Any] = report["elements"] or {"element": []}
    if "relative_error" not in columns or "probability" in columns:
        return columns
    errors = columns["relative_error"]
    agreement = [1.0 - error for error in errors]
    words = [f"off by {error:.2g} (relative)" for error in errors]
    return {**columns, "probability": agreement, "margin": [None] * len(errors), "label": words}


def drawn_quantity(report: Mapping[str, Any]) -> str:
    """Return what the curve is, in words."""
    prediction = (report["reference"] or {}).get("prediction")
    if prediction:
        return f"probability of '{prediction['label']}'"
    return "1 - relative error" if "outputs" in report else "probability"
