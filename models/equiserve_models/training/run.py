"""One start of a recipe's training: begun at a shipped file or resumed, and measured where it stops."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from equiserve_models.training import checkpoint
from equiserve_models.training.loop import Loss, Plan, Progress, train


@dataclass(frozen=True)
class Training:
    """What a family makes of a recipe.

    Args:
        network: With its seeded random weights; trained in place.
        loss: Of a batch.
        samples: Number of training samples, a pass over which is an epoch.
        begin_at: Gives the network the weights of a shipped file; returns what the checkpoints keep of their origin.
        report: Measures the moving average, and leaves the figures in the run folder.
        report_minutes: Minutes of training between two reports; the last comes where the call ends.
    """

    network: nn.Module
    loss: Loss
    samples: int
    begin_at: Callable[[Path], dict[str, Any] | None]
    report: Callable[[nn.Module, Progress], None]
    report_minutes: float = math.inf


def run(training: Training, plan: Plan, folder: Path, minutes: float = math.inf, start: Path | None = None) -> None:
    """Train until the plan is done or the minutes are used; continue from the folder's checkpoint where it has one.

    Args:
        training: Of the recipe.
        plan: What the optimiser does.
        folder: Run folder.
        minutes: Wall-clock limit of this call, reports included.
        start: A shipped file to begin at where there is no checkpoint.
    """
    origin = None
    if start is not None and checkpoint.load(folder) is None:
        origin = training.begin_at(start)
    ends = time.monotonic() + 60 * minutes
    done = False
    while not done:
        stretch = min(training.report_minutes, (ends - time.monotonic()) / 60)
        average, progress = train(training.network, training.loss, training.samples, plan, folder, stretch, origin)
        training.report(average, progress)
        done = progress.step >= progress.steps or time.monotonic() >= ends


def write_metrics(folder: Path, recipe: Any, progress: Progress, **figures: Any) -> None:
    """Write ``metrics.json`` of a run folder: the recipe (a dataclass), how far the run is, and what was measured."""
    metrics = {"recipe": dataclasses.asdict(recipe), "progress": dataclasses.asdict(progress), **figures}
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
