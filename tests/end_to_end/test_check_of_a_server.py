"""`equiserve check` against a running server says what it says of the same file in its own process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench.server import ServerProcess

from equiserve.cli import main

PICTURES = Path(__file__).parents[1] / "data" / "fashion_mnist_100.npz"


def test_a_served_model_and_its_file_get_the_same_report(
    server: ServerProcess, zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    options = ["--data", str(PICTURES), "--inputs", "2", "--group", "SO2", "--elements", "24"]
    codes, reports = [], []
    for subject in (["fashion-mnist-vit", "--url", f"http://{server.http}"], [str(zoo / "fashion-mnist-vit")]):
        file = tmp_path / "report.json"
        codes.append(main(["check", *subject, *options, "--report", str(file)]))
        reports.append(json.loads(file.read_bytes()))
    assert codes == [1, 1]
    served, own = (
        [(given["name"], given["file_digest"], given["elements"]["label"]) for given in report["inputs"]]
        for report in reports
    )
    assert served == own
