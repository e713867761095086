"""The artifact: a model's manifest, its digests, and the folder that holds them."""

from equiserve.artifact.folder import (
    ModelFolder,
    find_model,
    find_models,
    misplaced_files,
    read_manifest,
    write_manifest,
)
from equiserve.artifact.manifest import (
    Batching,
    Device,
    ExportCheck,
    File,
    Frame,
    GroupSpec,
    Manifest,
    Normalisation,
    Override,
    Symmetry,
    TensorSpec,
    Version,
)

__all__ = [
    "Batching",
    "Device",
    "ExportCheck",
    "File",
    "Frame",
    "GroupSpec",
    "Manifest",
    "ModelFolder",
    "Normalisation",
    "Override",
    "Symmetry",
    "TensorSpec",
    "Version",
    "find_model",
    "find_models",
    "misplaced_files",
    "read_manifest",
    "write_manifest",
]
