"""What one orbit showed, in the words of a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.symmetry import metrics
from equiserve.symmetry.elements import Element
from equiserve.symmetry.groups import Group
from equiserve.symmetry.member_errors import member_errors
from equiserve.symmetry.orbit_outputs import OrbitOutputs
from equiserve.symmetry.statistics import certified_share, percent
from equiserve.symmetry.verdict import Thresholds


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything that a judgement of one orbit may use, and the words for it; arguments as those of `judge`."""

    group: Group[Any]
    elements: Sequence[Element]
    exact: NDArray[np.bool_]
    changed: NDArray[np.bool_]
    outputs: OrbitOutputs
    class_names: Sequence[str] | None
    sampled: bool
    thresholds: Thresholds

    @cached_property
    def errors(self) -> NDArray[np.float64]:
        """[n] errors against the identity's output, from 0 to 1."""
        return member_errors(self.outputs, self.outputs.outputs[0])

    def differing(self, label: int, among: NDArray[np.bool_] | None = None) -> NDArray[np.intp]:
        """Return the members that do not decide for ``label``, the one furthest from it first."""
        if self.outputs.probabilities is None:
            return np.array([], np.intp)
        differ = self.outputs.decisions != label
        members = np.flatnonzero(differ if among is None else differ & among)
        return members[np.argsort(metrics.margins(self.outputs.probabilities[members], label), kind="stable")]

    def name(self, label: int) -> str:
        """Return the words for a class."""
        return f"class {label}" if self.class_names is None else f"'{self.class_names[label]}'"

    def under(self, members: Sequence[int] | NDArray[np.intp]) -> str:
        """Return words for where something happens: the first member, and how many more."""
        first = self.elements[members[0]]
        where = "on the input itself" if members[0] == 0 else f"under {self.group.describe(first)}"
        more = len(members) - 1
        return where + (f", and on {more} more of {len(self.elements)} elements" if more else "")

    def certificate(self) -> str:
        """Return what clean elements certify, to end a sentence; nothing unless they were drawn at random."""
        if not self.sampled:
            return ""
        share = certified_share(len(self.elements) - 1, self.thresholds.confidence)
        confidence = percent(self.thresholds.confidence)
        return f", which certifies {percent(share)} of the group at {confidence} confidence for this input"
