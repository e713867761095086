"""What a model said about the members of one orbit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from equiserve.symmetry.reference import Reference, decisions_of, identity_reference

#: What an output is, and with it which metrics can compare two of them.
OutputKind = Literal["values", "boxes", "flow", "rotations", "trajectories", "segmentation", "pictures"]


@dataclass(frozen=True, eq=False)
class OrbitOutputs:
    """What a model said about the members of one orbit, pulled back.

    Args:
        outputs: [n, K] logits, probabilities or values; or, by ``kind``, [n, M, 6] boxes (see `boxes`), [n, 2, H, W]
            flow, [n, ..., 3, 3] rotations, [n, ..., T, D] trajectories, [n, H, W] segmentation ids, [n, C, H, W]
            pictures.
        probabilities: [n, K] rows summing to 1, for classifiers; None where the output is no distribution.
        reference: What to compare with; None for the identity's answer.
        kind: What the outputs are.
        mask: [n, H, W], for maps: pixels that a member still shows after the pull-back; None = all.
        peak: For pictures: the largest difference that two pixels can have; None = that within the reference.
    """

    outputs: NDArray[Any]
    probabilities: NDArray[Any] | None = None
    reference: Reference | None = None
    kind: OutputKind = "values"
    mask: NDArray[np.bool_] | None = None
    peak: float | None = None

    @cached_property
    def decisions(self) -> NDArray[np.int64]:
        """[n] class ids, -1 for failures."""
        return decisions_of(self.outputs)

    @cached_property
    def truth(self) -> Reference:
        """The reference, the identity's answer by default."""
        return self.reference or identity_reference(self.rows)

    @property
    def rows(self) -> NDArray[Any]:
        """[n, K]: the outputs, flattened."""
        return self.outputs.reshape(len(self.outputs), -1)

    @cached_property
    def target(self) -> NDArray[Any]:
        """The reference's output in the shape of one member's; the identity's where the reference is a label."""
        if self.reference is None or self.reference.output is None:
            return np.asarray(self.outputs[0])
        return self.reference.output.reshape(self.outputs.shape[1:])

    def subset(self, members: NDArray[np.bool_]) -> OrbitOutputs:
        """Return the members that a mask [n] selects, against the same reference; the identity must be one."""
        return replace(
            self,
            outputs=self.outputs[members],
            probabilities=None if self.probabilities is None else self.probabilities[members],
            mask=None if self.mask is None else self.mask[members],
            reference=self.truth,
        )
