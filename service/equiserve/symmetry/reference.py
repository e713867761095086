"""What the members of an orbit are compared with: the identity's answer, the labels, or the orbit's consensus.

Outputs are pulled back, F_g = rho_out(g)^-1 f(rho_in(g) x), so that all members of an equivariant model's orbit agree
(for class scores rho_out is trivial). Row 0 belongs to the identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Strength:
    """How decisive a consensus is. A weak one says little, however well the members agree with it.

    Args:
        modal_share: Share of the members that vote for the winner, in [0, 1].
        margin: That share minus the runner-up's; 0 is a tie.
        entropy: Shannon entropy of the votes, bits; 0 is unanimity.
    """

    modal_share: float
    margin: float
    entropy: float

    def to_json(self) -> dict[str, float]:
        """Return the strength as JSON values."""
        return {"modal_share": self.modal_share, "margin": self.margin, "entropy": self.entropy}


@dataclass(frozen=True, eq=False)
class Reference:
    """What the members of an orbit are compared with.

    Args:
        kind: Where it comes from.
        label: Class id; None where no member gave a finite output.
        tied: All classes with as many votes as ``label``, if more than one: the choice among them is arbitrary.
        strength: Of a consensus, else None.
        output: [K], the identity's output, the mean over the orbit (the group average, which is the nearest
            consistent output), or None for labels.
    """

    kind: Literal["identity", "consensus", "labels"]
    label: int | None
    tied: tuple[int, ...] = ()
    strength: Strength | None = None
    output: NDArray[np.float64] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return kind, label, ties and strength as JSON values; the output is left to the caller's encoding."""
        return {
            "kind": self.kind,
            "label": self.label,
            "tied": list(self.tied),
            "strength": self.strength.to_json() if self.strength else None,
        }


def decisions_of(outputs: NDArray[Any]) -> NDArray[np.int64]:
    """Return the class with the largest score of each row, -1 where the row is not finite.

    Args:
        outputs: [n, K] logits or probabilities.
    """
    finite = np.isfinite(outputs).all(axis=1)
    return np.where(finite, np.argmax(outputs, axis=1), -1)


def identity_reference(outputs: NDArray[Any]) -> Reference:
    """Take the untransformed input's output (row 0 of ``outputs`` [n, K]) as the truth."""
    label = int(decisions_of(outputs[:1])[0])
    return Reference("identity", None if label < 0 else label, output=np.asarray(outputs[0], np.float64))


def label_reference(label: int) -> Reference:
    """Take a class id that the caller knows to be right as the truth."""
    return Reference("labels", label)


def consensus_reference(outputs: NDArray[Any]) -> Reference:
    """Take what most members say as the truth (NERO, arXiv 2305.19889, for inputs without labels).

    Members vote with their decision; among equally many votes the larger mean score wins, and the tie is reported.
    A member whose output is not finite votes for nobody but still counts as a member.

    Args:
        outputs: [n, K] logits or probabilities.
    """
    decisions = decisions_of(outputs)
    finite = decisions >= 0
    if not finite.any():
        return Reference("consensus", None, strength=Strength(0.0, 0.0, 0.0))
    votes = np.bincount(decisions[finite], minlength=outputs.shape[1])
    mean = np.asarray(outputs[finite], np.float64).mean(axis=0)
    winners = np.flatnonzero(votes == votes.max())
    label = int(winners[np.argmax(mean[winners])])
    second, first = np.partition(votes, -2)[-2:] if len(votes) > 1 else (0, votes[0])
    shares = votes[votes > 0] / finite.sum()
    strength = Strength(
        modal_share=float(first / len(decisions)),
        margin=float((first - second) / len(decisions)),
        entropy=max(0.0, float(-(shares * np.log2(shares)).sum())),
    )
    tied = tuple(winners.tolist()) if len(winners) > 1 else ()
    return Reference("consensus", label, tied, strength, mean)
