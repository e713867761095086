"""A report's curve as plots draw it: 1 where an answer is the reference's, less the further it is from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Words:
    """What plots call things: of classes, or of outputs that are none.

    Attributes:
        agrees: An element whose answer is the reference's.
        differs: One whose answer is not.
        mostly_differs: One where most inputs' answers are not.
        mean: The mean over inputs.
        noun: What was checked.
    """

    agrees: str
    differs: str
    mostly_differs: str
    mean: str
    noun: str


_CLASSES = Words(
    "the reference's answer",
    "another answer",
    "most inputs: other answer",
    "mean probability of the reference class",
    "picture",
)
_OUTPUTS = Words(
    "follows the input",
    "does not follow the input",
    "most inputs: not followed",
    "mean of 1 - relative error",
    "input",
)


def words_of(report: Mapping[str, Any]) -> Words:
    """Return the words for a report of either kind."""
    return _OUTPUTS if "outputs" in report else _CLASSES


def drawn_columns(report: Mapping[str, Any], *, searched: bool = False) -> Mapping[str, Any]:
    """Return the report's columns with `probability`, `label`, `margin` and `searched`.

    Outputs that are no classes have errors only: they are drawn as the agreement, 1 - relative error, and the answer
    in words is the error.

    Args:
        report: Of one input.
        searched: Whether what a search tried beside the orbit follows at the end.
    """
    columns: Mapping[str, Any] = report["elements"] or {"element": []}
    count = len(columns["element"])
    columns = {**columns, "searched": [False] * count}
    if "relative_error" in columns and "probability" not in columns:
        errors = columns["relative_error"]
        agreement = [1.0 - error for error in errors]
        words = [f"off by {error:.2g}" for error in errors]
        return {**columns, "probability": agreement, "margin": [None] * count, "label": words}
    found = report.get("search")
    if not searched or not found or not count:
        return columns
    more, tried = found["elements"], found["searched"]
    blank: dict[str, list[Any]] = {"searched": [True] * tried, "relative_error": [None] * tried}
    return {name: [*values, *(more.get(name) or blank.get(name, []))] for name, values in columns.items()}


def worst_row(report: Mapping[str, Any], columns: Mapping[str, Any]) -> int | None:
    """Return the row of the element that is furthest off, among the searched too where the columns have them."""
    if any(columns["searched"]) and (worst := report["search"]["worst"]) is not None:
        return int(columns["element"].index(worst["element"]))
    return None if report["worst"] is None else int(report["worst"]["index"])


def drawn_quantity(report: Mapping[str, Any]) -> str:
    """Return what the curve is, in words."""
    prediction = (report["reference"] or {}).get("prediction")
    if prediction:
        return f"probability of '{prediction['label']}'"
    return "1 - relative error" if "outputs" in report else "probability"
