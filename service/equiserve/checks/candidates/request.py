"""What a caller may ask of a check of all candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

DEFAULT_ELEMENTS = 512


@dataclass(slots=True)
class CandidatesRequest:
    """Inputs for one model whose manifest names groups.

    Attributes:
        model: Name of the model.
        inputs: The model's inputs by name, as for inference; with a batch axis each row is an input of its own.
        version: Its version; empty = the newest that is loaded.
        runtime: Runtime to check; None = the model's first.
        groups: Keys of the manifest's groups; None = all of them.
        elements: Independent elements of each group, each for one input in turn; at least as many as inputs.
        seed: Of the elements.
    """

    model: str
    inputs: Mapping[str, np.ndarray]
    version: str = ""
    runtime: str | None = None
    groups: Sequence[str] | None = None
    elements: int = DEFAULT_ELEMENTS
    seed: int = 0
