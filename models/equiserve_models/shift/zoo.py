"""A shift classifier as an artifact: both files, the export gate, the manifest."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equiserve.artifact import (
    Batching,
    GroupSpec,
    Manifest,
    Symmetry,
    TensorSpec,
    Version,
    write_manifest,
)
from equiserve_models import export
from equiserve_models.data.datasets import SOURCES
from equiserve_models.shift.gate import check_behind_origin, check_file
from equiserve_models.shift.recipes import RECIPES, Recipe
from equiserve_models.shift.tie_pictures import tie_pictures
from equiserve_models.shift.twins import Twins, TwinsConfig
from equiserve_models.shift.vit import ViT, ViTConfig
from equiserve_models.zoo import version_entry, with_version

GROUP = "CyclicShift"
EXPORTERS = {"model.onnx": "torch.onnx (dynamo)", "model.pt": "torch.export and torch.jit.trace, frozen"}


@dataclass(frozen=True)
class Description:
    """What a manifest says that its network does not.

    Args:
        title: What the model is, in one sentence.
        labels: Names of the classes, where they are known.
        training: Where the weights come from.
        symmetrize: The manifest's `symmetrize`: how the server makes the answers exactly invariant, if it does.
        max_batch: Largest batch that is worth running.
    """

    title: str
    labels: list[str] | None
    training: dict[str, Any]
    symmetrize: str | None = None
    max_batch: int = 32


def export_recipe(name: str, state: dict[str, Any], zoo: Path, version: int) -> None:
    """Export the moving average of a recipe's run as `export_network` does.

    Args:
        name: Key of `RECIPES`; the model's name.
        state: Checkpoint of the recipe's run.
        zoo: The model repository.
        version: Version number.

    Raises:
        InternalError: See `export_network`.
    """
    recipe = RECIPES[name]
    network = recipe.build().eval()
    network.load_state_dict(state["average"])
    labels = list(SOURCES[recipe.dataset].labels)
    export_network(name, network, Description(recipe.title, labels, _provenance(recipe, state)), zoo, version)


def export_network(name: str, network: ViT | Twins, description: Description, zoo: Path, version: int) -> None:
    """Write ``<zoo>/<name>/<version>/model.onnx``, ``model.pt`` and the version's entry of ``<zoo>/<name>/model.yaml``.

    Args:
        name: The model's name.
        network: In evaluation mode.
        description: What the manifest says besides.
        zoo: The model repository.
        version: Version number.

    Raises:
        InternalError: A written file differs from the network, or an exact symmetry does not hold on it.
    """
    config = network.config
    folder = zoo / name / str(version)
    folder.mkdir(parents=True, exist_ok=True)
    program = export.trace(network, (config.channels, config.size, config.size))
    export.write_onnx(program, folder / "model.onnx", "image", "logits")
    export.write_torchscript(program, folder / "model.pt")

    ties = np.stack([picture.repeat(config.channels, 0) for picture in tie_pictures(config.size).values()])
    noise = np.random.default_rng(0).integers(0, 256, (23, *ties.shape[1:]), dtype=np.uint8)
    # The published anchor decides a tie by rounding: the runtimes need not agree on those pictures.
    decided_by_rounding = config.anchored and not config.canonical
    pictures = noise if decided_by_rounding else np.concatenate([ties, noise])
    eager = export.eager_runner(network)
    runners = {
        "model.onnx": export.onnx_runner(folder / "model.onnx"),
        "model.pt": export.torchscript_runner(folder / "model.pt"),
    }
    checks = [check_file(folder / file, runner, eager, pictures, config.canonical) for file, runner in runners.items()]
    if description.symmetrize is not None:
        for file, runner in runners.items():
            check_behind_origin(folder / file, runner, pictures[:2], config.patch)
    versions = with_version(zoo / name, version, version_entry(folder, EXPORTERS, description.training, checks))
    write_manifest(_manifest(name, description, config, versions, len(pictures)), zoo / name / "model.yaml")


def _provenance(recipe: Recipe, state: dict[str, Any]) -> dict[str, Any]:
    source = SOURCES[recipe.dataset]
    return {
        "command": "python -m equiserve_models.train <model>",
        "data": {"name": recipe.dataset, "owner": source.owner, "licence": source.licence},
        # The plan of the run: its epochs and learning rate may be others than the recipe's.
        "recipe": dataclasses.asdict(recipe) | {"plan": state["plan"]},
        "steps": state["step"],
        "planned_steps": [{"from_step": first, "steps": steps} for first, steps in state["plans"]],
        "wall_seconds": round(state["seconds"]),
        "training_loss": round(state["loss"], 4),
        **({"started_from": state["origin"]} if state["origin"] else {}),
    }


def _what_breaks_the_symmetry(config: ViTConfig | TwinsConfig) -> str:
    if config.anchored:
        return "anchored as published: a tie of two phases breaks the symmetry"
    return "absolute positions, zero padding" if isinstance(config, ViTConfig) else "zero padding, fixed windows"


def _manifest(
    name: str, described: Description, config: ViTConfig | TwinsConfig, versions: dict[str, Version], pictures: int
) -> Manifest:
    latest = versions[max(versions, key=int)]
    if config.canonical:
        symmetry = Symmetry(
            group=GROUP,
            level="exact",
            source="measured",
            metric="relative_error",
            value=0.0,
            elements=config.size**2,
            inputs=pictures,
            file_digest=latest.files["model.onnx"].sha256,
            note="identical bits at a fixed batch size of 2 or more; shifts that lose content are outside",
        )
    else:
        symmetry = Symmetry(group=GROUP, level="none", source="declared", note=_what_breaks_the_symmetry(config))
    return Manifest(
        schema_version=1,
        name=name,
        task="classify",
        description=described.title,
        licence="Apache-2.0",
        inputs=[
            TensorSpec(
                name="image",
                datatype="UINT8",
                shape=(-1, config.channels, config.size, config.size),
                axes=("batch", "channel", "height", "width"),
                kind="picture",
                value_range=(0.0, 255.0),
            )
        ],
        outputs=[
            TensorSpec(
                name="logits",
                datatype="FP32",
                shape=(-1, config.classes),
                axes=("batch", "class"),
                kind="logits",
                invariant=True,
            )
        ],
        groups={GROUP: GroupSpec(name=GROUP, parameters={"height": config.size, "width": config.size})},
        symmetries=[symmetry],
        labels=described.labels,
        input_fit="resize",
        symmetrize=described.symmetrize,
        runtimes=["onnx", "torchscript"],
        batching=Batching(max_batch=described.max_batch),
        versions=versions,
    )
