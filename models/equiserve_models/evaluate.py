"""Evaluate an exported classifier: ``python -m equiserve_models.evaluate fashion-mnist-vit-apa``.

Scores the ONNX file through ONNX Runtime, notes the figures in ``model.yaml`` and writes ``CARD.md``.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from equiserve.artifact import Symmetry, read_manifest, write_manifest
from equiserve_models.data import datasets
from equiserve_models.export import ZOO, onnx_runner
from equiserve_models.shift.card import write_card
from equiserve_models.shift.evaluation import (
    circular_shift_scores,
    exhaustive_orbit_scores,
    zero_filled_shift_scores,
)
from equiserve_models.training.process import run_command
from equiserve_models.zoo import rounded

ORBIT_PICTURES_PER_CLASS = 20
RANDOM_SHIFTS = 8
REACHES = (2, 4)


def evaluate(path: Path, pictures: datasets.Pictures) -> dict[str, Any]:
    """Return every figure of the card for one ONNX file.

    Args:
        path: The file.
        pictures: The test set.
    """
    classifier = onnx_runner(path)
    chosen = np.concatenate(
        [np.flatnonzero(pictures.labels == label)[:ORBIT_PICTURES_PER_CLASS] for label in np.unique(pictures.labels)]
    )
    orbit = datasets.Pictures(pictures.images[chosen], pictures.labels[chosen])
    # Each has random numbers of its own, and ONNX Runtime computes outside the interpreter's lock.
    with ThreadPoolExecutor() as threads:
        every = threads.submit(exhaustive_orbit_scores, classifier, orbit)
        circular = threads.submit(circular_shift_scores, classifier, pictures, RANDOM_SHIFTS, seed=0)
        zero_filled = {
            f"{reach} px": threads.submit(zero_filled_shift_scores, classifier, pictures, reach, seed=0)
            for reach in REACHES
        }
    return {
        "test_pictures": len(pictures.labels),
        "random_circular_shifts": RANDOM_SHIFTS,
        **circular.result(),
        "every_circular_shift": {"pictures": len(chosen), **every.result()},
        "zero_filled_shift": {reach: scores.result() for reach, scores in zero_filled.items()},
    }


def main(arguments: list[str] | None = None) -> None:
    """Evaluate one version, and tie the measured symmetry to the digest of its file."""
    parser = argparse.ArgumentParser(prog="python -m equiserve_models.evaluate", description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--version", type=int, default=1)
    parser.add_argument("--zoo", type=Path, default=ZOO)
    options = parser.parse_args(arguments)

    folder = options.zoo / options.model
    manifest = read_manifest(folder / "model.yaml")
    entry = manifest.versions[str(options.version)]
    pictures = datasets.load(entry.training["data"]["name"], "test")
    metrics = rounded(evaluate(folder / str(options.version) / "model.onnx", pictures))
    versions = manifest.versions | {str(options.version): entry.model_copy(update={"metrics": metrics})}
    update: dict[str, Any] = {"versions": versions}
    if not manifest.declared_exact():
        update["symmetries"] = [
            Symmetry(
                group=declared.group,
                level="none",
                source="measured",
                metric="identity_consistency",
                value=metrics["consistency"],
                elements=RANDOM_SHIFTS,
                inputs=metrics["test_pictures"],
                file_digest=entry.files["model.onnx"].sha256,
                note=declared.note,
            )
            for declared in manifest.symmetries
        ]
    manifest = manifest.model_copy(update=update)
    write_manifest(manifest, folder / "model.yaml")
    write_card(manifest, options.version, folder / "CARD.md")
    print((folder / "CARD.md").read_text())


if __name__ == "__main__":
    run_command(main)
