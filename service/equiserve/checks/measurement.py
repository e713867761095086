"""What running a check gives, before anybody has judged it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from equiserve.checks.controls import Controls
from equiserve.symmetry import Element


@dataclass(slots=True)
class Searched:
    """What a search tried beside the orbit, s elements so far.

    Attributes:
        elements: The s elements, in the order in which they were tried.
        exact: [s] bool, whether the element permutes pixels.
        changed: [s] bool, whether it changed the picture.
        scores: [s, K].
        ended: Why it tried no more; None while it runs, and where the check was stopped.
    """

    elements: list[Element]
    exact: np.ndarray
    changed: np.ndarray
    scores: np.ndarray
    ended: Literal["budget", "nothing_left"] | None = None

    def add(self, elements: list[Element], exact: np.ndarray, changed: np.ndarray, scores: np.ndarray) -> None:
        """Take in the scores [k, K] of further elements [k]."""
        self.elements += elements
        self.exact = np.concatenate([self.exact, exact])
        self.changed = np.concatenate([self.changed, changed])
        self.scores = np.concatenate([self.scores, scores])


@dataclass(slots=True)
class Ladder:
    """Some resampled elements through other interpolation kernels.

    Attributes:
        members: [k] rows of `Findings.judged`.
        scores: [k, K] by kernel, the check's own among them.
    """

    members: np.ndarray
    scores: dict[str, np.ndarray]


@dataclass(slots=True)
class Measurement:
    """Scores of those of the orbit's n elements that were checked, of the controls, and what it all cost.

    Attributes:
        batch: Rows of every batch of the orbit; fixed, so that the numbers do not depend on who else was served.
        answered: [n] bool, which elements have scores.
        changed: [n] bool, whether the element changed the picture at all; void where not answered.
        scores: [n, K]; void rows where not answered; None before the first answer.
        controls: What the control batches gave.
        searched: What a search tried; None where none began.
        ladder: The worst elements through other kernels; None where nothing depended on them.
        stopped: Why elements were left out; None where none was.
        forward_passes: Rows that the model computed for this check, padding and controls included.
        batches: Calls of the model.
        cached: Rows whose scores an earlier check of the same picture had left, controls included.
        transform_s: CPU seconds spent on transforming pictures.
        wall_s: Seconds from the request to the last answer.
    """

    batch: int
    answered: np.ndarray
    changed: np.ndarray
    scores: np.ndarray | None = None
    controls: Controls = field(default_factory=Controls)
    searched: Searched | None = None
    ladder: Ladder | None = None
    stopped: Literal["deadline", "cancelled"] | None = None
    forward_passes: int = 0
    batches: int = 0
    cached: int = 0
    transform_s: float = 0.0
    wall_s: float = 0.0

    @classmethod
    def of(cls, elements: int, batch: int) -> Measurement:
        """Return a measurement of an orbit of n elements that has not begun."""
        return cls(batch, np.zeros(elements, np.bool_), np.zeros(elements, np.bool_))

    @property
    def members(self) -> np.ndarray:
        """Indices [m] of the elements that count, ascending: none where the identity itself was not answered."""
        return np.flatnonzero(self.answered) if self.answered[0] else np.zeros(0, np.intp)

    def add(self, members: np.ndarray, scores: np.ndarray, changed: np.ndarray) -> None:
        """Take in the scores [k, K] of some elements [k]."""
        if self.scores is None:
            self.scores = np.empty((len(self.answered), scores.shape[1]), scores.dtype)
        self.scores[members] = scores
        self.changed[members] = changed
        self.answered[members] = True
