"""The export gate of a shift classifier: a written file is compared with its network, and with itself under shifts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from equiserve.artifact import ExportCheck
from equiserve.errors import InternalError
from equiserve.numerics.canonical_origin import canonical_origin
from equiserve_models import export
from equiserve_models.shift.evaluation import orbit_batch
from equiserve_models.shift.tie_pictures import circular_orbit


def check_file(
    path: Path, runner: export.Runner, eager: export.Runner, pictures: NDArray[np.uint8], anchored: bool
) -> ExportCheck:
    """Compare a loaded file with its network, and its logits over every circular shift of every picture.

    Args:
        path: The file, for its name.
        runner: The file, loaded.
        eager: The network that it was written from.
        pictures: uint8 [N, C, H, W].
        anchored: Whether the logits have to be the same bits for every circular shift.

    Raises:
        InternalError: The file differs from the network, or an anchored file from itself.
    """
    check = export.check_parity(path, runner, eager, pictures)
    if not anchored:
        return check
    for picture in pictures:
        orbit = circular_orbit(picture)
        batch = orbit_batch(len(orbit))
        logits = np.concatenate([runner(orbit[at : at + batch]) for at in range(0, len(orbit), batch)])
        _require_identical(path, logits)
    shifts = f"{len(pictures)} pictures x {len(orbit)} circular shifts at batch size {batch}"
    return check.model_copy(update={"identical_under_group": True, "detail": f"{check.detail}; {shifts}"})


def check_behind_origin(path: Path, runner: export.Runner, pictures: NDArray[np.uint8], patch: int) -> None:
    """Compare a file's logits over random circular shifts of every picture that is first rolled to its origin.

    Args:
        path: The file, for its name.
        runner: The file, loaded.
        pictures: uint8 [N, C, H, W].
        patch: Of `equiserve.numerics.canonical_origin.canonical_origin`.

    Raises:
        InternalError: Two shifts of a picture have different logits.
    """
    generator = np.random.default_rng(0)
    for picture in pictures:
        shifts = [(0, 0), *generator.integers(0, picture.shape[1:], (7, 2)).tolist()]
        moved, _ = canonical_origin(np.stack([np.roll(picture, shift, (1, 2)) for shift in shifts]), patch)
        _require_identical(path, runner(moved))


def _require_identical(path: Path, logits: NDArray[np.float32]) -> None:
    if not np.array_equal(logits, np.broadcast_to(logits[0], logits.shape)):
        raise InternalError(
            f"{path.name}: logits change by {np.abs(logits - logits[0]).max():.1e} under circular shifts, "
            "expected identical bits",
            code="export_not_invariant",
            field=path.name,
        )
