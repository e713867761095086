"""Cards of body fitters, written from the manifest: ``python -m equiserve_models.body.card articulated-body``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from equiserve.artifact import Manifest, read_manifest
from equiserve.errors import EquiServeError
from equiserve_models.export import ZOO

# V2V mean, mm, in and out of distribution, network alone: from there on the model counts as trained.
BAR_MM = (35.0, 60.0)

_SETS = {
    "in_distribution": "everyday poses of clips not trained on (in distribution)",
    "out_of_distribution": "breakdance, martial arts, acrobatics, climbing (out of distribution)",
    "joint_limits": "random poses within joint limits",
    "outside_the_shape_space": "everyday poses, surface moved by smooth bumps of 15 mm (outside the shape space)",
    "one_sided_5_percent_outliers": "everyday poses, one side as a depth camera sees it, 5 % outliers",
}


def write_card(manifest: Manifest, version: int, path: Path) -> None:
    """Write the card of one version.

    Args:
        manifest: With the figures of `equiserve_models.body.evaluate` in the version's `metrics`.
        version: Version number.
        path: The card.
    """
    path.write_text(card(manifest, version))


def card(manifest: Manifest, version: int) -> str:
    """Return the text of a card."""
    entry = manifest.versions[str(version)]
    figures, training, options = entry.metrics, entry.training, manifest.task_options
    files = ", ".join(f"`{version}/{name}` {file.bytes / 1e6:.2f} MB" for name, file in entry.files.items())
    checks = "; ".join(f"{check.file} {check.max_abs_error:.0e}" for check in entry.export_checks)
    lines = [
        f"# {manifest.name}",
        "",
        f"{_sentence(manifest.description)} Version {version}, made {entry.created}.",
        "",
        _status(figures, training),
        "",
        "| | |",
        "| --- | --- |",
        f"| input | `points`: float32 [batch, points, 3], metres, in any place and orientation; {options['points']} of "
        "them, in farthest-point order (the fit task of the server resamples and orders) |",
        "| output | `global_rotations` [batch, 24, 3, 3], body frame to input frame; `betas` [batch, 10]; "
        "`translation` [batch, 3], where the pelvis is; "
        f"`part_probabilities` [batch, {options['labelled_points']}, 24] of the first points; `part_mass` "
        "[batch, 24] |",
        f"| body | `{options['body']}`: SMPL's file layout and joint tree, not SMPL; CC0 1.0, derived from MakeHuman / "
        "MPFB2 assets (also CC0); adults, no clothes, no fingers |",
        "| data | scans made on the fly; everyday poses of the CMU Graphics Lab Motion Capture Database, poses "
        "recombined and mirrored, and poses drawn within joint limits |",
        f"| training | {_trained(manifest.name, training)} |",
        f"| files | {files} |",
        "| licence | Apache-2.0 (network and weights), CC0 1.0 (body) |",
        "",
        "The data used in this project was obtained from mocap.cs.cmu.edu. The database was created with funding from "
        "NSF EIA-0196217.",
        "",
        "## Figures",
        "",
        f"`python -m equiserve_models.body.evaluate {manifest.name}{_clouds(figures)}` measures them on "
        f"`{version}/model.onnx`, network alone. Each cloud is 5,000",
        "points drawn anew on the posed mesh with 1 mm noise, in a random shape, orientation and place, resampled as "
        "the server does. V2V is the",
        "mean distance of corresponding vertices with the network's own translation, MPJPE that of the joints.",
        "",
        *_table(figures),
        "",
        *_curve(figures),
        "",
        f"Export checks (`python -m equiserve_models.body.export {manifest.name}`), largest difference to the network: "
        f"{checks}.",
        "",
        "## Limits",
        "",
        "The 60 rotations of the icosahedron turn every part by the same rotation, to rounding, and leave shape and "
        "labels; any translation moves",
        "the position only. Other rotations are learned: see the curve. Mirror images are outside.",
        "",
        "Clouds of one adult, in metres. Clothes, hair, carried things, several people, children are not in the data. "
        "The number of points matters:",
        f"the network was trained on {options['points'] // 2} to {options['points']}, and the server resamples to "
        f"{options['points']}. Batching does not make it faster on a CPU.",
    ]
    return "\n".join(lines) + "\n"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _status(figures: dict[str, Any], training: dict[str, Any]) -> str:
    inside, outside = (figures.get(name) for name in ("in_distribution", "out_of_distribution"))
    if inside is None or outside is None:
        return "**Not trained to its bar**: no figures yet."
    reached = inside["v2v_mean_mm"] <= BAR_MM[0] and outside["v2v_mean_mm"] <= BAR_MM[1]
    bar = f"V2V mean of at most {BAR_MM[0]:.0f} mm in and {BAR_MM[1]:.0f} mm out of distribution"
    if reached:
        return f"Reaches the bar of the project: {bar}, network alone."
    return (
        f"**Under training**: after {training.get('samples', 0):,} scans it has not reached the bar of the project "
        f"({bar}). It is here so that\nthe fit task has a real network; the figures below say what it can do."
    )


def _clouds(figures: dict[str, Any]) -> str:
    return f" --clouds {figures['joint_limits']['clouds']}" if figures else ""


def _trained(name: str, training: dict[str, Any]) -> str:
    if "samples" not in training:
        return str(training.get("weights", "unknown"))
    minutes = training["wall_seconds"] // 60
    return (
        f"{training['samples']:,} scans on one CPU core, {minutes} minutes: `python -m equiserve_models.train {name}`"
    )


def _table(figures: dict[str, Any]) -> list[str]:
    rows = [
        "| clouds | V2V mean | median | MPJPE | part accuracy | swapped | > 50 mm | low | wrong, yet ok |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for key, title in _SETS.items():
        if key in figures:
            f = figures[key]
            rows.append(
                f"| {title} ({f['clouds']}) | {f['v2v_mean_mm']:.1f} ± {f['v2v_standard_error_mm']:.1f} mm | "
                f"{f['v2v_median_mm']:.1f} mm | {f['mpjpe_mean_mm']:.1f} mm | {f['part_accuracy']:.1%} | "
                f"{f['swap_rate']:.1%} | {f['above_50_mm']:.1%} | {f['low_confidence']:.1%} | "
                f"{f['confident_wrong']:.1%} |"
            )
    rows += [
        "",
        "Low: a server says so of it, without `refine` (`docs/body.md`). Wrong: V2V above 50 mm.",
    ]
    return rows


def _curve(figures: dict[str, Any]) -> list[str]:
    if "random_rotations" not in figures:
        return []
    some, sixty = figures["random_rotations"], figures["sixty_rotations"]
    curve = "; ".join(f"{away}: {error:.1f}" for away, error in some["by_angle"].items())
    return [
        f"Under the 60 rotations: at most {sixty['rotation_deg']:.3f} degrees between R(g x) and g R(x), relative "
        f"error of any output at most {sixty['relative_error']:.0e}.",
        "",
        "Random rotations g, mean angle in degrees between R(g x) and g R(x), by the angle of g to the nearest of the "
        f"60: {curve}.",
        "",
        f"CPU of the network, a cloud, one thread: {figures['cpu_ms']:.0f} ms.",
    ]


def main(arguments: list[str] | None = None) -> None:
    """Write the card of a model anew; nothing is measured."""
    parser = argparse.ArgumentParser(prog="python -m equiserve_models.body.card", description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--version", type=int, default=1)
    parser.add_argument("--zoo", type=Path, default=ZOO)
    options = parser.parse_args(arguments)
    folder = options.zoo / options.model
    write_card(read_manifest(folder / "model.yaml"), options.version, folder / "CARD.md")


if __name__ == "__main__":
    try:
        main()
    except EquiServeError as error:
        sys.exit(error.message)
