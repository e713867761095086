"""From points as they came to what a body fitter takes: metres, evenly many, in farthest-point order.

What is chosen depends on each point's own coordinates, not on its place in the file: the order in which points come
changes nothing, and the same cloud always gives the same answer.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.clouds.units import Scale, scale_of
from equiserve.errors import InvalidRequest
from equiserve.numerics.nearest_points import point_tree
from equiserve.numerics.point_ordering import farthest_point_order

#: Fewer distinct points than this show no body.
MIN_POINTS = 256
#: More than this are down-sampled before anything else is computed.
MAX_POINTS = 20_000
# A point whose 4th neighbour is this many times as far as usual stands alone: dust, not a person.
_NEIGHBOURS, _ISOLATED = 4, 6.0
# Spread along the second axis below this share of the first is a line, along the third a sheet.
_FLAT = 0.01


@dataclass(frozen=True, slots=True)
class CloudCounts:
    """What became of the points.

    Attributes:
        received: As they came.
        kept: After duplicates, and all but 20,000 of many, were left out.
        isolated: Of these, left out because they stand alone.
        used: What the model saw; more than `kept` where points were put between neighbours.
    """

    received: int
    kept: int
    isolated: int
    used: int

    def to_json(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class PreparedCloud:
    """A cloud for the model.

    Attributes:
        points: [N, 3] float32, metres, relative to `origin`, in farthest-point order.
        origin: The centroid in the input frame, [3] float64, metres.
        scale: The unit that it came in.
        counts: What became of the points.
    """

    points: NDArray[np.float32]
    origin: NDArray[np.float64]
    scale: Scale
    counts: CloudCounts


def prepare_cloud(points: NDArray[Any], *, count: int, prefix: int, unit: str = "auto") -> PreparedCloud:
    """Prepare a cloud; about 20 ms for 5,000 points.

    Args:
        points: [n, 3] in the caller's unit and frame.
        count: How many points the model takes, N.
        prefix: How many of them it wants in farthest-point order.
        unit: `m`, `cm`, `mm` or `auto`.

    Raises:
        InvalidRequest: `not_finite`, `too_few_points`, `degenerate_cloud` (one place, a line, a sheet),
            `not_person_sized`, `unknown_unit`.
    """
    received = len(points)
    _require_enough(received, "came")
    if not np.isfinite(points).all():
        bad = int(np.flatnonzero(~np.isfinite(points).all(axis=1))[0])
        raise InvalidRequest(f"points: point {bad} is not finite", code="not_finite", field=f"points[{bad}]")
    chosen = _shuffled(points, MAX_POINTS)
    _require_enough(len(chosen), "are different")
    scale = scale_of(chosen, unit)
    metres = chosen * scale.metres
    origin = metres.mean(axis=0)
    metres = metres - origin
    spread = np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(metres.T)), 0))[::-1]
    if spread[2] < _FLAT * spread[0]:
        shape = "line" if spread[1] < _FLAT * spread[0] else "sheet"
        raise InvalidRequest(f"points: all lie on one {shape}", code="degenerate_cloud", field="points")
    kept = len(metres)
    metres = _without_isolated(metres)
    isolated = kept - len(metres)
    _require_enough(len(metres), "do not stand alone")
    even = metres[:count] if len(metres) >= count else _filled_up(metres, count)
    ordered = even[farthest_point_order(even, prefix)]
    return PreparedCloud(ordered.astype(np.float32), origin, scale, CloudCounts(received, kept, isolated, len(ordered)))


def _require_enough(count: int, what: str) -> None:
    if count < MIN_POINTS:
        raise InvalidRequest(
            f"points: {count} {what}, expected at least {MIN_POINTS}", code="too_few_points", field="points"
        )


def _shuffled(points: NDArray[Any], most: int) -> NDArray[np.float64]:
    """Return `most` of the distinct points [n, 3], or all, in an order that only their coordinates decide."""
    keys = _hashes(points)
    if len(points) > most:
        # Twice as many: there may be duplicates.
        lowest = np.argpartition(keys, min(2 * most, len(keys)) - 1)[: 2 * most]
        points, keys = points[lowest], keys[lowest]
    first = np.unique(keys, return_index=True)[1][:most]
    return np.asarray(points[first], np.float64)


def _hashes(points: NDArray[Any]) -> NDArray[np.uint64]:
    """Return a well-mixed number for each point [n, 3] (the finaliser of splitmix64, once an axis)."""
    bits = np.ascontiguousarray(points, np.float64).view(np.uint64)
    mixed = np.zeros(len(points), np.uint64)
    for axis in range(3):
        mixed ^= bits[:, axis]
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        mixed ^= mixed >> np.uint64(31)
    return mixed


def _without_isolated(points: NDArray[np.float64]) -> NDArray[np.float64]:
    far = point_tree(points).query(points, k=[_NEIGHBOURS + 1])[0][:, 0]
    return np.asarray(points[far <= _ISOLATED * np.median(far)])


def _filled_up(points: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return the points and, up to `count`, others between each and its nearest neighbours in turn."""
    nearest = point_tree(points).query(points, k=_NEIGHBOURS + 1)[1]
    more = np.arange(count - len(points))
    owner, turn = more % len(points), more // len(points)
    partner = nearest[owner, 1 + turn % _NEIGHBOURS]
    way = np.random.default_rng(0).uniform(0.2, 0.8, (len(more), 1))
    return np.concatenate([points, points[owner] + way * (points[partner] - points[owner])])
