"""Equivariance checks: symmetry's orbits run through the engine, and what they say.

Reading order: `request`, `selection`, `planner` and `estimate`; `orbit_run`, `run` and `follow_up` (the search, the
kernel ladder); `findings`, `conclusion` and `report`; `named_tensors`, the same for inputs and outputs of any kind;
then `checker`, which is what the server offers, and `jobs`.
"""

from equiserve.checks.checker import AnyCheckRequest, Checker
from equiserve.checks.comparison import AnyCheckEvent
from equiserve.checks.events import CheckEvent, Completed
from equiserve.checks.named_tensors import TensorCheckRequest
from equiserve.checks.preview import OrbitPreview
from equiserve.checks.report import CheckReport
from equiserve.checks.request import CheckRequest
from equiserve.checks.run import report_of, run_check, stream_check

__all__ = [
    "AnyCheckEvent",
    "AnyCheckRequest",
    "CheckEvent",
    "CheckReport",
    "CheckRequest",
    "Checker",
    "Completed",
    "OrbitPreview",
    "TensorCheckRequest",
    "report_of",
    "run_check",
    "stream_check",
]
