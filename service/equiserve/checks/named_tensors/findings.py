"""From outputs to findings: how far each output follows the input, how much of it is noise, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.checks.control_verdicts import indifferent, unsteady
from equiserve.checks.named_tensors.measurement import TensorMeasurement
from equiserve.checks.named_tensors.outputs import class_names, orbit_outputs
from equiserve.checks.named_tensors.planner import TensorPlan
from equiserve.checks.named_tensors.request import TensorCheckRequest
from equiserve.symmetry import Element, OrbitOutputs, Thresholds, Verdict, judge, relative_errors
from equiserve.symmetry.gates import verdict_of
from equiserve.symmetry.member_errors import member_errors
from equiserve.symmetry.verdict import ERROR_METRICS


@dataclass(frozen=True, eq=False)
class OutputFindings:
    """What one output of the m elements that were checked says; arrays have m rows, the identity first.

    Args:
        name: The output.
        plan: What was to be run.
        measured: What was run, the identity among it.
        request: Names the reference.
        labels: Names of the classes that the manifest declares.
    """

    name: str
    plan: TensorPlan
    measured: TensorMeasurement
    request: TensorCheckRequest
    labels: Sequence[str] | None = None

    @cached_property
    def outputs(self) -> OrbitOutputs:
        """The members, pulled back, against the reference that was asked for."""
        mask, members = self.measured.masks.get(self.name), self.measured.members
        return orbit_outputs(
            self.plan.orbit.signature.fields[self.name],
            self.measured.outputs[self.name][members],
            None if mask is None else mask[members],
            self.request.reference,
        )

    @cached_property
    def errors(self) -> NDArray[np.float64]:
        """[m] relative error against the reference, 0 to 1; 1 for failures."""
        return member_errors(self.outputs, self.outputs.target)

    @cached_property
    def agrees(self) -> NDArray[np.bool_]:
        """[m] bool, whether the error is within what the declared level allows; of classes, whether the class is the
        reference's.
        """
        if self.outputs.probabilities is not None:
            label = self.outputs.truth.label
            return np.asarray(self.outputs.decisions == (-2 if label is None else label))
        limits = self.thresholds
        return np.asarray(self.errors <= (limits.largest_error or limits.exact_error))

    @cached_property
    def repeat_errors(self) -> NDArray[np.float64]:
        """Relative errors of the repeats of the very same input against the first of them."""
        return self._against_first([repeat[self.name] for repeat in self.measured.repeats])

    @property
    def noise_floor(self) -> float | None:
        """The largest of the `repeat_errors`; None where no repeat ran."""
        return float(self.repeat_errors.max()) if self.repeat_errors.size else None

    @cached_property
    def unrelated_errors(self) -> dict[str, float | None]:
        """Relative error of each unrelated input's output against the input's own; None where the model had none."""
        if not self.measured.repeats:
            return {}
        own = self.measured.repeats[0][self.name]
        return {
            name: None if given is None else float(self._against_first([own, given[self.name]])[0])
            for name, given in self.measured.unrelated.items()
        }

    def _against_first(self, answers: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
        if self.outputs.kind == "boxes" and len(answers) > 1 and np.isfinite(answers[0]).all():
            lists = OrbitOutputs(np.concatenate(answers), kind="boxes")
            return member_errors(lists, lists.target)[1:]
        return _against_first(answers)

    @cached_property
    def thresholds(self) -> Thresholds:
        """What the declared level allows this output."""
        limits = Thresholds.for_dtype(self.outputs.outputs.dtype.name)
        declared = self.plan.declared
        floor = self.noise_floor or 0.0
        if self.plan.level != "approximate" or declared is None or declared.metric not in ERROR_METRICS:
            return replace(limits, noise_floor=floor)
        tolerance = limits.error_tolerance if declared.tolerance is None else declared.tolerance
        return replace(limits, noise_floor=floor, error_level=declared.value, error_tolerance=tolerance)

    @cached_property
    def verdict(self) -> Verdict:
        """The judgement of this output, after the controls had their say."""
        floor = self.noise_floor
        # A single output that rolls dice would raise its own bar.
        if floor is not None and floor > self.thresholds.relative_error:
            again = bool(self.repeat_errors[0] > self.thresholds.relative_error)
            return unsteady(floor, "input", in_same_batch=again)
        members = self.measured.members
        verdict = judge(
            self.plan.level,
            group=self.plan.group,
            elements=[self.plan.orbit.elements[index] for index in members],
            exact=self.plan.orbit.exact[members],
            changed=self.measured.changed[members],
            outputs=self.outputs,
            class_names=class_names(self.outputs, self.labels),
            sampled=self.plan.draw is not None,
            thresholds=self.thresholds,
        )
        unrelated = [error for error in self.unrelated_errors.values() if error is not None]
        if verdict.status == "pass" and unrelated and max(unrelated) <= self.thresholds.relative_error:
            return indifferent("input", self.unrelated_errors)
        return verdict


@dataclass(frozen=True, eq=False)
class TensorFindings:
    """What all outputs of the m >= 1 elements that were checked say; arrays have m rows, the identity first."""

    plan: TensorPlan
    measured: TensorMeasurement
    outputs: Sequence[OutputFindings]

    @cached_property
    def elements(self) -> tuple[Element, ...]:
        """The m elements."""
        return tuple(self.plan.orbit.elements[index] for index in self.measured.members)

    @cached_property
    def exact(self) -> NDArray[np.bool_]:
        """[m] bool, whether the element loses nothing on either side."""
        return np.asarray(self.plan.orbit.exact[self.measured.members])

    @cached_property
    def errors(self) -> NDArray[np.float64]:
        """[m] the largest error among the outputs."""
        return np.asarray(np.max([output.errors for output in self.outputs], axis=0))

    @cached_property
    def agrees(self) -> NDArray[np.bool_]:
        """[m] bool, whether every output agrees."""
        return np.asarray(np.all([output.agrees for output in self.outputs], axis=0))

    @cached_property
    def finite(self) -> NDArray[np.bool_]:
        """[m] bool, whether every output is finite."""
        return np.asarray(np.all([np.isfinite(o.outputs.rows).all(axis=1) for o in self.outputs], axis=0))

    @cached_property
    def identical(self) -> NDArray[np.bool_]:
        """[m] bool, whether every output, pulled back, equals the identity's."""
        return np.asarray(np.all([(o.outputs.rows == o.outputs.rows[0]).all(axis=1) for o in self.outputs], axis=0))

    @cached_property
    def worst(self) -> int | None:
        """Index of the element whose outputs are furthest from the reference; None where all are alike."""
        if not self.finite.all():
            return int(np.argmin(self.finite))
        return int(np.argmax(self.errors)) if self.errors.max() > self.errors.min() else None

    @property
    def worst_output(self) -> OutputFindings:
        """The output that is furthest from its reference anywhere."""
        return max(self.outputs, key=lambda output: float(output.errors.max()))

    @cached_property
    def verdict(self) -> Verdict:
        """One verdict for all outputs; one that says nothing of itself does not spoil what others show."""
        telling = [output for output in self.outputs if output.verdict.status != "not_informative"]
        judged = telling or list(self.outputs)
        if len(self.outputs) == 1:
            verdict = judged[0].verdict
        else:
            verdict = verdict_of([_named(output) for output in judged])
        checked, planned = len(self.elements), len(self.plan.orbit)
        if verdict.status == "pass" and checked < planned:
            return Verdict(
                "inconclusive",
                f"{stopped(self.measured)} after {checked} of {planned} elements. So far: {verdict.reason}",
                "Allow more time, or ask for fewer elements.",
            )
        return verdict

    @cached_property
    def statement(self) -> str:
        """The finding in one sentence for a person."""
        checked, planned, name = len(self.elements), len(self.plan.orbit), self.plan.group.name
        partly = "" if checked == planned else f" (of {planned})"
        one = len(self.outputs) == 1
        subject = f"'{self.outputs[0].name}' follows" if one else f"All {len(self.outputs)} outputs follow"
        error = float(self.errors.max())
        if self.agrees.all():
            return f"{subject} the input on all {checked} elements of {name}{partly}, to {error:.1g} (relative)."
        if self.exact[1:].any() and self.agrees[self.exact].all():
            return (
                f"{subject} the input on all {self.exact.sum()} exact elements of {name}{partly}; on the others, where "
                f"content is resampled or lost, it is off by up to {error:.2g} (relative)."
            )
        agreeing, worst = int(self.agrees.sum()), self.worst
        subject = subject.replace("All ", "").replace("outputs follow", "outputs together follow")
        if worst is None:
            return f"{subject} the input on {agreeing} of {checked} elements of {name}{partly}."
        element = self.plan.group.describe(self.elements[worst]) if worst else "the input as it came"
        off = f"off by {error:.2g} (relative)" if self.finite.all() else "not finite"
        output = "" if one else f"'{self.worst_output.name}' "
        return (
            f"{subject} the input on {agreeing} of {checked} elements of {name}{partly}; worst under {element}: "
            f"{output}{off}."
        )


def stopped(measured: TensorMeasurement) -> str:
    """Return why elements were left out, to begin a sentence."""
    return "The check was cancelled" if measured.stopped == "cancelled" else "The deadline passed"


def _named(output: OutputFindings) -> Verdict:
    verdict = output.verdict
    return Verdict(verdict.status, f"'{output.name}': {verdict.reason}", verdict.next_step)


def _against_first(answers: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    if len(answers) < 2:
        return np.zeros(0)
    rows = [np.asarray(answer, np.float64).reshape(-1) for answer in answers]
    # An answer of another length is another answer; one that is not finite is judged on the orbit itself.
    alike = [row for row in rows[1:] if row.shape == rows[0].shape]
    if len(alike) < len(rows) - 1:
        return np.ones(len(rows) - 1)
    if not np.isfinite(rows[0]).all():
        return np.zeros(0)
    return relative_errors(np.stack(alike), rows[0])
