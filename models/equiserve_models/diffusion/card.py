"""The card of a denoiser, from its manifest."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from equiserve.artifact import Manifest

TRAINING_DIGITS = 60_000
ABOUT = {
    "mnist": "MNIST, 60,000 training digits, light on black",
    "mnist-m-style": (
        "MNIST-M style: 60,000 training digits, `|crop - digit|` on random crops of 18 photographs; test backgrounds "
        "from 6 others. Not the published MNIST-M, whose photographs are not free"
    ),
}
HEAD = """\
# {name}

{description}. Version {version}, made {created}.

![ten of each class](sheet.png)

Ten of each class, upright. Below: five seeds, asked for every 30 degrees from -180 (mode `conditioned`); a positive
angle turns what is drawn counter-clockwise.

![an angle sweep](angles.png)

The first of them by every way of turning (docs/diffusion.md):

![each way of turning](ways.png)

{facts}
`python -m equiserve_models.diffusion.evaluate {name}` prints the figures below, measured on `{version}/model.onnx`.
"""
LIMITS = """
## Limits

Draws single digits of {size}x{size} pixels and nothing else. It learnt angles within 50 degrees: the server makes the
quarter turns exactly, on the finished picture. A turned 6 is a 9 to whoever does not know the angle. Distances are
squared Frechet distances in the features of our own two classifiers; they are not FID, and comparable only with the
figures on this page.
"""


def write_card(manifest: Manifest, version: int, path: Path) -> None:
    """Write the card of one version; parts that were not measured are left out.

    Args:
        manifest: Of a denoiser.
        version: Its version.
        path: The card.
    """
    entry = manifest.versions[str(version)]
    text = HEAD.format(
        name=manifest.name,
        description=manifest.description,
        version=version,
        created=entry.created,
        facts=_table(("", ""), _facts(manifest, version)),
    )
    sections = {"quality": _quality, "steps": _steps, "rotation": _rotation, "corners": _corners}
    for part, section in sections.items():
        if part in entry.metrics:
            text += section(entry.metrics[part])
    path.write_text(text + LIMITS.format(size=manifest.task_options["size"]))


def _facts(manifest: Manifest, version: int) -> list[tuple[str, str]]:
    entry, options = manifest.versions[str(version)], manifest.task_options
    training = entry.training
    data = training["data"]
    epoch = TRAINING_DIGITS // training["recipe"]["plan"]["batch_size"]
    epochs, planned = training["steps"] / epoch, training["planned_steps"][-1]["steps"] / epoch
    picture = f"[batch, {options['channels']}, {options['size']}, {options['size']}]"
    command = f"`python -m equiserve_models.train {manifest.name}`"
    return [
        (
            "input",
            f"`x` float32 {picture} in [-1, 1] plus noise; `sigma` float32 [batch]; `label` int64 [batch], 10 = none; "
            "`angle` float32 [batch, 3] = (cos, sin, 1), or zeros for no statement",
        ),
        ("output", f"`denoised` float32 {picture}: the clean estimate (docs/diffusion.md)"),
        (
            "network",
            f"configuration `{training['recipe']['network']}`, {training['parameters']:,} parameters, objective "
            f"`{options['objective']}`",
        ),
        ("data", "; ".join((ABOUT[data["name"]], data["licence"], *filter(None, (data.get("backgrounds"),))))),
        (
            "training",
            f"{training['samples_seen']:,} pictures ({epochs:.1f} of {planned:g} epochs), one core of a busy machine, "
            f"{training['wall_seconds'] / 60:.0f} minutes: {command}"
            + (f", begun with the weights of `{training['begun_from']['file']}`" if "begun_from" in training else ""),
        ),
        (
            "files",
            ", ".join(f"`{version}/{name}` {file.bytes / 1e6:.2f} MB" for name, file in entry.files.items()),
        ),
        (
            "export checks",
            "; ".join(
                f"{check.file}: largest difference to the network {check.max_abs_error:.1g}, {check.detail}"
                for check in entry.export_checks
            ),
        ),
        ("licence", manifest.licence or ""),
    ]


def _quality(found: dict[str, Any]) -> str:
    rows = [
        (
            name,
            guidance,
            f"{found['anchors'][name]['accuracy']:.2%}",
            f"{scores['accuracy']:.2%}",
            f"{scores['distance']:.2f}",
            f"{found['anchors'][name]['floor']:.2f}",
            f"{scores['distance'] / found['anchors'][name]['floor']:.2f}",
            f"{found['anchors'][name]['blurred']:.2f}",
            f"{scores['precision']:.3f}",
            f"{scores['recall']:.3f}",
        )
        for guidance, judged in found["judges"].items()
        for name, scores in judged.items()
    ]
    heads = (
        "judge", "guidance", "its accuracy on test pictures", "reads what was asked", "distance", "floor",
        "distance / floor", "blurred", "precision", "recall",
    )  # fmt: skip
    copies, cost = found["copies"], found["cpu_ms_per_row"]
    return (
        "\n## Quality\n\n"
        + _paragraph(
            f"{found['pictures']:,} upright pictures, classes in turn, preset `{found['preset']}`, "
            "against as many test pictures. Floor: training pictures against test pictures. Blurred: test pictures "
            "blurred by one pixel. Guidance: the weight of the class, and the noise levels within which it is weighed, "
            "which costs a second row a picture and step there; 1 is none."
        )
        + _table(heads, rows)
        + "\n"
        + _paragraph(
            f"Copies: the nearest training picture of a drawn one is {copies['drawn_median']:.3f} away (root mean "
            f"square a pixel, median of 1,000), that of a test picture {copies['test_median']:.3f}; "
            f"{copies['drawn_nearer_than_1_percent_of_test']:.1%} of the drawn are nearer than the nearest 1 % of test "
            "pictures."
        )
        + "CPU time of a call of the network, one thread, milliseconds a row: "
        + ", ".join(f"{value:.2f} at {rows}" for rows, value in cost.items())
        + ".\n"
    )


def _steps(found: dict[str, Any]) -> str:
    presets = [name for name in found if name not in ("pictures", "guidance", "anchors")]
    judges = list(found["anchors"])
    heads = (
        "preset",
        "solver",
        "steps",
        *(f"{what}, {judge}" for judge in judges for what in ("accuracy", "distance")),
    )
    rows = [
        (
            name, found[name]["solver"], str(found[name]["steps"]),
            *(
                text
                for judge in judges
                for text in (f"{found[name][judge]['accuracy']:.2%}", f"{found[name][judge]['distance']:.2f}")
            ),
        )
        for name in presets
    ]  # fmt: skip
    floors = ", ".join(f"{found['anchors'][judge]['floor']:.2f} ({judge})" for judge in judges)
    return (
        f"\n## Steps\n\n{found['pictures']:,} pictures a row, guidance {found['guidance']}; "
        f"floors at this number: {floors}.\n\n" + _table(heads, rows)
    )


def _rotation(found: dict[str, Any]) -> str:
    ways = [name for name in found if name not in ("guidance", "estimator_floor", "bands")]
    judges = [key.removeprefix("class_kept_") for key in found[ways[0]] if key.startswith("class_kept_")]
    heads = (
        "way", "solver, steps", "pictures an angle", "share of the angle", "median error", "p90", "within 10°",
        *(f"class kept, {judge}" for judge in judges), "correlation", "EQ-R, dB", "quarter turns",
    )  # fmt: skip
    rows = [
        (
            name, f"{found[name]['solver']}, {found[name]['steps']}", str(found[name]["pictures"]),
            f"{found[name]['share_of_requested']:.0%}", f"{found[name]['error_median']:.1f}°",
            f"{found[name]['error_p90']:.1f}°", f"{found[name]['within_10_degrees']:.0%}",
            *(f"{found[name][f'class_kept_{judge}']:.1%}" for judge in judges),
            f"{found[name]['correlation']:.3f}", f"{found[name]['eq_r_db']:.1f}",
            "exact" if found[name]["quarter_turn_difference"] == 0 else f"{found[name]['quarter_turn_difference']:.2f}",
        )
        for name in ways
    ]  # fmt: skip
    asked = list(found["conditioned"]["by_angle"])
    achieved = [
        (name, *(f"{round(by[angle]['achieved'])}" if angle in by else "" for angle in asked))
        for name, by in ((name, found[name]["by_angle"]) for name in ways)
    ]
    floor = found["estimator_floor"]
    bands = [
        (
            band, f"{scores['share_of_requested']:.0%}",
            *(f"{scores[f'class_kept_{judge}']:.1%}" for judge in judges), f"{scores['correlation']:.3f}",
        )
        for band, scores in found["bands"].items()
    ]  # fmt: skip
    return (
        "\n## Asked for and achieved angle\n\n"
        + _paragraph(
            f"Classes 2 to 7 and 9, all round the circle, guidance {found['guidance']}; scores of the angles that "
            "are no quarter turns. Registration to the same seed's upright picture (its own error on test digits: "
            f"median {floor['median']:.2f}°, p90 {floor['p90']:.2f}°). Share: median of achieved over requested within "
            "±90°. Class kept: read after turning back. Correlation: median, with the upright picture turned by what "
            "was asked, in the inscribed disc; EQ-R likewise. Quarter turns: largest difference of a quarter turn to "
            "the turned upright picture."
        )
        + _table(heads, rows)
        + "\n![achieved over requested angle](achieved.svg)\n"
        + "\nMedian achieved angle, degrees:\n\n"
        + _table(("asked", *asked), achieved)
        + "\n"
        + _paragraph(
            "Mode `drift_x0`, asked for 90°, by the noise levels within which it turns the clean estimate. Early, the "
            "model pulls back to upright; late, it cannot mend what turning a finished picture does."
        )
        + _table(("band", "share of the angle", *(f"class kept, {judge}" for judge in judges), "correlation"), bands)
    )


def _corners(found: dict[str, Any]) -> str:
    judges = [key for key in found if key not in ("pictures", "angle", "guidance")]
    rows = [(name, *(f"{found[judge][name]:.2f}" for judge in judges)) for name in ("floor", "conditioned", "exact")]
    return (
        "\n## Turned pictures as a whole\n\n"
        + _paragraph(
            f"Distance of {found['pictures']:,} pictures asked for at {found['angle']:g}° (guidance "
            f"{found['guidance']}) to test pictures whose digit alone is turned: corners and background count. "
            "Floor: training pictures made likewise."
        )
        + _table(("", *judges), rows)
    )


def _paragraph(text: str) -> str:
    return textwrap.fill(text, 120, break_on_hyphens=False) + "\n\n"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"
