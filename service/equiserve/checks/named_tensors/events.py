"""What a check of named tensors tells on its way; its verdict and report are as those of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from equiserve.checks.named_tensors.measurement import TensorMeasurement
from equiserve.checks.named_tensors.planner import TensorPlan
from equiserve.checks.report import group_json
from equiserve.engine import ServedModel


@dataclass(frozen=True, slots=True)
class TensorStarted:
    """The plan, before anything of it is run.

    Attributes:
        report_id: The report's id.
        model: The model.
        plan: The orbit and what it costs.
    """

    name: ClassVar[str] = "started"
    report_id: str
    model: ServedModel
    plan: TensorPlan

    def to_json(self) -> dict[str, Any]:
        """Return the event as JSON values."""
        return {
            "id": self.report_id,
            "model": self.model.name,
            "version": self.model.version,
            "runtime": self.model.runtime.name,
            "group": group_json(self.plan.group),
            "level": self.plan.level,
            "estimate": self.plan.estimate.to_json(),
        }


@dataclass(frozen=True, slots=True)
class TensorProgress:
    """Elements that were answered since the last event.

    The consensus is not known before the end: the errors are against the answer to the input as it came.

    Attributes:
        model: The model.
        plan: Its orbit.
        measured: What was measured, which goes on growing.
        members: Indices [k] of the new elements.
    """

    name: ClassVar[str] = "progress"
    model: ServedModel
    plan: TensorPlan
    measured: TensorMeasurement
    members: NDArray[np.intp]

    @property
    def done(self) -> int:
        """How many elements have an answer now."""
        return int(self.members[-1]) + 1

    def to_json(self) -> dict[str, Any]:
        """Return the event as JSON values."""
        orbit = self.plan.orbit
        return {
            "model": self.model.name,
            "done": self.done,
            "planned": len(orbit),
            "reference": None,
            "elements": {
                "index": self.members.tolist(),
                "element": [orbit.elements[index].to_json() for index in self.members],
                "exact": orbit.exact[self.members].tolist(),
                "relative_error": self.measured.errors[self.members].tolist(),
            },
        }
