"""What moving a picture does to exported classifiers: ``python -m equiserve_models.shift.robustness MODEL...``.

Prints Markdown tables: accuracy, consistency and, against the first model, the paired difference of accuracy. All
models see the same perturbed pictures. Consistency is the share of pictures whose class is that of the unperturbed
picture. Brackets are 95 % bootstrap intervals over the pictures.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from equiserve.artifact import read_manifest
from equiserve.errors import InvalidRequest
from equiserve.numerics.canonical_origin import canonical_origin, default_patch
from equiserve_models.data import datasets
from equiserve_models.data.datasets import Pictures
from equiserve_models.export import ZOO, onnx_runner
from equiserve_models.shift import perturbations
from equiserve_models.shift.bootstrap import Estimate, bootstrap_mean
from equiserve_models.shift.cost import Cost, cost_of
from equiserve_models.shift.evaluation import Classifier, classes_of, orbit_batch
from equiserve_models.shift.perturbations import Perturbation
from equiserve_models.shift.tie_pictures import circular_orbit

CLEAN = "as they are"
EVERY_SHIFT = "every circular shift"
WORST_SHIFT = "worst circular shift, one for all"
# A new one goes to the end: the place seeds the draws.
PERTURBATIONS: dict[str, Perturbation] = {
    "random circular shift": perturbations.random_circular_shift,
    "zero-filled shift, up to 2 px": partial(perturbations.zero_filled_shift, reach=2),
    "zero-filled shift, up to 4 px": partial(perturbations.zero_filled_shift, reach=4),
    "half-pixel shift": perturbations.half_pixel_shift,
    "mirrored": perturbations.mirror,
    "affine": perturbations.random_affine,
    "erasing": perturbations.random_erasing,
}


@dataclass(frozen=True)
class Scores:
    """One measure of one model, a value for each picture: right, and same class as unperturbed; float64 [N], 0 or 1."""

    right: NDArray[np.float64]
    same: NDArray[np.float64]


# By model, by measure.
Robustness = dict[str, dict[str, Scores]]


def measure(classifiers: dict[str, Classifier], pictures: Pictures, orbit: Pictures, seed: int) -> Robustness:
    """Score every classifier on the same perturbed pictures.

    Args:
        classifiers: By name.
        pictures: For the clean accuracy and every entry of `PERTURBATIONS`, one draw for each picture.
        orbit: Pictures of which every circular shift is classified. `EVERY_SHIFT`: right (same) under all of them;
            `WORST_SHIFT`: under the one shift at which the accuracy over these pictures is smallest.
        seed: Of the draws.

    Returns:
        All measures, in the order in which they are reported.
    """
    robustness: Robustness = {name: {} for name in classifiers}
    clean = {name: classes_of(classifier, pictures.images) for name, classifier in classifiers.items()}
    for name, classes in clean.items():
        robustness[name][CLEAN] = _scores(classes, pictures.labels, classes)
    for index, (title, perturb) in enumerate(PERTURBATIONS.items()):
        perturbed = perturb(pictures.images, np.random.default_rng((seed, index)))
        for name, classifier in classifiers.items():
            robustness[name][title] = _scores(classes_of(classifier, perturbed), pictures.labels, clean[name])
    for name, classifier in classifiers.items():
        robustness[name] |= _orbit_scores(classifier, orbit)
    return robustness


def at_canonical_origin(classifier: Classifier) -> Classifier:
    """Return a classifier as the server runs it with `symmetrize: canonical_origin`."""
    return lambda images: classifier(canonical_origin(images, default_patch(*images.shape[2:]))[0])


def _orbit_scores(classifier: Classifier, orbit: Pictures) -> dict[str, Scores]:
    classes = np.stack([_classes_of_orbit(classifier, image) for image in orbit.images])  # [N, shifts]
    right, same = classes == orbit.labels[:, None], classes == classes[:, :1]
    worst = right.mean(0).argmin()
    return {
        WORST_SHIFT: Scores(right[:, worst].astype(np.float64), same[:, worst].astype(np.float64)),
        EVERY_SHIFT: Scores(right.all(1).astype(np.float64), same.all(1).astype(np.float64)),
    }


def _classes_of_orbit(classifier: Classifier, image: NDArray[np.uint8]) -> NDArray[np.int64]:
    shifted = circular_orbit(image)
    return classes_of(classifier, shifted, orbit_batch(len(shifted)))


def _scores(classes: NDArray[np.int64], labels: NDArray[np.int64], clean: NDArray[np.int64]) -> Scores:
    return Scores((classes == labels).astype(np.float64), (classes == clean).astype(np.float64))


def report(robustness: Robustness, costs: dict[str, Cost]) -> str:
    """Return the Markdown tables of all models; the differences are to the first."""
    names = list(robustness)
    first = robustness[names[0]]
    lines = [*_header("accuracy, %", names)]
    lines += _rows(names, first, lambda name, title: bootstrap_mean(robustness[name][title].right))
    lines.append("| parameters | " + " | ".join(f"{costs[name].parameters:,}" for name in names) + " |")
    lines.append("| million multiply-adds | " + " | ".join(f"{costs[n].multiply_adds / 1e6:.1f}" for n in names) + " |")
    lines += ["", *_header("consistency, %", names)]
    moved = [title for title in first if title != CLEAN]
    lines += _rows(names, moved, lambda name, title: bootstrap_mean(robustness[name][title].same))
    if len(names) > 1:
        lines += ["", *_header(f"accuracy less that of {names[0]}, points", names[1:])]
        lines += _rows(
            names[1:],
            first,
            lambda name, title: bootstrap_mean(robustness[name][title].right - first[title].right),
            sign="+",
        )
    return "\n".join(lines)


def _header(title: str, names: list[str]) -> Iterator[str]:
    yield f"| {title} | " + " | ".join(names) + " |"
    yield "| --- |" + " --- |" * len(names)


def _rows(
    names: list[str],
    titles: dict[str, Scores] | list[str],
    estimate: Callable[[str, str], Estimate],
    sign: str = "",
) -> Iterator[str]:
    for title in titles:
        cells = []
        for name in names:
            found = estimate(name, title)
            mean, low, high = (format(100 * value, f"{sign}.2f") for value in (found.mean, found.low, found.high))
            cells.append(f"{mean} [{low}, {high}]")
        yield f"| {title} | " + " | ".join(cells) + " |"


def stratified(pictures: Pictures, per_class: int) -> Pictures:
    """Return so many random pictures of each class, the same ones every time."""
    classes = [np.flatnonzero(pictures.labels == label) for label in np.unique(pictures.labels)]
    # Not the first ones: the halves of MNIST's test set come from different writers.
    chosen = [np.random.default_rng(0).permutation(members)[:per_class] for members in classes]
    indices = np.sort(np.concatenate(chosen))
    return Pictures(pictures.images[indices], pictures.labels[indices])


def main(arguments: list[str] | None = None) -> None:
    """Measure models of a repository that answer for the same data set.

    Raises:
        InvalidRequest: The models were trained on different data sets.
    """
    parser = argparse.ArgumentParser(prog="python -m equiserve_models.shift.robustness", description=__doc__)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="name in the model repository")
    parser.add_argument("--zoo", type=Path, default=ZOO, help="the model repository")
    parser.add_argument("--per-class", type=int, default=1000, help="test pictures of each class")
    parser.add_argument("--orbit-per-class", type=int, default=20, help="of these, all circular shifts")
    parser.add_argument("--seed", type=int, default=0, help="of the draws")
    parser.add_argument(
        "--symmetrize", choices=["canonical_origin"], help="measure every model once more, symmetrised by the server"
    )
    options = parser.parse_args(arguments)

    paths, trained_on = {}, {}
    for name in options.models:
        versions = read_manifest(options.zoo / name / "model.yaml").versions
        latest = max(versions, key=int)
        paths[name] = options.zoo / name / latest / "model.onnx"
        trained_on[name] = versions[latest].training["data"]["name"]
    if len(set(trained_on.values())) > 1:
        raise InvalidRequest(f"models of different data sets: {trained_on}, expected one data set", field="models")
    data = trained_on[options.models[0]]
    pictures = stratified(datasets.load(data, "test"), options.per_class)
    orbit = stratified(pictures, options.orbit_per_class)
    classifiers: dict[str, Classifier] = {name: onnx_runner(path) for name, path in paths.items()}
    costs = {name: cost_of(path) for name, path in paths.items()}
    if options.symmetrize:
        for name in options.models:
            symmetrised = f"{name}, {options.symmetrize}"
            classifiers[symmetrised], costs[symmetrised] = at_canonical_origin(classifiers[name]), costs[name]
    found = measure(classifiers, pictures, orbit, options.seed)
    print(
        f"{data}: {len(pictures.labels):,} test pictures; {EVERY_SHIFT} and {WORST_SHIFT}: "
        f"{len(orbit.labels)} pictures x {orbit.images.shape[2] * orbit.images.shape[3]} shifts\n"
    )
    print(report(found, costs))


if __name__ == "__main__":
    main()
