"""The options of a check, for type checkers; what is left out, the server chooses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict


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
    """

    reference: Literal["consensus", "identity", "label"] | None
    label: int | str | None
    metrics: Sequence[str] | None
    outputs: bool | None
    compare_with: str | None
    runtime: str | None
