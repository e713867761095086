"""What a caller may ask of a check of named tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

TensorReference = Literal["identity", "consensus"]


@dataclass(slots=True)
class TensorCheckRequest:
    """One input of any kind, one model, one group.

    Attributes:
        model: Name of the model.
        inputs: The model's inputs by name, as for inference; one row where the model takes batches.
        version: Its version; empty = the newest that is loaded.
        runtime: Runtime to check; None = the model's first.
        group: A key of the manifest's groups, or what `symmetry.group_from_spec` reads; None = the first symmetry that
            the manifest declares and that fits the inputs.
        elements: How many elements, spread over the group; the elements as JSON values; or `{"random": n, "seed": s}`,
            uniform draws (299 of which none fails certify 99 % of the group at 95 % confidence); None = all of a finite
            group, a grid of 72 of a continuous one.
        reference: What each answer, pulled back, is compared with in curve and summary: the answer to the input as it
            came, which the verdict goes by in any case, or the consensus of the orbit (of numbers the group average,
            the Reynolds operator; of classes the vote).
        metrics: Names of the summary metrics; None = those that suit each output.
        outputs: Whether the report carries the outputs, pulled back, for each element.
        compare_with: Another model with inputs of the same names to run on the same elements, `name` or
            `name:version`.
        gate: What a metric must reach, as in `CheckRequest`.
    """

    model: str
    inputs: Mapping[str, np.ndarray]
    version: str = ""
    runtime: str | None = None
    group: str | Mapping[str, Any] | None = None
    elements: int | Sequence[Any] | Mapping[str, Any] | None = None
    reference: TensorReference = "identity"
    metrics: Sequence[str] | None = None
    outputs: bool = False
    compare_with: str | None = None
    gate: Any = None
