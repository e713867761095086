"""What running a check gives, before anybody has judged it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from equiserve.checks.controls import Controls
from equiserve.symmetry import Element


@dataclass(slots=True)
class Measurement:
    """Scores of the orbit's first m elements, of the controls, and what it all cost.

    Attributes:
        batch: Rows of every batch of the orbit; fixed, so that the numbers do not depend on who else was served.
        scores: Arrays [k, K] that make up [m, K] together.
        changed: Arrays [k] bool that make up [m]: whether the element changed the picture at all.
        controls: What the control batches gave.
        round_trip_elements: What moved the pictures of the round trip.
        forward_passes: Rows that the model computed for this check, padding and controls included.
        batches: Calls of the model.
        transform_s: Seconds of one thread spent on transforming pictures.
        wall_s: Seconds from the request to the last answer.
    """

    batch: int
    scores: list[np.ndarray] = field(default_factory=list)
    changed: list[np.ndarray] = field(default_factory=list)
    controls: Controls = field(default_factory=Controls)
    round_trip_elements: list[Element] = field(default_factory=list)
    forward_passes: int = 0
    batches: int = 0
    transform_s: float = 0.0
    wall_s: float = 0.0
