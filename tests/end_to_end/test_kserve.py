"""KServe's own REST and gRPC clients, unchanged, work against the server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from bench.server import ServerProcess

PYTHON = Path(__file__).parents[2] / ".venv-kserve" / "bin" / "python"


def test_kserves_clients_find_the_server_ready_and_get_onnxruntimes_answer(
    server: ServerProcess, question: np.ndarray, answer: np.ndarray
) -> None:
    if not PYTHON.is_file():
        pytest.skip("kserve pins older packages and has an environment of its own: `make kserve` builds .venv-kserve")
    run = subprocess.run(
        [PYTHON, Path(__file__).with_name("kserve_client.py"), server.http, server.grpc],
        input=json.dumps({"x": question.ravel().tolist()}),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    found = json.loads(run.stdout.splitlines()[-1])
    for health in ("live", "ready", "model ready", "grpc live", "grpc ready", "grpc model ready"):
        assert found[health] is True, found
    for way in ("json", "binary", "grpc typed", "grpc raw"):
        np.testing.assert_allclose(found[way], answer.ravel(), rtol=1e-5, atol=1e-6, err_msg=way)
