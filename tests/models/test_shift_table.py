from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

from equiserve.errors import InvalidRequest
from equiserve_models.data import datasets
from equiserve_models.shift import scoring, table, vit
from equiserve_models.shift.ablation import record_of
from equiserve_models.shift.comparison import DIFFERENCES, SECTIONS, Difference, Row
from equiserve_models.shift.latency import BATCHES, latencies
from equiserve_models.shift.recipes import RECIPES
from equiserve_models.shift.robustness import CLEAN, PERTURBATIONS, Scores, stratified
from equiserve_models.shift.table import HEADINGS, Measured, accuracy_table, difference_table, replace_between_marks
from equiserve_models.shift.vit import ViT

TINY = Row("`tiny`", ("tiny",))
SERVED = Row("`tiny`, origin when served", ("tiny",), origin_when_served=True)
ABSENT = Row("`mnist-vit-apa`", ("mnist-vit-apa",))
WAY = Row("ViT: plain layers", ("ablation-vit28-0", "ablation-vit28-1"), ablation=True)


def cells(text: str, row: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {row} |")]
    return [cell.strip() for cell in line.split("|")[2:-1]]


def hand_made(row: Row, *accuracies: float) -> Measured:
    """A row whose seeds answer so many of 100 pictures, the first ones, under every measure."""
    scores = {}
    for name, accuracy in zip(row.recipes, accuracies, strict=True):
        right = (np.arange(100) < 100 * accuracy).astype(np.float64)
        scores[name] = dict.fromkeys(HEADINGS, Scores(right, np.ones(100)))
    return Measured(row, {name: Path(name) for name in scores}, scores)


@pytest.fixture
def tiny_world(exported: Path, tiny_network: ViT, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zoo with `tiny` in it, 40 pictures, and a table of `tiny` and of a network that is absent."""
    monkeypatch.setitem(vit.CONFIGS, "tiny", tiny_network.config)
    monkeypatch.setitem(RECIPES, "tiny", dataclasses.replace(RECIPES["fashion-mnist-vit-apa"], network="tiny"))
    images = np.random.default_rng(0).integers(0, 256, (40, 1, 12, 12), dtype=np.uint8)
    monkeypatch.setattr(datasets, "load", lambda name, split: datasets.Pictures(images, np.arange(40) % 10))
    monkeypatch.setattr(table, "SECTIONS", {"shipped": [TINY, SERVED, ABSENT]})
    monkeypatch.setattr(table, "DIFFERENCES", {"shipped": [Difference("served", SERVED.title, TINY.title)]})
    return exported.parent.parent


def test_every_measure_and_every_row_of_a_difference_is_in_the_table() -> None:
    assert HEADINGS.keys() >= PERTURBATIONS.keys()
    titles = {row.title for rows in SECTIONS.values() for row in rows}
    for difference in (one for group in DIFFERENCES.values() for one in group):
        assert {difference.row, difference.less} <= titles
    named = {name for rows in SECTIONS.values() for row in rows for name in row.recipes}
    assert named == RECIPES.keys()


def test_command_writes_the_tables_and_names_what_is_missing(tiny_world: Path, tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text(f"# Page\n{table.BEGIN}\nold\n{table.END}\nend\n")
    folders = [argument for name in ("exports", "records", "kept") for argument in (f"--{name}", str(tmp_path / name))]
    table.main(["--zoo", str(tiny_world), *folders, "--rounds", "1", "--write", str(document)])
    text = document.read_text()
    assert text.startswith("# Page\n")
    assert text.endswith("\nend\n")
    assert "\nold\n" not in text
    consistency = cells(text.split("| consistency, %")[1].split("| accuracy, points")[0], TINY.title)
    circular = [
        consistency[list(HEADINGS.values()).index(f"circular, {which}")] for which in ("random", "worst", "every")
    ]
    assert circular == ["100.0 ±0.0"] * 3
    # The network already rolls to the origin: doing it in front of the file changes nothing.
    assert set(cells(text, "served")) == {"+0.0 ±0.0"}
    assert "- `mnist-vit-apa`: `python -m equiserve_models.train mnist-vit-apa && python -m" in text


def test_second_start_measures_nothing_again(tiny_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = table.measure_rows(tiny_world, tmp_path, tmp_path, tmp_path, lambda line: None)

    def refuse(*arguments: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(scoring, "measure", refuse)
    second = table.measure_rows(tiny_world, tmp_path, tmp_path, tmp_path, lambda line: None)
    for measure, scores in first[TINY.title].scores["tiny"].items():
        assert np.array_equal(scores.right, second[TINY.title].scores["tiny"][measure].right)
    monkeypatch.setattr(scoring, "SEED", 1)
    with pytest.raises(AssertionError, match="measured again"):
        table.measure_rows(tiny_world, tmp_path, tmp_path, tmp_path, lambda line: None)


def test_ablation_whose_file_is_gone_is_in_the_table_as_recorded(
    tiny_world: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "SECTIONS", {"ablation": [WAY]})
    store = record_of(tmp_path, WAY.recipes[1])
    scores = scoring.score(exported / "model.onnx", "fashion-mnist", scoring.ORBIT_PER_CLASS, store)
    found = table.measure_rows(tiny_world, tmp_path, tmp_path, tmp_path, lambda line: None)[WAY.title]
    assert (found.files, list(found.scores)) == ({}, [WAY.recipes[1]])
    assert np.array_equal(found.scores[WAY.recipes[1]][CLEAN].right, scores[CLEAN].right)
    (line,) = [line for line in table.missing_lines({WAY.title: found}) if line.startswith("-")]
    assert f"`{WAY.recipes[0]}`" in line
    assert f"`{WAY.recipes[1]}`" not in line
    # What it costs does not depend on the weights that are gone.
    assert cells("\n".join(table.cost_table({WAY.title: found}, 1)), WAY.title)[0] == "262,768"


def test_cell_of_an_ablation_is_the_mean_over_seeds_with_their_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "SECTIONS", {"ablation": [WAY]})
    lines = accuracy_table({WAY.title: hand_made(WAY, 0.8, 0.9)}, "accuracy, %", lambda scores: scores.right)
    # The picture's score is the mean of its seeds: 80 pictures at 1, 10 at 1/2; its deviation gives the interval.
    half = 100 * 1.96 * np.sqrt((0.80 * 1 + 0.10 / 4 - 0.85**2) / 100)
    for cell in cells("\n".join(lines), WAY.title):
        mean, interval, seeds = cell.replace("±", "").split(" ", 2)
        assert (mean, seeds) == ("85.0", "(80.0 to 90.0)")
        assert float(interval) == pytest.approx(half, rel=0.15)


def test_difference_is_paired_seed_by_seed_over_the_seeds_that_both_have(monkeypatch: pytest.MonkeyPatch) -> None:
    other = dataclasses.replace(WAY, title="other", recipes=("ablation-vit28-apa-0", "ablation-vit28-apa-1"))
    monkeypatch.setattr(table, "DIFFERENCES", {"ablation": [Difference("difference", "other", WAY.title)]})
    measured = {WAY.title: hand_made(WAY, 0.5, 0.8), "other": hand_made(other, 0.6, 0.8)}
    assert cells("\n".join(difference_table(measured)), "difference")[0].endswith("(+0.0 to +10.0)")
    del measured["other"].scores["ablation-vit28-apa-0"]
    assert cells("\n".join(difference_table(measured)), "difference")[0] == "+0.0 ±0.0"


def test_document_without_marks_is_left_alone() -> None:
    with pytest.raises(InvalidRequest, match="has no line"):
        replace_between_marks(f"{table.END}\n{table.BEGIN}\n", "table")


def test_subset_is_random_within_each_class_and_the_same_every_time() -> None:
    labels = np.repeat(np.arange(4), 50)
    pictures = datasets.Pictures(np.arange(200, dtype=np.uint8).reshape(200, 1, 1, 1), labels)
    chosen = stratified(pictures, 5)
    assert np.array_equal(np.bincount(chosen.labels), [5, 5, 5, 5])
    assert np.array_equal(chosen.images, stratified(pictures, 5).images)
    assert not np.array_equal(chosen.images[:5, 0, 0, 0], np.arange(5))


def test_latency_names_a_measured_batch(exported: Path) -> None:
    found = latencies({"tiny": (exported / "model.onnx", 2)}, {"tiny": (1, 12, 12)}, rounds=2)["tiny"]
    assert found.batch in BATCHES
    assert 0 < found.best < np.inf
    assert 0 < found.lone < np.inf
