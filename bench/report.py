"""Figures with intervals and bars, and the table that `make bench` prints and writes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from equiserve.engine.calibration import cpu_name

NAMES = {"binary": "REST binary", "json": "REST JSON", "picture": "REST picture", "grpc": "gRPC raw"}


@dataclass(frozen=True)
class Interval:
    """A median and the 95 % bootstrap interval around it."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Figure:
    """A measured figure, smaller is better; `bar` is what it must not exceed, None where there is no bar."""

    name: str
    value: Interval
    unit: str
    bar: float | None = None

    @property
    def missed(self) -> bool:
        """Whether the median is over the bar."""
        return self.bar is not None and self.value.median > self.bar

    def text(self) -> str:
        """Return the figure, its interval, and how it stands to its bar."""
        value = self.value
        text = f"{value.median:.3g} {self.unit}"
        if value.high > value.low:
            text += f" [{value.low:.3g}, {value.high:.3g}]"
        if self.bar is not None:
            text += f", bar {self.bar:.3g}: {'MISSED' if self.missed else 'met'}"
        return text


@dataclass(frozen=True)
class Line:
    """One way of asking one model at one concurrency: medians over its windows, and the figures with bars."""

    model: str
    kind: str
    concurrency: int
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    bound_ms: float
    batch: float
    client_ms: float
    others_cores: float
    figures: list[Figure]


def median_interval(values: Sequence[float], resamples: int = 2000) -> Interval:
    """Return the median and its 95 % percentile-bootstrap interval (Efron 1979)."""
    array = np.asarray(values, float)
    places = np.random.default_rng(0).integers(0, array.size, (resamples, array.size))
    low, high = np.percentile(np.median(array[places], axis=1), [2.5, 97.5])
    return Interval(float(np.median(array)), float(low), float(high))


def facts(
    threads: Mapping[str, str], others: float, speed: Sequence[float], *, quick: bool, valid: bool
) -> dict[str, object]:
    """Return what a figure depends on beside the code: machine, versions, threads, how quiet it was."""
    return {
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "python": sys.version.split("\n")[0],
        "onnxruntime": version("onnxruntime"),
        "grpcio": version("grpcio"),
        "uvicorn": version("uvicorn"),
        "threads": dict(threads),
        "others_cores_before": round(others, 3),
        "interpreter_loop_ms": [round(milliseconds, 1) for milliseconds in speed],
        "quick": quick,
        "valid": valid,
    }


def table(lines: Sequence[Line], process: Sequence[Figure], about: Mapping[str, object]) -> str:
    """Return the result as Markdown."""
    head = ("model", "asked by", "in flight", "requests/s", "p50, p99 ms", "CPU ms", "bound ms", "rows a batch", "")
    rows = [
        (
            line.model,
            NAMES[line.kind],
            str(line.concurrency),
            f"{line.requests_per_s:.0f}",
            f"{line.p50_ms:.2f}, {line.p99_ms:.2f}",
            f"{line.cpu_ms:.3f}",
            f"{line.bound_ms:.3f}",
            f"{line.batch:.1f}",
            "; ".join(f"{figure.name} {figure.text()}" for figure in line.figures),
        )
        for line in lines
    ]
    text = [f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows)]
    text += ["", *(f"- {figure.name}: {figure.text()}" for figure in process)]
    text += _conditions(about)
    return "\n".join(text)


def _conditions(about: Mapping[str, object]) -> list[str]:
    """Return what the figures depend on, as the last lines of a table."""
    lines = [
        "",
        f"{about['cpu']}, {about['cores']} cores; Python {about['python']}; "
        f"onnxruntime {about['onnxruntime']}; threads {about['threads']}; "
        f"a fixed loop of interpreted Python took {about['interpreter_loop_ms']} ms before and after.",
    ]
    return lines if about["valid"] else [*lines, "", "**FIGURES NOT VALID: other programs used the machine.**"]


def write_figures(folder: Path, name: str, figures: Sequence[Figure], about: Mapping[str, object]) -> int:
    """Print figures as a table, write it as `<name>.md` and `<name>.json`; returns 1 where a bar is missed."""
    rows = [f"| {figure.name} | {figure.text()} |" for figure in figures]
    text = "\n".join(["| figure | measured |", "| --- | --- |", *rows, *_conditions(about)])
    print(text)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(text + "\n", "utf-8")
    content = {"about": about, "figures": [asdict(figure) for figure in figures]}
    (folder / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    return int(any(figure.missed for figure in figures))


def write_report(folder: Path, lines: Sequence[Line], process: Sequence[Figure], about: Mapping[str, object]) -> int:
    """Print the table, write it as `serving.md` and `serving.json`; returns 1 where a bar is missed."""
    text = table(lines, process, about)
    print(text)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "serving.md").write_text(text + "\n", "utf-8")
    content = {"about": about, "lines": [asdict(line) for line in lines], "process": [asdict(one) for one in process]}
    (folder / "serving.json").write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    missed = [figure for figure in (*(f for line in lines for f in line.figures), *process) if figure.missed]
    return int(bool(missed))
