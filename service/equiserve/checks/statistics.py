"""What the checks of this process found, counted for dashboards. Plain numbers, written on the event loop only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

#: Who asked for a check: a caller, a job, the server itself at load, or the sampling of live traffic.
Source = Literal["request", "job", "smoke", "monitor"]
#: Model, version, group.
Subject = tuple[str, str, str]

# Callers name groups with parameters of their own: dashboards must not be filled with them.
_MOST_SUBJECTS = 256
_OTHERS = "other"


class CheckStatistics:
    """Counts by model, version and group.

    Attributes:
        checks: Checks by subject and source.
        elements: Elements that were checked, by subject.
        cached: Rows that needed no forward pass, by subject.
        verdicts: Verdicts by subject and status.
        consistency: The last check's `modal_consistency` over all its elements, by subject and source.
        dropped: Live pictures that were chosen for a check while too many waited already.
        violated: Whether the check at load found a symmetry violated that is declared exact, by subject.
    """

    def __init__(self) -> None:
        self.checks: Counter[tuple[Subject, Source]] = Counter()
        self.elements: Counter[Subject] = Counter()
        self.cached: Counter[Subject] = Counter()
        self.verdicts: Counter[tuple[Subject, str]] = Counter()
        self.consistency: dict[tuple[Subject, Source], float] = {}
        self.dropped = 0
        self.violated: dict[Subject, bool] = {}

    def record(self, report: Mapping[str, Any], source: Source) -> None:
        """Count one report, in its JSON form."""
        subject = (report["model"], report["version"], report["group"]["name"])
        if subject not in self.elements and len(self.elements) >= _MOST_SUBJECTS:
            subject = (report["model"], report["version"], _OTHERS)
        self.checks[subject, source] += 1
        self.elements[subject] += report["coverage"]["checked"]
        self.cached[subject] += report["cost"]["cached"]
        self.verdicts[subject, report["verdict"]["status"]] += 1
        if source == "smoke" and report["level"] == "exact":
            self.violated[subject] = report["verdict"]["status"] == "fail"
        summary = report["summary"] or {}
        share = (summary.get("all") or {}).get("modal_consistency")
        if share is not None:
            self.consistency[subject, source] = share
