"""Real Wigner matrices D^l(R) in the convention of e3nn.

Components are ordered m = -l ... l with y as the polar axis and the azimuth from z towards x, without the
Condon-Shortley phase, so that l = 1 is (x, y, z) and D^1(R) = R. Tested against numbers of e3nn 0.6.0.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

HIGHEST_DEGREE = 6
_GOLDEN_ANGLE = np.pi * (3 - 5**0.5)


def wigner_d(degree: int, rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return D^l(R), orthogonal [2l + 1, 2l + 1], with Y(R p) = D Y(p) for all points p.

    Args:
        degree: l, 0 to `HIGHEST_DEGREE`.
        rotation: R, proper, [3, 3].
    """
    points, inverse = _sampled(degree)
    return np.asarray(spherical_harmonics(degree, points @ rotation.T).T @ inverse)


def spherical_harmonics(degree: int, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the real spherical harmonics of degree l at unit vectors [n, 3], as [n, 2l + 1].

    Scaled so that the squares of the 2l + 1 values add up to 1 everywhere.
    """
    x, y, z = points.T
    azimuth = (z + 1j * x)[:, None] ** np.arange(degree + 1)  # sin^m(theta) e^(i m phi)
    harmonics = np.empty((len(points), 2 * degree + 1))
    for m in range(degree + 1):
        polar = _normalised_legendre(degree, m)(y)
        harmonics[:, degree - m] = polar * azimuth[:, m].imag
        harmonics[:, degree + m] = polar * azimuth[:, m].real
    return harmonics


@lru_cache(maxsize=64)
def _normalised_legendre(degree: int, order: int) -> Polynomial:
    """Return the order-th derivative of the Legendre polynomial, scaled for `spherical_harmonics`."""
    # Rodrigues: P_l = (1 / 2^l l!) (d/dy)^l (y^2 - 1)^l.
    factorials = [float(np.prod(np.arange(1.0, k + 1))) for k in range(2 * degree + 1)]
    legendre = (Polynomial([-1.0, 0.0, 1.0]) ** degree).deriv(degree) / (2.0**degree * factorials[degree])
    ratio = factorials[degree - order] / factorials[degree + order]
    scaled = legendre.deriv(order) * np.sqrt(ratio * (1 if order == 0 else 2))
    return Polynomial(scaled.coef)


@lru_cache(maxsize=HIGHEST_DEGREE + 1)
def _sampled(degree: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return points on the sphere, and the pseudo-inverse of the harmonics there: more than enough of them."""
    n = 4 * (2 * degree + 1)
    height = 1 - (2 * np.arange(n) + 1) / n
    around, radius = _GOLDEN_ANGLE * np.arange(n), np.sqrt(1 - height**2)
    points = np.stack([radius * np.cos(around), height, radius * np.sin(around)], axis=-1)
    return points, np.asarray(np.linalg.pinv(spherical_harmonics(degree, points).T), np.float64)
