"""What an orbit says as a whole, for outputs that are no classes; votes of classes are in `reference`.

Members are pulled back: F_g = rho_out(g)^-1 f(rho_in(g) x). The group average mean_g F_g is the Reynolds operator, the
projection onto equivariant functions: of all equivariant answers the nearest to the model's in mean square, and a
better prediction where the model is nearly right (test-time symmetrisation). Medoid and median resist a few broken
members.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.symmetry.metrics import orbit_variance_ratio, relative_errors
from equiserve.symmetry.reference import Reference
from equiserve.symmetry.structured_metrics import geodesic_angles


@dataclass(frozen=True, eq=False)
class Consensus:
    """An orbit's common answer and how decisive it is.

    Args:
        output: In the shape of one member's output.
        strength: In [0, 1], 1 where all members agree; each function says what it measures. A weak consensus says
            little, however it is used.
        members: How many members gave a finite output; the others have no part in it, and weaken it.
        medoid: Index of the member that was chosen, else None.
    """

    output: NDArray[np.float64]
    strength: float
    members: int
    medoid: int | None = None

    def reference(self) -> Reference:
        """Return it as what the members are compared with."""
        return Reference("consensus", None, output=self.output)


@dataclass(frozen=True, slots=True)
class ErrorSplit:
    """An orbit's mean squared error, split into what symmetrising leaves and what it removes.

    mean_g |F_g - y|^2 = |mean_g F_g - y|^2 + mean_g |F_g - mean_g F_g|^2: the error of the group average, and the
    squared non-equivariance. Holds where rho_out is orthogonal and the elements are a whole group or a grid of one.

    Args:
        total: Mean over the orbit.
        incurable: What the group average would still be wrong by.
        curable: What averaging over the group takes away.
    """

    total: float
    incurable: float
    curable: float

    def to_json(self) -> dict[str, float]:
        """Return the split as JSON values."""
        return {"total": self.total, "incurable": self.incurable, "curable": self.curable}


def average_consensus(outputs: NDArray[Any]) -> Consensus:
    """Return the group average of outputs [n, ...].

    Strength: the share of the orbit's energy that the average keeps, 1 - `orbit_variance_ratio`, times the share of
    members that are finite.
    """
    kept, share = _finite(outputs)
    if not len(kept):
        return _nothing(outputs)
    strength = 1 - orbit_variance_ratio(kept.reshape(len(kept), -1))
    return Consensus(kept.mean(axis=0), strength * share, len(kept))


def median_consensus(outputs: NDArray[Any]) -> Consensus:
    """Return the median of each component of outputs [n, ...].

    For outputs whose components stand for themselves (scalars, fields of scalars); the median of a vector's components
    depends on the frame. Strength: 1 - mean relative error of the members against it, a failure counting 1.
    """
    kept, _ = _finite(outputs)
    if not len(kept):
        return _nothing(outputs)
    return Consensus(median := np.median(kept, axis=0), _agreement(outputs, median), len(kept))


def medoid_consensus(outputs: NDArray[Any]) -> Consensus:
    """Return the member of outputs [n, ...] with the least sum of distances to all others.

    Strength: as for `median_consensus`.
    """
    kept, _ = _finite(outputs)
    if not len(kept):
        return _nothing(outputs)
    rows = kept.reshape(len(kept), -1)
    distances = [float(np.sqrt(((rows - row) ** 2).sum(axis=1)).sum()) for row in rows]
    best = int(np.argmin(distances))
    member = int(np.flatnonzero(_is_finite(outputs))[best])
    return Consensus(kept[best], _agreement(outputs, kept[best]), len(kept), member)


def rotation_consensus(rotations: NDArray[Any]) -> Consensus:
    """Return the chordal mean of rotations [n, ..., 3, 3]: the rotation nearest to their average (Moakher 2002).

    Strength: 1 - mean angle to it / 180 degrees, a failure counting 180 degrees.
    """
    kept, _ = _finite(rotations)
    if not len(kept):
        return _nothing(rotations)
    u, _, vt = np.linalg.svd(kept.mean(axis=0))
    # The nearest orthogonal matrix may be a reflection: turn its weakest axis round.
    u[..., :, 2] *= np.linalg.det(u @ vt)[..., None]
    mean = u @ vt
    return Consensus(mean, 1 - float(geodesic_angles(rotations, mean).mean()) / 180, len(kept))


def error_split(outputs: NDArray[Any], truth: NDArray[Any]) -> ErrorSplit:
    """Split the mean squared error of an orbit.

    Args:
        outputs: [n, ...], finite and pulled back.
        truth: [...], the right answer for the input as it came.
    """
    f, y = np.asarray(outputs, np.float64), np.asarray(truth, np.float64)
    average = f.mean(axis=0)
    return ErrorSplit(
        total=float(((f - y) ** 2).sum() / len(f)),
        incurable=float(((average - y) ** 2).sum()),
        curable=float(((f - average) ** 2).sum() / len(f)),
    )


def _is_finite(outputs: NDArray[Any]) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(outputs.reshape(len(outputs), -1)).all(axis=1))


def _finite(outputs: NDArray[Any]) -> tuple[NDArray[np.float64], float]:
    finite = _is_finite(outputs)
    return np.asarray(outputs[finite], np.float64), float(finite.mean())


def _agreement(outputs: NDArray[Any], answer: NDArray[np.float64]) -> float:
    return 1 - float(relative_errors(outputs.reshape(len(outputs), -1), answer.reshape(-1)).mean())


def _nothing(outputs: NDArray[Any]) -> Consensus:
    return Consensus(np.full(outputs.shape[1:], np.nan), 0.0, 0)
