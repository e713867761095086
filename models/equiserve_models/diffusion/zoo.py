"""A denoiser as an artifact: both files, the export gate, the manifest."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.export import Dim, ExportedProgram

from equiserve.artifact import Batching, ExportCheck, Manifest, TensorSpec, Version, read_manifest, write_manifest
from equiserve.artifact.manifest import Kind
from equiserve.errors import InternalError
from equiserve_models import export
from equiserve_models.data import datasets, photographs
from equiserve_models.diffusion.denoiser import LEVELS, Denoiser
from equiserve_models.diffusion.recipes import RECIPES, Recipe
from equiserve_models.training.named_weights import load_matching_weights
from equiserve_models.zoo import version_entry, with_version

INPUTS = ("x", "sigma", "label", "angle")
OUTPUT = "denoised"
EXPORTERS = {"model.onnx": "torch.onnx (dynamo)", "model.pt": "torch.export and torch.jit.trace"}
BATCH_SIZES = [1, 2, 3, 4, 5, 8, 16, 32]
# Rows compared at each size: an operator that rounds otherwise where it is handed a single number seldom does.
COMPARED_ROWS = 2048
# What solvers are to ask for: Karras et al. 2022, arXiv 2206.00364, their table 1.
SIGMA_MIN, SIGMA_MAX, RHO = 0.002, 80.0, 7.0
# Noise levels within which `drift_x0` turns the clean estimate: the digit is decided, and can still be mended.
DRIFT_BAND = (0.2, 1.5)

Inputs = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]
Runner = Callable[[Inputs], NDArray[np.float32]]


def export_recipe(
    name: str, state: dict[str, Any], zoo: Path, version: int, begun_from: dict[str, Any] | None = None
) -> None:
    """Write the moving average of a run as ``<zoo>/<name>/<version>`` and the version's entry of ``model.yaml``.

    Args:
        name: Key of `RECIPES`; the model's name.
        state: Checkpoint of the recipe's run.
        zoo: The model repository.
        version: Version number.
        begun_from: The file whose weights the run began with, if any.

    Raises:
        InternalError: A written file differs from the network, or a row of a batch changes another.
    """
    recipe = RECIPES[name]
    denoiser = recipe.build().eval()
    denoiser.load_state_dict(state["average"])
    training = _provenance(recipe, denoiser, state) | ({} if begun_from is None else {"begun_from": begun_from})
    _export(name, denoiser, zoo, version, training)


def export_again(name: str, zoo: Path, version: int) -> None:
    """Write a version's files anew from the weights that it has: what it was trained on and scored stays.

    Args:
        name: Key of `RECIPES`; the model's name.
        zoo: The model repository.
        version: Version number.

    Raises:
        InternalError: As of `export_recipe`, or the version's weights are not those of the recipe's network.
    """
    denoiser = RECIPES[name].build().eval()
    weights = zoo / name / str(version) / "model.pt"
    if load_matching_weights(denoiser, weights) != len(denoiser.state_dict()):
        raise InternalError(f"{weights} has not all weights of recipe {name!r}", code="export_differs", field=name)
    entry = read_manifest(zoo / name / "model.yaml").versions[str(version)]
    _export(name, denoiser, zoo, version, entry.training, entry.metrics)


def _export(
    name: str,
    denoiser: Denoiser,
    zoo: Path,
    version: int,
    training: dict[str, Any],
    metrics: dict[str, Any] | None = None,
) -> None:
    # The layout of training would be traced, and costs the runtimes two transpositions a resampling.
    denoiser = denoiser.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    folder = zoo / name / str(version)
    folder.mkdir(parents=True, exist_ok=True)
    program = trace(denoiser)
    export.write_onnx(program, folder / "model.onnx", INPUTS, OUTPUT)
    export.write_torchscript(program, folder / "model.pt", frozen=False)
    runners = {
        "model.onnx": onnx_runner(folder / "model.onnx"),
        "model.pt": torchscript_runner(folder / "model.pt"),
    }
    checks = [check_file(file, runner, denoiser) for file, runner in runners.items()]
    versions = with_version(zoo / name, version, version_entry(folder, EXPORTERS, training, checks, metrics))
    write_manifest(_manifest(name, RECIPES[name], denoiser, versions), zoo / name / "model.yaml")


def trace(denoiser: Denoiser) -> ExportedProgram:
    """Capture a denoiser with a dynamic batch."""
    config = denoiser.network.config
    # Neither one row, which would be taken for a constant, nor as many as any other axis has.
    rows = 9
    example = (
        torch.zeros(rows, config.channels, config.size, config.size),
        torch.ones(rows),
        torch.zeros(rows, dtype=torch.int64),
        torch.zeros(rows, 3),
    )
    batch = Dim("batch", min=1, max=4096)
    return torch.export.export(denoiser, example, dynamic_shapes=tuple({0: batch} for _ in example))


def onnx_runner(path: Path) -> Runner:
    """Load an ONNX file on one CPU thread as a function of the four inputs."""
    session = export.onnx_session(path)
    return lambda inputs: session.run(None, dict(zip(INPUTS, inputs, strict=True)))[0]


def torchscript_runner(path: Path) -> Runner:
    """Load a TorchScript file as a function of the four inputs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return eager_runner(torch.jit.load(path))


def eager_runner(denoiser: nn.Module) -> Runner:
    """Return a network as a function of the four inputs."""

    @torch.no_grad()
    def run(inputs: Inputs) -> NDArray[np.float32]:
        return denoiser(*(torch.from_numpy(value) for value in inputs)).numpy()

    return run


def example_inputs(denoiser: Denoiser, rows: int) -> Inputs:
    """Return noisy pictures of many noise levels with classes and angles, none of them stated in some rows."""
    config, generator = denoiser.network.config, np.random.default_rng(0)
    sigma = np.geomspace(SIGMA_MIN, SIGMA_MAX, rows).astype(np.float32)
    shape = (rows, config.channels, config.size, config.size)
    x = generator.uniform(-1, 1, shape) + sigma[:, None, None, None] * generator.standard_normal(shape)
    radians = generator.uniform(-np.pi / 4, np.pi / 4, rows)
    angle = np.stack([np.cos(radians), np.sin(radians), np.ones(rows)], 1) * (np.arange(rows) % 5 > 0)[:, None]
    label = (np.arange(rows) % (config.classes + 1)).astype(np.int64)
    return x.astype(np.float32), sigma, label, angle.astype(np.float32)


def check_file(file: str, runner: Runner, denoiser: Denoiser) -> ExportCheck:
    """Compare a loaded file with the eager network at many batch sizes, and let one row be poison.

    Args:
        file: Its name.
        runner: The file, loaded.
        denoiser: The network that it was written from.

    Returns:
        The largest difference over all batch sizes, relative to the pictures' range of 2 (noisy inputs reach 80); the
        detail says at which batch sizes a row's bits are those of the largest batch.

    Raises:
        InternalError: A difference above `export.LARGEST_ERROR`, or a poisoned row changes another.
    """
    inputs = example_inputs(denoiser, COMPARED_ROWS)
    expected = _in_batches(eager_runner(denoiser), inputs, BATCH_SIZES[-1])
    outputs = {size: _in_batches(runner, inputs, size) for size in BATCH_SIZES}
    largest = max(float(np.abs(output - expected).max()) for output in outputs.values())
    if not largest <= export.LARGEST_ERROR:
        raise InternalError(
            f"{file} differs from the network by {largest:.1e}, expected at most {export.LARGEST_ERROR}",
            code="export_differs",
            field=file,
        )
    reference = outputs[BATCH_SIZES[-1]]
    few = example_inputs(denoiser, BATCH_SIZES[-1])
    check_rows(file, runner, few, runner(few))
    same = [size for size, output in outputs.items() if np.array_equal(output, reference)]
    return ExportCheck(
        file=file,
        batch_sizes=BATCH_SIZES,
        max_abs_error=largest,
        detail=f"{COMPARED_ROWS:,} rows are bit-identical at batch sizes {same}; a row of NaN or 1e30 changes no other",
    )


def check_rows(file: str, runner: Runner, inputs: Inputs, reference: NDArray[np.float32]) -> None:
    """Raise InternalError where a row of NaN or of 1e30 changes another row of the batch."""
    for poison in (np.nan, 1e30):
        poisoned = inputs[0].copy()
        poisoned[len(poisoned) // 2] = poison
        others = np.arange(len(poisoned)) != len(poisoned) // 2
        if not np.array_equal(runner((poisoned, *inputs[1:]))[others], reference[others]):
            raise InternalError(
                f"{file}: a row of {poison} changes other rows, expected rows that are independent of one another",
                code="rows_depend",
                field=file,
            )


def _in_batches(runner: Runner, inputs: Inputs, size: int) -> NDArray[np.float32]:
    rows = len(inputs[0])
    x, sigma, label, angle = inputs
    parts = [slice(at, at + size) for at in range(0, rows, size)]
    return np.concatenate([runner((x[part], sigma[part], label[part], angle[part])) for part in parts])


def _provenance(recipe: Recipe, denoiser: Denoiser, state: dict[str, Any]) -> dict[str, Any]:
    source = datasets.SOURCES["mnist"]
    data = {"name": recipe.dataset, "owner": source.owner, "licence": source.licence}
    if recipe.dataset == "mnist-m-style":
        data["backgrounds"] = photographs.LICENCE
    return {
        "command": "python -m equiserve_models.train <model>",
        "data": data,
        "recipe": dataclasses.asdict(recipe),
        "parameters": sum(parameter.numel() for parameter in denoiser.parameters()),
        "steps": state["step"],
        "samples_seen": state["step"] * recipe.plan.batch_size,
        "planned_steps": [{"from_step": first, "steps": steps} for first, steps in state["plans"]],
        "wall_seconds": round(state["seconds"]),
        "training_loss": round(state["loss"], 4),
    }


def _manifest(name: str, recipe: Recipe, denoiser: Denoiser, versions: dict[str, Version]) -> Manifest:
    config = denoiser.network.config
    picture = (-1, config.channels, config.size, config.size)
    axes = ("batch", "channel", "height", "width")
    return Manifest(
        schema_version=1,
        name=name,
        task="generate",
        description=recipe.title,
        licence="Apache-2.0",
        inputs=[
            TensorSpec(name="x", datatype="FP32", shape=picture, axes=axes, kind="picture", value_range=(-1.0, 1.0)),
            _conditions("sigma", "FP32", "noise_level", LEVELS),
            _conditions("label", "INT64", "label", (0.0, float(config.classes))),
            _conditions("angle", "FP32", "angle", (-1.0, 1.0), 3),
        ],
        outputs=[
            TensorSpec(name=OUTPUT, datatype="FP32", shape=picture, axes=axes, kind="picture", value_range=(-1.0, 1.0))
        ],
        labels=list(datasets.SOURCES["mnist"].labels),
        runtimes=["onnx", "torchscript"],
        batching=Batching(max_batch=32),
        versions=versions,
        task_options={
            "sigma_min": SIGMA_MIN,
            "sigma_max": SIGMA_MAX,
            "sigma_data": recipe.objective.sigma_data,
            "rho": RHO,
            "classes": config.classes,
            "null_label": config.classes,
            "angle": "conditioned",
            "drift_band": list(DRIFT_BAND),
            "guidance": recipe.guidance,
            "guidance_band": list(recipe.guidance_band),
            "size": config.size,
            "channels": config.channels,
            "value_range": [-1.0, 1.0],
            "objective": recipe.objective.kind,
        },
    )


def _conditions(name: str, datatype: str, kind: Kind, value_range: tuple[float, float], size: int = 0) -> TensorSpec:
    """Return the specification of a condition; the server tries a model with values within the range."""
    shape, axes = ((-1, size), ("batch", "coord")) if size else ((-1,), ("batch",))
    return TensorSpec(name=name, datatype=datatype, shape=shape, axes=axes, kind=kind, value_range=value_range)
