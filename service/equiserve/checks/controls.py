"""Control measurements: what a check would show if the symmetry held, or if the model did nothing at all.

- *repeat*: the picture as it came, twice in the same batch and again in other places of larger batches, one of them the
  orbit's own first. Whatever differs there is the noise floor; a large difference means a model that rolls dice.
- *unrelated*: pictures with nothing in common. A model that answers those alike passes any check.
- *round trip*: g^-1 g x for elements that resample or lose content. An alarm for the transformation, no bound on it.

The others keep the picture company in its repeats, so that they cost no batches of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from equiserve.symmetry import Element, Orbit, relative_errors

UNRELATED = ("blank", "negative", "noise")
_ROUND_TRIPS = 8
_IDENTITY = 0


@dataclass(slots=True)
class Controls:
    """Scores of the control pictures as far as they were run.

    Attributes:
        trips: What moves the pictures of the round trip, r elements.
        repeats: The identity's scores [K]: the first two from one batch run twice, the others from other places.
        company: Scores [K] of the other pictures by their number in `control_layouts`.
    """

    trips: list[Element] = field(default_factory=list)
    repeats: list[np.ndarray] = field(default_factory=list)
    company: dict[int, np.ndarray] = field(default_factory=dict)

    def add(self, layout: list[int], scores: np.ndarray) -> None:
        """Take in the scores [n, K] of one batch of `control_layouts`."""
        for member, row in zip(layout, scores, strict=True):
            if member == _IDENTITY:
                self.repeats.append(row)
            else:
                self.company.setdefault(member, row)

    @property
    def unrelated(self) -> dict[str, np.ndarray]:
        """Scores [K] by the names in `UNRELATED`."""
        return {name: self.company[k] for k, name in enumerate(UNRELATED, 1) if k in self.company}

    @property
    def round_trip(self) -> np.ndarray | None:
        """Scores [r, K] of g^-1 g x; None where there is nothing to undo, or not all of them ran."""
        members = range(len(UNRELATED) + 1, len(UNRELATED) + 1 + len(self.trips))
        return np.stack([self.company[k] for k in members]) if members and members[-1] in self.company else None

    def repeat_errors(self, *more: np.ndarray) -> np.ndarray:
        """Return the relative errors of the repeats, and of further ones [K], against the first; empty if none ran."""
        if len(self.repeats) < 2 or not np.isfinite(self.repeats[0]).all():
            return np.zeros(0)
        return relative_errors(np.stack([*self.repeats[1:], *more]), self.repeats[0])

    def unrelated_errors(self) -> dict[str, float]:
        """Return the relative error of each unrelated picture's scores against the identity's."""
        if not self.repeats or not np.isfinite(self.repeats[0]).all():
            return {}
        return {name: float(relative_errors(row[None], self.repeats[0])[0]) for name, row in self.unrelated.items()}


def unrelated_pictures(picture: np.ndarray, background: int) -> np.ndarray:
    """Return uint8 [3, C, H, W]: nothing but background, the negative of the picture, reproducible noise."""
    noise = np.random.Generator(np.random.Philox(0)).integers(0, 256, picture.shape, np.uint8)
    return np.stack([np.full_like(picture, background), 255 - picture, noise])


def control_layouts(batch: int, smallest: int, trips: int) -> list[list[int]]:
    """Return the rows of each control batch: 0 is the identity, 1 to 3 the unrelated pictures, then the round trips.

    Args:
        batch: Rows of the check's batches.
        smallest: Rows of the smallest batch that the model is ever run with.
        trips: Round trips.
    """
    others = list(range(1, len(UNRELATED) + trips + 1))

    def company(rows: int) -> list[int]:
        return [others[index % len(others)] for index in range(rows)]

    layouts = [[_IDENTITY, *company(smallest - 1)]] * 2
    layouts.append([*company(batch - 1), _IDENTITY])
    # Others that found no place: batches of one hold the identity or nothing else.
    for start in range(batch - 1, len(others), batch):
        layouts.append([*others[start : start + batch], *[_IDENTITY] * batch][:batch])
    return layouts


def round_trip_members(orbit: Orbit) -> np.ndarray:
    """Return the indices [r] of up to eight elements that are not exact, spread over the orbit."""
    lossy = np.flatnonzero(~orbit.exact)
    return lossy[:: max(1, -(-lossy.size // _ROUND_TRIPS))]


def round_trips(orbit: Orbit) -> np.ndarray:
    """Return the picture moved by each of the `round_trip_members` and back, [r, C, H, W]."""
    action, group = orbit.action, orbit.group
    chosen = [orbit.elements[k] for k in round_trip_members(orbit)]
    if not chosen:
        return orbit.picture[None][:0]
    there = action.orbit(orbit.picture, chosen)
    return np.stack([action.apply(group.inverse(g), moved) for g, moved in zip(chosen, there, strict=True)])
