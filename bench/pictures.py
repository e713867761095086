"""The pictures that the benchmark and the proofs send: grey, 28x28, uint8, the same in every run."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

#: 100 Fashion-MNIST test pictures, ten of each class (MIT licence; credit beside the file).
TEST_PICTURES = Path(__file__).parents[1] / "tests" / "data" / "fashion_mnist_100.npz"
SIDE = 28


def picture_png() -> bytes:
    """Return one picture as a PNG file."""
    stream = io.BytesIO()
    Image.fromarray(fixed_picture()).save(stream, "PNG")
    return stream.getvalue()


def fixed_picture() -> np.ndarray:
    """Return the picture that `picture_png` encodes, uint8 [28, 28]: a gradient under noise."""
    noise = np.random.default_rng(0).integers(0, 64, (SIDE, SIDE))
    return (noise + np.linspace(0, 190, SIDE, dtype=int)[:, None]).astype(np.uint8)


def fashion_pictures() -> np.ndarray:
    """Return the 100 test pictures, uint8 [100, 28, 28]; raises FileNotFoundError where the file is absent."""
    with np.load(TEST_PICTURES) as file:
        pictures: np.ndarray = file["images"]
    return pictures


def tie_pictures() -> np.ndarray:
    """Return 32 pictures on which choosing an anchor by energy ties, uint8 [32, 28, 28].

    Constant, striped, chequered, binarised and single-pixel pictures: several of their circular shifts are the same
    picture, or differ without any difference in the energy of their polyphase components.
    """
    rows, columns = np.indices((SIDE, SIDE))
    constant = [np.full((SIDE, SIDE), value) for value in (0, 1, 128, 255)]
    stripes = [255 * (axis // width % 2) for axis in (rows, columns) for width in (1, 2, 7, 14)]
    chequered = [255 * ((rows // width + columns // width) % 2) for width in (1, 2, 7, 14)]
    binarised = [255 * (picture > 127) for picture in fashion_pictures()[5:85:10]]
    places = [(0, 0), (0, 1), (1, 0), (3, 3), (13, 14), (14, 13), (27, 0), (27, 27)]
    single = [255 * ((rows == row) & (columns == column)) for row, column in places]
    return np.stack([*constant, *stripes, *chequered, *binarised, *single]).astype(np.uint8)
