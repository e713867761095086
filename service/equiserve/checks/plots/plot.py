"""What a plot shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equiserve.symmetry import Element, Group, Verdict


@dataclass(frozen=True, slots=True, eq=False)
class NeroPlot:
    """Values on an orbit and the words around them.

    Attributes:
        group: The group.
        elements: The m elements that were checked.
        exact: [m] bool, whether the element permutes pixels.
        probabilities: [m] of the reference class; NaN where the output was not finite.
        agrees: [m] bool, whether the answer is the reference class.
        answers: Names of the answers; None where the output was not finite.
        worst: Index of the element furthest from the reference; None where all are alike.
        reference: Name of the reference class; None where there is none.
        title: Model and group.
        statement: The finding in one sentence.
        verdict: The judgement.
        planned: Number of elements that were asked for.
        footer: Coverage, noise floor, provenance.
    """

    group: Group[Any]
    elements: Sequence[Element]
    exact: np.ndarray
    probabilities: np.ndarray
    agrees: np.ndarray
    answers: Sequence[str | None]
    worst: int | None
    reference: str | None
    title: str
    statement: str
    verdict: Verdict
    planned: int
    footer: str

    @property
    def quantity(self) -> str:
        """What is plotted, in words."""
        return "probability" if self.reference is None else f"probability of '{self.reference}'"
