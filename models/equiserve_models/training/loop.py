"""The training loop: a warm-up and cosine schedule, moving average, resumable checkpoints.

Every random choice derives from (seed, epoch) or (seed, step), so that a resumed run continues bit for bit.
"""

from __future__ import annotations

import dataclasses
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from torch import Generator, Tensor, nn
from torch.optim import AdamW, Optimizer
from tqdm import tqdm

from equiserve_models.training import checkpoint, muon
from equiserve_models.training.ema import MovingAverage

CHECKPOINT_EVERY_S = 300.0
REPORT_EVERY_S = 30.0


@dataclass(frozen=True)
class Plan:
    """What the optimiser does.

    Args:
        epochs: Planned passes over the data; the learning rate follows them down to zero.
        batch_size: Samples of a step; the rest of an epoch that does not fill a step is left out.
        learning_rate: Peak of the schedule.
        weight_decay: Of matrices and kernels; vectors are exempt.
        warmup: Share of all steps during which the learning rate rises.
        ema_decay: Of the moving average that is evaluated and exported.
        clip: Largest norm of the gradient.
        seed: Of the weights, the order of the samples and the augmentation.
        optimizer: ``adamw``, or ``muon`` for the matrices (`equiserve_models.training.muon`) and AdamW for the rest.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup: float
    ema_decay: float
    clip: float
    seed: int
    optimizer: Literal["adamw", "muon"] = "adamw"


@dataclass(frozen=True)
class Progress:
    """State of a run: steps done, steps planned, seconds of training so far, mean loss of the last stretch."""

    step: int
    steps: int
    seconds: float
    loss: float


# (network, indices of the samples int64 [B], generator) -> scalar loss
Loss = Callable[[nn.Module, Tensor, Generator], Tensor]


class Observer(Protocol):
    """Looks on after every epoch; its state is part of the checkpoint."""

    def after_epoch(self, network: nn.Module, average: nn.Module, epoch: int) -> None:
        """Take note of the network and its moving average after so many epochs."""

    def state(self) -> dict[str, Any]:
        """Return tensors and plain values."""

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a state."""


def learning_rate(plan: Plan, step: int, steps: int) -> float:
    """Linear warm-up, then a half cosine to zero at `steps`."""
    warmup = max(1, round(plan.warmup * steps))
    if step < warmup:
        return plan.learning_rate * (step + 1) / warmup
    return plan.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def _optimizers(network: nn.Module, plan: Plan) -> dict[str, Optimizer]:
    """Return the optimisers by the names under which a checkpoint keeps their states."""
    orthogonal = [p for p in network.parameters() if plan.optimizer == "muon" and muon.suits(p)]
    chosen = {id(parameter) for parameter in orthogonal}
    matrices = [p for p in network.parameters() if p.ndim > 1 and id(p) not in chosen]
    vectors = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": plan.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    optimizers: dict[str, Optimizer] = {"optimizer": AdamW(groups, lr=plan.learning_rate, betas=(0.9, 0.98))}
    if orthogonal:
        optimizers["muon"] = muon.Muon(orthogonal, plan.learning_rate, plan.weight_decay)
    return optimizers


def train(
    network: nn.Module,
    loss_of: Loss,
    samples: int,
    plan: Plan,
    folder: Path,
    minutes: float = math.inf,
    origin: dict[str, Any] | None = None,
    observer: Observer | None = None,
) -> tuple[nn.Module, Progress]:
    """Train until the plan is done or the minutes are used; continue from the folder's checkpoint where it has one.

    Args:
        network: Trained in place; its weights are replaced by the checkpoint's.
        loss_of: Loss of a batch, given the indices of its samples.
        samples: Number of training samples.
        plan: What the optimiser does.
        folder: Run folder.
        minutes: Wall-clock limit of this call; a checkpoint is left where it ends a run early.
        origin: Where the network's weights come from, if not from the seed: kept in the checkpoints of the run.
        observer: Called after every epoch.

    Returns:
        The moving average of the network, and how far the run is.
    """
    per_epoch = samples // plan.batch_size
    steps = plan.epochs * per_epoch
    optimizers = _optimizers(network, plan)
    ema = MovingAverage(network, plan.ema_decay)
    step, seconds, loss = 0, 0.0, math.nan
    plans = [[0, steps]]  # [from step, planned steps]: a run may be resumed under another number of epochs
    state = checkpoint.load(folder)
    if state is not None:
        network.load_state_dict(state["network"])
        ema.average.load_state_dict(state["average"])
        for name, optimizer in optimizers.items():
            optimizer.load_state_dict(state[name])
        step, seconds, loss = state["step"], state["seconds"], state["loss"]
        ema.updates = step
        plans, origin = state["plans"], state.get("origin")
        if observer is not None:
            observer.restore(state["observer"])
        if plans[-1][1] != steps:
            plans.append([step, steps])
    started = saved = time.monotonic()
    earlier = seconds

    def save() -> None:
        checkpoint.save(
            folder,
            {
                "network": network.state_dict(),
                "average": ema.average.state_dict(),
                **{name: optimizer.state_dict() for name, optimizer in optimizers.items()},
                "step": step,
                "plan": dataclasses.asdict(plan),
                "plans": plans,
                "origin": origin,
                "seconds": seconds,
                "loss": loss,
                "observer": None if observer is None else observer.state(),
            },
        )

    network.train()
    order, order_epoch = torch.empty(0), -1
    # Without a terminal a bar is a line every REPORT_EVERY_S.
    interval = 0.5 if sys.stderr.isatty() else REPORT_EVERY_S
    bar = tqdm(total=steps, initial=step, unit="step", mininterval=interval, maxinterval=interval)
    with bar:
        while step < steps and time.monotonic() - started < 60 * minutes:
            epoch, place = divmod(step, per_epoch)
            if epoch != order_epoch:
                order = torch.randperm(samples, generator=_generator(plan.seed, 0, epoch))
                order_epoch = epoch
            indices = order[place * plan.batch_size : (place + 1) * plan.batch_size]
            for optimizer in optimizers.values():
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(plan, step, steps)
            value = loss_of(network, indices, _generator(plan.seed, 1, step))
            network.zero_grad()
            value.backward()
            nn.utils.clip_grad_norm_(network.parameters(), plan.clip)
            for optimizer in optimizers.values():
                optimizer.step()
            ema.update(network)
            step += 1
            seconds = earlier + time.monotonic() - started
            loss = value.item() if math.isnan(loss) else 0.98 * loss + 0.02 * value.item()
            bar.set_postfix(epoch=f"{step / per_epoch:.2f}", loss=f"{loss:.4f}", refresh=False)
            bar.update()
            if observer is not None and step % per_epoch == 0:
                observer.after_epoch(network, ema.average, step // per_epoch)
            if time.monotonic() - saved > CHECKPOINT_EVERY_S:
                save()
                saved = time.monotonic()
    save()
    return ema.average, Progress(step, steps, seconds, loss)


def _generator(seed: int, purpose: int, index: int) -> Generator:
    return Generator().manual_seed((seed * 2 + purpose) * 2**32 + index)
