"""What a check concludes, and what it measures against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["exact", "approximate", "none"]
Status = Literal["pass", "fail", "inconclusive", "not_informative"]

#: Of a declared error's metrics, those that name the relative error; another metric's value says nothing of it.
ERROR_METRICS = (None, "relative_error")

_EXACT_RELATIVE_ERROR = {"float16": 1e-2, "bfloat16": 1e-2, "float32": 1e-4, "float64": 1e-10}


@dataclass(frozen=True)
class Thresholds:
    """What a declared symmetry must reach.

    Args:
        relative_error: Largest relative error between outputs under exact elements, for the level ``exact``; ten
            times the noise floor where that is more.
        modal_consistency: Smallest share of the orbit with its most frequent answer, for ``approximate``.
        jensen_shannon: Largest divergence of the members' distributions, bits, for ``approximate``.
        confidence: Of the bounds on a share that was measured on elements drawn at random, and of each limit of a
            mean error.
        error_level: The mean relative error that an ``approximate`` symmetry of an output that is no distribution is
            declared to have; None where nothing is declared.
        error_tolerance: The share by which the measured error may exceed it.
        noise_floor: Relative error among repeats of the very same input.
    """

    relative_error: float = _EXACT_RELATIVE_ERROR["float32"]
    modal_consistency: float = 0.95
    jensen_shannon: float = 0.02
    confidence: float = 0.95
    error_level: float | None = None
    error_tolerance: float = 0.1
    noise_floor: float = 0.0

    @classmethod
    def for_dtype(cls, dtype: str) -> Thresholds:
        """Return the defaults for a model that computes in ``dtype``; those of float32 if it is not a known one."""
        return cls(relative_error=_EXACT_RELATIVE_ERROR.get(dtype, _EXACT_RELATIVE_ERROR["float32"]))

    @property
    def exact_error(self) -> float:
        """The largest relative error that still counts as exact."""
        return max(self.relative_error, 10 * self.noise_floor)

    @property
    def largest_error(self) -> float | None:
        """The largest mean error that the declared level allows."""
        return None if self.error_level is None else self.error_level * (1 + self.error_tolerance)


@dataclass(frozen=True)
class Verdict:
    """What a check concludes about one input.

    Args:
        status: ``inconclusive`` where more elements or other ones would decide; ``not_informative`` where the check
            could not have failed, whatever the model.
        reason: One sentence, naming the worst element in words.
        next_step: One sentence on what to do about it; None where there is nothing to do.
    """

    status: Status
    reason: str
    next_step: str | None = None

    def to_json(self) -> dict[str, str | None]:
        """Return the verdict as JSON values."""
        return {"status": self.status, "reason": self.reason, "next_step": self.next_step}
