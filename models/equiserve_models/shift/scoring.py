"""Robustness of one exported file, measured once: the scores of every picture are kept between runs."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from equiserve.artifact.digest import sha256_of
from equiserve_models.data import datasets
from equiserve_models.export import onnx_runner
from equiserve_models.shift.robustness import PERTURBATIONS, Scores, at_canonical_origin, measure, stratified

SEED = 0
ORBIT_PER_CLASS = 10
_DIGEST = "sha256 of the file"


def store_of(folder: Path, key: str, data: str, orbit_per_class: int, origin: bool = False) -> Path:
    """Return where scores are kept: the name changes with whatever they depend on besides the file."""
    how = hashlib.sha256(repr((data, orbit_per_class, origin, SEED, list(PERTURBATIONS))).encode()).hexdigest()
    return folder / f"{key}-{how[:8]}.npz"


def score(path: Path, data: str, orbit_per_class: int, store: Path, origin: bool = False) -> dict[str, Scores]:
    """Return all measures of `equiserve_models.shift.robustness` of one file.

    Args:
        path: ONNX file of a classifier of uint8 pictures.
        data: Key of `equiserve_models.data.datasets.SOURCES`; all of its test pictures are classified.
        orbit_per_class: Test pictures of each class of which all circular shifts are classified.
        store: Earlier scores (`store_of`); those of the same file are not measured again, others are replaced.
        origin: Whether pictures are rolled to their canonical origin first, with the server's default patch.

    Returns:
        By measure, a value for each picture; every file sees the same perturbed pictures.
    """
    digest = sha256_of(path)
    if not store.is_file() or _read(store)[0] != digest:
        pictures = datasets.load(data, "test")
        runner = onnx_runner(path)
        classifier = at_canonical_origin(runner) if origin else runner
        found = measure({"": classifier}, pictures, stratified(pictures, orbit_per_class), SEED)[""]
        store.parent.mkdir(parents=True, exist_ok=True)
        partial = store.with_suffix(".partial.npz")
        arrays: dict[str, Any] = {title: np.stack([s.right, s.same]) > 0.5 for title, s in found.items()}
        np.savez_compressed(partial, **arrays | {_DIGEST: np.array(digest)})
        partial.replace(store)
    return recorded(store)


def recorded(store: Path) -> dict[str, Scores]:
    """Return scores that were kept, whether or not their file is still there."""
    return _read(store)[1]


def _read(store: Path) -> tuple[str, dict[str, Scores]]:
    with np.load(store) as file:
        scores = {title: Scores(*file[title].astype(np.float64)) for title in file.files if title != _DIGEST}
        return str(file[_DIGEST]), scores
