"""What every family writes of a model into its ``model.yaml``: the entry of a version, and rounded figures."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch

from equiserve.artifact import ExportCheck, File, Version, read_manifest
from equiserve.artifact.digest import sha256_of
from equiserve_models.export import OPSET


def version_entry(
    folder: Path,
    exporters: Mapping[str, str],
    training: dict[str, Any],
    checks: Sequence[ExportCheck],
    metrics: dict[str, Any] | None = None,
) -> Version:
    """Return the entry of a version whose files are written and checked.

    Args:
        folder: Of the version, ``<zoo>/<model>/<version>``.
        exporters: What wrote each file, by the file's name.
        training: Where the weights come from.
        checks: What the export gate found.
        metrics: What is known of it already.
    """
    return Version(
        files={
            name: File(
                sha256=sha256_of(folder / name),
                bytes=(folder / name).stat().st_size,
                opset=OPSET if name.endswith(".onnx") else None,
                exporter=exporter,
            )
            for name, exporter in exporters.items()
        },
        created=datetime.datetime.now(datetime.UTC).date(),
        training=training,
        metrics=metrics or {},
        export_checks=list(checks),
        tool_versions={
            "torch": torch.__version__,
            "onnx": onnx.__version__,
            "onnxruntime": onnxruntime.__version__,
            "numpy": np.__version__,
        },
    )


def with_version(model: Path, version: int, entry: Version) -> dict[str, Version]:
    """Return the versions that a model's folder has, and this one."""
    path = model / "model.yaml"
    earlier = read_manifest(path).versions if path.is_file() else {}
    return earlier | {str(version): entry}


def rounded(value: Any) -> Any:
    """Return figures, alone or in dictionaries, with four significant digits."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value
