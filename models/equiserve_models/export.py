"""Export a trained recipe into the model repository: ``python -m equiserve_models.export fashion-mnist-vit-apa``.

The last step is a gate: both files are loaded again and compared with the eager network before the manifest is written.
"""

from __future__ import annotations

import argparse
import io
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn
from torch.export import Dim, ExportedProgram

from equiserve.artifact import ExportCheck
from equiserve.errors import InternalError, NotFound
from equiserve_models.shift.recipes import RECIPES
from equiserve_models.training import checkpoint
from equiserve_models.training.process import run_command

ZOO = Path("models/zoo")
OPSET = 18  # the lowest that the exporter writes: every runtime that is newer than 2023 reads it
BATCH_SIZES = [1, 2, 5, 16]
LARGEST_ERROR = 1e-4

Runner = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def trace(network: nn.Module, shape: tuple[int, ...]) -> ExportedProgram:
    """Capture a network of one uint8 input with a dynamic batch.

    Args:
        network: In evaluation mode.
        shape: Shape of one sample, without the batch.
    """
    # Two samples: a batch of one would be taken for a constant.
    example = torch.zeros(2, *shape, dtype=torch.uint8)
    return torch.export.export(network, (example,), dynamic_shapes=({0: Dim("batch", min=1, max=4096)},))


def write_onnx(
    program: ExportedProgram,
    path: Path,
    inputs: str | Sequence[str],
    outputs: str | Sequence[str],
    axes: Sequence[str] = ("batch",),
) -> None:
    """Write one self-contained ONNX file with a dynamic batch dimension.

    Args:
        program: The network.
        path: The file.
        inputs: The inputs' names, or the one input's.
        outputs: The outputs' names, or the one output's.
        axes: Names of the inputs' dynamic dimensions, the first ones; of the outputs only the batch has one.
    """
    input_names = [inputs] if isinstance(inputs, str) else list(inputs)
    output_names = [outputs] if isinstance(outputs, str) else list(outputs)
    with warnings.catch_warnings():
        # torch's own exporter uses a deprecated pytree check.
        warnings.simplefilter("ignore", FutureWarning)
        written = torch.onnx.export(
            program, dynamo=True, opset_version=OPSET, input_names=input_names, output_names=output_names, verbose=False
        )
    assert written is not None  # None only where the exporter is given a path
    model = written.model_proto
    strip_origins(model)
    for values, names in ((model.graph.input, axes), (model.graph.output, axes[:1])):
        for value in values:
            for dimension, name in zip(value.type.tensor_type.shape.dim, names, strict=False):
                dimension.dim_param = name
    # Inferred shapes of inner values would still name the exporter's symbol.
    del model.graph.value_info[:]
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def write_torchscript(program: ExportedProgram, path: Path, frozen: bool = True) -> None:
    """Write a TorchScript file from the same captured program.

    Args:
        program: The network.
        path: The file.
        frozen: Whether weights become constants; otherwise they keep their names, and training can begin from the file.
    """
    example = program.example_inputs[0]
    with torch.no_grad(), warnings.catch_warnings():
        # Deprecations inside torch, and warnings of frozen Python values: the captured program has none that matter,
        # and the gate runs other batch sizes.
        warnings.simplefilter("ignore")
        scripted = torch.jit.trace(program.module(), example, check_trace=False)
        # A captured program keeps the training flag that it was captured with.
        scripted.training = False
        buffer = io.BytesIO()
        torch.jit.save(torch.jit.freeze(scripted) if frozen else scripted, buffer)
    write_without_debug_records(buffer, path)


def onnx_session(model: Path | bytes) -> onnxruntime.InferenceSession:
    """Load an ONNX file, or its content, on one CPU thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def onnx_runner(path: Path) -> Runner:
    """Load an ONNX file on one CPU thread as a function of uint8 pictures."""
    session = onnx_session(path)
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: images})[0]


def torchscript_runner(path: Path) -> Runner:
    """Load a TorchScript file as a function of uint8 pictures."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        module = torch.jit.load(path)
    return eager_runner(module)


def eager_runner(network: nn.Module) -> Runner:
    """Return a network as a function of uint8 pictures."""

    @torch.no_grad()
    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return network(torch.from_numpy(images)).numpy()

    return run


def check_parity(path: Path, runner: Runner, eager: Runner, pictures: NDArray[np.uint8]) -> ExportCheck:
    """Compare a loaded file with the eager network, and its rows with one another.

    Args:
        path: The file, for its name.
        runner: The file, loaded.
        eager: The network that it was written from.
        pictures: uint8 [N, C, H, W], at least the largest of `BATCH_SIZES`.

    Returns:
        The largest difference over all batch sizes; the detail says which batch sizes agree bit for bit.

    Raises:
        InternalError: A difference above `LARGEST_ERROR`.
    """
    largest = 0.0
    rows: dict[int, NDArray[np.float32]] = {}
    for size in BATCH_SIZES:
        batches = [pictures[at : at + size] for at in range(0, len(pictures) - size + 1, size)]
        expected = np.concatenate([eager(batch) for batch in batches])
        rows[size] = np.concatenate([runner(batch) for batch in batches])
        largest = max(largest, float(np.abs(rows[size] - expected).max()))
    if not largest <= LARGEST_ERROR:
        raise InternalError(
            f"{path.name} differs from the network by {largest:.1e}, expected at most {LARGEST_ERROR}",
            code="export_differs",
            field=path.name,
        )
    reference = rows[BATCH_SIZES[-1]]
    same = [size for size in BATCH_SIZES if np.array_equal(rows[size][: len(reference)], reference[: len(rows[size])])]
    return ExportCheck(
        file=path.name,
        batch_sizes=BATCH_SIZES,
        max_abs_error=largest,
        detail=f"rows are bit-identical at batch sizes {same}",
    )


def strip_origins(model: Any) -> None:
    """Take out of an ONNX model what the exporter notes of the machine that it ran on, such as source lines."""
    for item in (model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output):
        del item.metadata_props[:]
    for initializer in model.graph.initializer:
        del initializer.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""


def write_without_debug_records(archive: io.BytesIO, path: Path) -> None:
    """Write a TorchScript archive without its debug records, which name source files of the machine that exported."""
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target:
        for entry in source.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                target.writestr(zipfile.ZipInfo(entry.filename), source.read(entry))


def main(arguments: list[str] | None = None) -> None:
    """Export the moving average of a run's checkpoint, whether or not its plan is done; or a published size, random."""
    from equiserve_models.shift.published import PUBLISHED, build, export_published
    from equiserve_models.shift.zoo import export_recipe

    parser = argparse.ArgumentParser(prog="python -m equiserve_models.export", description=__doc__)
    parser.add_argument(
        "recipe", choices=sorted({*RECIPES, *PUBLISHED}), help="a recipe, or a published size with random weights"
    )
    parser.add_argument("--version", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--zoo", type=Path, default=ZOO)
    options = parser.parse_args(arguments)
    if options.recipe in PUBLISHED:
        print(export_published(options.recipe, build(options.recipe), options.zoo, {"weights": "random, seed 0"}))
        return
    state = checkpoint.load(options.runs / options.recipe)
    if state is None:
        raise NotFound(f"{options.runs / options.recipe} has no checkpoint, expected one: train the recipe first")
    export_recipe(options.recipe, state, options.zoo, options.version)


if __name__ == "__main__":
    run_command(main)
