"""Train every trial and print the tables of docs/soft.md: ``python -m equiserve_models.soft.tables``.

What is done is kept (``runs/soft/<task>-<method>/result.json``), what is half trained goes on from its checkpoint. The
trials that decide the orderings come first. ``--print`` prints what is there without training.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from equiserve_models.soft.methods import METHODS
from equiserve_models.soft.tasks import TASKS
from equiserve_models.soft.trial import Trial
from equiserve_models.training.process import run_command

RUNS = Path("runs/soft")
_SYNTHETIC = ("soft", "soft-paper", "exact-largest", "exact-true", "residual", "plain", "augmented", "remul")
_WALKING = ("soft", "exact-largest", "exact-true", "residual", "plain", "augmented", "augmented-largest", "remul",
            "remul-largest")  # fmt: skip
_COSINE = ("soft", "soft-paper", "exact-largest", "exact-true", "plain")
_METHODS = {
    "inertia-o2z": _SYNTHETIC,
    "inertia-o3": _SYNTHETIC,
    "walking": _WALKING,
    "inertia-o2z-strong": ("soft", "soft-paper", "exact-largest", "exact-true", "residual", "plain"),
    "inertia-axes": ("soft", "soft-paper", "exact-largest", "exact-true", "residual", "plain"),
    "cosine-both": _COSINE,
    "cosine-so3": _COSINE,
    "cosine-scale": _COSINE,
    "cosine-none": _COSINE,
    "walking-laboratory": ("soft", "exact-largest", "exact-true", "plain"),
}
Row = list[str]


def trials(seeds: int = 3, share: float = 1.0) -> list[Trial]:
    """Return all trials in the order in which they are run.

    Args:
        seeds: Networks of each.
        share: Of the planned epochs.
    """
    return [
        Trial(task, method, tuple(range(seeds)), max(8, round(share * TASKS[task].epochs)))
        for task, methods in _METHODS.items()
        for method in methods
    ]


def run(chosen: Sequence[Trial], runs: Path, minutes: float, report: Callable[[str], None]) -> bool:
    """Run trials one after another; return whether all are done.

    Args:
        chosen: The trials.
        runs: Folder of the run folders.
        minutes: Stop after so long; the trial under way leaves a checkpoint.
        report: Takes a line about each trial.
    """
    began = time.monotonic()
    for place, trial in enumerate(chosen, 1):
        head = f"[{place}/{len(chosen)}] {trial.name}"
        if trial.result(runs) is not None:
            report(f"{head}: done")
            continue
        report(f"{head}: training")
        found = trial.run(runs, minutes - (time.monotonic() - began) / 60)
        if found is None:
            report(f"{trial.name}: stopped; a second start goes on from its checkpoint")
            return False
        report(f"{head}: test error {_spread(found['test'])}, {found['cpu_seconds']:.0f} s of CPU in this call")
    return True


def tables(runs: Path) -> str:
    """Return the tables, in Markdown, of the trials that are done."""
    parts = []
    for task, methods in _METHODS.items():
        results = {method: Trial(task, method).result(runs) for method in methods}
        done = {method: result for method, result in results.items() if result is not None}
        if done:
            parts.append(f"### {TASKS[task].title}\n\n{_table(*_error_rows(task, done))}")
        if soft := {method: result for method, result in done.items() if "strengths" in result}:
            parts.append(_table(*_discovery_rows(soft)))
            parts.append(_table(*_snapping_rows(soft)))
    return "\n\n".join(parts)


def _error_rows(task: str, done: dict[str, dict[str, Any]]) -> tuple[Row, list[Row]]:
    extra = TASKS[task].extra
    names = list(done[next(iter(done))]["equivariance"])
    header = ["method", "parameters", "test error", *(f"error, {split}" for split in extra)]
    rows = []
    for method, result in done.items():
        cells = [METHODS[method].title, f"{result['parameters']:,}", _spread(result["test"])]
        cells += [_spread(result[split]) for split in extra]
        rows.append(cells + [_spread(result["equivariance"][name], 3) for name in names])
    first = done[next(iter(done))]
    if "truth" in first:
        blank = ["the truth", "", "0"] + [""] * len(extra)
        rows.append(blank + [_spread(first["truth"][name], 3) for name in names])
    return header + [f"e {name}" for name in names], rows


def _discovery_rows(soft: dict[str, dict[str, Any]]) -> tuple[Row, list[Row]]:
    header = ["method", "candidate", "final strength, by seed", "at the event", "measured less the truth's own"]
    rows = []
    for method, result in soft.items():
        for name, values in result["strengths"].items():
            gap = "unknown"
            if "truth" in result:
                pairs = zip(result["equivariance"][name], result["truth"][name], strict=True)
                gap = ", ".join(f"{measured - own:+.4f}" for measured, own in pairs)
            event = ", ".join(f"{value:.2g}" for value in result["at_event"][name])
            strengths = ", ".join(f"{value:.3g}" for value in values)
            rows.append([METHODS[method].title, name, strengths, f"{result['weighed_by']} {event}", gap])
    return header, rows


def _snapping_rows(soft: dict[str, dict[str, Any]]) -> tuple[Row, list[Row]]:
    rows = []
    for method, result in soft.items():
        for name, snapped in result["snapped"].items():
            cost = [100 * (after / before - 1) for after, before in zip(snapped["test"], result["test"], strict=True)]
            left = max(snapped["equivariance"][name])
            changes = ", ".join(f"{value:+.1f} %" for value in cost)
            rows.append([METHODS[method].title, name, changes, f"{left:.1e}"])
    return ["method", "snapped to", "test error, by seed", "largest error that is left"], rows


def _table(header: Row, rows: list[Row]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _spread(values: Sequence[float], digits: int = 3) -> str:
    """Return mean +- standard deviation over the seeds."""
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / max(1, len(values) - 1))
    if mean < 1e-5:
        return f"{mean:.0e}"
    return f"{mean:.{digits}g} ± {deviation:.2g}"


def main(arguments: list[str] | None = None) -> None:
    """Run what is not done, then print the tables."""
    parser = argparse.ArgumentParser(prog="python -m equiserve_models.soft.tables", description=__doc__)
    parser.add_argument("--tasks", nargs="*", default=list(_METHODS), choices=list(_METHODS), metavar="TASK")
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=list(METHODS), metavar="METHOD")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long, leave a checkpoint")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the run folders")
    parser.add_argument("--print", action="store_true", dest="only_print", help="do not train")
    options = parser.parse_args(arguments)
    if not options.only_print:
        chosen = [t for t in trials() if t.task in options.tasks and t.method in options.methods]
        run(chosen, options.runs, options.minutes, lambda line: print(line, file=sys.stderr, flush=True))
    print(tables(options.runs))


if __name__ == "__main__":
    run_command(main)
