"""The options of a check, for type checkers; what is left out, the server chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict


class FitOptions(TypedDict, total=False):
    """How to fit a body.

    Attributes:
        unit: `m`, `cm`, `mm`, or `auto` (default): guessed from the size, and told.
        format: Of a file; its content tells by default.
        refine: Whether to draw the body onto the cloud, about half a second of a core.
        labels: Whether to say which part each point belongs to.
        body: Another body of the server's folder than the model's own.
        runtime: `onnx` or `torchscript`; the model's first by default.
        priority: 1 is the most urgent.
    """

    unit: Literal["m", "cm", "mm", "auto"] | None
    format: Literal["ply", "obj", "npy", "npz", "xyz", "csv"] | None
    refine: bool | None
    labels: bool | None
    body: str | None
    runtime: str | None
    priority: int | None


class GenerateOptions(TypedDict, total=False):
    """How to draw.

    Attributes:
        mode: How the angle comes about: `conditioned`, `exact`, `drift`, `drift_x0`.
        seed: 0 to 2^64 - 1; drawn by the server and echoed where it is not given. Picture i has seed + i.
        steps: 1 to 1000.
        solver: `ddpm`, `ddim`, `heun`, `dpmpp_2m`, `unipc`, `ipndm`.
        preset: `fast`, `balanced`, `quality`, `paper`: what solver and steps are where they are not given.
        guidance: Weight of the class, 1 by default.
        n: Number of pictures.
        runtime: `onnx` or `torchscript`; the model's first by default.
        priority: 1 is the most urgent.
    """

    mode: str | None
    seed: int | None
    steps: int | None
    solver: str | None
    preset: str | None
    guidance: float | None
    n: int | None
    runtime: str | None
    priority: int | None


class CheckOptions(TypedDict, total=False):
    """How to check.

    Attributes:
        reference: What answers are compared with: the orbit's consensus (default), the answer to the picture as it
            came (`identity`), or the right class (`label`).
        label: The right class, by index or name.
        metrics: Some of `Client.metrics()`; all by default.
        outputs: Whether the report carries the raw output for each element.
        compare_with: Another model, `name` or `name:version`, to run on the same elements.
        runtime: `onnx` or `torchscript`; the model's first by default.
        search: Whether to look for the worst element.
        search_budget: Elements that a search may try, 60 by default.
        gate: What metrics must reach, e.g. `orbit_consistency=0.95`; then it decides the verdict.
    """

    reference: Literal["consensus", "identity", "label"] | None
    label: int | str | None
    metrics: Sequence[str] | None
    outputs: bool | None
    compare_with: str | None
    runtime: str | None
    search: bool | None
    search_budget: int | None
    gate: str | Sequence[str] | Mapping[str, Any] | None
