"""From scores to findings: who agrees with whom, and how much is noise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from equiserve.checks.measurement import Measurement, Searched
from equiserve.checks.planner import CheckPlan
from equiserve.checks.request import CheckRequest
from equiserve.classifier import PictureClassifier
from equiserve.errors import InvalidRequest
from equiserve.symmetry import (
    Element,
    Group,
    OrbitOutputs,
    Reference,
    Thresholds,
    consensus_reference,
    identity_reference,
    label_reference,
    margins,
    relative_errors,
)


@dataclass(frozen=True, eq=False)
class SearchedFindings:
    """What the s elements of a search say.

    Attributes:
        measured: The elements and their scores.
        probabilities: [s, K].
        margins: [s] of the reference class of the orbit; -1 for failures.
        finite: [s] bool, whether the model's output was finite.
    """

    measured: Searched
    probabilities: np.ndarray
    margins: np.ndarray
    finite: np.ndarray


@dataclass(frozen=True, eq=False)
class JudgedOrbit:
    """The n elements that a verdict is about, the identity first; arguments as those of `judge`.

    Attributes:
        margins: [n] of the reference class; -1 for failures.
    """

    elements: tuple[Element, ...]
    exact: np.ndarray
    changed: np.ndarray
    outputs: OrbitOutputs
    margins: np.ndarray


@dataclass(frozen=True, eq=False)
class Findings:
    """What the m elements that were checked say; arrays have m rows, the identity first.

    Args:
        classifier: The model.
        plan: What was to be run, n >= m elements.
        measured: What was run, m >= 1 elements, the identity among them.
        request: Names the reference.
    """

    classifier: PictureClassifier
    plan: CheckPlan
    measured: Measurement
    request: CheckRequest

    @cached_property
    def members(self) -> np.ndarray:
        """Indices [m] in the planned orbit of the elements that were checked."""
        return self.measured.members

    @cached_property
    def scores(self) -> np.ndarray:
        """[m, K] as the model gave them."""
        assert self.measured.scores is not None
        scores: np.ndarray = self.measured.scores[self.members]
        return scores

    @property
    def checked(self) -> int:
        """Number of elements m that were checked."""
        return len(self.scores)

    @property
    def group(self) -> Group[Element]:
        """The group."""
        return self.plan.orbit.group

    @cached_property
    def elements(self) -> tuple[Element, ...]:
        """The m elements that were checked."""
        return tuple(self.plan.orbit.elements[index] for index in self.members)

    @property
    def exact(self) -> np.ndarray:
        """[m] bool, whether the element permutes pixels."""
        exact: np.ndarray = self.plan.orbit.exact[self.members]
        return exact

    @property
    def changed(self) -> np.ndarray:
        """[m] bool, whether the element changed the picture at all."""
        changed: np.ndarray = self.measured.changed[self.members]
        return changed

    @cached_property
    def outputs(self) -> OrbitOutputs:
        """Scores and probabilities against the reference that was asked for."""
        return OrbitOutputs(self.scores, self.classifier.probabilities(self.scores), self._reference())

    @property
    def reference(self) -> Reference:
        """What each answer is compared with."""
        return self.outputs.truth

    @cached_property
    def probabilities(self) -> np.ndarray:
        """[m] probability of the reference class; NaN for failures."""
        label = self.reference.label
        given = self.outputs.probabilities
        if given is None or label is None:
            return np.full(self.checked, np.nan)
        return np.where(self.finite, given[:, label], np.nan)

    @cached_property
    def finite(self) -> np.ndarray:
        """[m] bool, whether the model's output was finite."""
        return np.asarray(np.isfinite(self.scores).all(axis=1))

    @cached_property
    def margins(self) -> np.ndarray:
        """[m] margin of the reference class over the next best; -1 for failures."""
        assert self.outputs.probabilities is not None
        return margins(self.outputs.probabilities, self.reference.label)

    @cached_property
    def agrees(self) -> np.ndarray:
        """[m] bool, whether the answer is the reference class."""
        label = self.reference.label
        return np.zeros(self.checked, np.bool_) if label is None else self.outputs.decisions == label

    @cached_property
    def relative_errors(self) -> np.ndarray:
        """[m] relative error of the scores against the reference's output (the identity's where that is a label)."""
        output = self.reference.output
        return relative_errors(self.scores, self.scores[0] if output is None else output)

    def errors_against_identity(self, scores: np.ndarray) -> np.ndarray:
        """Return the relative errors of other scores [r, K] against the picture's as it came."""
        return relative_errors(scores, self.scores[0])

    @cached_property
    def identical(self) -> np.ndarray:
        """[m] bool, whether every bit of the scores is the identity's."""
        raw = np.ascontiguousarray(self.scores)
        rows = raw.view(np.uint8).reshape(self.checked, -1)
        return np.asarray((rows == rows[0]).all(axis=1))

    @cached_property
    def worst(self) -> int | None:
        """Index of the element that is furthest from the reference; None where all are alike."""
        if not self.finite.all():
            return int(np.argmin(self.finite))
        if self.margins.min() == self.margins.max():
            return None
        return int(np.argmin(self.margins))

    @cached_property
    def class_names(self) -> list[str]:
        """Names of the K classes."""
        return [self.classifier.label(index) for index in range(self.scores.shape[1])]

    @cached_property
    def repeat_errors(self) -> np.ndarray:
        """Relative errors of the identity's repeats, the orbit's own last, against the first; empty where none ran."""
        return self.measured.controls.repeat_errors(self.scores[0])

    @cached_property
    def noise_floor(self) -> float | None:
        """Largest relative error among repeats of the identity, in any place of any batch; None where none ran."""
        errors = self.repeat_errors
        return float(errors.max()) if errors.size else None

    @cached_property
    def thresholds(self) -> Thresholds:
        """What a declared symmetry must reach, given the model's precision and noise."""
        return replace(Thresholds.for_dtype(self.scores.dtype.name), noise_floor=self.noise_floor or 0.0)

    @cached_property
    def searched(self) -> SearchedFindings | None:
        """What a search found beside these elements; None where none ran."""
        searched = self.measured.searched
        if searched is None:
            return None
        # All scores together decide whether undeclared ones are probabilities.
        probabilities = self.classifier.probabilities(np.concatenate([self.scores, searched.scores]))[self.checked :]
        finite = np.isfinite(searched.scores).all(axis=1)
        return SearchedFindings(searched, probabilities, margins(probabilities, self.reference.label), finite)

    @cached_property
    def judged(self) -> JudgedOrbit:
        """What the verdict is about: a mean is over the orbit alone, a claim of all elements over the searched too."""
        own = JudgedOrbit(self.elements, self.exact, self.changed, self.outputs, self.margins)
        searched = self.searched
        if searched is None or self.plan.level == "approximate":
            return own
        more, given = searched.measured, self.outputs.probabilities
        assert given is not None
        outputs = replace(
            self.outputs,
            outputs=np.concatenate([self.scores, more.scores]),
            probabilities=np.concatenate([given, searched.probabilities]),
        )
        return JudgedOrbit(
            (*self.elements, *more.elements),
            np.concatenate([self.exact, more.exact]),
            np.concatenate([self.changed, more.changed]),
            outputs,
            np.concatenate([self.margins, searched.margins]),
        )

    def _reference(self) -> Reference:
        if self.request.reference == "identity":
            return identity_reference(self.scores)
        if self.request.reference == "consensus":
            return consensus_reference(self.scores)
        label, classes = self.plan.label, self.scores.shape[1]
        assert label is not None
        if label >= classes:
            raise InvalidRequest(f"label: got {label}, expected 0 to {classes - 1}", field="label")
        return label_reference(label)
