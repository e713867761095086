"""A real server process over real sockets, started once, and stopped with SIGTERM at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from bench.models import add_model, row, tiny, zoo_models
from bench.server import ServerProcess

ZOO = Path(__file__).parents[2] / "models" / "zoo"


@pytest.fixture(scope="session")
def repository_on_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the benchmark's `tiny` as a plain ONNX file, and the zoo's models where there are any."""
    root = tmp_path_factory.mktemp("models")
    add_model(root, "tiny", tiny())
    for folder in zoo_models(ZOO):
        (root / folder.name).symlink_to(folder)
    return root


@pytest.fixture(scope="session")
def calibrations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One calibration cache for all servers of the session."""
    return tmp_path_factory.mktemp("calibrations")


@pytest.fixture(scope="session")
def server(
    repository_on_disk: Path, calibrations: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """The server that most tests share; it must end with code 0 when it is told to."""
    log = tmp_path_factory.mktemp("log") / "server.log"
    with ServerProcess(repository_on_disk, log=log, cache=calibrations, environment={"EQUISERVE_DRAIN_S": "0"}) as it:
        it.wait_until_calibrated()
        yield it
        assert it.running, f"the server died during the tests:\n{it.tail()}"
        assert it.stop() == 0, it.tail()
        assert "Traceback" not in it.log.read_text(), it.tail()


@pytest.fixture
def start(tmp_path: Path, repository_on_disk: Path, calibrations: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Start a server of one's own: `start(EQUISERVE_DRAIN_S="2")`, `start(models=folder)`."""
    started: list[ServerProcess] = []

    def begin(models: Path = repository_on_disk, **environment: str) -> ServerProcess:
        log = tmp_path / f"server-{len(started)}.log"
        started.append(ServerProcess(models, log=log, cache=calibrations, environment=environment))
        return started[-1]

    yield begin
    for server in started:
        if server.running:
            server.kill()


@pytest.fixture(scope="session")
def question() -> np.ndarray:
    """One input row of `tiny`, float32 [1, 1, 28, 28]."""
    return row("tiny")


@pytest.fixture(scope="session")
def answer(repository_on_disk: Path, question: np.ndarray) -> np.ndarray:
    """What ONNX Runtime itself says to `question`: the truth, float32 [1, 10]."""
    session = ort.InferenceSession(str(repository_on_disk / "tiny" / "1" / "model.onnx"))
    logits: np.ndarray = session.run(None, {"x": question})[0]
    return logits
