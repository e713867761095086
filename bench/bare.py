"""ONNX Runtime without a server: what a model file costs by itself, which no server can undercut."""

from __future__ import annotations

from pathlib import Path

import onnxruntime as ort


def bare_session(file: Path, threads: int = 1) -> ort.InferenceSession:
    """Return a session with the server's options: so many threads a call, none of which spins while it waits."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
