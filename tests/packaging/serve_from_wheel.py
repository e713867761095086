"""Build the wheel, install it into a bare environment beside proto-plus, and serve with it from another folder.

What was installed by hand, or lies in the checkout, hides missing install steps; here neither is at hand. Run by
`make test-wheel`; needs the package registry.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "tests" / "data" / "ankle_boot.png"
MODEL = "fashion-mnist-vit-apa"

#: Runs in the bare environment: both packages' messages live in one process, and gRPC answers.
GRPC_CLIENT = """
import sys
import proto  # proto-plus
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
import equiserve.rpc.server
with grpc.insecure_channel(f"127.0.0.1:{sys.argv[1]}") as channel:
    answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
assert answer.status == health_pb2.HealthCheckResponse.SERVING, answer
for module in ("torch", "onnx", "scipy"):
    assert module not in sys.modules, f"{module} was imported by the server"
"""


def main() -> int:
    """Return 0 where the wheel serves."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(work), str(ROOT)], check=True)
        (wheel,) = work.glob("equiserve-*.whl")
        venv.create(work / "bare", with_pip=True)
        python = work / "bare" / "bin" / "python"
        subprocess.run(
            [str(python), *pip[1:], "install", "-c", str(ROOT / "constraints-cpu.txt"), f"{wheel}[cpu]", "proto-plus"],
            check=True,
        )
        shutil.copytree(ROOT / "models" / "zoo", work / "elsewhere" / "models")
        serve(python, work / "elsewhere")
    return 0


def serve(python: Path, folder: Path) -> None:
    """Serve `folder/models` on free ports, classify a picture, check gRPC, stop in order."""
    command = [str(python), "-m", "equiserve.cli", "serve", "--models", "models"]
    command += ["--http-port", "0", "--grpc-port", "0"]
    ours = ("EQUISERVE_", "PYTHONPATH")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    environment |= {"EQUISERVE_DRAIN_S": "0"}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            ports = announced_ports(server)
            request = urllib.request.Request(
                f"http://127.0.0.1:{ports['HTTP']}/v2/models/{MODEL}/classify",
                data=SAMPLE.read_bytes(),
                headers={"Content-Type": "image/png"},
            )
            with urllib.request.urlopen(request, timeout=60) as response:
                answer = json.load(response)
            print(json.dumps(answer)[:200])
            assert "ankle boot" in json.dumps(answer), answer
            subprocess.run([str(python), "-c", GRPC_CLIENT, str(ports["gRPC"])], cwd=folder, check=True, timeout=60)
        finally:
            server.send_signal(signal.SIGTERM)
            code = server.wait(60)
    assert code == 0, f"the server ended with {code}"
    print("the wheel serves from another folder, beside proto-plus, without torch")


def announced_ports(server: subprocess.Popen[str]) -> dict[str, int]:
    """Read the ports that the server says it listens on."""
    assert server.stdout is not None
    ports: dict[str, int] = {}
    for line in server.stdout:
        found = re.match(r"\s*(HTTP|gRPC)\s+\S*?:(\d+)\b", line.replace("http://", ""))
        if found:
            ports[found[1]] = int(found[2])
        if len(ports) == 2:
            return ports
    raise AssertionError("the server ended before it was ready")


if __name__ == "__main__":
    sys.exit(main())
