"""From scores to findings: who agrees with whom, how much is noise, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from equiserve.checks.measurement import Measurement
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
    Verdict,
    consensus_reference,
    identity_reference,
    judge,
    label_reference,
    margins,
    relative_errors,
)


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
    def noise_floor(self) -> float | None:
        """Largest relative error among repeats of the identity, in any place of any batch; None where none ran."""
        errors = self.measured.controls.repeat_errors()
        return float(errors.max()) if errors.size else None

    @cached_property
    def verdict(self) -> Verdict:
        """The judgement of the orbit, after the controls had their say."""
        tolerance = Thresholds.for_dtype(self.scores.dtype.name)
        repeats = self.measured.controls.repeat_errors()
        if repeats.size and repeats.max() > tolerance.relative_error:
            again = repeats[0] > tolerance.relative_error
            cause = "was run twice in the same batch" if again else "stands elsewhere in another batch"
            return Verdict(
                "not_informative",
                f"The model's outputs differ by {repeats.max():.2g} (relative) when the very same picture {cause}, "
                "so no difference over the orbit can be laid to the symmetry.",
                "Fix the model's seed, or switch off dropout and sampling."
                if again
                else "Look for a normalisation over the batch; a picture's answer must not depend on its neighbours.",
            )
        verdict = judge(
            self.plan.level,
            group=self.group,
            elements=self.elements,
            exact=self.exact,
            changed=self.changed,
            outputs=self.outputs,
            class_names=self.class_names,
            thresholds=tolerance,
        )
        if verdict.status != "pass":
            return verdict
        unrelated = self.measured.controls.unrelated_errors()
        if unrelated and max(unrelated.values()) <= tolerance.relative_error:
            return Verdict(
                "not_informative",
                f"The model answers this picture and unrelated ones ({', '.join(unrelated)}) alike, so it would pass "
                "any check.",
                "See whether the model looks at its input at all.",
            )
        if self.checked < len(self.plan.orbit):
            return Verdict(
                "inconclusive",
                f"{_stopped(self.measured)} after {self.checked} of {len(self.plan.orbit)} elements. "
                f"So far: {verdict.reason}",
                "Allow more time, or ask for fewer elements.",
            )
        return verdict

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


def statement(findings: Findings) -> str:
    """Return the finding in one sentence for a person."""
    many = _plural(findings.group.name)
    checked, label = findings.checked, findings.reference.label
    planned, stopped = len(findings.plan.orbit), _stopped(findings.measured)
    partly = "" if checked == planned else f" (of {planned}; {stopped[0].lower()}{stopped[1:]})"
    if label is None:
        return f"No answer: the model's output is not finite on any of {checked} {many}{partly}."
    name = findings.class_names[label]
    agreeing, worst = int(findings.agrees.sum()), findings.worst
    if agreeing == checked:
        bits = ", and every output is the same to the last bit" if findings.identical.all() else ""
        return f"'{name}' on all {checked} {many}{partly}{bits}."
    where = "" if worst is None else f"; furthest from it {_where(findings, worst)}: {_answer(findings, worst)}"
    return f"'{name}' on {agreeing} of {checked} {many}{partly}{where}."


def _stopped(measured: Measurement) -> str:
    return "The check was cancelled" if measured.stopped == "cancelled" else "The deadline passed"


def _where(findings: Findings, index: int) -> str:
    return "on the picture itself" if index == 0 else f"under {findings.group.describe(findings.elements[index])}"


def _answer(findings: Findings, index: int) -> str:
    decision = int(findings.outputs.decisions[index])
    return "an output that is not finite" if decision < 0 else f"'{findings.class_names[decision]}'"


def _plural(group: str) -> str:
    kind = group.split(":")[0]
    if kind in ("CyclicShift", "CropShift"):
        return "circular shifts" if kind == "CyclicShift" else "shifts"
    return "flips" if kind == "Flip" else "rotations and reflections" if kind.startswith("D") else "rotations"
