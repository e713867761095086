"""What the v2 protocol says of a model: metadata, configuration, statistics, in their REST form.

The gRPC edge converts these same dictionaries, so the two protocols cannot drift apart.
"""

from __future__ import annotations

from typing import Any

from equiserve.artifact import TensorSpec
from equiserve.engine import ServedModel
from equiserve.engine.statistics import Stage

_PLATFORMS = {"onnx": "onnxruntime_onnx", "torchscript": "pytorch_torchscript"}


def metadata(model: ServedModel, versions: list[str]) -> dict[str, Any]:
    """Return the v2 model metadata; `properties` carry what was measured and declared, as text."""
    return {
        "name": model.name,
        "versions": versions,
        "platform": _PLATFORMS[model.runtime.name],
        "inputs": [_tensor(spec) for spec in model.runtime.inputs],
        "outputs": [_tensor(spec) for spec in model.runtime.outputs],
        "properties": _properties(model),
    }


def configuration(model: ServedModel) -> dict[str, Any]:
    """Return the configuration in the model_configuration extension's terms."""
    batched = model.batched
    return {
        "name": model.name,
        "platform": _PLATFORMS[model.runtime.name],
        "backend": {"onnx": "onnxruntime", "torchscript": "pytorch"}[model.runtime.name],
        "version_policy": {"all": {}},
        "max_batch_size": model.max_batch if batched else 0,
        "input": [_field(spec, batched) for spec in model.runtime.inputs],
        "output": [_field(spec, batched) for spec in model.runtime.outputs],
        "instance_group": [
            {
                "name": model.name,
                "kind": "KIND_GPU" if model.runtime.device == "cuda" else "KIND_CPU",
                "count": model.manifest.batching.instances,
            }
        ],
        "parameters": {key: {"string_value": value} for key, value in _properties(model).items()},
        "dynamic_batching": {"max_queue_delay_microseconds": model.manifest.batching.delay_us},
    }


def statistics(model: ServedModel) -> dict[str, Any]:
    """Return one entry of `model_stats` of the statistics extension."""
    counted = model.statistics
    return {
        "name": model.name,
        "version": model.version,
        "last_inference": counted.last_inference_ms,
        "inference_count": counted.rows,
        "execution_count": counted.executions,
        "inference_stats": {
            "success": _stage(counted.success),
            "fail": _stage(counted.failure),
            "queue": _stage(counted.queue),
            "compute_input": _stage(counted.compute_input),
            "compute_infer": _stage(counted.compute_infer),
            "compute_output": _stage(counted.compute_output),
            "cache_hit": _stage(Stage()),
            "cache_miss": _stage(Stage()),
        },
        "batch_stats": [
            {
                "batch_size": size,
                "compute_infer": {"count": count, "ns": counted.batch_infer_ns[size]},
            }
            for size, count in sorted(counted.batch_sizes.items())
        ],
        "memory_usage": [],
    }


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "datatype": spec.datatype, "shape": list(spec.shape)}


def _field(spec: TensorSpec, batched: bool) -> dict[str, Any]:
    data_type = "TYPE_STRING" if spec.datatype == "BYTES" else f"TYPE_{spec.datatype}"
    return {"name": spec.name, "data_type": data_type, "dims": list(spec.shape[1:] if batched else spec.shape)}


def _stage(stage: Stage) -> dict[str, int]:
    return {"count": stage.count, "ns": stage.ns}


def _properties(model: ServedModel) -> dict[str, str]:
    manifest, calibration = model.manifest, model.calibration
    properties = {
        "task": manifest.task,
        "runtime": model.runtime.version,
        "runtimes": ",".join(manifest.runtimes),
        "device": model.runtime.device,
        "threads": str(model.runtime.threads),
        "file_sha256": model.file_digest,
        "batch_invariance": calibration.batch_invariance,
        "padded_to": str(model.min_batch),
        "cpu": calibration.cpu,
        "row_ms": f"{model.cost.per_row_s * 1e3:.4f}",
        "batch_ms": f"{model.cost.fixed_s * 1e3:.4f}",
    }
    if manifest.symmetrize:
        properties["symmetrize"] = manifest.symmetrize
    for symmetry in manifest.symmetries:
        properties[f"symmetry.{symmetry.group}"] = f"{symmetry.level} ({symmetry.source})"
    if manifest.description:
        properties["description"] = manifest.description
    return properties
