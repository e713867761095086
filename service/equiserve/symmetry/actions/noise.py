"""The initial noise of a generator: it must move with the picture that grows out of it, and stay noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.numerics.rotation import turn_noise
from equiserve.symmetry.actions.picture import PictureAction
from equiserve.symmetry.actions.pixel_fields import PixelField, PixelGrid
from equiserve.symmetry.elements import Element, Rotation
from equiserve.symmetry.groups.group import Group

# Up to so many pixels are probed one by one; larger grids are measured on so many draws of noise, to 2 %.
_PROBES = 1024
_AT_A_TIME = 256


@dataclass(frozen=True)
class NoiseField(PixelField):
    """White noise on the pixel grid: permuted where the element is exact, turned by an orthogonal map by other angles.

    What else moves pixels, a change of size, resamples, which averages neighbours and so would quieten the noise, more
    between pixels than on them; each pixel is divided by the standard deviation that white noise has there after
    resampling. Neighbours stay correlated then.

    Args:
        name: The tensor.
        group: Acts on pictures.
        grid: Where the pixels are.
    """

    name: str
    group: Group[Any]
    grid: PixelGrid

    def _moved(self, element: Element, planes: NDArray[Any]) -> NDArray[Any]:
        exact, moving = self.exact(element), self.group.canonical(element)
        if isinstance(moving, Rotation) and not exact:
            return turn_noise(planes[..., ::-1] if moving.reflected else planes, moving.angle_deg)
        moved = PictureAction(self.group, "reflect").apply(element, planes)
        if exact:
            return moved
        deviation = resampled_deviation(self.group, element, self.grid.height, self.grid.width)
        return (moved / deviation).astype(planes.dtype)


@lru_cache(maxsize=64)
def resampled_deviation(group: Group[Any], element: Element, height: int, width: int) -> NDArray[np.float64]:
    """Return the standard deviation of each pixel of white noise after resampling, [H, W].

    The root of the sum of the squares of the weights that make the pixel, read off the responses to single pixels.
    """
    action, pixels = PictureAction(group, "reflect"), height * width
    rng, single = np.random.default_rng(0), pixels <= _PROBES
    power = np.zeros((height, width))
    for start in range(0, pixels if single else _PROBES, _AT_A_TIME):
        probes = np.eye(pixels)[start : start + _AT_A_TIME] if single else rng.normal(size=(_AT_A_TIME, pixels))
        power += (action.apply(element, probes.reshape(-1, 1, height, width))[:, 0] ** 2).sum(axis=0)
    return np.sqrt(power if single else power / _PROBES)
