"""Every circular shift of pictures, through the running server, gives the same bytes.

`make exhaustive`: all 784 shifts of 100 test pictures and of 32 pictures made of ties go to the anchored vision
transformer over REST and gRPC, in requests of 1 to 16 rows of different pictures in random order among other traffic,
while its plain twin is asked the same shifts.

`make exhaustive-shift`: every model of the zoo that declares exact invariance to circular shifts, ONNX over REST on
1,000 random test pictures and 32 ties, the other combinations of format and protocol on 100 and the ties. A tenth of
the rows goes as above, the others in requests of 128 rows. Needs the data sets.

Each row's logits must equal, to the last bit, those of the unshifted picture sent alone in the same format. Exit code 1
on any difference (the plain twin's do not count).
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from bench.orbit_sweep import Leg, Outcome, sweep
from bench.pictures import fashion_pictures, tie_pictures
from bench.server import ServerProcess

from equiserve.artifact import Manifest, read_manifest
from equiserve.errors import EquiServeError
from equiserve_models.data import datasets
from equiserve_models.shift.tie_pictures import tie_pictures as tie_pictures_of_size

ZOO = Path("models/zoo")
ANCHORED, PLAIN = "fashion-mnist-vit-apa", "fashion-mnist-vit"
TIES = 32
MIXED_SHARE = 0.1


def foundation_legs(pictures: np.ndarray, kind: str) -> list[Leg]:
    """Return the legs of `make exhaustive`: the anchored network by both protocols, and its plain twin."""
    ways = ((ANCHORED, "REST"), (ANCHORED, "gRPC"), (PLAIN, "REST"))
    return [Leg(model, "onnx", protocol, kind, pictures[:, None]) for model, protocol in ways]


def exact_models(zoo: Path) -> dict[str, Manifest]:
    """Return the manifests of the models that declare exact invariance to circular shifts."""
    manifests = [read_manifest(path) for path in sorted(zoo.glob("*/model.yaml"))]
    return {
        manifest.name: manifest
        for manifest in manifests
        if any(symmetry.group == "CyclicShift" and symmetry.level == "exact" for symmetry in manifest.symmetries)
    }


def model_legs(manifest: Manifest, pictures: int, others: int) -> Iterator[Leg]:
    """Yield the legs of one model: ONNX over REST on many test pictures, the other combinations on fewer.

    Raises:
        NotFound: The data set that the model was trained on is not at hand.
    """
    latest = manifest.versions[max(manifest.versions, key=int)]
    images = datasets.load(latest.training["data"]["name"], "test").images
    images = images[np.random.default_rng(0).permutation(len(images))]
    _, channels, size, _ = manifest.inputs[0].shape
    made = np.stack([picture.repeat(channels, 0) for picture in tie_pictures_of_size(size).values()])
    binarised = np.where(images[: TIES - len(made)] > 127, 255, 0).astype(np.uint8)
    ties = np.concatenate([made, binarised])
    for runtime in manifest.runtimes:
        for protocol in ("REST", "gRPC"):
            count = pictures if (runtime, protocol) == ("onnx", "REST") else others
            yield Leg(manifest.name, runtime, protocol, "test pictures", images[:count])
            yield Leg(manifest.name, runtime, protocol, "ties", ties)


def table(outcomes: list[Outcome]) -> str:
    """Return the outcomes as Markdown."""
    lines = [
        "| pictures | model | format | asked by | shifts | identical to the bit | largest difference | same class |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in outcomes:
        leg, same = one.leg, 100 * (1 - one.changed_class / one.rows)
        lines.append(
            f"| {len(leg.pictures):,} {leg.kind} | `{leg.model}` | {leg.runtime} | {leg.protocol} | {one.rows:,} | "
            f"{one.rows - one.different:,} | {one.largest:.2g} | {same:.2f} % |"
        )
    return "\n".join(lines)


class Progress:
    """A bar with the time that is left, over all sweeps of the program.

    Args:
        total: Rows of all sweeps.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._earlier = 0
        self._began = self._printed = time.monotonic()
        # Without a terminal a bar is a line now and then.
        self._every_s, self._end = (0.5, "\r") if sys.stderr.isatty() else (30.0, "\n")

    def report(self, done: int, total: int) -> None:
        """Take the rows answered of the present sweep."""
        now = time.monotonic()
        answered = self._earlier + done
        if now - self._printed > self._every_s or answered == self._total:
            self._printed = now
            share = answered / self._total
            bar = ("#" * round(30 * share)).ljust(30, ".")
            minutes, seconds = divmod(round((now - self._began) * (1 / share - 1)), 60)
            print(
                f"[{bar}] {answered:,} of {self._total:,} rows, {minutes}:{seconds:02} left   ",
                end=self._end, file=sys.stderr, flush=True,
            )  # fmt: skip
        if done == total:
            self._earlier += total


def run(sweeps: list[list[Leg]], mixed_share: float) -> list[Outcome]:
    """Start a server on the zoo, and run sweeps on it one after another."""
    progress = Progress(sum(len(leg.pictures) * leg.shifts for legs in sweeps for leg in legs))
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="equiserve-exhaustive-") as name:
        folder = Path(name)
        with ServerProcess(ZOO, log=folder / "server.log", cache=folder / "cache") as server:
            server.wait_until_calibrated()
            for legs in sweeps:
                outcomes += asyncio.run(sweep(server, legs, mixed_share, progress.report))
            invariance = {
                leg.model: server.properties(leg.model)["batch_invariance"] for legs in sweeps for leg in legs
            }
    print(f"batches of the default format: {invariance}")
    return outcomes


def main() -> int:
    """Run the proof; returns 1 where a shift changed a bit of an anchored network's logits."""
    parser = argparse.ArgumentParser(prog="python -m bench.exhaustive", description=__doc__)
    parser.add_argument("--all", action="store_true", help="every model that declares the exact symmetry")
    parser.add_argument("--model", action="append", default=[], help="one of these; may be given again")
    parser.add_argument("--pictures", type=int, default=1000, help="test pictures for ONNX over REST")
    parser.add_argument("--others", type=int, default=100, help="for the other combinations of format and protocol")
    options = parser.parse_args()
    exact = exact_models(ZOO)
    unknown = sorted(set(options.model) - set(exact))
    if unknown:
        parser.error(f"{unknown} do not declare the symmetry, expected some of {sorted(exact)}")
    models = options.model or (list(exact) if options.all else [])
    if models:
        sweeps = [list(model_legs(exact[model], options.pictures, options.others)) for model in models]
        outcomes = run(sweeps, MIXED_SHARE)
        print(
            f"{MIXED_SHARE:.0%} of the rows in requests of 1 to 16 among other traffic, the others in requests of 128"
        )
    else:
        sweeps = [foundation_legs(fashion_pictures(), "test pictures"), foundation_legs(tie_pictures(), "ties")]
        outcomes = run(sweeps, 1.0)
    print(table(outcomes))
    failed = sum(one.different for one in outcomes if one.leg.model in exact)
    print(f"{failed} of the anchored networks' answers differ from those to the unshifted picture")
    return int(failed > 0)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EquiServeError as error:
        sys.exit(error.message)
