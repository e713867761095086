"""What the controls of a check overrule: verdicts for models whose answers say nothing about the symmetry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from equiserve.symmetry import Verdict


def unsteady(error: float, what: Literal["picture", "input"], *, in_same_batch: bool) -> Verdict:
    """Return the verdict on a model that answers the very same input in different ways.

    Args:
        error: Largest relative difference between its answers.
        what: What was submitted.
        in_same_batch: Whether it differs within one and the same batch, and not only between batches.
    """
    cause = "is run twice in the same batch" if in_same_batch else "stands elsewhere in another batch"
    return Verdict(
        "not_informative",
        f"The model's outputs differ by {error:.2g} (relative) when the very same {what} {cause}, so no difference "
        "over the orbit can be laid to the symmetry.",
        "Fix the model's seed, or switch off dropout and sampling."
        if in_same_batch
        else f"Look for a normalisation over the batch; an answer to one {what} must not depend on its neighbours.",
    )


def indifferent(what: Literal["picture", "input"], unrelated: Iterable[str]) -> Verdict:
    """Return the verdict on a model that answers unrelated inputs alike; `unrelated` names them."""
    return Verdict(
        "not_informative",
        f"The model answers this {what} and unrelated ones ({', '.join(unrelated)}) alike, so it would pass any check.",
        "See whether the model looks at its input at all.",
    )
