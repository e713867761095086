"""Every other carrier of package `inference` can live in our process, whoever comes first.

A process of its own for each case: protobuf's default pool cannot be emptied.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

OURS = """
from equiserve.rpc import protocol
message = protocol.ModelInferRequest.FromString(protocol.ModelInferRequest(model_name="m").SerializeToString())
assert message.model_name == "m"
"""
TRITONCLIENT = """
from tritonclient.grpc import service_pb2
assert service_pb2.ModelInferRequest(model_name="m").model_name == "m"
"""
# The same messages under another file's name, as other clients and servers of the protocol register them.
ANOTHER = """
from importlib.resources import files
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorSet
source = files("equiserve.rpc.generated").joinpath("inference.binpb").read_bytes()
for number, file in enumerate(FileDescriptorSet.FromString(source).file):
    file.name = f"another_{number}.proto"
    file.dependency[:] = [f"another_{number - 1}.proto"] * len(file.dependency)
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
"""


@pytest.mark.parametrize("other", [TRITONCLIENT, ANOTHER], ids=["tritonclient", "another"])
@pytest.mark.parametrize("ours_first", [True, False], ids=["ours first", "other first"])
def test_the_v2_messages_share_a_process_with(other: str, ours_first: bool) -> None:
    script = OURS + other if ours_first else other + OURS
    done = subprocess.run([sys.executable, "-c", script + OURS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_default_pool_stays_free_of_the_v2_messages() -> None:
    script = OURS + (
        "from google.protobuf import descriptor_pool\n"
        "try:\n"
        "    descriptor_pool.Default().FindMessageTypeByName('inference.ModelInferRequest')\n"
        "except KeyError:\n"
        "    raise SystemExit(0)\n"
        "raise SystemExit(1)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
