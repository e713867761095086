"""What a caller may ask of a check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

ReferenceKind = Literal["consensus", "identity", "label"]

#: Elements that a search may try: what `python -m bench.search` measures against six times as many.
DEFAULT_BUDGET = 60


@dataclass(slots=True)
class CheckRequest:
    """One picture, one model, one group.

    Attributes:
        model: Name of the model.
        version: Its version; empty = the newest that is loaded.
        runtime: Runtime to check; None = the model's first.
        picture: A PNG, JPEG or WebP file, or uint8 pixels [C, H, W] or [H, W].
        group: The name of a group of the manifest, or what `symmetry.group_from_spec` reads; None = the first
            symmetry that the manifest declares.
        elements: How many elements, spread over the group; the elements as JSON values; or `{"random": n, "seed": s}`,
            n independent uniform draws; None = all of a finite group, 72 of a continuous one. With `search` the
            number of elements to start from, 24 by default.
        reference: What each element's answer is compared with: the orbit's consensus, the answer to the picture as
            it came, or `label`.
        label: The right class, by index or name; for reference `label`.
        metrics: Names of the summary metrics; None = all.
        outputs: Whether the report carries the model's raw output for each element.
        compare_with: Another model to run on the same elements, `name` or `name:version`; None = no comparison.
        search: Whether to look for the worst element: from an even start, in rounds that follow the lowest margins.
        search_budget: Elements that a search may try, those of the start included.
        gate: What a metric must reach, as `symmetry.gates.gates_from_json` reads it; None = the declared level decides.
    """

    model: str
    picture: bytes | np.ndarray
    version: str = ""
    runtime: str | None = None
    group: str | Mapping[str, Any] | None = None
    elements: int | Sequence[Any] | Mapping[str, Any] | None = None
    reference: ReferenceKind = "consensus"
    label: int | str | None = None
    metrics: Sequence[str] | None = None
    outputs: bool = False
    compare_with: str | None = None
    search: bool = False
    search_budget: int = DEFAULT_BUDGET
    gate: Any = None
