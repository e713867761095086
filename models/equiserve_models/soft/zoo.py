"""Export what the tables trained: ``python -m equiserve_models.soft.zoo soft-inertia``.

Both files are loaded again and compared with the network, and every declared symmetry is measured on the ONNX file,
before the manifest is written. A snapped model is written only where snapping costs next to nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.export import Dim

from equiserve.artifact import Batching, Frame, GroupSpec, Manifest, Symmetry, TensorSpec, Version, write_manifest
from equiserve.errors import NotFound
from equiserve.symmetry.candidate_judgement import EXACT_ERROR, METRIC, CandidateFigures
from equiserve_models import export
from equiserve_models.soft import exported, inertia, walking
from equiserve_models.soft.card import write_card
from equiserve_models.soft.methods import METHODS
from equiserve_models.soft.network import TypedNetwork
from equiserve_models.soft.served import ServedInertia, ServedWalking
from equiserve_models.soft.snap import snap
from equiserve_models.soft.tables import RUNS, trials
from equiserve_models.soft.tasks import TASKS
from equiserve_models.soft.trial import Trial, measure, selected
from equiserve_models.training.process import run_command
from equiserve_models.zoo import rounded, version_entry

_INPUTS = 256
_EXPORTERS = {"model.onnx": "torch.onnx (dynamo)", "model.pt": "torch.export and torch.jit.trace, frozen"}
_LICENCES = {
    "inertia": "drawn by this program",
    "walking": "The data used in this project was obtained from mocap.cs.cmu.edu. The database was created with "
    "funding from NSF EIA-0196217.",
}


@dataclass(frozen=True)
class ServedTask:
    """How a task's network is served.

    Args:
        module: Wraps the network between typed features.
        inputs: The manifest's inputs, in the order of the module's arguments.
        output: The manifest's output.
        frames: What the coordinates are.
        groups: By the manifest's key: the group, and the candidate of the task that it is.
        draw: Returns inputs by name, from the test data.
        options: `task_options` of the manifest.
        data: Where the data come from.
    """

    module: Callable[[nn.Module], nn.Module]
    inputs: tuple[TensorSpec, ...]
    output: TensorSpec
    frames: Mapping[str, Frame]
    groups: Mapping[str, tuple[GroupSpec, str]]
    draw: Callable[[int], dict[str, NDArray[np.float32]]]
    options: Mapping[str, Any]
    data: str


@dataclass(frozen=True)
class ServedRegressor:
    """One model of the zoo.

    Args:
        title: What it is, in one sentence.
        task: Key of `TASKS`.
        served: How it is served.
        snapped_to: Candidate that its weights are projected onto; None where they stay soft.
    """

    title: str
    task: str
    served: ServedTask
    snapped_to: str | None = None


def _tensor(name: str, shape: tuple[int, ...], axes: tuple[str, ...], **more: Any) -> TensorSpec:
    return TensorSpec(name=name, datatype="FP32", shape=(-1, *shape), axes=("batch", *axes), **more)


def _masses_and_positions(n: int) -> dict[str, NDArray[np.float32]]:
    masses, positions = inertia.draw(n, seed=900_000)
    return {"masses": masses.numpy(), "positions": positions.numpy()}


def _poses(n: int) -> dict[str, NDArray[np.float32]]:
    found = walking.turned(walking.windows("test"), 2000)
    # In random order: neighbouring windows are nearly one input.
    rows = torch.randperm(len(found.past), generator=torch.Generator().manual_seed(0))[:n]
    past = found.past[rows].numpy()
    return {"earlier": past[:, :-1].copy(), "present": past[:, -1].copy()}


def _group(name: str, axis: str | None = None) -> GroupSpec:
    return GroupSpec(name=name, frame="world", axis=axis)


_INERTIA = ServedTask(
    module=ServedInertia,
    inputs=(
        _tensor("masses", (inertia.POINTS,), ("item",), kind="scalar", units="kg"),
        _tensor("positions", (inertia.POINTS, 3), ("item", "coord"), kind="vector", units="m"),
    ),
    output=_tensor("inertia", (3, 3), ("coord", "coord"), kind="tensor", rep="V**2", units="kg m^2"),
    frames={"world": Frame(dim=3, units="m")},
    groups={
        "o2z": (_group("O(2)", "z"), "O2 about z"),
        "o2x": (_group("O(2)", "x"), "O2 about x"),
        "o2y": (_group("O(2)", "y"), "O2 about y"),
        "o3": (_group("O(3)"), "O3"),
    },
    draw=_masses_and_positions,
    options={},
    data=_LICENCES["inertia"],
)
_JOINT_AXES = ("item", "coord")
_WALKING = ServedTask(
    module=ServedWalking,
    inputs=(
        _tensor(
            "earlier",
            (walking.PAST - 1, walking.JOINTS, 3),
            ("time", *_JOINT_AXES),
            kind="point",
            units="m",
            frame="world",
        ),
        _tensor("present", (walking.JOINTS, 3), _JOINT_AXES, kind="point", units="m", frame="world"),
    ),
    output=_tensor(
        "future",
        (walking.JOINTS, 3),
        _JOINT_AXES,
        kind="point",
        units="m",
        frame="world",
        relative_to="present",
    ),
    frames={"world": Frame(dim=3, up=(0.0, 1.0, 0.0), units="m")},
    groups={
        "vertical": (_group("SO(2)", "up"), "SO2 about y"),
        "x": (_group("SO(2)", "x"), "SO2 about x"),
        "z": (_group("SO(2)", "z"), "SO2 about z"),
        "mirror": (_group("O(2)", "up"), "O2 about y"),
        "so3": (_group("SO(3)"), "SO3"),
    },
    draw=_poses,
    options={
        "motion": {
            "past": ["earlier", "present"],
            "future": "future",
            "bones": [[child, parent] for child, parent in walking.BONES],
            "ahead": "0.27 s",
        }
    },
    data=_LICENCES["walking"],
)

MODELS = {
    "soft-inertia": ServedRegressor(
        "Inertia tensor of five masses, found by itself to be symmetric about z only", "inertia-o2z", _INERTIA
    ),
    "soft-inertia-snapped": ServedRegressor(
        "The same network with its weights snapped to O(2) about z", "inertia-o2z", _INERTIA, "O2 about z"
    ),
    "soft-motion": ServedRegressor(
        "Where 31 joints of a walking person are 0.27 s later; found by itself that only the vertical matters",
        "walking",
        _WALKING,
    ),
}


def export_regressor(name: str, zoo: Path, runs: Path = RUNS, version: int = 1) -> Manifest:
    """Write both files, the manifest and the card of one model; returns the manifest.

    Args:
        name: Key of `MODELS`.
        zoo: The model repository.
        runs: Where the tables left their trials.
        version: Version number.

    Raises:
        NotFound: The trial is not done.
        InvalidRequest: Snapping costs too much.
        InternalError: A file differs from the network.
    """
    model = MODELS[name]
    task = TASKS[model.task]
    trial, result, member = _best(model.task, runs)
    seed = trial.seeds[member]
    together = selected(trial, runs)
    assert isinstance(together, TypedNetwork)
    network = together.member(member)
    if model.snapped_to is not None:
        known = {**task.candidates, **task.reported}
        network = snap(network, task, known[model.snapped_to], seed)
    folder = zoo / name / str(version)
    folder.mkdir(parents=True, exist_ok=True)
    module = model.served.module(network).eval()
    inputs = model.served.draw(_INPUTS)
    _write(module, folder, inputs, model.served)
    runner = exported.onnx_runner(folder / "model.onnx")
    eager = exported.eager_runner(module, model.served.output.name)
    script = exported.torchscript_runner(folder / "model.pt", model.served.output.name)
    checks = [
        exported.check_parity(folder / file, run, eager, {key: array[:32] for key, array in inputs.items()})
        for file, run in {"model.onnx": runner, "model.pt": script}.items()
    ]
    draft = _manifest(name, model, {})
    figures = exported.measure_candidates(runner, draft, inputs, list(model.served.groups))
    training, metrics = _training(model, result, member), _metrics(network, model, seed)
    entry = version_entry(folder, _EXPORTERS, training, checks, metrics)
    symmetries = [
        _symmetry(key, one, model.served.groups[key][1], model, entry.files["model.onnx"].sha256)
        for key, one in figures.items()
    ]
    symmetries.sort(key=lambda one: one.value or 0.0)
    manifest = _manifest(name, model, {str(version): entry}, symmetries)
    write_manifest(manifest, zoo / name / "model.yaml")
    write_card(manifest, model.served.data, zoo / name / "CARD.md")
    return manifest


def _best(task: str, runs: Path) -> tuple[Trial, dict[str, Any], int]:
    """Return the soft trial, its result and the member with the least validation error, however it was weighed."""
    soft = [trial for trial in trials() if trial.task == task and METHODS[trial.method].form == "soft"]
    found = [(trial, result) for trial in soft if (result := trial.result(runs)) is not None]
    if len(found) < len(soft):
        missing = next(trial for trial in soft if trial.result(runs) is None)
        raise NotFound(f"{runs / missing.name} has no result: run python -m equiserve_models.soft.tables", field="runs")
    trial, result = min(found, key=lambda one: min(one[1]["validation"]))
    return trial, result, int(np.argmin(result["validation"]))


def _write(module: nn.Module, folder: Path, inputs: Mapping[str, NDArray[np.float32]], served: ServedTask) -> None:
    # Two samples: a batch of one would be taken for a constant.
    example = tuple(torch.from_numpy(array[:2]) for array in inputs.values())
    batch = Dim("batch", min=1, max=4096)
    program = torch.export.export(module, example, dynamic_shapes=tuple({0: batch} for _ in example))
    export.write_onnx(program, folder / "model.onnx", list(inputs), served.output.name)
    export.write_torchscript(program, folder / "model.pt")


def _symmetry(key: str, figures: CandidateFigures, candidate: str, model: ServedRegressor, digest: str) -> Symmetry:
    exact = figures.largest <= EXACT_ERROR
    interval = figures.interval
    return Symmetry(
        group=key,
        level="exact" if exact else "approximate",
        source="snapped" if exact and model.snapped_to == candidate else "measured",
        metric=METRIC,
        value=rounded(figures.largest if exact else figures.mean),
        interval=None if exact else (rounded(interval.low), rounded(interval.high)),
        tolerance=EXACT_ERROR if exact else None,
        elements=figures.elements,
        inputs=figures.inputs,
        file_digest=digest,
    )


def _training(model: ServedRegressor, result: Mapping[str, Any], member: int) -> dict[str, Any]:
    task = TASKS[model.task]

    def of_member(values: Mapping[str, list[float]]) -> dict[str, float]:
        return {name: one[member] for name, one in values.items()}

    return {
        "command": "python -m equiserve_models.soft.tables",
        "task": task.title,
        "data": model.served.data,
        "method": "PER (arXiv 2306.00356)",
        "seed": result["seeds"][member],
        "steps": result["steps"],
        "weighed_by": result["weighed_by"],
        **(
            {"lambda_0": task.strength, "power": task.power}
            if result["weighed_by"] == "residuals"
            else {"enforced": task.enforced, "power": task.enforced_power}
        ),
        "final_strengths": of_member(result["strengths"]),
        "at_event": of_member(result["at_event"]),
        "final_residuals": of_member(result["residuals"]),
        "snapped_to": model.snapped_to,
    }


def _metrics(network: TypedNetwork, model: ServedRegressor, seed: int) -> dict[str, Any]:
    """Return errors on every split in the task's own units, of the network that was written."""
    found = measure(network, TASKS[model.task], (seed,), {})
    return {key: rounded(value[0]) for key, value in found.items() if isinstance(value, list)}


def _manifest(
    name: str, model: ServedRegressor, versions: dict[str, Version], symmetries: list[Symmetry] | None = None
) -> Manifest:
    served = model.served
    return Manifest(
        schema_version=1,
        name=name,
        task="regress",
        description=model.title,
        licence="Apache-2.0",
        inputs=list(served.inputs),
        outputs=[served.output],
        frames=dict(served.frames),
        groups={key: spec for key, (spec, _) in served.groups.items()},
        symmetries=symmetries or [],
        runtimes=["onnx", "torchscript"],
        batching=Batching(max_batch=64),
        versions=versions,
        task_options=dict(served.options),
    )


def main(arguments: list[str] | None = None) -> None:
    """Export some models, all of them by default."""
    parser = argparse.ArgumentParser(prog="python -m equiserve_models.soft.zoo", description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"some of {sorted(MODELS)}; all by default")
    parser.add_argument("--zoo", type=Path, default=export.ZOO)
    parser.add_argument("--runs", type=Path, default=RUNS)
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.models) - set(MODELS)):
        parser.error(f"no model {unknown[0]!r}, expected some of {sorted(MODELS)}")
    for name in options.models or MODELS:
        manifest = export_regressor(name, options.zoo, options.runs)
        print(name, {one.group: (one.level, one.value) for one in manifest.symmetries})


if __name__ == "__main__":
    run_command(main)
