"""The table of the shift family: ``python -m equiserve_models.shift.table [--write docs/shift.md]``.

Measures every shipped classifier and every ablation that is there, through ONNX Runtime on one thread, and prints
Markdown: accuracy, consistency, what each ingredient adds, cost. Networks that are absent are named with the command
that makes them. Scores are kept by the digest of the file, so that a second start measures only what is new.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from equiserve.artifact.digest import sha256_of
from equiserve.errors import EquiServeError, InvalidRequest
from equiserve_models.export import ZOO
from equiserve_models.shift.ablation import EXPORTS, RECORDS, RUNS, record_of, write_file
from equiserve_models.shift.bootstrap import bootstrap_mean
from equiserve_models.shift.comparison import DIFFERENCES, SECTIONS, Row
from equiserve_models.shift.cost import cost_of
from equiserve_models.shift.latency import latencies
from equiserve_models.shift.recipes import RECIPES
from equiserve_models.shift.robustness import CLEAN, EVERY_SHIFT, WORST_SHIFT, Scores
from equiserve_models.shift.scoring import ORBIT_PER_CLASS, recorded, score, store_of

BEGIN, END = "<!-- table of the shift family: begin -->", "<!-- table of the shift family: end -->"
HEADINGS = {
    CLEAN: "clean",
    "random circular shift": "circular, random",
    WORST_SHIFT: "circular, worst",
    EVERY_SHIFT: "circular, every",
    "zero-filled shift, up to 2 px": "crop ±2",
    "zero-filled shift, up to 4 px": "crop ±4",
    "half-pixel shift": "half pixel",
    "mirrored": "flip",
    "affine": "affine",
    "erasing": "erasing",
}


@dataclass(frozen=True)
class Measured:
    """Scores of a row's recipes; those of an ablation may outlive the file."""

    row: Row
    files: dict[str, Path]
    scores: dict[str, dict[str, Scores]]


def measure_rows(
    zoo: Path, exports: Path, records: Path, kept: Path, report: Callable[[str], None]
) -> dict[str, Measured]:
    """Return what is there of every row, by title."""
    measured = {}
    for row in (row for rows in SECTIONS.values() for row in rows):
        files = row.files(zoo, exports)
        scores = {}
        for name in row.recipes:
            began = time.monotonic()
            found = _scores(row, name, files.get(name), records, kept)
            if found is not None:
                scores[name] = found
                report(f"{row.title} ({name}): {time.monotonic() - began:.0f} s")
        measured[row.title] = Measured(row, files, scores)
    return measured


def _scores(row: Row, name: str, path: Path | None, records: Path, kept: Path) -> dict[str, Scores] | None:
    if row.ablation:
        store = record_of(records, name)
        if path is None:
            return recorded(store) if store.is_file() else None
    elif path is None:
        return None
    else:
        store = store_of(kept, sha256_of(path)[:16], row.dataset, ORBIT_PER_CLASS, row.origin_when_served)
    return score(path, row.dataset, ORBIT_PER_CLASS, store, row.origin_when_served)


def accuracy_table(measured: dict[str, Measured], title: str, of: Callable[[Scores], NDArray[np.float64]]) -> list[str]:
    """Return a table of one score in percent, a row for each row that has a file."""
    lines = _header(title, list(HEADINGS.values()))
    for section, rows in SECTIONS.items():
        there = [measured[row.title] for row in rows if measured[row.title].scores]
        if there:
            lines.append(f"| **{section}** |" + " |" * len(HEADINGS))
        for one in there:
            cells = [_cell([of(scores[measure]) for scores in one.scores.values()]) for measure in HEADINGS]
            lines.append(f"| {one.row.title} | " + " | ".join(cells) + " |")
    return lines


def difference_table(measured: dict[str, Measured]) -> list[str]:
    """Return the paired differences of accuracy, in points; of an ablation over the seeds that both have."""
    lines = _header("accuracy, points more", list(HEADINGS.values()))
    for section, differences in DIFFERENCES.items():
        found = []
        for difference in differences:
            one, other = measured[difference.row], measured[difference.less]
            seeds = [
                (mine, theirs)
                for mine, theirs in zip(one.row.recipes, other.row.recipes, strict=True)
                if mine in one.scores and theirs in other.scores
            ]
            if seeds:
                cells = [
                    _cell([one.scores[a][measure].right - other.scores[b][measure].right for a, b in seeds], sign="+")
                    for measure in HEADINGS
                ]
                found.append(f"| {difference.title} | " + " | ".join(cells) + " |")
        if found:
            lines += [f"| **{section}** |" + " |" * len(HEADINGS), *found]
    return lines


def cost_table(measured: dict[str, Measured], rounds: int) -> list[str]:
    """Return sizes and latencies; of an ablation those of its networks before training, which are the same."""
    timed = {title: one for title, one in measured.items() if one.scores and not one.row.origin_when_served}
    with TemporaryDirectory() as folder:
        files = {}
        for place, (title, one) in enumerate(timed.items()):
            if one.row.ablation:
                files[title] = Path(folder) / f"{place}.onnx"
                write_file(RECIPES[one.row.recipes[0]], files[title])
            else:
                (files[title],) = one.files.values()
        found = latencies(
            {title: (files[title], one.row.lone_rows) for title, one in timed.items()},
            {title: one.row.picture_shape for title, one in timed.items()},
            rounds,
        )
        costs = {title: cost_of(path) for title, path in files.items()}
    headings = ["parameters", "million multiply-adds", "ms alone", "(rows sent)", "ms in the best batch", "(rows)"]
    lines = _header("cost of a picture", headings)
    for section, rows in SECTIONS.items():
        titles = [row.title for row in rows if row.title in timed]
        if titles:
            lines.append(f"| **{section}** |" + " |" * len(headings))
        for title in titles:
            cost, latency = costs[title], found[title]
            lines.append(
                f"| {title} | {cost.parameters:,} | {cost.multiply_adds / 1e6:.1f} | {latency.lone:.2f} | "
                f"{timed[title].row.lone_rows} | {latency.best:.2f} | {latency.batch} |"
            )
    return lines


def missing_lines(measured: dict[str, Measured]) -> list[str]:
    """Return what is not there and how to make it; nothing where all is there."""
    absent: dict[str, list[str]] = {}
    for one in measured.values():
        names = [name for name in one.row.recipes if name not in one.scores]
        if names and not one.row.origin_when_served:
            absent.setdefault(one.row.how_to_make(), []).extend(names)
    if not absent:
        return []
    lines = (f"- {', '.join(f'`{name}`' for name in names)}: `{command}`" for command, names in absent.items())
    return ["", "Not there yet:", "", *lines]


def replace_between_marks(text: str, table: str) -> str:
    """Return the document with the table in place of what stands between the two marks.

    Raises:
        InvalidRequest: The document does not have each mark once, in order.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InvalidRequest(f"the document has no line {BEGIN!r} before a line {END!r}", field="write")
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def _header(title: str, columns: list[str]) -> list[str]:
    return [f"| {title} | " + " | ".join(columns) + " |", "| --- |" + " --- |" * len(columns)]


def _cell(seeds: list[NDArray[np.float64]], sign: str = "") -> str:
    """Format the mean over seeds and pictures; the interval is over pictures, the range over seeds."""
    estimate = bootstrap_mean(np.mean(seeds, axis=0))
    half = 50 * (estimate.high - estimate.low)
    text = f"{100 * estimate.mean:{sign}.1f} ±{half:.1f}"
    if len(seeds) > 1:
        means = [100 * float(values.mean()) for values in seeds]
        text += f" ({min(means):{sign}.1f} to {max(means):{sign}.1f})"
    return text


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "unnamed CPU")


def _notes(rounds: int) -> Iterator[str]:
    yield (
        f"Printed by `python -m equiserve_models.shift.table`. All test pictures, one draw each; worst and every "
        f"circular shift on {10 * ORBIT_PER_CLASS} random ones of them, the same for all: the one shift that is worst "
        "for the set, and right (same) under all of them. ± is half the 95 % bootstrap interval over the pictures "
        "(paired for differences); brackets hold the smallest and the largest seed. Consistency: same class as for the "
        "picture as it is."
    )
    yield (
        f"Cost: ONNX Runtime {onnxruntime.__version__}, one thread of {_cpu_name()}; CPU time, median of {rounds} "
        "rounds in which all files take turns. Networks with the canonical origin are sent a lone picture in a batch "
        "of 2, as the server does. Parameters are the floating-point values that the file stores."
    )


def main(arguments: list[str] | None = None) -> None:
    """Measure what is there, then print the tables or write them into a document."""
    parser = argparse.ArgumentParser(prog="python -m equiserve_models.shift.table", description=__doc__)
    parser.add_argument("--zoo", type=Path, default=ZOO, help="the model repository")
    parser.add_argument("--exports", type=Path, default=EXPORTS, help="exported files of the ablation")
    parser.add_argument("--records", type=Path, default=RECORDS, help="scores of the ablation")
    parser.add_argument("--kept", type=Path, default=RUNS / "scores", help="earlier scores of what is shipped")
    parser.add_argument("--rounds", type=int, default=31, help="of the latencies")
    parser.add_argument("--write", type=Path, metavar="DOCUMENT", help="replace the table in this document")
    options = parser.parse_args(arguments)
    measured = measure_rows(
        options.zoo, options.exports, options.records, options.kept,
        lambda line: print(line, file=sys.stderr, flush=True),
    )  # fmt: skip
    lines = [
        *accuracy_table(measured, "accuracy, %", lambda scores: scores.right),
        "",
        *accuracy_table(measured, "consistency, %", lambda scores: scores.same),
        "",
        *difference_table(measured),
        "",
        *cost_table(measured, options.rounds),
        "",
        "\n\n".join(_notes(options.rounds)),
        *missing_lines(measured),
    ]
    table = "\n".join(lines)
    if options.write is None:
        print(table)
    else:
        options.write.write_text(replace_between_marks(options.write.read_text(), table))


if __name__ == "__main__":
    try:
        main()
    except EquiServeError as error:
        sys.exit(error.message)
