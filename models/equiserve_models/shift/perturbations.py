"""What is done to test pictures to see whether a classifier's answer holds: uint8 [N, C, H, W] -> the same shape.

Every picture gets draws of its own. Only the circular shifts are symmetries of the anchored networks; the others lose
content, mix pixels or change the object, and are measured to be reported beside them. The ranges are those of the
public evaluation code of Ding et al. 2023, arXiv 2306.07470, which mirrors and erases half of the pictures; here every
picture is mirrored or erased.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

Images = NDArray[np.uint8]
Perturbation = Callable[[Images, Generator], Images]

ROTATION = 30.0  # degrees
TRANSLATION = 0.1  # of the side
SCALE = (0.8, 1.2)
SHEAR = 10.0  # degrees
ERASED_AREA = (0.02, 0.33)  # of the picture; Zhong et al. 2020, arXiv 1708.04896, as torchvision draws it
ERASED_ASPECT = (0.3, 3.3)


def random_circular_shift(images: Images, generator: Generator) -> Images:
    """Roll each picture by any number of rows and columns."""
    _, _, H, W = images.shape
    rows = (np.arange(H) + generator.integers(0, H, (len(images), 1))) % H
    columns = (np.arange(W) + generator.integers(0, W, (len(images), 1))) % W
    moved = np.take_along_axis(images, rows[:, None, :, None], 2)
    return np.take_along_axis(moved, columns[:, None, None, :], 3)


def zero_filled_shift(images: Images, generator: Generator, reach: int) -> Images:
    """Move each picture by up to `reach` pixels along each axis: content leaves on one side, zeros come in."""
    _, _, H, W = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (reach, reach), (reach, reach)))
    tops, lefts = generator.integers(0, 2 * reach + 1, (2, len(padded)))
    return np.stack([p[:, top : top + H, left : left + W] for p, top, left in zip(padded, tops, lefts, strict=True)])


def half_pixel_shift(images: Images, generator: Generator) -> Images:
    """Shift each picture circularly by k + 1/2 pixels along both axes, by ideal (sinc) interpolation, any k.

    What overshoots is clipped and all is rounded to grey levels, as any picture that reaches the classifier is.
    """
    _, _, H, W = images.shape
    moved = half_sample_matrix(H) @ images.astype(np.float64) @ half_sample_matrix(W).T
    return random_circular_shift(np.clip(np.rint(moved), 0, 255).astype(np.uint8), generator)


def half_sample_matrix(size: int) -> NDArray[np.float64]:
    """Return the circulant matrix [size, size] that delays a periodic signal by half a sample, exactly below Nyquist.

    The Nyquist frequency of an even size has no half-sample delay (its samples would be zeros) and is removed.
    """
    frequency = np.fft.rfftfreq(size)
    delay = np.exp(-1j * np.pi * frequency) * (frequency < 0.5)
    spectrum = np.fft.rfft(np.eye(size), axis=0) * delay[:, None]
    return np.fft.irfft(spectrum, size, axis=0)


def mirror(images: Images, _: Generator) -> Images:
    """Mirror every picture left to right; nothing is drawn."""
    return np.ascontiguousarray(images[:, :, :, ::-1])


def random_affine(images: Images, generator: Generator) -> Images:
    """Rotate, translate, scale and shear each picture about its centre; bilinear, zeros come in."""
    _, _, H, W = images.shape
    count = len(images)
    angles = np.radians(generator.uniform(-ROTATION, ROTATION, count))
    shears = np.tan(np.radians(generator.uniform(-SHEAR, SHEAR, count)))
    scales = generator.uniform(*SCALE, count)
    offsets = generator.uniform(-TRANSLATION, TRANSLATION, (count, 2)) * (W, H)
    cosines, sines = scales * np.cos(angles), scales * np.sin(angles)
    linear = np.stack([cosines, cosines * shears - sines, sines, sines * shears + cosines], 1).reshape(-1, 2, 2)
    return np.stack([warp(image, *motion) for image, *motion in zip(images, linear, offsets, strict=True)])


def warp(image: Images, linear: NDArray[np.float64], offset: NDArray[np.float64]) -> Images:
    """Move the content of one picture: a point p about the centre goes to ``linear @ p + offset``.

    Args:
        image: uint8 [C, H, W].
        linear: [2, 2], acts on (x, y), x to the right and y downwards.
        offset: [2], pixels (x, y).

    Returns:
        uint8 [C, H, W], bilinear; zero where the content comes from outside.
    """
    _, H, W = image.shape
    centre = np.array([W / 2, H / 2])
    back = np.linalg.inv(linear)
    start = centre - back @ (centre + offset)
    coefficients = (*back[0], start[0], *back[1], start[1])
    planes = [
        Image.fromarray(plane).transform((W, H), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
        for plane in image
    ]
    return np.stack([np.asarray(plane) for plane in planes])


def random_erasing(images: Images, generator: Generator) -> Images:
    """Set one random rectangle of each picture to zero."""
    _, _, H, W = images.shape
    erased = images.copy()
    for image in erased:
        height, width = H, W
        while height >= H or width >= W:
            area = H * W * generator.uniform(*ERASED_AREA)
            aspect = math.exp(generator.uniform(*np.log(ERASED_ASPECT)))
            height, width = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        top, left = generator.integers(0, H - height + 1), generator.integers(0, W - width + 1)
        image[:, top : top + height, left : left + width] = 0
    return erased
