"""Export a body fitter: ``python -m equiserve_models.body.export articulated-body [--untrained]``.

Writes ONNX and TorchScript with dynamic batch and point count, loads both again, compares them with the network, turns
clouds by all sixty rotations of the icosahedron, and only then writes the manifest.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.export import Dim, ExportedProgram

from equiserve.artifact import (
    Batching,
    ExportCheck,
    Frame,
    GroupSpec,
    Manifest,
    Symmetry,
    TensorSpec,
    Version,
    write_manifest,
)
from equiserve.errors import InternalError, NotFound
from equiserve.numerics.body_model import JOINT_NAMES, MAX_BETAS, bundled_body
from equiserve_models.body import icosahedron
from equiserve_models.body.network import BodyConfig, FitNetwork
from equiserve_models.body.recipes import RECIPES
from equiserve_models.body.sample_clouds import sample_clouds
from equiserve_models.export import ZOO, onnx_session, write_onnx, write_without_debug_records
from equiserve_models.training import checkpoint
from equiserve_models.training.process import run_command
from equiserve_models.zoo import version_entry, with_version

OUTPUTS = ("global_rotations", "betas", "translation", "part_probabilities", "part_mass")
LARGEST_ERROR = 1e-3
LARGEST_GROUP_ERROR = 1e-3
_EXPORTERS = {"model.onnx": "torch.onnx (dynamo)", "model.pt": "torch.jit.trace"}
_SIZES = ((1, 2048), (3, 1024), (2, 5000))

# float32 points [B, N, 3] -> the arrays of `OUTPUTS`
Fitter = Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], ...]]


def trace(network: FitNetwork) -> ExportedProgram:
    """Capture a network in evaluation mode with any number of clouds and points."""
    labelled = network.config.labelled
    example = torch.from_numpy(sample_clouds(2, labelled + 500, seed=0))
    # One more than `labelled`: at exactly as many the tracer would take slices for whole tensors.
    shapes = ({0: Dim("batch", min=1, max=1024), 1: Dim("points", min=labelled + 1, max=20_000)},)
    return torch.export.export(network, (example,), dynamic_shapes=shapes)


def write_torchscript(network: FitNetwork, path: Path) -> None:
    """Write a TorchScript file. Not frozen: that would store each kernel in full, fifty times its weights."""
    example = torch.from_numpy(sample_clouds(2, network.config.labelled + 500, seed=0))
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.trace(network, example, check_trace=False)
        buffer = io.BytesIO()
        torch.jit.save(scripted, buffer)
    write_without_debug_records(buffer, path)


def onnx_fitter(path: Path) -> Fitter:
    """Load an ONNX file on one CPU thread."""
    session = onnx_session(path)
    return lambda points: tuple(session.run(list(OUTPUTS), {"points": points}))


def torch_fitter(network: Callable[[torch.Tensor], tuple[torch.Tensor, ...]]) -> Fitter:
    """Return a network, or a loaded TorchScript file, as a function of arrays."""

    @torch.no_grad()
    def run(points: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        return tuple(output.numpy() for output in network(torch.from_numpy(points)))

    return run


def torchscript_fitter(path: Path) -> Fitter:
    """Load a TorchScript file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch_fitter(torch.jit.load(path))


def check_file(path: Path, fitter: Fitter, eager: Fitter, rotations: int = icosahedron.ROTATIONS) -> ExportCheck:
    """Compare a loaded file with its network, and with itself under rotations of the icosahedron.

    Args:
        path: The file, for its name.
        fitter: The file, loaded.
        eager: The network that it was written from.
        rotations: How many of the sixty to try.

    Raises:
        InternalError: It differs from the network, or a turned cloud has other answers.
    """
    worst = 0.0
    for batch, points in _SIZES:
        clouds = sample_clouds(batch, points, seed=points)
        pairs = zip(fitter(clouds), eager(clouds), strict=True)
        worst = max(worst, *(float(np.abs(got - wanted).max()) for got, wanted in pairs))
    if not worst <= LARGEST_ERROR:
        raise InternalError(f"{path.name} differs from the network by {worst:.1e}, expected at most {LARGEST_ERROR}")
    errors = group_errors(fitter, sample_clouds(1, 2048, seed=1), icosahedron.rotations()[:rotations])
    if not max(errors.values()) <= LARGEST_GROUP_ERROR:
        raise InternalError(f"{path.name}: errors {errors} under rotations, expected at most {LARGEST_GROUP_ERROR}")
    measured = ", ".join(f"{name} {error:.1e}" for name, error in errors.items())
    return ExportCheck(
        file=path.name,
        batch_sizes=[batch for batch, _ in _SIZES],
        max_abs_error=worst,
        identical_under_group=None,
        detail=f"largest differences under {rotations} rotations of the icosahedron and a translation: {measured}",
    )


def group_errors(
    fitter: Fitter, clouds: NDArray[np.float32], rotations: NDArray[np.float64], shift: float = 3.0
) -> dict[str, float]:
    """Return the largest errors of f(g x + s) against g f(x) + s, by output.

    Args:
        fitter: The network.
        clouds: [B, N, 3].
        rotations: [n, 3, 3].
        shift: Of each coordinate, metres.
    """
    plain = dict(zip(OUTPUTS, fitter(clouds), strict=True))
    errors = dict.fromkeys(OUTPUTS, 0.0)
    for g in rotations.astype(np.float32):
        moved = dict(zip(OUTPUTS, fitter(np.ascontiguousarray(clouds @ g.T + np.float32(shift))), strict=True))
        expected = plain | {
            "global_rotations": g @ plain["global_rotations"],
            "translation": plain["translation"] @ g.T + shift,
        }
        for name in OUTPUTS:
            errors[name] = max(errors[name], float(np.abs(moved[name] - expected[name]).max()))
    return errors


def export_network(
    name: str, network: FitNetwork, training: dict[str, Any], zoo: Path, version: int, description: str
) -> None:
    """Write both files, check them, and write the version's entry of ``<zoo>/<name>/model.yaml``.

    Args:
        name: The model's name.
        network: In evaluation mode.
        training: Where its weights come from, for the manifest.
        zoo: The model repository.
        version: Version number.
        description: What the model is, in one sentence.

    Raises:
        InternalError: A check failed.
    """
    folder = zoo / name / str(version)
    folder.mkdir(parents=True, exist_ok=True)
    program = trace(network)
    write_onnx(program, folder / "model.onnx", "points", OUTPUTS, axes=("batch", "points"))
    write_torchscript(network, folder / "model.pt")
    eager = torch_fitter(network)
    fitters = {
        "model.onnx": onnx_fitter(folder / "model.onnx"),
        "model.pt": torchscript_fitter(folder / "model.pt"),
    }
    checks = [check_file(folder / file, fitter, eager) for file, fitter in fitters.items()]
    versions = with_version(zoo / name, version, version_entry(folder, _EXPORTERS, training, checks))
    write_manifest(_manifest(name, description, network.config, versions), zoo / name / "model.yaml")


def _manifest(name: str, description: str, config: BodyConfig, versions: dict[str, Version]) -> Manifest:
    joints = len(JOINT_NAMES)
    return Manifest(
        schema_version=1,
        name=name,
        task="fit",
        description=description,
        licence="Apache-2.0",
        inputs=[
            TensorSpec(
                name="points", datatype="FP32", shape=(-1, -1, 3), axes=("batch", "item", "coord"), kind="point",
                rep="V", frame="world", units="m",
            )
        ],
        outputs=[
            TensorSpec(
                name="global_rotations", datatype="FP32", shape=(-1, joints, 3, 3),
                axes=("batch", "joint", "coord", "body_coord"), kind="rotation", frame="world",
            ),
            TensorSpec(
                name="betas", datatype="FP32", shape=(-1, MAX_BETAS), axes=("batch", "coefficient"),
                kind="shape_coefficients", invariant=True,
            ),
            TensorSpec(
                name="translation", datatype="FP32", shape=(-1, 3), axes=("batch", "coord"), kind="point", rep="V",
                frame="world", units="m",
            ),
            TensorSpec(
                name="part_probabilities", datatype="FP32", shape=(-1, config.labelled, joints),
                axes=("batch", "item", "class"), kind="probabilities", invariant=True,
            ),
            TensorSpec(
                name="part_mass", datatype="FP32", shape=(-1, joints), axes=("batch", "class"), kind="probabilities",
                invariant=True,
            ),
        ],
        frames={"world": Frame(dim=3, up=(0.0, 1.0, 0.0), units="m")},
        groups={
            "SE3": GroupSpec(name="SE3", frame="world"),
            "Icosahedral": GroupSpec(name="Icosahedral", frame="world"),
        },
        symmetries=[Symmetry(group="SE3", level="approximate", note="exact for 60 rotations and every translation")],
        labels=list(JOINT_NAMES),
        runtimes=["onnx", "torchscript"],
        batching=Batching(max_batch=4, batch_invariance="floor"),
        versions=versions,
        task_options={
            "points": config.samples,
            "body": bundled_body().name,
            "labelled_points": config.labelled,
        },
    )  # fmt: skip


def provenance(name: str, state: dict[str, Any]) -> dict[str, Any]:
    """Return what a manifest says of the training of a recipe's checkpoint."""
    recipe = dataclasses.asdict(RECIPES[name])
    return {
        "command": "python -m equiserve_models.train <model>",
        "recipe": recipe | {"plan": state["plan"]},
        "origin": state["origin"],
        "steps": state["step"],
        "samples": state["step"] * state["plan"]["batch_size"],
        "planned_steps": [{"from_step": first, "steps": steps} for first, steps in state["plans"]],
        "wall_seconds": round(state["seconds"]),
        "training_loss": round(state["loss"], 4),
    }


def main(arguments: list[str] | None = None) -> None:
    """Export the moving average of a run's checkpoint, or random weights."""
    parser = argparse.ArgumentParser(prog="python -m equiserve_models.body.export", description=__doc__)
    parser.add_argument("recipe", choices=sorted(RECIPES))
    parser.add_argument("--untrained", action="store_true", help="random weights, for tests of what serves them")
    parser.add_argument("--version", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--zoo", type=Path, default=ZOO)
    options = parser.parse_args(arguments)
    recipe = RECIPES[options.recipe]
    network = recipe.build().eval()
    training: dict[str, Any] = {"weights": "random, seed 0"}
    if not options.untrained:
        state = checkpoint.load(options.runs / options.recipe)
        if state is None:
            raise NotFound(f"{options.runs / options.recipe} has no checkpoint, expected one: train the recipe first")
        network.load_state_dict(state["average"])
        training = provenance(options.recipe, state)
    export_network(options.recipe, network, training, options.zoo, options.version, recipe.title)


if __name__ == "__main__":
    run_command(main)
