"""What running a check of named tensors gives, before anybody has judged it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import TooLarge

# Of all outputs over the whole orbit; larger ones are a data set, not a report.
_MOST_BYTES = 512 << 20


@dataclass(slots=True)
class TensorMeasurement:
    """Outputs, pulled back, of those of the orbit's n elements that were checked, of the controls, and the cost.

    Attributes:
        batch: Members in every call of the model.
        answered: [n] bool, which elements have outputs.
        changed: [n] bool, whether the element changed any input at all.
        outputs: By name [n, ...], without the batch axis and without what an output is relative to; void rows where
            not answered.
        masks: By name [n, ...] bool, where those outputs mean something; left out: everywhere.
        errors: [n] the largest relative error among the outputs against the identity's; the curve while it runs.
        repeats: The identity's outputs, one entry a repeat: the first two from batches alike, the others from other
            places.
        unrelated: The outputs of the unrelated inputs by their names; None for one that the model cannot answer.
        stopped: Why elements were left out; None where none was.
        forward_passes: Rows that the model computed, padding and controls included.
        batches: Calls of the model.
        transform_s: CPU seconds spent on moving tensors there and back.
        wall_s: Seconds from the request to the last answer.
    """

    batch: int
    answered: NDArray[np.bool_]
    changed: NDArray[np.bool_]
    errors: NDArray[np.float64]
    outputs: dict[str, NDArray[Any]] = field(default_factory=dict)
    masks: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    repeats: list[dict[str, NDArray[Any]]] = field(default_factory=list)
    unrelated: dict[str, dict[str, NDArray[Any]] | None] = field(default_factory=dict)
    stopped: Literal["deadline", "cancelled"] | None = None
    forward_passes: int = 0
    batches: int = 0
    transform_s: float = 0.0
    wall_s: float = 0.0

    @classmethod
    def of(cls, elements: int, batch: int) -> TensorMeasurement:
        """Return a measurement of an orbit of n elements that has not begun."""
        return cls(batch, np.zeros(elements, np.bool_), np.zeros(elements, np.bool_), np.zeros(elements))

    @property
    def members(self) -> NDArray[np.intp]:
        """Indices [m] of the elements that count, ascending: none where the identity itself was not answered."""
        return np.flatnonzero(self.answered) if self.answered[0] else np.zeros(0, np.intp)

    def add(
        self,
        members: NDArray[np.intp],
        outputs: Mapping[str, NDArray[Any]],
        masks: Mapping[str, NDArray[np.bool_]],
        changed: NDArray[np.bool_],
    ) -> None:
        """Take in the outputs [k, ...] of some elements [k], the identity among the first.

        They count once the caller sets ``answered``, on the event loop: a thread that a deadline has overtaken must
        not change what is being reported.

        Raises:
            TooLarge: All of the orbit's outputs would not fit.
        """
        n = len(self.answered)
        if not self.outputs:
            needed = sum(array.nbytes // len(array) for array in outputs.values())
            if needed * n > _MOST_BYTES:
                raise TooLarge(
                    f"elements: the outputs of {n} elements take {needed * n >> 20} MiB, at most {_MOST_BYTES >> 20} "
                    f"MiB are held; set elements to {max(1, _MOST_BYTES // needed)} or less",
                    code="orbit_too_large",
                    field="elements",
                )
            self.outputs = {name: np.empty((n, *array.shape[1:]), array.dtype) for name, array in outputs.items()}
        for name, array in outputs.items():
            self.outputs[name][members] = array
        for name, mask in masks.items():
            if name not in self.masks:
                self.masks[name] = np.ones((n, *mask.shape[1:]), np.bool_)
            self.masks[name][members] = mask
        self.changed[members] = changed
