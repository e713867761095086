"""What running a check of named tensors gives, before anybody has judged it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import TooLarge
from equiserve.symmetry import TensorOrbit
from equiserve.symmetry.detections import declared_detections, in_one_order, padded

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
            not answered. Lists of boxes of different lengths are filled up with zeros.
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
        lists: Collection[str] = (),
    ) -> None:
        """Take in the outputs [k, ...] of some elements [k], the identity among the first.

        They count once the caller sets ``answered``, on the event loop: a thread that a deadline has overtaken must
        not change what is being reported.

        Args:
            members: The elements.
            outputs: By name.
            masks: By name, where they mean something.
            changed: [k] bool, whether an element changed any input.
            lists: Outputs of which calls may give different numbers of rows (boxes).

        Raises:
            TooLarge: All of the orbit's outputs would not fit.
        """
        n = len(self.answered)
        longer = any(outputs[name].shape[1] > array.shape[1] for name, array in self.outputs.items() if name in lists)
        if not self.outputs or longer:
            needed = sum(array.nbytes // len(array) for array in outputs.values())
            if needed * n > _MOST_BYTES:
                raise TooLarge(
                    f"elements: the outputs of {n} elements take {needed * n >> 20} MiB, at most {_MOST_BYTES >> 20} "
                    f"MiB are held; set elements to {max(1, _MOST_BYTES // needed)} or less",
                    code="orbit_too_large",
                    field="elements",
                )
        if not self.outputs:
            self.outputs = {name: np.empty((n, *array.shape[1:]), array.dtype) for name, array in outputs.items()}
        for name, array in outputs.items():
            _put(self.outputs, name, members, array, name in lists)
        for name, mask in masks.items():
            if name not in self.masks:
                self.masks[name] = np.ones((n, *mask.shape[1:]), np.bool_)
            _put(self.masks, name, members, mask, name in lists)
        self.changed[members] = changed

    def with_boxes_in_order(self, orbit: TensorOrbit) -> TensorMeasurement:
        """Return what was measured with the boxes of each answer where the identity's are, see `in_one_order`.

        Itself where no output is a list of boxes; without outputs of their own for labels of boxes.
        """
        found = declared_detections(orbit.signature)
        if not found or not len(self.members):
            return self
        names = {name for one in found for name in one.names}
        rows, n = self.members, len(self.answered)
        elements = [orbit.elements[k] for k in rows]
        given = {name: array[rows] for name, array in self.outputs.items() if name in names}
        seen = {name: mask[rows] for name, mask in self.masks.items() if name in names}
        ordered, _ = in_one_order(orbit.signature, elements, given, seen)
        outputs = {name: array for name, array in self.outputs.items() if name not in names}
        for name, array in ordered.items():
            outputs[name] = np.zeros((n, *array.shape[1:]), array.dtype)
            outputs[name][rows] = array
        # The repeats first: they are compared with the first of them, and so are the unrelated inputs.
        unrelated = [name for name, answer in self.unrelated.items() if answer is not None]
        answers = [*self.repeats, *(answer for answer in self.unrelated.values() if answer is not None)]
        answers = _answers_in_order(orbit, answers, names)
        return replace(
            self,
            outputs={name: outputs[name] for name in self.outputs if name in outputs},
            masks={name: mask for name, mask in self.masks.items() if name not in names},
            repeats=answers[: len(self.repeats)],
            unrelated=dict.fromkeys(self.unrelated) | dict(zip(unrelated, answers[len(self.repeats) :], strict=True)),
        )


def _put(held: dict[str, Any], name: str, members: NDArray[np.intp], array: NDArray[Any], is_list: bool) -> None:
    """Write rows [k, ...] into what is held, [n, ...]; of lists the shorter is filled up."""
    if is_list:
        held[name] = padded(held[name], array.shape[1])
        array = padded(array, held[name].shape[1])
    held[name][members] = array


def _answers_in_order(
    orbit: TensorOrbit, answers: Sequence[dict[str, NDArray[Any]]], names: Collection[str]
) -> list[dict[str, NDArray[Any]]]:
    """Return answers to inputs that no element moved, each [1, ...], with their boxes where those of the first are."""
    if not answers:
        return []
    longest = max(answer[name].shape[1] for answer in answers for name in names)
    lists = {name: np.concatenate([padded(answer[name], longest) for answer in answers]) for name in names}
    ordered, _ = in_one_order(orbit.signature, [orbit.elements[0]] * len(answers), lists, {})
    return [
        {name: array for name, array in answer.items() if name not in names}
        | {name: array[k : k + 1] for name, array in ordered.items()}
        for k, answer in enumerate(answers)
    ]
