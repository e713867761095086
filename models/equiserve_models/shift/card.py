"""The model card: data, figures with the commands that print them, licence, limits. Written from the manifest."""

from __future__ import annotations

from pathlib import Path

from equiserve.artifact import Manifest

GUARANTEED = """\
Every circular shift of a picture (what leaves on one side comes back on the other) gives the same logits, bit for
bit, at a fixed batch size of 2 or more on one machine. Batch size 1 runs other kernels and may differ in the last bits.
Where the background is black and the garment stays inside, a real translation is a circular shift.

Outside the guarantee: shifts that lose content at the border, sub-pixel shifts, rotations, changes of scale, pictures
that were resized to 28x28 after they were shifted."""
NOT_GUARANTEED = """\
No guarantee: this is the plain twin, kept to show what the anchored network changes. It is trained by the same recipe
and differs in its absolute position embedding, its zero padding and the missing anchor."""
CARD = """\
# {name}

{description}. Version {version}, made {created}.

| | |
| --- | --- |
| input | `image`: uint8 [batch, 1, 28, 28], raw pixels, garment light on black; normalised inside the graph |
| output | `logits`: float32 [batch, 10]: {labels} |
| data | {data}, 60,000 training pictures, {owner} ({data_licence}) |
| training | {epochs:.1f} of {planned} epochs on one CPU core, {minutes:.0f} minutes: `{train}`{replanned} |
| files | {files} |
| licence | {licence} |

## Figures

`python -m equiserve_models.evaluate {name}` measures them on `{version}/model.onnx` through ONNX Runtime, on
{pictures} test pictures; for every circular shift on {orbit_pictures} of them.

| | accuracy | same class as unshifted |
| --- | --- | --- |
| as they are | {accuracy:.2%} | |
| {shifts} random circular shifts of each picture, mean | {shifted:.2%} | {consistency:.2%} |
| the same, pictures right under all of them | {worst:.2%} | |
| every circular shift (784), pictures right under all of them | {orbit_worst:.2%} | {orbit_consistency:.2%} |
{zero_filled}

Logits that equal the unshifted picture's bit for bit, over every circular shift: {identical:.2%}; largest
difference {difference:.2g}.

Export checks (`python -m equiserve_models.export {name}`), largest difference to the network: {checks}.

## Limits

{limits}

The network knows ten garments in 28x28 grey pixels and answers one of them for any picture.
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
    orbit = metrics["every_circular_shift"]
    planned = training["recipe"]["plan"]["epochs"]
    changes = [plan["from_step"] for plan in training["planned_steps"][1:]]
    replanned = f"; resumed under another number of epochs at steps {changes}" if changes else ""
    zero_filled = "\n".join(
        f"| zero-filled shift of up to {reach} | {scores['accuracy']:.2%} | {scores['consistency']:.2%} |"
        for reach, scores in metrics["zero_filled_shift"].items()
    )
    path.write_text(
        CARD.format(
            name=manifest.name,
            train=f"python -m equiserve_models.train {manifest.name}",
            description=manifest.description,
            version=version,
            created=entry.created,
            labels=", ".join(manifest.labels or []),
            data=training["data"]["name"],
            owner=training["data"]["owner"],
            data_licence=training["data"]["licence"],
            epochs=planned * training["steps"] / training["planned_steps"][-1]["steps"],
            planned=planned,
            replanned=replanned,
            minutes=training["wall_seconds"] / 60,
            files=", ".join(f"`{version}/{name}` {file.bytes / 1e6:.2f} MB" for name, file in entry.files.items()),
            licence=manifest.licence,
            pictures=f"{metrics['test_pictures']:,}",
            accuracy=metrics["accuracy"],
            shifts=metrics["random_circular_shifts"],
            shifted=metrics["shifted_accuracy"],
            consistency=metrics["consistency"],
            worst=metrics["worst_accuracy"],
            orbit_pictures=orbit["pictures"],
            orbit_worst=orbit["worst_accuracy"],
            orbit_consistency=orbit["consistency"],
            zero_filled=zero_filled,
            identical=orbit["bit_identical"],
            difference=orbit["largest_difference"],
            checks=", ".join(f"{check.file} {check.max_abs_error:.1g}" for check in entry.export_checks),
            limits=GUARANTEED if manifest.declared_exact() else NOT_GUARANTEED,
        )
    )
