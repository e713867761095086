"""Whether a lone batch of a model may run on the event loop: the hand-over to a worker and back costs 0.1 ms and more.

Learned from lone batches that ran, and unlearned at once: a model whose time depends on its input in ways that the
shapes do not show must not hold the loop up again and again. Where the shapes change, nothing is proven.
"""

from __future__ import annotations

#: A batch that is over by then holds nobody up longer than the hand-over itself would.
BRIEF_S = 0.5e-3
# So many brief ones are the proof; one that is not takes away what `_PENALTY` brief ones gave.
_PROOF = 32
_PENALTY = 8
# A batch that held the loop up for so long costs the model its good name: each time the proof takes twice as long.
_STALL_S = 5e-3
_LONGEST_PROOF = 1 << 16


#: The shapes of a call's inputs.
Shapes = tuple[tuple[int, ...], ...]


class Brevity:
    """What is known of the lone batches of one model."""

    __slots__ = ("_proof", "_score", "_shapes")

    def __init__(self) -> None:
        self._score = 0
        self._proof = _PROOF
        self._shapes: Shapes | None = None

    def proven(self, shapes: Shapes) -> bool:
        """Return whether the next lone batch may run on the event loop."""
        return self._score >= self._proof and shapes == self._shapes

    def observe(self, shapes: Shapes, seconds: float) -> None:
        """Take in the time of a lone batch, wherever it ran."""
        if shapes != self._shapes:
            self._shapes, self._score = shapes, 0
        if seconds <= BRIEF_S:
            self._score = min(self._score + 1, 2 * self._proof)
        elif seconds < _STALL_S:
            self._score = max(self._score - _PENALTY, 0)
        else:
            if self._score >= self._proof:
                self._proof = min(2 * self._proof, _LONGEST_PROOF)
            self._score = 0
