"""Elements that act on what tensors hold: sizes, the order of items, time, brightness, coordinates at large."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from equiserve.errors import InvalidRequest

_DECIMALS = 12
# Factors beyond this or its inverse would be rounded away.
_SMALLEST = 1e-6


@dataclass(frozen=True, slots=True, order=True)
class Scale:
    """A change of size about the origin, or about the centre of a picture.

    Args:
        factor: Above 1 enlarges; stored rounded to 1e-12.
    """

    factor: float

    def __post_init__(self) -> None:
        if not _SMALLEST < self.factor < 1 / _SMALLEST:
            raise InvalidRequest(f"scale: got {self.factor}, expected a number above 0 and not extreme", field="scale")
        object.__setattr__(self, "factor", round(float(self.factor), _DECIMALS))

    def to_json(self) -> dict[str, float]:
        """Return the element as JSON values."""
        return {"scale": self.factor}


@dataclass(frozen=True, slots=True, order=True)
class Permutation:
    """A new order of items.

    Args:
        order: Item i moves to place ``order[i]``.
    """

    order: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "order", tuple(self.order))
        if sorted(self.order) != list(range(len(self.order))):
            raise InvalidRequest(
                f"permutation: got {list(self.order)}, expected each of 0 to {len(self.order) - 1} once",
                field="permutation",
            )

    def to_json(self) -> dict[str, list[int]]:
        """Return the element as JSON values."""
        return {"permutation": list(self.order)}


@dataclass(frozen=True, slots=True, order=True)
class Reversal:
    """Time as it runs, or backwards.

    Args:
        reversed: Whether it runs backwards.
    """

    reversed: bool

    def to_json(self) -> dict[str, bool]:
        """Return the element as JSON values."""
        return {"time_reversed": self.reversed}


@dataclass(frozen=True, slots=True, order=True)
class TimeStep:
    """A move along the time axis.

    Args:
        steps: Frames by which everything comes later.
    """

    steps: int

    def to_json(self) -> dict[str, int]:
        """Return the element as JSON values."""
        return {"time_steps": self.steps}


@dataclass(frozen=True, slots=True, order=True)
class Intensity:
    """The affine change of brightness x -> gain x + offset.

    Args:
        gain: Contrast, above 0; stored rounded to 1e-12.
        offset: In the units of the samples; stored rounded to 1e-12.
    """

    gain: float
    offset: float = 0.0

    def __post_init__(self) -> None:
        if not (_SMALLEST < self.gain < 1 / _SMALLEST and math.isfinite(self.offset)):
            raise InvalidRequest(
                f"intensity: got gain {self.gain} and offset {self.offset}, expected a gain above 0, not extreme, "
                "and a finite offset",
                field="intensity",
            )
        object.__setattr__(self, "gain", round(float(self.gain), _DECIMALS))
        object.__setattr__(self, "offset", round(float(self.offset), _DECIMALS) + 0.0)

    def to_json(self) -> dict[str, float]:
        """Return the element as JSON values."""
        return {"gain": self.gain, "offset": self.offset}


@dataclass(frozen=True, slots=True, order=True)
class LinearMap:
    """An element of a group of matrices.

    Args:
        rows: Of a square matrix that can be inverted; stored rounded to 1e-12.
    """

    rows: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", square_matrix(self.rows, "matrix"))

    def to_json(self) -> dict[str, list[list[float]]]:
        """Return the element as JSON values."""
        return {"matrix": [list(row) for row in self.rows]}


def square_matrix(rows: Sequence[Sequence[float]], field: str) -> tuple[tuple[float, ...], ...]:
    """Return the rows of a square matrix as a value that can be hashed; InvalidRequest where they are none."""
    try:
        matrix = np.array(rows, np.float64)
    except (TypeError, ValueError):
        matrix = np.empty(0)
    if matrix.ndim != 2 or not len(matrix) or len(matrix) != matrix.shape[1] or not np.isfinite(matrix).all():
        raise InvalidRequest(f"{field}: got {rows!r}, expected a square matrix of finite numbers", field=field)
    return tuple(tuple(row) for row in (np.round(matrix, _DECIMALS) + 0.0).tolist())
