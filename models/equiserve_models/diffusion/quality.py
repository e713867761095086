"""How good upright pictures are: distance to the test set, what the judges read, copies of training pictures, cost."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from equiserve_models.diffusion import pictures
from equiserve_models.diffusion.distances import frechet_distance, nearest, precision_and_recall
from equiserve_models.diffusion.judges import Reading, read
from equiserve_models.diffusion.pictures import DataSet
from equiserve_models.diffusion.sampling import Sampler

BLUR = 1.0  # standard deviation of the bad anchor, pixels
COPIES = 1000  # pictures whose nearest neighbour is looked for


class RealPictures:
    """Upright pictures of both splits, and what the judges make of them.

    Args:
        dataset: The data.
        judges: By name.
        count: Pictures of each split, at most 10,000.
    """

    def __init__(self, dataset: DataSet, judges: dict[str, nn.Module], count: int) -> None:
        self.judges = judges
        training, test = pictures.load(dataset, "train"), pictures.load(dataset, "test")
        self.training, _ = (tensor.numpy() for tensor in pictures.upright(training, len(training.labels), seed=0))
        self.test, self.labels = (tensor.numpy() for tensor in pictures.upright(test, count, seed=0))
        chosen = np.random.default_rng(0).permutation(len(self.training))[:count]
        blurring = _blurring(self.test.shape[-1])
        blurred = blurring @ self.test @ blurring.T
        self.readings = {
            name: {"test": read(judge, self.test), "training": read(judge, self.training[chosen])}
            | {"blurred": read(judge, blurred)}
            for name, judge in judges.items()
        }

    def anchors(self) -> dict[str, Any]:
        """Return, a judge, its accuracy on the test set and the distances of training and blurred pictures to it."""
        return {
            name: {
                "accuracy": float((found["test"].classes == self.labels).mean()),
                "floor": frechet_distance(found["training"].features, found["test"].features),
                "blurred": frechet_distance(found["blurred"].features, found["test"].features),
            }
            for name, found in self.readings.items()
        }

    def scores(self, drawn: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, Any]:
        """Return, a judge, accuracy, distance, precision and recall of drawn pictures."""
        scores = {}
        for name, judge in self.judges.items():
            found: Reading = read(judge, drawn)
            real = self.readings[name]["test"].features
            precision, recall = precision_and_recall(real, found.features)
            scores[name] = {
                "accuracy": float((found.classes == labels).mean()),
                "distance": frechet_distance(found.features, real),
                "precision": precision,
                "recall": recall,
            }
        return scores

    def copies(self, drawn: NDArray[np.float32]) -> dict[str, float]:
        """Return how near drawn pictures and test pictures are to the training set: root mean square a pixel."""
        training = self.training.reshape(len(self.training), -1)
        near = {
            "drawn": nearest(drawn[:COPIES].reshape(len(drawn[:COPIES]), -1), training),
            "test": nearest(self.test[:COPIES].reshape(len(self.test[:COPIES]), -1), training),
        }
        unit = np.sqrt(training.shape[1])
        closest = np.quantile(near["test"], 0.01)
        return {
            "drawn_median": float(np.median(near["drawn"]) / unit),
            "test_median": float(np.median(near["test"]) / unit),
            "drawn_nearer_than_1_percent_of_test": float((near["drawn"] < closest).mean()),
        }


def cpu_per_row(sampler: Sampler, rows: int) -> float:
    """Return the least CPU time of a call over its rows, milliseconds."""
    inputs = (
        np.zeros((rows, *sampler.shape), np.float32),
        np.ones(rows, np.float32),
        np.zeros(rows, np.int64),
        np.tile(np.array([1, 0, 1], np.float32), (rows, 1)),
    )
    least = np.inf
    for _ in range(30):
        before = time.process_time()
        sampler.runner(inputs)
        least = min(least, time.process_time() - before)
    return float(1000 * least / rows)


def balanced_labels(count: int) -> NDArray[np.int64]:
    """Return the classes in turn, int64 [count]."""
    return np.arange(count, dtype=np.int64) % 10


def _blurring(size: int) -> NDArray[np.float32]:
    """Return the matrix [size, size] of a Gaussian blur; what lies beyond the border has no part."""
    place = np.arange(size)
    weights = np.exp(-np.square(place[:, None] - place) / (2 * BLUR**2))
    return np.asarray(weights / weights.sum(1, keepdims=True), np.float32)
