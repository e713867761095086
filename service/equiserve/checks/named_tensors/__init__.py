"""Checks of named tensors: any model whose manifest says how its inputs and outputs move.

Reading order: `request`, `planner`, `measurement`, `orbit_run`, `stream`, `outputs`, `findings`, `report`.
"""

from equiserve.checks.named_tensors.events import TensorProgress, TensorStarted
from equiserve.checks.named_tensors.request import TensorCheckRequest
from equiserve.checks.named_tensors.stream import stream_tensor_check

__all__ = ["TensorCheckRequest", "TensorProgress", "TensorStarted", "stream_tensor_check"]
