"""TorchScript files through libtorch. Needs the `train` extra's torch; ONNX models never come here."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from equiserve.artifact import Manifest
from equiserve.errors import InvalidRequest, Unavailable, Unsupported


class TorchScriptRuntime:
    """A scripted module (see `Runtime`). Names and shapes come from the manifest: the file carries none."""

    name = "torchscript"

    def __init__(self, path: Path, manifest: Manifest | None, *, device: str, threads: int) -> None:
        try:
            import torch
        except ImportError:
            raise Unsupported(
                "runtime torchscript needs torch, which is not installed here; use runtime onnx or install torch",
                code="runtime_not_installed",
                field="runtime",
            ) from None
        if manifest is None:
            raise InvalidRequest(
                f"{path}: a TorchScript file needs a model.yaml that names its inputs and outputs",
                code="manifest_missing",
                field=str(path),
            )
        if device == "cuda" and not torch.cuda.is_available():
            raise Unavailable(
                "device cuda was asked for, but torch sees none", code="device_unavailable", field="device"
            )
        self._torch = torch
        self.device = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
        with warnings.catch_warnings():
            # TorchScript is deprecated in torch 2.13 and served on purpose.
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                self._module = torch.jit.load(str(path), map_location=self.device).eval()  # type: ignore[no-untyped-call]
            except RuntimeError as error:
                raise InvalidRequest(
                    f"{path}: torch cannot load this file: {error}", code="invalid_model", field=str(path)
                ) from None
        self.version = f"torch {torch.__version__}"
        self.threads = threads
        self.inputs = tuple(manifest.inputs)
        self.outputs = tuple(manifest.outputs)

    def run(self, inputs: Mapping[str, np.ndarray]) -> Sequence[np.ndarray]:
        """Return every output, in the order of `outputs`."""
        torch = self._torch
        if torch.get_num_threads() != self.threads:
            # libtorch has no thread count a module; each thread that calls it has one, taken from whoever set it last.
            torch.set_num_threads(self.threads)
        # Without the profiling executor: it compiles anew for every batch size, and its first calls differ in bits.
        with torch.inference_mode(), torch.jit.optimized_execution(False):
            arguments = [torch.from_numpy(_writable(inputs[spec.name])).to(self.device) for spec in self.inputs]
            result = self._module(*arguments)
        if isinstance(result, torch.Tensor):
            return [result.cpu().numpy()]
        if isinstance(result, dict):
            return [result[spec.name].cpu().numpy() for spec in self.outputs]
        return [tensor.cpu().numpy() for tensor in result]


def _writable(array: np.ndarray) -> np.ndarray:
    # Arrays that view a request's bytes are read-only, and torch warns of undefined behaviour on those.
    return array if array.flags.writeable else array.copy()
