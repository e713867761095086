"""`python -m bench.body_refinement`: what refinement makes of starts that are off by a known amount, without a network.

Clouds of 5,000 points with 1 mm of noise, any orientation, random shapes; starts of mean shape, 2 cm misplaced, whose
joints are off by |N(0, 5, 10, 20 degrees)| about random axes. `labels`: whether the parts of the points are known, one
in ten of them wrong. Then sides confused, and the harder scans. Last the fit without any start: the rest pose in the
four orientations of the cloud's principal axes (or 24), each optimised, the best kept. V2V in millimetres; `wrong`:
V2V above 50 mm; `ok but wrong`: of all, believed nonetheless. CPU seconds of this process.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from bench.body_clouds import Floats, Person, people, shaken
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from equiserve.clouds import prepare_cloud
from equiserve.engine.threads import one_thread_a_product
from equiserve.numerics.body_model import bundled_body
from equiserve.numerics.body_refinement import FAR, NEAR, descend
from equiserve.numerics.fit_quality import REFINED, judge
from equiserve.numerics.posed_surface import BodyParameters
from equiserve.numerics.restarting_refinement import CONFUSIONS, Confusion, Refined, misfit, refine

T = TypeVar("T")
WRONG_MM = 50.0


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    which: str
    fit: Callable[[Person, Floats, np.random.Generator], tuple[BodyParameters | None, Refined]]
    kind: str = "whole"


def run(row: Row, count: int, seed: int) -> str:
    """Return the line of a row."""
    starts, errors, believed, seconds = [], [], [], []
    rng = np.random.default_rng(seed + 1)
    for person in people(row.which, count, seed, kind=row.kind):
        cloud = prepare_cloud(person.points, count=2048, prefix=512, unit="m")
        points = cloud.points + cloud.origin
        began = time.process_time()
        start, refined = row.fit(person, points, rng)
        seconds.append(time.process_time() - began)
        starts.append(np.nan if start is None else person.errors(start))
        errors.append(person.errors(refined.parameters))
        believed.append(judge(refined.misfit, refined.parameters.betas, REFINED).level == "ok")
    found, trusted = np.array(errors), np.array(believed)
    wrong = found > WRONG_MM
    start_text = "-" if np.isnan(starts).all() else f"{np.mean(starts):.0f}"
    return (
        f"| {row.name} | {row.which} | {start_text} | {found.mean():.1f} | {np.median(found):.1f} "
        f"| {np.quantile(found, 0.9):.1f} | {found.max():.0f} | {(found < 30).mean():.0%} | {wrong.mean():.0%} "
        f"| {(~trusted).mean():.0%} | {(wrong & trusted).mean():.1%} | {np.median(seconds):.2f} |"
    )


def finished(steps: Generator[None, None, T]) -> T:
    """Run a generator to its end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            value: T = end.value
            return value


def _from_start(degrees: float, *, labels: bool, confusion: Confusion | None = None):  # type: ignore[no-untyped-def]
    def fit(person: Person, points: Floats, rng: np.random.Generator) -> tuple[BodyParameters, Refined]:
        start = shaken(person.truth, degrees, rng)
        parts = _noisy(person.parts[cKDTree(person.points).query(points)[1]], rng)
        if confusion is not None:
            start, parts = confusion.of(start), parts[:, confusion.order]
        return start, finished(refine(bundled_body(), points, start, parts if labels else None))

    return fit


def _noisy(parts: Floats, rng: np.random.Generator) -> Floats:
    """Return part probabilities of which one in ten is another point's."""
    other = np.where(rng.random(len(parts)) < 0.1, rng.integers(0, len(parts), len(parts)), np.arange(len(parts)))
    return np.asarray(0.9 * parts[other] + 0.1 / 24)


def _from_nothing(orientations: int):  # type: ignore[no-untyped-def]
    """Return a fit by optimisation only, as before there were networks."""
    turns = Rotation.create_group("D2" if orientations == 4 else "O").as_matrix()

    def fit(person: Person, points: Floats, rng: np.random.Generator) -> tuple[None, Refined]:
        body = bundled_body()
        centre = points.mean(axis=0)
        # The longest axis is taken for the body's height (y), the second for its width (x).
        axes = np.linalg.eigh(np.cov((points - centre).T)).eigenvectors[:, [1, 2, 0]]
        axes[:, 2] *= np.sign(np.linalg.det(axes))
        best: tuple[float, BodyParameters] | None = None
        for turn in turns:
            rotations = np.tile(axes @ turn, (24, 1, 1))
            start = BodyParameters(rotations, np.zeros(body.betas), centre)
            tried = finished(descend(body, points, start, FAR))
            found = misfit(body, tried, points)
            if best is None or found.to_surface + found.to_cloud < best[0]:
                best = found.to_surface + found.to_cloud, tried
        assert best is not None
        last = finished(descend(body, points, best[1], NEAR))
        return None, Refined(last, misfit(body, last, points), "start")

    return fit


ROWS = [
    *(
        Row(f"{degrees} degrees, {'labels' if labels else 'no labels'}", which, _from_start(degrees, labels=labels))
        for degrees in (5, 10, 20)
        for labels in (True, False)
        for which in ("in", "out")
    ),
    *(
        Row(f"10 degrees, {confusion.name}", "out", _from_start(10, labels=True, confusion=confusion))
        for confusion in CONFUSIONS
    ),
    Row("10 degrees, surface outside the shape space", "out", _from_start(10, labels=True), "lumpy"),
    Row("10 degrees, one-sided, 5 % outliers", "out", _from_start(10, labels=True), "one-sided"),
    Row("nothing, 4 orientations", "in", _from_nothing(4)),
    Row("nothing, 4 orientations", "out", _from_nothing(4)),
    Row("nothing, 24 orientations", "out", _from_nothing(24)),
]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.body_refinement", description=__doc__)
    parser.add_argument("--clouds", type=int, default=30, help="a row")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="rows whose name has this in it")
    options = parser.parse_args()
    one_thread_a_product()
    print(
        "| start | poses | start V2V | mean | median | p90 | max | < 30 mm | wrong | low | ok but wrong | CPU s |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    )
    for row in ROWS:
        if options.only in row.name:
            print(run(row, options.clouds, options.seed), flush=True)


if __name__ == "__main__":
    main()
