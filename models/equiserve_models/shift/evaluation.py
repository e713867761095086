"""What a shift classifier does to clean, circularly shifted and zero-filled shifted pictures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from equiserve_models.data.datasets import Pictures
from equiserve_models.shift.tie_pictures import circular_orbit

# uint8 [B, C, H, W] -> float32 logits [B, K]
Classifier = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

BATCH = 112  # a divisor of 784: an orbit of 28x28 pixels is whole batches of one size


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
    clean = _classes(classifier, pictures.images)
    shifted = np.stack([_classes(classifier, _random_roll(pictures.images, generator)) for _ in range(shifts)])
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
        logits = _logits(classifier, circular_orbit(image))
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
    clean = _classes(classifier, pictures.images)
    _, _, H, W = pictures.images.shape
    padded = np.pad(pictures.images, ((0, 0), (0, 0), (reach, reach), (reach, reach)))
    tops, lefts = generator.integers(0, 2 * reach + 1, (2, len(padded)))
    moved = np.stack([p[:, top : top + H, left : left + W] for p, top, left in zip(padded, tops, lefts, strict=True)])
    classes = _classes(classifier, moved)
    return {
        "accuracy": float(np.mean(classes == pictures.labels)),
        "consistency": float(np.mean(classes == clean)),
    }


def _logits(classifier: Classifier, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.concatenate([classifier(images[at : at + BATCH]) for at in range(0, len(images), BATCH)])


def _classes(classifier: Classifier, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    return _logits(classifier, images).argmax(1)


def _random_roll(images: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    _, _, H, W = images.shape
    rows = (np.arange(H) + generator.integers(0, H, (len(images), 1))) % H
    columns = (np.arange(W) + generator.integers(0, W, (len(images), 1))) % W
    moved = np.take_along_axis(images, rows[:, None, :, None], 2)
    return np.take_along_axis(moved, columns[:, None, None, :], 3)
