"""Crops of photographs, the backgrounds of the MNIST-M style digits: training and test from different photographs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from equiserve.errors import NotFound
from equiserve_models.data.datasets import data_root

FOLDER = "natural-images/kodak"
LICENCE = "Kodak lossless suite, released by Eastman Kodak for unrestricted use"
# First and last number of the photographs of a split, and the SHA-256 of their files, one after the other.
SPLITS = {
    "train": (1, 18, "8cb48dbc2d8d955e6db8a22d2c08bf6c4a0f02f27808fda41c7e76f43a8c2190"),
    "test": (19, 24, "80cc87df2c7ed305cd61d2f0b480e414bd9b0555fb33fe2c435ad8864e7072eb"),
}


@dataclass(frozen=True)
class Photographs:
    """Photographs of different sizes, reduced by 2, pixel after pixel.

    Args:
        pixels: uint8 [P, 3], row by row, photograph after photograph.
        shapes: Height and width of each, int64 [n, 2].
        starts: Where each begins in `pixels`, int64 [n].
    """

    pixels: NDArray[np.uint8]
    shapes: NDArray[np.int64]
    starts: NDArray[np.int64]

    def crops(self, size: int, uniform: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Cut squares out.

        Args:
            size: Height and width of a crop, pixels.
            uniform: In [0, 1), [n, 3]: which photograph, which row, which column.

        Returns:
            uint8 [n, 3, size, size].
        """
        which = (uniform[:, 0] * len(self.shapes)).astype(np.int64)
        room = self.shapes[which] - size + 1
        row, column = (uniform[:, 1:] * room).astype(np.int64).T
        width = self.shapes[which, 1]
        corner = self.starts[which] + row * width + column
        within = np.arange(size)
        places = corner[:, None, None] + within[:, None] * width[:, None, None] + within
        return np.ascontiguousarray(self.pixels[places].transpose(0, 3, 1, 2))


def load(split: str) -> Photographs:
    """Load the photographs of a split.

    Args:
        split: ``train`` or ``test``.

    Raises:
        NotFound: The data root or a file is absent, or the files are others.
    """
    first, last, digest = SPLITS[split]
    root = data_root()
    if root is None:
        raise NotFound("EQUISERVE_DATA is unset or no folder, expected the data root", field="EQUISERVE_DATA")
    paths = [root / FOLDER / f"kodim{number:02d}.webp" for number in range(first, last + 1)]
    for path in paths:
        if not path.is_file():
            raise NotFound(f"{path.name} is not in $EQUISERVE_DATA/{FOLDER} (docs/data.md)", field="EQUISERVE_DATA")
    found = hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
    if found != digest:
        raise NotFound(f"photographs {first} to {last} have SHA-256 {found}, expected {digest}", field="EQUISERVE_DATA")
    photographs = [np.asarray(Image.open(path).convert("RGB").reduce(2)) for path in paths]
    shapes = np.array([photograph.shape[:2] for photograph in photographs], np.int64)
    sizes = shapes.prod(1)
    return Photographs(
        pixels=np.concatenate([photograph.reshape(-1, 3) for photograph in photographs]),
        shapes=shapes,
        starts=np.cumsum(sizes) - sizes,
    )
