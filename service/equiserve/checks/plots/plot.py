"""What a plot shows: the curve of one input, or the mean over several, read from a report's JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equiserve.checks.plots.columns import Words, drawn_columns, drawn_quantity, words_of, worst_row
from equiserve.checks.plots.elements import ElementJson


@dataclass(frozen=True, slots=True)
class Sheet:
    """The words around a plot.

    Attributes:
        title: Model and group.
        statement: The finding in one sentence.
        status: Of the verdict: pass, fail, inconclusive, not_informative.
        sentences: The verdict's reason and next step.
        footer: Coverage, noise floor, provenance.
    """

    title: str
    statement: str
    status: str
    sentences: tuple[str, ...]
    footer: str

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> Sheet:
        """Return the words of a report."""
        verdict, floor, coverage = report["verdict"], report["noise_floor"]["value"], report["coverage"]
        several = f"{len(report['inputs'])} inputs; " if "inputs" in report else ""
        return cls(
            title=f"{report['model']}, version {report['version']}: {report['group']['name']}",
            statement=report["statement"],
            status=verdict["status"],
            sentences=tuple(s for s in (verdict["reason"], verdict["next_step"]) if s and s != report["statement"]),
            footer=(
                f"{several}{coverage['checked']} of {coverage['planned']} elements; declared level: {report['level']}; "
                f"noise floor {'not measured' if floor is None else format(floor, '.1g')}; "
                f"{report['runtime']} file {report['file_digest'][:12]}"
            ),
        )


@dataclass(frozen=True, slots=True, eq=False)
class NeroPlot:
    """Values on an orbit: of one input, or the mean over n of them with its confidence band.

    Attributes:
        sheet: The words around them.
        parameters: Of the group.
        elements: The m elements that were checked, as JSON values.
        exact: [m] bool, whether the element loses nothing.
        probabilities: [m] of the reference class; NaN where the output was not finite.
        agrees: [m] bool, whether the answer is the reference class.
        answers: The answers in words; None where the output was not finite.
        worst: Index of the element furthest from the reference; None where all are alike.
        quantity: What is plotted, in words.
        words: What an element that agrees is called, and one that does not.
        searched: [m] bool, whether a search tried the element beside the orbit.
        inputs: Number of inputs n.
        band: Lower and upper limit [m] of the mean; None for one input.
    """

    sheet: Sheet
    parameters: Mapping[str, Any]
    elements: Sequence[ElementJson]
    exact: np.ndarray
    probabilities: np.ndarray
    agrees: np.ndarray
    answers: Sequence[str | None]
    worst: int | None
    quantity: str
    words: Words
    searched: np.ndarray
    inputs: int = 1
    band: tuple[np.ndarray, np.ndarray] | None = None

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> NeroPlot:
        """Return what the plot of one input's report shows; `report` is `CheckReport.to_json()`."""
        columns = drawn_columns(report, searched=True)
        return cls(
            sheet=Sheet.of(report),
            parameters=report["group"]["parameters"],
            elements=columns.get("element", []),
            exact=np.array(columns.get("exact", []), np.bool_),
            probabilities=np.array([np.nan if p is None else p for p in columns.get("probability", [])], np.float64),
            agrees=np.array(columns.get("agrees", []), np.bool_),
            answers=columns.get("label", []),
            worst=worst_row(report, columns),
            quantity=drawn_quantity(report),
            words=words_of(report),
            searched=np.array(columns["searched"], np.bool_),
        )

    @property
    def other_answer(self) -> str:
        """The legend's words for an element that does not agree."""
        return self.words.differs if self.inputs == 1 else self.words.mostly_differs
