"""Checkpoints of a training: written atomically, resumed bit for bit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

FILE_NAME = "checkpoint.pt"


def save(folder: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint of a run folder in one step, so that a crash leaves the old one."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{FILE_NAME}.partial"
    torch.save(state, partial)
    os.replace(partial, folder / FILE_NAME)


def load(folder: Path) -> dict[str, Any] | None:
    """Return the state of a run folder, or None where there is none; only tensors and plain values are read."""
    path = folder / FILE_NAME
    if not path.is_file():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state
