"""Two independently trained digit classifiers: who reads a generated picture, and in whose features it is compared.

They differ in architecture, seed and pooling, so that a picture that pleases one by accident need not please the other.
``python -m equiserve_models.diffusion.judges mnist`` trains both and prints their accuracy on the test set.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy

from equiserve_models.diffusion import pictures
from equiserve_models.diffusion.pictures import DataSet, DigitPictures
from equiserve_models.training.loop import Loss, Plan, train
from equiserve_models.training.process import run_command

FEATURES = 128
JUDGES = ("strided", "pooled")
SLANT = 8.0  # degrees: the augmentation of the judges; larger turns would teach them turned digits
PLANS = {
    "mnist": Plan(
        epochs=5, batch_size=128, learning_rate=2e-3, weight_decay=0.01, warmup=0.05, ema_decay=0.998, clip=1.0, seed=0
    ),
    "mnist-m-style": Plan(
        epochs=8, batch_size=128, learning_rate=2e-3, weight_decay=0.01, warmup=0.05, ema_decay=0.998, clip=1.0, seed=0
    ),
}


class Judge(nn.Module):
    """float32 pictures [B, channels, 28, 28] in [-1, 1] -> logits [B, 10] and features [B, 128], the layer before."""

    def __init__(self, kind: str, channels: int) -> None:
        super().__init__()
        if kind == "strided":
            body: list[nn.Module] = []
            for inputs, outputs in ((channels, 24), (24, 48), (48, 96)):
                body += [nn.Conv2d(inputs, outputs, 3, 2, padding=1), nn.BatchNorm2d(outputs), nn.GELU()]
            self.body = nn.Sequential(*body, nn.Flatten(), nn.Linear(96 * 16, FEATURES), nn.GELU())
        else:
            self.body = nn.Sequential(
                nn.Conv2d(channels, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
                nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
                nn.Flatten(), nn.Linear(64 * 49, FEATURES), nn.ReLU(),
            )  # fmt: skip
        self.head = nn.Linear(FEATURES, 10)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        features = self.body(images)
        return self.head(features), features


@dataclass(frozen=True)
class Reading:
    """What a judge makes of pictures: classes int64 [N], features float64 [N, 128]."""

    classes: NDArray[np.int64]
    features: NDArray[np.float64]


@torch.no_grad()
def read(judge: nn.Module, images: NDArray[np.float32]) -> Reading:
    """Read pictures float32 [N, C, 28, 28] in [-1, 1]."""
    parts = [judge(part) for part in torch.from_numpy(images).split(500)]
    logits, features = (torch.cat(values) for values in zip(*parts, strict=True))
    return Reading(logits.argmax(1).numpy(), features.double().numpy())


def trained(dataset: DataSet, runs: Path) -> dict[str, nn.Module]:
    """Return both judges of a data set, trained where ``<runs>/judges`` does not have them yet."""
    data = pictures.load(dataset, "train")
    judges = {}
    for seed, kind in enumerate(JUDGES):
        torch.manual_seed(seed)
        judge = Judge(kind, 1 if data.backgrounds is None else 3)
        plan = PLANS[dataset]
        average, _ = train(judge, _loss(data), len(data.labels), plan, runs / "judges" / f"{dataset}-{kind}")
        judges[kind] = average.eval()
    return judges


def _loss(data: DigitPictures) -> Loss:
    def loss_of(judge: nn.Module, indices: Tensor, generator: Generator) -> Tensor:
        degrees = SLANT * (2 * torch.rand(len(indices), generator=generator) - 1)
        logits, _ = judge(data.batch(indices, degrees, generator))
        return cross_entropy(logits, data.labels[indices])

    return loss_of


def main(arguments: list[str] | None = None) -> None:
    """Train both judges of a data set, or load them, and print their accuracy."""
    parser = argparse.ArgumentParser(prog="python -m equiserve_models.diffusion.judges", description=__doc__)
    parser.add_argument("dataset", choices=get_args(DataSet))
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    options = parser.parse_args(arguments)
    judges = trained(options.dataset, options.runs)
    images, labels = pictures.upright(pictures.load(options.dataset, "test"), 10_000, seed=0)
    accuracy = {
        kind: float((read(judge, images.numpy()).classes == labels.numpy()).mean()) for kind, judge in judges.items()
    }
    print(json.dumps(accuracy))


if __name__ == "__main__":
    run_command(main)
