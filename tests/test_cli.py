"""The command `equiserve`: what a person who mistypes something reads, and which source of a setting wins."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from equiserve.cli import main
from equiserve.settings import Settings

SECRET = "s3cr3t-value"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"EQUISERVE_{name.upper()}", raising=False)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings of every server that the command would have started; each announces itself on port 8000."""
    started: list[Settings] = []

    def run(settings: Settings, announce: Callable[[str, int, int | None], None]) -> None:
        started.append(settings)
        announce(settings.host, 8000, 8001)

    monkeypatch.setattr("equiserve.server.run", run)
    return started


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the single line that a refused command line prints."""
    assert main(["serve", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("equiserve: ")
    assert printed.err.count("\n") == 1
    return printed.err.removeprefix("equiserve: ").rstrip()


def test_an_unknown_option_is_answered_with_the_options_that_look_like_it(capsys: pytest.CaptureFixture[str]) -> None:
    said = complaint(capsys, "--port=9000")
    assert "no option --port;" in said
    assert "--http-port" in said
    assert "--grpc-port" in said


def test_a_folder_without_its_option_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert "unexpected argument 'mine'" in complaint(capsys, "mine")


def test_options_are_not_abbreviated(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no option --grpc" in complaint(capsys, "--grpc", "9")


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("http_port", "abc", "a valid integer"),
        ("http_port", "99999", "less than or equal to 65535"),
        ("max_body_bytes", "64MiB", "a valid integer"),
        ("device", "gpu", "'auto', 'cpu' or 'cuda'"),
    ],
)
def test_a_wrong_value_is_named_with_what_came_and_what_was_expected(
    option: str, value: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = complaint(capsys, f"--{option.replace('_', '-')}", value)
    assert said == f"{option}: got '{value}', expected {expected}"


def test_a_config_file_that_is_not_there_stops_the_server(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], served: list[Settings]
) -> None:
    said = complaint(capsys, "--config-file", str(tmp_path / "none.yaml"))
    assert said == f"config_file: cannot read {tmp_path / 'none.yaml'}: No such file or directory"
    assert served == []


def test_a_folder_as_config_file_stops_the_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"cannot read {tmp_path}" in complaint(capsys, "--config-file", str(tmp_path))


@pytest.mark.parametrize(
    "content",
    [
        f"token: {SECRET}\nload: [a\n  b: : c",
        f"token: '{SECRET}\n",
        f"- {SECRET}\n",
        SECRET,
        f"{SECRET}: 2026-99-99",
        b"\x9b\x00\xff",
    ],
    ids=["syntax", "open quote", "list", "text", "no date", "binary"],
)
def test_a_config_file_that_is_no_mapping_gets_one_line_that_does_not_quote_it(
    content: str | bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    said = complaint(capsys, "--config-file", str(file))
    assert str(file) in said
    assert SECRET not in said


def test_a_mistyped_key_of_a_config_file_is_answered_with_the_setting_that_looks_like_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("htpp_port: 9000\n")
    assert complaint(capsys, "--config-file", str(file)).startswith(
        "there is no setting htpp_port; did you mean http_port"
    )


def test_a_wrong_secret_is_never_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"token: [{SECRET}]\n")
    said = complaint(capsys, "--config-file", str(file))
    assert said.startswith("token: ")
    assert SECRET not in said


@pytest.mark.parametrize("name", ["token", "admin_token"])
def test_an_empty_secret_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"EQUISERVE_{name.upper()}", "")
    assert complaint(capsys) == f"{name}: expected at least one character"


def test_no_option_takes_a_secret(capsys: pytest.CaptureFixture[str]) -> None:
    assert SECRET not in complaint(capsys, f"--token={SECRET}")


def test_the_command_line_wins_over_the_environment_and_the_environment_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: list[Settings]
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("http_port: 1\ngrpc_port: 1\nthreads: 1\n")
    monkeypatch.setenv("EQUISERVE_CONFIG_FILE", str(file))
    monkeypatch.setenv("EQUISERVE_HTTP_PORT", "2")
    monkeypatch.setenv("EQUISERVE_GRPC_PORT", "2")
    assert main(["serve", "--http-port", "3"]) == 0
    assert (served[0].http_port, served[0].grpc_port, served[0].threads) == (3, 2, 1)


def test_the_environment_names_several_models_with_commas(
    monkeypatch: pytest.MonkeyPatch, served: list[Settings]
) -> None:
    monkeypatch.setenv("EQUISERVE_LOAD", "first, second")
    assert main(["serve"]) == 0
    assert served[0].load == ["first", "second"]


def test_a_missing_folder_of_models_is_one_line(tmp_path: Path) -> None:
    # In a process of its own: a real start takes over the process's logs and signals.
    missing = tmp_path / "none"
    command = [sys.executable, "-m", "equiserve.cli", "serve", "--models", str(missing), "--log-level", "error"]
    ended = subprocess.run(
        [*command, "--http-port", "0", "--grpc-port", "-1"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", f"equiserve: {missing} is no folder\n")


def test_lines_to_paste_are_printed_only_where_the_sample_model_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], served: list[Settings]
) -> None:
    (tmp_path / "tests" / "data").mkdir(parents=True)
    (tmp_path / "tests" / "data" / "ankle_boot.png").touch()
    (tmp_path / "zoo" / "fashion-mnist-vit-apa").mkdir(parents=True)
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    printed = []
    for arguments in (["--models", "zoo"], ["--models", "mine"], ["--models", "zoo", "--load", "other"]):
        assert main(["serve", *arguments]) == 0
        printed.append("/v2/models/fashion-mnist-vit-apa/classify" in capsys.readouterr().out)
    assert printed == [True, False, False]


@pytest.mark.parametrize(("host", "url"), [("0.0.0.0", "http://127.0.0.1:8000"), ("::1", "http://[::1]:8000")])
def test_the_printed_address_can_be_pasted(
    host: str, url: str, capsys: pytest.CaptureFixture[str], served: list[Settings]
) -> None:
    assert main(["serve", "--host", host]) == 0
    assert f"HTTP    {url} " in capsys.readouterr().out
