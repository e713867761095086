"""Batches of training pictures in [-1, 1]: digits on black, or colour digits on photographs, each turned by an angle.

MNIST-M style: ``|crop - digit|`` per channel. The digit is turned, the photograph behind it never: to turn the finished
picture is not to turn the digit. It is not the published MNIST-M, whose photographs (BSDS500) are not free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Generator, Tensor

from equiserve_models.data import datasets, photographs
from equiserve_models.data.photographs import Photographs
from equiserve_models.diffusion.rotation import turned

DataSet = Literal["mnist", "mnist-m-style"]


@dataclass(frozen=True)
class DigitPictures:
    """Digits of a split, and the photographs to put them on.

    Args:
        digits: uint8 [N, 1, 28, 28].
        labels: int64 [N].
        backgrounds: Photographs, or None for digits on black.
    """

    digits: Tensor
    labels: Tensor
    backgrounds: Photographs | None

    def batch(self, indices: Tensor, degrees: Tensor, generator: Generator) -> Tensor:
        """Return pictures of turned digits, float32 [B, C, 28, 28] in [-1, 1].

        Args:
            indices: Of the digits, int64 [B].
            degrees: Counter-clockwise as seen, float32 [B]; a digit of 0 degrees is the file's own, to the bit.
            generator: Chooses the crops.
        """
        uniform = torch.rand(len(indices), 3, generator=generator, dtype=torch.float64).numpy()
        digits = self.digits[indices].float() / 255
        digits = torch.where(degrees[:, None, None, None] == 0, digits, turned(digits, degrees, 0.0).clamp(0, 1))
        if self.backgrounds is None:
            return 2 * digits - 1
        crops = torch.from_numpy(self.backgrounds.crops(digits.shape[-1], uniform)).float() / 255
        return 2 * (crops - digits).abs() - 1


def load(name: DataSet, split: str) -> DigitPictures:
    """Load a split, ``train`` or ``test``, as `datasets.load` and `photographs.load` do."""
    pictures = datasets.load("mnist", split)
    backgrounds = photographs.load(split) if name == "mnist-m-style" else None
    return DigitPictures(torch.from_numpy(pictures.images), torch.from_numpy(pictures.labels), backgrounds)


def upright(pictures: DigitPictures, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return `count` upright pictures, a seeded choice without repetition, and their labels."""
    generator = Generator().manual_seed(seed)
    chosen = torch.from_numpy(np.sort(torch.randperm(len(pictures.labels), generator=generator)[:count].numpy()))
    return pictures.batch(chosen, torch.zeros(len(chosen)), generator), pictures.labels[chosen]
