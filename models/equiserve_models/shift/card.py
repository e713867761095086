"""Model cards, written from the manifest: ``python -m equiserve_models.shift.card`` writes those of a repository anew.

Nothing is measured; figures are those that `equiserve_models.evaluate` noted in the manifest.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equiserve.artifact import Manifest, read_manifest
from equiserve.errors import EquiServeError
from equiserve_models.export import ZOO


@dataclass(frozen=True)
class About:
    """What a card says of a data set.

    Args:
        name: Its name for people.
        training_pictures: Number of them.
        pixels: What the pixels show.
        knows: What the network has seen, the subject of "answers one of them for any picture".
        real_shifts: How circular shifts relate to what a camera does.
        caveat: What else a user must know of the data; may be empty.
    """

    name: str
    training_pictures: int
    pixels: str
    knows: str
    real_shifts: str
    caveat: str


ABOUT = {
    "fashion-mnist": About(
        name="Fashion-MNIST",
        training_pictures=60_000,
        pixels="garment light on black",
        knows="ten kinds of garment in grey pixels",
        real_shifts="Where the garment stays inside and around it is black, a real translation is a circular shift.",
        caveat="",
    ),
    "mnist": About(
        name="MNIST",
        training_pictures=60_000,
        pixels="digit light on black",
        knows="single handwritten digits in grey pixels",
        real_shifts="Where the digit stays inside and around it is black, a real translation is a circular shift.",
        caveat="",
    ),
    "cifar10-jpeg": About(
        name="CIFAR-10 (JPEG copy)",
        training_pictures=50_000,
        pixels="red, green, blue",
        knows="ten kinds of animal and vehicle in small colour photographs",
        real_shifts=(
            "A photograph fills its frame: a real translation brings new content in at the border and is *not* a\n"
            "circular shift; the zero-filled rows above are nearer to it."
        ),
        caveat=(
            "The data are a JPEG copy of CIFAR-10 (quality 75, halved colour resolution): the figures are not\n"
            "comparable to published CIFAR-10 figures."
        ),
    ),
}

EXACT = """\
Every circular shift of a picture (what leaves on one side comes back on the other) gives the same logits, bit for
bit, at a fixed batch size of 2 or more on one machine. Batch size 1 runs other kernels and may differ in the last bits.
{real_shifts}

Outside the guarantee: shifts that lose content at the border, sub-pixel shifts, rotations, changes of scale, pictures
that were resized to {height}x{width} after they were shifted."""
PLAIN = """\
No guarantee: this is the plain twin, kept to show what the anchored network changes. It is trained by the same recipe
and differs in what breaks the symmetry ({note}) and in having no anchor."""
RESIZED = "resized to {height}x{width} by the server, which says so in its reply"
REFUSED = "refused by the server"
CARD = """\
# {name}

{description}. Version {version}, made {created}.

| | |
| --- | --- |
| input | `{input}`: uint8 [batch, {channels}, {height}, {width}], raw pixels, {pixels}; normalised inside the graph |
| output | `{output}`: float32 [batch, {classes}]: {labels} |
| pictures of another size | {other_sizes} |
| data | {data}, {training_pictures:,} training pictures, {owner} ({data_licence}) |
| training | {epochs:.1f} of {planned} epochs on one CPU core, {minutes:.0f} minutes: `{train}`{history} |
| files | {files} |
| licence | {licence} |

## Figures

`python -m equiserve_models.evaluate {name}` measures them on `{version}/model.onnx` through ONNX Runtime, on
{pictures:,} test pictures; for every circular shift on {orbit_pictures} of them.

| | accuracy | same class as unshifted |
| --- | --- | --- |
| as they are | {accuracy:.2%} | |
| {shifts} random circular shifts of each picture, mean | {shifted:.2%} | {consistency:.2%} |
| the same, pictures right under all of them | {worst:.2%} | |
| every circular shift ({orbit:,}), pictures right under all of them | {orbit_worst:.2%} | {orbit_consistency:.2%} |
{zero_filled}

Logits that equal the unshifted picture's bit for bit, over every circular shift: {identical:.2%}; largest
difference {difference:.2g}. More measures, with intervals: `docs/shift.md`.

Export checks (`python -m equiserve_models.export {name}`), largest difference to the network: {checks}.

## Limits

{limits}

{knows}
"""


def write_card(manifest: Manifest, version: int, path: Path) -> None:
    """Write the card of one evaluated version.

    Args:
        manifest: Of a shift classifier.
        version: Its version; its metrics are those of `equiserve_models.evaluate`.
        path: The card.
    """
    entry = manifest.versions[str(version)]
    metrics, training = entry.metrics, entry.training
    about = ABOUT[training["data"]["name"]]
    orbit = metrics["every_circular_shift"]
    (picture,), (logits,) = manifest.inputs, manifest.outputs
    _, channels, height, width = picture.shape
    planned = training["recipe"]["plan"]["epochs"]
    limits = EXACT if manifest.declared_exact() else PLAIN
    knows = f"The network knows {about.knows}, {height}x{width}, and answers one of them for any picture."
    path.write_text(
        CARD.format(
            name=manifest.name,
            description=manifest.description,
            version=version,
            created=entry.created,
            input=picture.name,
            channels=channels,
            height=height,
            width=width,
            pixels=about.pixels,
            output=logits.name,
            classes=logits.shape[1],
            labels=", ".join(manifest.labels or []),
            other_sizes=(RESIZED if manifest.input_fit == "resize" else REFUSED).format(height=height, width=width),
            data=about.name,
            training_pictures=about.training_pictures,
            owner=training["data"]["owner"],
            data_licence=training["data"]["licence"],
            epochs=_epochs(training),
            planned=planned,
            minutes=training["wall_seconds"] / 60,
            train=f"python -m equiserve_models.train {manifest.name}",
            history=_history(training),
            files=", ".join(f"`{version}/{name}` {file.bytes / 1e6:.2f} MB" for name, file in entry.files.items()),
            licence=manifest.licence,
            pictures=metrics["test_pictures"],
            orbit_pictures=orbit["pictures"],
            accuracy=metrics["accuracy"],
            shifts=metrics["random_circular_shifts"],
            shifted=metrics["shifted_accuracy"],
            consistency=metrics["consistency"],
            worst=metrics["worst_accuracy"],
            orbit=height * width,
            orbit_worst=orbit["worst_accuracy"],
            orbit_consistency=orbit["consistency"],
            zero_filled="\n".join(
                f"| zero-filled shift of up to {reach} | {scores['accuracy']:.2%} | {scores['consistency']:.2%} |"
                for reach, scores in metrics["zero_filled_shift"].items()
            ),
            identical=orbit["bit_identical"],
            difference=orbit["largest_difference"],
            checks=", ".join(f"{check.file} {check.max_abs_error:.1g}" for check in entry.export_checks),
            limits=limits.format(
                real_shifts=about.real_shifts, height=height, width=width, note=manifest.symmetries[0].note
            ),
            knows="\n".join(filter(None, (knows, about.caveat))),
        )
    )


def _epochs(training: dict[str, Any]) -> float:
    planned: int = training["recipe"]["plan"]["epochs"]
    return planned * training["steps"] / training["planned_steps"][-1]["steps"]


def _history(training: dict[str, Any]) -> str:
    """Say how a run was re-planned, from which earlier files it started, and how many epochs that makes in all."""
    changes = [plan["from_step"] for plan in training["planned_steps"][1:]]
    replanned = f"; resumed under another number of epochs at steps {changes}" if changes else ""
    text, epochs = "", _epochs(training)
    while (origin := training.get("started_from")) is not None:
        training = origin["training"]
        epochs += _epochs(training)
        text += f", from `{origin['model']}/{origin['version']}/{origin['file']}` of SHA-256 {origin['sha256'][:12]}..."
        text += f" ({_epochs(training):.1f} epochs)"
    return replanned + (f"{text}: {epochs:.1f} epochs in all" if text else "")


def main(arguments: list[str] | None = None) -> None:
    """Write the card of every evaluated shift classifier of a repository."""
    parser = argparse.ArgumentParser(prog="python -m equiserve_models.shift.card", description=__doc__)
    parser.add_argument("--zoo", type=Path, default=ZOO, help="the model repository")
    options = parser.parse_args(arguments)
    for path in sorted(options.zoo.glob("*/model.yaml")):
        manifest = read_manifest(path)
        latest = max(manifest.versions, key=int)
        entry = manifest.versions[latest]
        if entry.metrics and entry.training.get("data", {}).get("name") in ABOUT:
            write_card(manifest, int(latest), path.parent / "CARD.md")
            print(path.parent / "CARD.md")


if __name__ == "__main__":
    try:
        main()
    except EquiServeError as error:
        sys.exit(error.message)
