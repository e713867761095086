"""`equiserve check`: a stranger's ONNX file in one line, known truths, exit codes, inputs of every kind."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from picture_models import CLASSES, SIDE, c4_averaged_weight, linear_classifier, unit_range_classifier
from PIL import Image

from equiserve.check_command.progress import ProgressLine
from equiserve.cli import main
from fit_models import body_fitter
from scans import random_person, scan
from tensor_models import write_repository

TEST_DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(autouse=True)
def _a_cache_of_ones_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three pictures of noise, uint8 [3, 16, 16]."""
    file = tmp_path / "pictures.npy"
    np.save(file, np.random.default_rng(1).integers(0, 256, (3, SIDE, SIDE), np.uint8))
    return file


@pytest.fixture
def c4(tmp_path: Path) -> Path:
    return linear_classifier(tmp_path / "strangers.onnx", c4_averaged_weight())


def check(tmp_path: Path, *arguments: object) -> tuple[int, dict[str, Any]]:
    """Run the command; return its exit code and its report."""
    file = tmp_path / "report.json"
    code = main(["check", *map(str, arguments), "--report", str(file)])
    return code, json.loads(file.read_bytes())


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Return the single line with which a command that cannot be run is refused."""
    assert main(["check", *map(str, arguments)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("equiserve: ")
    assert printed.err.count("\n") == 1
    return printed.err.removeprefix("equiserve: ").rstrip()


# ---------------------------------------------------------------- known truths


def test_the_anchored_transformer_passes_with_one(zoo: Path, tmp_path: Path) -> None:
    model = zoo / "fashion-mnist-vit-apa"
    code, report = check(tmp_path, model, "--data", TEST_DATA / "ankle_boot.png", "--gate", "orbit_consistency=1")
    assert code == 0
    assert report["gates"][0]["value"] == 1.0
    assert report["coverage"] == {"checked": 784, "planned": 784, "exact": 784}


def test_its_plain_twin_fails_and_the_worst_shift_is_named(
    zoo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = zoo / "fashion-mnist-vit" / "1" / "model.onnx"
    code, report = check(
        tmp_path, model, "--group", "CyclicShift", "--data", TEST_DATA / "ankle_boot.png", "--gate=orbit_consistency=1"
    )
    assert code == 1
    assert report["worst"]["description"].startswith("a circular shift by ")
    assert report["worst"]["description"] in capsys.readouterr().out


def test_a_c4_averaged_net_is_exactly_c4_and_not_so2(c4: Path, pictures: Path, tmp_path: Path) -> None:
    code, report = check(tmp_path, c4, "--data", pictures, "--group", "C4", "--inputs", "1")
    assert code == 0
    assert report["statement"].endswith("on all 4 rotations.") or "last bit" in report["statement"]
    assert report["summary"]["exact"]["relative_error"] < 1e-5
    code, report = check(tmp_path, c4, "--data", pictures, "--group", "SO2", "--inputs", "1")
    assert code == 1
    answers = dict(
        zip((e["angle_deg"] for e in report["elements"]["element"]), report["elements"]["label"], strict=True)
    )
    assert len({answers[angle] for angle in (0, 90, 180, 270)}) == 1
    assert len(set(answers.values())) > 1
    assert report["summary"]["exact"]["modal_consistency"] == 1
    assert report["summary"]["resampled"]["modal_consistency"] < 1


def test_a_constant_model_is_not_informative(pictures: Path, tmp_path: Path) -> None:
    constant = linear_classifier(tmp_path / "constant.onnx", np.zeros((SIDE * SIDE, CLASSES)))
    code, report = check(tmp_path, constant, "--data", pictures, "--group", "C4", "--gate", "orbit_consistency=0.5")
    assert (code, report["verdict"]["status"], report["gates"]) == (3, "not_informative", [])


def test_a_symmetric_input_is_not_informative(c4: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "symmetric.npy", np.full((SIDE, SIDE), 90, np.uint8))
    code, report = check(tmp_path, c4, "--data", tmp_path / "symmetric.npy", "--group", "C4")
    assert (code, report["verdict"]["status"]) == (3, "not_informative")
    assert "No element of C4 that was tried changes this input" in report["verdict"]["reason"]


def test_dropout_left_on_is_caught_by_the_repeat_control(pictures: Path, tmp_path: Path) -> None:
    dice = linear_classifier(tmp_path / "dice.onnx", c4_averaged_weight(), noise=1.0)
    code, report = check(tmp_path, dice, "--data", pictures, "--inputs", "1", "--group", "C4")
    assert (code, report["verdict"]["status"]) == (3, "not_informative")
    assert "run twice in the same batch" in report["verdict"]["reason"]
    assert "dropout" in report["verdict"]["next_step"]


# ---------------------------------------------------------------- several inputs, gates, reports


def test_a_few_inputs_that_all_pass_do_not_prove_a_gate_over_further_inputs(
    c4: Path, pictures: Path, tmp_path: Path
) -> None:
    code, report = check(tmp_path, c4, "--data", pictures, "--group", "C4", "--gate", "orbit_consistency=0.95")
    assert (code, report["verdict"]["status"]) == (3, "inconclusive")
    assert [given["name"] for given in report["inputs"]] == [f"pictures.npy[{k}]" for k in range(3)]
    code, _ = check(tmp_path, c4, "--data", pictures, "--group", "C4", "--gate", "orbit_consistency=0.3")
    assert code == 0


def test_without_a_gate_every_input_must_keep_its_answer(c4: Path, pictures: Path, tmp_path: Path) -> None:
    assert check(tmp_path, c4, "--data", pictures, "--group", "C4")[0] == 0
    assert check(tmp_path, c4, "--data", pictures, "--group", "CyclicShift")[0] == 1


def test_the_ending_of_a_report_says_its_form(c4: Path, pictures: Path, tmp_path: Path) -> None:
    reports = [tmp_path / f"out{ending}" for ending in (".html", ".csv", ".svg", ".xml", ".vl.json")]
    options = [part for file in reports for part in ("--report", file)]
    assert check(tmp_path, c4, "--data", pictures, "--group", "C4", *options)[0] == 0
    html, table, svg, junit, vega = (file.read_text() for file in reports)
    assert html.startswith("<!doctype html>")
    assert html.count("data:image/png;base64,") == 3
    assert table.count("\n") == 1 + 3 * 4
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert ElementTree.fromstring(junit).get("tests") == "3"
    assert json.loads(vega)["$schema"]


def test_the_first_word_that_is_printed_is_the_verdict(
    c4: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["check", str(c4), "--data", str(pictures), "--group", "C4"])
    printed = capsys.readouterr()
    assert printed.out.startswith("PASS: strangers holds C4 on 3 of 3 pictures")
    assert printed.err == ""  # no bar where nobody watches


def test_on_a_terminal_a_line_grows_and_is_wiped_out_in_the_end() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    line = ProgressLine(terminal, 2)
    line.tell(0, "a.png", 0.5)
    line.tell(1, "b.png", 1.0)
    line.clear()
    _, first, second, wiped, end = terminal.getvalue().split("\r")
    assert first == "[######..................]  25%  1 of 2  a.png"
    assert second == "[########################] 100%  2 of 2  b.png"
    assert (wiped.strip(), len(wiped), end) == ("", len(second), "")


def test_it_runs_as_a_command_of_its_own_and_ends_with_its_exit_code(c4: Path, pictures: Path) -> None:
    arguments = [str(c4), "--data", str(pictures), "--group", "CyclicShift", "--elements", "20"]
    ended = subprocess.run(
        [sys.executable, "-m", "equiserve.cli", "check", *arguments], capture_output=True, text=True, timeout=100
    )
    assert (ended.returncode, ended.stderr) == (1, "")
    assert ended.stdout.startswith("FAIL: ")


def test_a_model_of_named_tensors_is_checked_on_the_rows_of_an_npz(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    write_repository(tmp_path / "models")
    clouds = np.random.default_rng(0).uniform(0.2, 1.0, (3, 5, 3)).astype(np.float32)
    np.savez(tmp_path / "clouds.npz", x=clouds)
    asked = ("--data", tmp_path / "clouds.npz", "--group", "SO3", "--elements", 60)
    code, report = check(tmp_path, tmp_path / "models" / "radial", *asked, "--report", tmp_path / "page.html")
    assert (code, report["verdict"]["status"], len(report["inputs"])) == (0, "pass", 3)
    assert report["inputs"][1]["name"] == "clouds.npz[1]"
    assert (
        check(tmp_path, tmp_path / "models" / "squares", *asked)[1]["verdict"]["reason"].count("clouds.npz[0]: ") == 1
    )
    code, report = check(tmp_path, tmp_path / "models" / "squares", *asked)
    assert (code, report["verdict"]["status"]) == (1, "fail")
    gated = (*asked, "--gate", "relative_error=0.01")
    assert check(tmp_path, tmp_path / "models" / "squares", *gated)[0] == 1
    capsys.readouterr()
    np.savez(tmp_path / "clouds.npz", y=clouds)
    assert "input 'x' is missing" in refused(capsys, tmp_path / "models" / "radial", *asked)
    np.savez(tmp_path / "clouds.npz", x=clouds, y=clouds[:2])
    assert "with a row an input" in refused(capsys, tmp_path / "models" / "radial", *asked)


# ---------------------------------------------------------------- inputs


def test_folders_files_and_arrays_can_be_mixed(c4: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(2).integers(0, 256, (4, SIDE, SIDE), np.uint8)
    (tmp_path / "folder" / "deeper").mkdir(parents=True)
    Image.fromarray(noise[0]).save(tmp_path / "folder" / "b.png")
    Image.fromarray(noise[1]).save(tmp_path / "folder" / "deeper" / "a.PNG")
    (tmp_path / "folder" / "notes.txt").write_text("not a picture")
    np.savez(tmp_path / "two.npz", images=noise[2:, None], labels=np.array([3, 4]))
    data = [tmp_path / "folder", tmp_path / "two.npz", tmp_path / "folder" / "b.png"]
    _, report = check(tmp_path, c4, "--group", "C4", "--data", *data)
    assert [given["name"] for given in report["inputs"]] == [
        "0: b.png",
        "1: deeper/a.PNG",
        "2: two.npz[0]",
        "3: two.npz[1]",
        "4: b.png",
    ]


def test_a_sample_of_many_inputs_is_spread_evenly(c4: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "many.npy", np.random.default_rng(3).integers(0, 256, (10, SIDE, SIDE), np.uint8))
    _, report = check(tmp_path, c4, "--group", "C4", "--data", tmp_path / "many.npy", "--inputs", "4")
    assert [given["name"] for given in report["inputs"]] == [f"many.npy[{k}]" for k in (0, 2, 5, 7)]


def test_pickled_arrays_are_refused_unread(c4: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "pickled.npy", np.array([print], object), allow_pickle=True)
    assert "no NumPy file of plain arrays" in refused(capsys, c4, "--data", tmp_path / "pickled.npy", "--group", "C4")


def test_pictures_of_another_size_are_refused_unless_they_shall_be_fitted(
    c4: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = TEST_DATA / "bag.png"
    assert "28" in refused(capsys, c4, "--data", picture, "--group", "C4")
    assert check(tmp_path, c4, "--data", picture, "--group", "C4", "--input-fit", "resize")[1]["resized_from"] == [
        28,
        28,
    ]


def test_a_model_of_pixels_up_to_one_is_told_so(pictures: Path, tmp_path: Path) -> None:
    model = unit_range_classifier(tmp_path / "bright.onnx")
    answers = [
        check(tmp_path, model, "--data", pictures, "--inputs", "1", "--group", "C4", *flag)[1]["elements"]["label"][0]
        for flag in ([], ["--unit-range"])
    ]
    assert answers == ["class 1", "class 0"]


# ---------------------------------------------------------------- what is refused


def test_what_cannot_be_run_is_named(
    c4: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--data", pictures)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    for arguments, expected in (
        ((tmp_path / "none.onnx", *given), "none.onnx is not there"),
        ((tmp_path / "broken.onnx", *given), "broken.onnx"),
        ((c4, "--data", tmp_path / "none.png"), "none.png is not there"),
        ((c4, "--data", tmp_path / "empty"), "holds no picture"),
        ((c4, "--data", c4), "is none of .png"),
        ((c4, *given), "declares no symmetry"),
        ((c4, *given, "--group", "C4", "--gate", "niceness=1"), "unknown metric 'niceness'"),
        ((c4, *given, "--group", "C4", "--gate", "orbit_consistency=2"), "expected a number from 0 to 1"),
        ((c4, *given, "--group", "C4", "--report", "out.docx"), "ends in none of .json"),
        ((c4, *given, "--group", "hexagon"), "unknown group 'hexagon'"),
        ((c4, *given, "--gruop", "C4"), "did you mean --group"),
    ):
        assert expected in refused(capsys, *arguments)


def test_a_server_that_is_not_there_is_named(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("httpx", reason="a server is asked through the extra `client`")
    said = refused(capsys, "some-model", "--url", "http://127.0.0.1:9", "--data", pictures, "--group", "C4")
    assert "127.0.0.1" in said or "connect" in said.lower()


# ---------------------------------------------------------------- clouds


def test_a_body_fitter_is_checked_on_the_clouds_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    points = scan(random_person(3), 2500, 3)[0]
    folder = tmp_path / "scans"
    folder.mkdir()
    np.savetxt(folder / "a.xyz", points)
    np.savetxt(folder / "b.csv", 1000 * points, delimiter=",")
    body_fitter(tmp_path)
    _, report = check(tmp_path, tmp_path / "fitter", "--data", folder, "--group", "SE3", "--elements", 8)
    assert [one["name"] for one in report["inputs"]] == ["a.xyz", "b.csv"]
    # It answers one body for every cloud, which follows none but the identity.
    assert all("on 1 of 8 elements" in one["statement"] for one in report["inputs"])
    capsys.readouterr()
    assert "unit" in refused(capsys, tmp_path / "fitter", "--data", folder / "b.csv", "--group", "SE3", "--unit", "m")


def test_a_unit_where_no_cloud_came_is_refused(c4: Path, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for more in ((), ("--candidates",)):
        assert refused(capsys, c4, "--data", pictures, "--unit", "mm", *more).startswith("--unit: ")


def test_a_cloud_is_refused_by_a_model_of_pictures(
    c4: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savetxt(tmp_path / "a.xyz", np.random.default_rng(0).normal(size=(500, 3)))
    assert "is no body fitter" in refused(capsys, c4, "--data", tmp_path / "a.xyz", "--group", "C4")
