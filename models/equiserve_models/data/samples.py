"""Cut the sample pictures of the tests out of Fashion-MNIST: ``python -m equiserve_models.data.samples tests/data``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from equiserve_models.data import datasets

PER_CLASS = 10
PNGS = {"ankle_boot.png": 9, "trouser.png": 1, "bag.png": 8}


def main(folder: Path) -> None:
    """Write ``fashion_mnist_100.npz`` (the first ten test pictures of each class) and three of them as PNG files."""
    pictures = datasets.load("fashion-mnist", "test")
    chosen = np.concatenate([np.flatnonzero(pictures.labels == label)[:PER_CLASS] for label in range(10)])
    images, labels = pictures.images[chosen, 0], pictures.labels[chosen]
    np.savez_compressed(folder / "fashion_mnist_100.npz", images=images, labels=labels)
    for name, label in PNGS.items():
        Image.fromarray(images[label * PER_CLASS]).save(folder / name, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
