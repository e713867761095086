"""Drawing over real sockets: the same bytes after a restart, events as they form, rows freed by who hangs up."""

from __future__ import annotations

import json
import re
import socket
import time
import urllib.request
from pathlib import Path

from bench.denoiser import NAME, write_denoiser
from bench.generate_traffic import calls_after_cancel, events, generate
from bench.server import HOST, ServerProcess


def test_pictures_survive_a_restart_and_rows_do_not_survive_their_caller(tmp_path: Path) -> None:
    write_denoiser(tmp_path / "models")
    asked = {"label": 3, "angle": 30, "seed": 7, "steps": 5, "guidance": 2.0, "n": 2}

    def serve() -> ServerProcess:
        settings = {"EQUISERVE_JOBS_DIR": str(tmp_path / "jobs")}
        return ServerProcess(tmp_path / "models", log=tmp_path / "log", cache=tmp_path / "cache", environment=settings)

    with serve() as server:
        first = generate(server, NAME, asked)
        assert first.startswith(b"\x89PNG")
        told = list(events(server, NAME, asked, "watched"))
        assert [name for name, _ in told][-1] == "completed"
        preview = next(content for name, content in told if name == "preview")
        assert preview["step"] <= 3
        assert calls_after_cancel(server, NAME) <= 1
        _hang_up_on_a_stream(server)
        until = time.monotonic() + 20
        while _rows(server) and time.monotonic() < until:
            time.sleep(0.02)
        assert _rows(server) == 0
    with serve() as server:
        assert generate(server, NAME, asked) == first


def _hang_up_on_a_stream(server: ServerProcess) -> None:
    body = json.dumps({"steps": 1000, "n": 4}).encode()
    head = f"POST /v2/models/{NAME}/generate_stream HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
    with socket.create_connection((HOST, server.http_port)) as connection:
        connection.sendall(head.encode() + body)
        told = b""
        while b"event: progress" not in told:
            told += connection.recv(65536)
        assert _rows(server) == 4


def _rows(server: ServerProcess) -> float:
    with urllib.request.urlopen(f"http://{server.http}/metrics", timeout=30) as answer:
        found = re.search(r"^equiserve_generation_rows (\S+)$", answer.read().decode(), re.MULTILINE)
    assert found is not None
    return float(found.group(1))
