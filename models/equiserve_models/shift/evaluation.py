"""What a shift classifier does to clean, circularly shifted and zero-filled shifted pictures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from equiserve_models.data.datasets import Pictures
from equiserve_models.shift.perturbations import random_circular_shift, zero_filled_shift
from equiserve_models.shift.tie_pictures import circular_orbit

# uint8 [B, C, H, W] -> float32 logits [B, K]
Classifier = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

BATCH = 32  # on one thread the intermediate results of more rows leave the cache


def orbit_batch(shifts: int) -> int:
    """Return the largest batch size up to `BATCH` of which an orbit of so many shifts is whole batches: 784 -> 28."""
    return max(size for size in range(1, BATCH + 1) if shifts % size == 0)


def circular_shift_scores(classifier: Classifier, pictures: Pictures, shifts: int, seed: int) -> dict[str, float]:
    """Clean accuracy, and what random circular shifts do to the answer.

    Args:
        classifier: The network.
        pictures: Test pictures.
        shifts: Number of random circular shifts, drawn for every picture on its own.
        seed: Of the shifts.

    Returns:
        ``accuracy``; ``shifted_accuracy``, mean over the shifts; ``consistency``, share of (picture, shift) whose class
        is that of the unshifted picture; ``worst_accuracy``, share of pictures that are right under every shift.
    """
    generator = np.random.default_rng(seed)
    clean = classes_of(classifier, pictures.images)
    shifted = np.stack(
        [classes_of(classifier, random_circular_shift(pictures.images, generator)) for _ in range(shifts)]
    )
    right = shifted == pictures.labels
    return {
        "accuracy": float(np.mean(clean == pictures.labels)),
        "shifted_accuracy": float(right.mean()),
        "consistency": float(np.mean(shifted == clean)),
        "worst_accuracy": float(np.mean(right.all(0) & (clean == pictures.labels))),
    }


def exhaustive_orbit_scores(classifier: Classifier, pictures: Pictures) -> dict[str, float]:
    """Every circular shift of every picture, at one batch size.

    Returns:
        ``bit_identical``, share of (picture, shift) whose logits equal the unshifted picture's bit for bit;
        ``largest_difference`` of a logit; ``consistency`` of the class; ``worst_accuracy``, share of pictures that are
        right under every shift.
    """
    identical, consistent, worst, difference = [], [], [], 0.0
    for image, label in zip(pictures.images, pictures.labels, strict=True):
        orbit = circular_orbit(image)
        logits = logits_of(classifier, orbit, orbit_batch(len(orbit)))
        classes = logits.argmax(1)
        identical.append(np.mean((logits == logits[0]).all(1)))
        consistent.append(np.mean(classes == classes[0]))
        worst.append(np.all(classes == label))
        difference = max(difference, float(np.abs(logits - logits[0]).max()))
    return {
        "bit_identical": float(np.mean(identical)),
        "largest_difference": difference,
        "consistency": float(np.mean(consistent)),
        "worst_accuracy": float(np.mean(worst)),
    }


def zero_filled_shift_scores(classifier: Classifier, pictures: Pictures, reach: int, seed: int) -> dict[str, float]:
    """Shifts that lose content at the border, up to `reach` pixels along each axis: outside the guarantee."""
    generator = np.random.default_rng(seed)
    clean = classes_of(classifier, pictures.images)
    classes = classes_of(classifier, zero_filled_shift(pictures.images, generator, reach))
    return {
        "accuracy": float(np.mean(classes == pictures.labels)),
        "consistency": float(np.mean(classes == clean)),
    }


def logits_of(classifier: Classifier, images: NDArray[np.uint8], batch: int = BATCH) -> NDArray[np.float32]:
    """Classify in batches of one size (the last may be smaller): uint8 [N, C, H, W] -> float32 [N, classes]."""
    return np.concatenate([classifier(images[at : at + batch]) for at in range(0, len(images), batch)])


def classes_of(classifier: Classifier, images: NDArray[np.uint8], batch: int = BATCH) -> NDArray[np.int64]:
    """Return the class of largest logit of each picture, int64 [N]."""
    return logits_of(classifier, images, batch).argmax(1)
