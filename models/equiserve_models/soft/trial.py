"""One trial: a method on a task, all seeds side by side; trained, selected on validation, measured."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from equiserve_models.soft.candidates import Candidate
from equiserve_models.soft.methods import METHODS, Method, predict
from equiserve_models.soft.network import TypedNetwork
from equiserve_models.soft.strengths import Strengths
from equiserve_models.soft.tasks import TASKS, Task
from equiserve_models.training.loop import Plan, train

ELEMENTS = 1024
_VALIDATE_EVERY = 20
_RESULT = "result.json"


class Selection:
    """Keeps every member's average that does best on validation.

    Args:
        task: Gives the validation data.
        seeds: Of the members.
        method: Whether there are strengths to weigh.
        network: Networks side by side.
        epochs: Of the training; the strengths are weighed anew after a quarter.
    """

    def __init__(self, task: Task, seeds: tuple[int, ...], method: Method, network: nn.Module, epochs: int) -> None:
        self._task, self._epochs = task, epochs
        self._source, self._target = task.draw("validation", seeds)
        self.strengths: Strengths | None = None
        if method.form == "soft":
            assert isinstance(network, TypedNetwork)
            measured = None if weighed_by(task, method) == "residuals" else self._equivariance_errors
            self.strengths = Strengths(network, task, max(1, epochs // 4), len(seeds), measured)
        self.best = torch.full((len(seeds),), torch.inf)
        self.kept = {name: value.clone() for name, value in network.state_dict().items()}

    def after_epoch(self, network: nn.Module, average: nn.Module, epoch: int) -> None:
        """See `training.loop.Observer`."""
        if self.strengths is not None:
            assert isinstance(network, TypedNetwork)
            self.strengths.after_epoch(network, epoch)
        # The soft network is chosen among what was trained under its final strengths, as in the paper.
        begins = 0 if self.strengths is None else self._epochs // 2
        if epoch == self._epochs or (epoch > begins and epoch % _VALIDATE_EVERY == 0):
            error = errors(average, self._task, self._source, self._target)
            better = error < self.best
            self.best = torch.where(better, error, self.best)
            for name, value in average.state_dict().items():
                self.kept[name][better] = value[better]

    def _equivariance_errors(self, network: TypedNetwork) -> Tensor:
        columns = [
            equivariance_error(lambda x: predict(network, self._task, x), self._task, self._source, candidate)
            for candidate in self._task.candidates.values()
        ]
        return torch.stack(columns, -1)

    def state(self) -> dict[str, Any]:
        """See `training.loop.Observer`."""
        strengths = None if self.strengths is None else self.strengths.state()
        return {"best": self.best, "kept": self.kept, "strengths": strengths}

    def restore(self, state: dict[str, Any]) -> None:
        """See `training.loop.Observer`."""
        self.best, self.kept = state["best"], state["kept"]
        if self.strengths is not None:
            self.strengths.restore(state["strengths"])


def weighed_by(task: Task, method: Method) -> str:
    """Return what a soft network's strengths follow from: ``errors`` or ``residuals`` (see `Strengths`)."""
    return "residuals" if method.by_residuals or task.enforced is None else "errors"


@dataclass(frozen=True)
class Trial:
    """A method on a task.

    Args:
        task: Key of `TASKS`.
        method: Key of `METHODS`.
        seeds: Members: of the data where they are drawn, and of the weights.
        epochs: In place of the task's.
    """

    task: str
    method: str
    seeds: tuple[int, ...] = (0, 1, 2)
    epochs: int | None = None

    @property
    def name(self) -> str:
        """Of the run folder."""
        return f"{self.task}-{self.method}"

    def result(self, runs: Path) -> dict[str, Any] | None:
        """Return what was measured; None where the trial is not done."""
        path = runs / self.name / _RESULT
        return json.loads(path.read_text()) if path.is_file() else None

    def run(self, runs: Path, minutes: float = math.inf) -> dict[str, Any] | None:
        """Train, or go on from a checkpoint; None where the minutes did not suffice."""
        task, method, folder = TASKS[self.task], METHODS[self.method], runs / self.name
        for candidate in task.candidates.values():
            candidate.fits(task.source, task.target)
        epochs = self.epochs or task.epochs
        torch.manual_seed(self.seeds[0])
        network = method.build(task, len(self.seeds))
        source, target = task.draw("train", self.seeds)
        selection = Selection(task, self.seeds, method, network, epochs)
        began = time.process_time()

        def loss_of(module: nn.Module, indices: Tensor, generator: Generator) -> Tensor:
            return method.loss(module, task, source[:, indices], target[:, indices], selection.strengths, generator)

        plan = Plan(epochs, task.batch_size, task.learning_rate, 0.0, 0.02, 0.99, math.inf, self.seeds[0])
        _, progress = train(network, loss_of, source.shape[1], plan, folder, minutes, observer=selection)
        if progress.step < progress.steps:
            return None
        network.load_state_dict(selection.kept)
        found = {
            "task": self.task,
            "method": self.method,
            "seeds": list(self.seeds),
            "epochs": epochs,
            "steps": progress.steps,
            "cpu_seconds": round(time.process_time() - began, 1),
            "parameters": sum(p.numel() for p in network.parameters()) // len(self.seeds),
            **measure(network, task, self.seeds),
        }
        if selection.strengths is not None:
            assert isinstance(network, TypedNetwork)
            names = list(task.candidates)
            found["strengths"] = _by_name(names, selection.strengths.values)
            found["weighed_by"] = weighed_by(task, method)
            found["at_event"] = _by_name(names, selection.strengths.least)
            found["residuals"] = _by_name(names, selection.strengths.residuals(network))
            found["snapped"] = {
                name: measure(network.snapped(candidate), task, self.seeds, {name: candidate})
                for name, candidate in {**task.candidates, **task.reported}.items()
            }
        torch.save(network.state_dict(), folder / "selected.pt")
        (folder / _RESULT).write_text(json.dumps(found, indent=1) + "\n")
        return found


def measure(
    network: nn.Module, task: Task, seeds: tuple[int, ...], candidates: Mapping[str, Candidate] | None = None
) -> dict[str, Any]:
    """Return a network's errors on every split, and its equivariance errors, a list over members each."""
    found: dict[str, Any] = {"validation": _listed(errors(network, task, *task.draw("validation", seeds)))}
    source, target = task.draw("test", seeds)
    found["test"] = _listed(errors(network, task, source, target))
    for split in task.extra:
        found[split] = _listed(errors(network, task, *task.draw(split, seeds)))
    chosen = {**task.candidates, **task.reported} if candidates is None else candidates
    found["equivariance"] = {
        name: _listed(equivariance_error(lambda x: predict(network, task, x), task, source, candidate))
        for name, candidate in chosen.items()
    }
    if task.truth is not None:
        found["truth"] = {
            name: _listed(equivariance_error(task.truth, task, source, candidate)) for name, candidate in chosen.items()
        }
    return found


@torch.no_grad()
def errors(network: nn.Module, task: Task, source: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared error of every member, [S]."""
    return (predict(network, task, source) - target).square().mean((-2, -1))


@torch.no_grad()
def equivariance_error(answer: Any, task: Task, source: Tensor, candidate: Candidate) -> Tensor:
    """Return the mean of |f(g x) - g f(x)| / (|f(g x)| + |g f(x)|) over independent elements and inputs, [S].

    Args:
        answer: Typed features -> typed features.
        task: Gives the spaces.
        source: Inputs, [S, N, source]; repeated up to `ELEMENTS` pairs.
        candidate: Gives `ELEMENTS` elements, one an input.
    """
    rows = torch.arange(ELEMENTS) % source.shape[1]
    inputs = source[:, rows]
    matrices, factors = candidate.draw(ELEMENTS, seed=7)
    of_moved = answer(task.source.move(inputs, matrices, factors))
    moved = task.target.move(answer(inputs), matrices, factors)
    scale = of_moved.norm(dim=-1) + moved.norm(dim=-1)
    return ((of_moved - moved).norm(dim=-1) / scale.clamp_min(1e-12)).mean(-1)


def selected(trial: Trial, runs: Path) -> nn.Module:
    """Return the networks of a finished trial, side by side."""
    network = METHODS[trial.method].build(TASKS[trial.task], len(trial.seeds))
    network.load_state_dict(torch.load(runs / trial.name / "selected.pt", weights_only=True))
    return network.eval()


def _listed(values: Tensor) -> list[float]:
    return [float(f"{value:.6g}") for value in values.tolist()]


def _by_name(names: list[str], values: Tensor) -> dict[str, list[float]]:
    return {name: _listed(values[:, place]) for place, name in enumerate(names)}
