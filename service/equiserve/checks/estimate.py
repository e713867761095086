"""What a check would cost, known before anything of it is run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from equiserve.checks.controls import UNRELATED, control_layouts, round_trip_members
from equiserve.classifier import PictureClassifier
from equiserve.engine import ServedModel
from equiserve.symmetry import Orbit

# Elements that a search tries in one round, at least.
_PER_ROUND = 6


@dataclass(frozen=True, slots=True)
class CheckEstimate:
    """The size of a check.

    Attributes:
        elements: Elements of the orbit.
        exact: Of those, how many permute pixels.
        batch_size: Rows of each batch.
        batches: Calls of the model, controls included; fewer where an earlier check has left outputs.
        forward_passes: Rows that the model computes, padding and controls included.
        seconds: What these take on an idle server by the model's learned cost; None where nothing of it ran yet.
        searched: Most elements that a search tries beside those of the orbit.
    """

    elements: int
    exact: int
    batch_size: int
    batches: int
    forward_passes: int
    seconds: float | None
    searched: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the estimate as JSON values."""
        return {
            "elements": self.elements,
            "exact": self.exact,
            "batch_size": self.batch_size,
            "batches": self.batches,
            "forward_passes": self.forward_passes,
            "seconds": None if self.seconds is None else round(self.seconds, 6),
            "searched": self.searched,
        }


def estimate_check(classifier: PictureClassifier, orbit: Orbit, batch: int, searched: int = 0) -> CheckEstimate:
    """Return what the check of an orbit in batches of `batch` rows costs, without the kernel ladder.

    Args:
        classifier: The model.
        orbit: The orbit.
        batch: Rows of each batch.
        searched: Most elements that a search tries beside the orbit.
    """
    controls = layouts_of(classifier.model, orbit, batch)
    rounds = -(-searched // _PER_ROUND) * -(-_PER_ROUND // batch)
    full = -(-len(orbit) // batch) + rounds
    batches, rows = len(controls) + full, sum(map(len, controls)) + full * batch
    exact, seconds = int(orbit.exact.sum()), learned_seconds(classifier.model, rows, batches)
    return CheckEstimate(len(orbit), exact, batch, batches, rows, seconds, searched)


def layouts_of(model: ServedModel, orbit: Orbit, batch: int) -> list[list[int]]:
    """Return the control batches of a check in batches of `batch` rows; see `control_layouts`.

    Where measurements say that no row's bits depend on its company, the larger one holds each picture once.
    """
    smallest, trips = smallest_batch(model), len(round_trip_members(orbit))
    if model.calibration.exact_in_batches:
        batch = max(smallest, min(batch, 1 + len(UNRELATED) + trips))
    return control_layouts(batch, smallest, trips)


def learned_seconds(model: ServedModel, rows: int, batches: int) -> float | None:
    """Return the seconds that a model takes for so many rows; None where its cost is not known yet."""
    cost = model.cost
    return cost.per_row_s * rows + cost.fixed_s * batches if cost.per_row_s or cost.fixed_s else None


def batch_of(classifier: PictureClassifier, orbit: Orbit, max_pixels: int) -> int:
    """Return the rows of each batch of a check that begins now; see `ServedModel.background_rows`."""
    model = classifier.model
    if not model.batched:
        return 1
    # A model of open height and width could be sent a batch of pictures that are each as large as one may be.
    most = max(1, min(model.background_rows(), len(orbit), max_pixels // orbit.picture[0].size))
    return max(model.min_batch, even_batch(len(orbit), most))


def even_batch(rows: int, most: int) -> int:
    """Return the size of the fewest batches of at most `most` rows, all alike with the least padding."""
    return -(-rows // -(-rows // most))


def smallest_batch(model: ServedModel) -> int:
    """Return the rows of the smallest batch that a model is ever run with."""
    return model.min_batch if model.batched else 1
