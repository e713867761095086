"""What a check tells while it runs: started, progress, verdict, completed, in this order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from equiserve.checks.estimate import CheckEstimate
from equiserve.checks.measurement import Measurement
from equiserve.checks.planner import CheckPlan
from equiserve.checks.report import CheckReport, group_json
from equiserve.classifier import PictureClassifier


@dataclass(frozen=True, slots=True)
class Started:
    """The plan of one model's orbit, before anything of it is run.

    Attributes:
        report_id: The report's id.
        classifier: The model.
        plan: Its orbit.
        estimate: What it costs.
    """

    name: ClassVar[str] = "started"
    report_id: str
    classifier: PictureClassifier
    plan: CheckPlan
    estimate: CheckEstimate

    def to_json(self) -> dict[str, Any]:
        """Return the event as JSON values."""
        model = self.classifier.model
        return {
            "id": self.report_id,
            "model": model.name,
            "version": model.version,
            "runtime": model.runtime.name,
            "group": group_json(self.plan.orbit.group),
            "level": self.plan.level,
            "estimate": self.estimate.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Progress:
    """Elements that were answered since the last event, and how far the check is.

    The consensus is not known before the end: the partial curve is that of the class which the picture as it came
    gets (or of the label that the caller named).

    Attributes:
        classifier: The model.
        plan: Its orbit.
        measured: What was measured, which goes on growing.
        members: Indices [k] of the new elements.
        done: How many elements have an answer now.
    """

    name: ClassVar[str] = "progress"
    classifier: PictureClassifier
    plan: CheckPlan
    measured: Measurement
    members: np.ndarray
    done: int

    def to_json(self) -> dict[str, Any]:
        """Return the event as JSON values."""
        scores = self.measured.scores
        assert scores is not None
        names, label, rows = self.classifier.label, self.plan.label, scores[self.members]
        if label is None and np.isfinite(scores[0]).all():
            label = int(scores[0].argmax())
        # The first row decides with the others whether undeclared scores are probabilities.
        probabilities = self.classifier.probabilities(np.concatenate([scores[:1], rows]))[1:]
        finite = np.isfinite(rows).all(axis=1)
        answers = rows.argmax(axis=1)
        curve = np.full(len(rows), np.nan) if label is None else np.where(finite, probabilities[:, label], np.nan)
        return {
            "model": self.classifier.model.name,
            "done": self.done,
            "planned": len(self.plan.orbit),
            "reference": None if label is None else {"label": names(label), "index": label},
            "elements": {
                "index": self.members.tolist(),
                "element": [self.plan.orbit.elements[index].to_json() for index in self.members],
                "exact": self.plan.orbit.exact[self.members].tolist(),
                "label": [names(int(k)) if sure else None for k, sure in zip(answers, finite, strict=True)],
                "probability": [value if value == value else None for value in curve.tolist()],
                "agrees": (finite & (answers == label)).tolist(),
            },
        }


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict, ahead of the report that explains it."""

    name: ClassVar[str] = "verdict"
    report: CheckReport

    def to_json(self) -> dict[str, Any]:
        """Return the event as JSON values."""
        content = self.report.content
        return {key: content[key] for key in ("statement", "verdict", "coverage")}


@dataclass(frozen=True, slots=True)
class Completed:
    """The whole report; always the last event."""

    name: ClassVar[str] = "completed"
    report: CheckReport

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return self.report.to_json()


CheckEvent = Started | Progress | Judged | Completed
