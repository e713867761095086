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


def score(path: Path, data: str, orbit_per_class: int, kept: Path, origin: bool = False) -> dict[str, Scores]:
    """Return all measures of `equiserve_models.shift.robustness` of one file.

    Args:
        path: ONNX file of a classifier of uint8 pictures.
        data: Key of `equiserve_models.data.datasets.SOURCES`; all of its test pictures are classified.
        orbit_per_class: Test pictures of each class of which all circular shifts are classified.
        kept: Folder of earlier scores; a file with the same digest, measured alike, is not measured again.
        origin: Whether pictures are rolled to their canonical origin first, with the server's default patch.

    Returns:
        By measure, a value for each picture; every file sees the same perturbed pictures.
    """
    measured_how = hashlib.sha256(repr((data, orbit_per_class, origin, SEED, list(PERTURBATIONS))).encode()).hexdigest()
    store = kept / f"{sha256_of(path)[:16]}-{measured_how[:8]}.npz"
    if not store.is_file():
        pictures = datasets.load(data, "test")
        runner = onnx_runner(path)
        classifier = at_canonical_origin(runner) if origin else runner
        found = measure({"": classifier}, pictures, stratified(pictures, orbit_per_class), SEED)[""]
        kept.mkdir(parents=True, exist_ok=True)
        partial = store.with_suffix(".partial.npz")
        arrays: dict[str, Any] = {title: np.stack([s.right, s.same]) > 0.5 for title, s in found.items()}
        np.savez_compressed(partial, **arrays)
        partial.replace(store)
    with np.load(store) as file:
        return {title: Scores(*file[title].astype(np.float64)) for title in file.files}
