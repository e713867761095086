"""Which unit a cloud of a person is in: told by the caller, or guessed from its size and said so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import InvalidRequest

_METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001}
#: What a request may say.
UNITS = (*_METRES, "auto")

#: Twice the distance from the centroid within which 98 % of the points of a person lie, metres: from crouched children
#: to tall people with raised arms. The ranges of m, cm and mm do not overlap.
SMALLEST, LARGEST = 0.4, 3.2


@dataclass(frozen=True, slots=True)
class Scale:
    """The unit of a cloud.

    Attributes:
        unit: `m`, `cm` or `mm`.
        guessed: Whether the server chose it.
        extent: Size of the cloud (see `SMALLEST`), metres.
    """

    unit: str
    guessed: bool
    extent: float

    @property
    def metres(self) -> float:
        """Metres a unit."""
        return _METRES[self.unit]


def scale_of(points: NDArray[np.float64], unit: str) -> Scale:
    """Return the unit of points [n, 3].

    Raises:
        InvalidRequest: `unknown_unit`; `degenerate_cloud`: all points are the same; `not_person_sized`.
    """
    if unit not in UNITS:
        raise InvalidRequest(
            f"unit: got {unit[:20]!r}, expected one of {list(UNITS)}", code="unknown_unit", field="unit"
        )
    distances = np.linalg.norm(points - points.mean(axis=0), axis=1)
    extent = 2 * float(np.quantile(distances, 0.98))
    if extent == 0:
        raise InvalidRequest("points: all are the same", code="degenerate_cloud", field="points")
    candidates = tuple(_METRES) if unit == "auto" else (unit,)
    for name in candidates:
        if SMALLEST <= extent * _METRES[name] <= LARGEST:
            return Scale(name, unit == "auto", extent * _METRES[name])
    if unit == "auto":
        got = f"spans {extent:.3g} units, no person in m, cm or mm"
    else:
        got = f"spans {extent * _METRES[unit]:.3g} m as {unit}"
    raise InvalidRequest(
        f"points: the cloud {got}; expected {SMALLEST} to {LARGEST} m: is it a person, and is `unit` right?",
        code="not_person_sized",
        field="points",
    )
