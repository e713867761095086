"""What is measured of an exported file: parity with its network, and every declared symmetry as the server does."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from equiserve.artifact import ExportCheck, Manifest
from equiserve.errors import InternalError
from equiserve.symmetry import Signature, dry_run
from equiserve.symmetry.candidate_judgement import CandidateFigures
from equiserve.symmetry.independent_pairs import draw_elements, moved_rows, pair_errors
from equiserve_models.export import BATCH_SIZES, onnx_session

ELEMENTS = 1024
LARGEST_RELATIVE_ERROR = 1e-4
_BATCH = 64

Named = Mapping[str, NDArray[Any]]
#: Named inputs [B, ...] -> named outputs [B, ...].
Runner = Callable[[Named], dict[str, NDArray[np.float32]]]


def onnx_runner(path: Path) -> Runner:
    """Load an ONNX file on one CPU thread."""
    session = onnx_session(path)
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, dict(inputs)), strict=True))


def eager_runner(network: nn.Module, output: str) -> Runner:
    """Return a module of one output as a function of named arrays, in the order of its arguments."""

    @torch.no_grad()
    def run(inputs: Named) -> dict[str, NDArray[np.float32]]:
        return {output: network(*(torch.from_numpy(array) for array in inputs.values())).numpy()}

    return run


def torchscript_runner(path: Path, output: str) -> Runner:
    """Load a TorchScript file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return eager_runner(torch.jit.load(path), output)


def check_parity(path: Path, runner: Runner, eager: Runner, inputs: Named) -> ExportCheck:
    """Compare a loaded file with the network that it was written from, at several batch sizes.

    Args:
        path: The file, for its name.
        runner: The file, loaded.
        eager: The network.
        inputs: At least as many rows as the largest of `BATCH_SIZES`.

    Raises:
        InternalError: A difference above `LARGEST_RELATIVE_ERROR` of the largest output.
    """
    rows, largest, size = len(next(iter(inputs.values()))), 0.0, 0.0
    for batch in BATCH_SIZES:
        for start in range(0, rows - batch + 1, batch):
            part = {name: array[start : start + batch] for name, array in inputs.items()}
            for name, expected in eager(part).items():
                largest = max(largest, float(np.abs(runner(part)[name] - expected).max()))
                size = max(size, float(np.abs(expected).max()))
    if not largest <= LARGEST_RELATIVE_ERROR * size:
        raise InternalError(
            f"{path.name} differs from the network by {largest:.1e}, expected at most {LARGEST_RELATIVE_ERROR} of "
            f"{size:.3g}",
            code="export_differs",
            field=path.name,
        )
    return ExportCheck(
        file=path.name, batch_sizes=BATCH_SIZES, max_abs_error=largest, detail=f"outputs reach {size:.3g}"
    )


def measure_candidates(
    runner: Runner, manifest: Manifest, inputs: Named, groups: Sequence[str], elements: int = ELEMENTS
) -> dict[str, CandidateFigures]:
    """Return the figures of declared groups, over independent pairs of an element and an input.

    Args:
        runner: The file, loaded.
        manifest: Declares the groups, and how the tensors move; of one output.
        inputs: An input a row.
        groups: Keys of the manifest's groups.
        elements: Number of pairs.
    """
    rows = len(next(iter(inputs.values())))
    answers = _answers(runner, inputs)
    found = {}
    for key in groups:
        signature = Signature.of(manifest, key)
        dry_run(signature)
        drawn = draw_elements(signature, elements, seed=0)
        parts = []
        for start in range(0, elements, _BATCH):
            pairs = range(start, min(start + _BATCH, elements))
            outputs = runner(moved_rows(signature, drawn, inputs, pairs))
            (errors,) = pair_errors(signature, drawn, inputs, pairs, outputs, answers).values()
            parts.append(errors)
        found[key] = CandidateFigures.of(np.concatenate(parts), rows)
    return found


def _answers(runner: Runner, inputs: Named) -> dict[str, NDArray[np.float32]]:
    rows = len(next(iter(inputs.values())))
    parts = [runner({name: a[s : s + _BATCH] for name, a in inputs.items()}) for s in range(0, rows, _BATCH)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
