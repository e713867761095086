"""Start a training from a shipped TorchScript file, so that what is committed is enough to go on from.

A frozen TorchScript file keeps the values of its weights but not their names. They are found by writing the same
network once more with marked weights: both files hold their constants in the same order. Batch norms are folded into
the convolutions before them; they come back with statistics of the training data, in the same function.
"""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from equiserve.artifact.folder import MANIFEST, read_manifest, verify_digest
from equiserve.errors import InvalidRequest, NotFound

LARGEST_ERROR = 1e-4  # that of the export gate

# (network in evaluation mode, path): writes its TorchScript file as the family exports it.
Writer = Callable[[nn.Module, Path], None]
# Runs a network on inputs of the training, as they are after augmentation.
Forward = Callable[[nn.Module], object]


def origin_of(path: Path) -> dict[str, Any]:
    """Return which file a run starts from, and how that was trained.

    Args:
        path: A file of a model repository, ``<model>/<version>/<file>``.

    Raises:
        NotFound: The manifest does not speak of it.
        InternalError: It is not the file that the manifest describes.
    """
    manifest_path, version = path.parents[1] / MANIFEST, path.parent.name
    manifest = read_manifest(manifest_path)
    entry = manifest.versions.get(version)
    if entry is None or path.name not in entry.files:
        raise NotFound(f"{manifest_path} has no {version}/{path.name}, expected the file that a run starts from")
    digest = entry.files[path.name].sha256
    verify_digest(path, digest)
    named = {"model": manifest.name, "version": version, "file": path.name, "sha256": digest}
    return {**named, "training": entry.training}


def load_weights(network: nn.Module, path: Path, write: Writer, example: Tensor) -> None:
    """Give a network the weights of a file that was exported from such a network.

    Args:
        network: Its weights are replaced; every batch norm has affine weights and comes after a convolution.
        path: A frozen TorchScript file.
        write: The export of the network's family.
        example: Inputs on which both must agree, [B, ...].

    Raises:
        InvalidRequest: The file is of another network.
    """
    marked = _marked(network)
    with tempfile.TemporaryDirectory() as folder:
        write(marked, Path(folder) / path.name)
        marks = _constants(Path(folder) / path.name)
    # Constants that are no weights, such as those of the pixel scaling, may differ between two exports.
    pairs = list(zip(marks, _constants(path), strict=False))
    state = marked.state_dict()
    factors = {f"{name}.weight" for name, module in marked.named_modules() if isinstance(module, _BatchNorm)}
    for name, parameter in marked.named_parameters():
        found = [value for mark, value in pairs if _close(mark, parameter)]
        if not found and name in factors:
            continue
        if not found or found[0].shape != parameter.shape:
            got = f"a tensor of shape {list(found[0].shape)}" if found else "none"
            raise InvalidRequest(
                f"{path}: got {got} in the place of {name}, expected one of shape {list(parameter.shape)}", field="from"
            )
        state[name] = found[0]
    network.load_state_dict(state)
    _check(network, path, example)


def calibrate(network: nn.Module, forward: Forward) -> None:
    """Give every batch norm the mean and deviation of its inputs, without changing what the network computes.

    Args:
        network: As `load_weights` leaves it; left in evaluation mode.
        forward: Runs the network once on enough samples of the training.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    inputs: dict[nn.Module, Tensor] = {}

    def note(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        inputs[module] = arguments[0]

    hooks = [norm.register_forward_pre_hook(note) for norm in norms]
    with torch.no_grad():
        forward(network.eval())
        for hook in hooks:
            hook.remove()
        for norm in norms:
            scale, offset = _affine(norm)
            x = inputs[norm].transpose(0, 1).flatten(1)
            norm.running_mean, norm.running_var = x.mean(1), x.var(1)
            deviation = (norm.running_var + norm.eps).sqrt()
            norm.weight.copy_(scale * deviation)
            norm.bias.copy_(offset + scale * norm.running_mean)


def _affine(norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    """Return the factor and the summand of a batch norm in evaluation mode."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return scale, norm.bias - scale * norm.running_mean


@torch.no_grad()
def _marked(network: nn.Module) -> nn.Module:
    """Return a copy whose parameters are all different, and whose batch norms add their bias and do no more."""
    marked = copy.deepcopy(network).eval()
    generator = Generator().manual_seed(0)
    for parameter in marked.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator))
    for module in marked.modules():
        if isinstance(module, _BatchNorm):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.weight.fill_(1.0)
            module.running_mean.zero_()
            module.running_var.fill_(1.0 - module.eps)
    return marked


def _constants(path: Path) -> list[Tensor]:
    """Return the floating tensors of a frozen TorchScript file in the order of its program."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        graph = torch.jit.load(path).graph
    # A constant without a value is None.
    constants = [node for node in graph.findAllNodes("prim::Constant") if node.hasAttribute("value")]
    tensors = [node.t("value") for node in constants if node.kindOf("value") == "t"]
    return [tensor for tensor in tensors if tensor.is_floating_point()]


def _close(mark: Tensor, parameter: Tensor) -> bool:
    return mark.shape == parameter.shape and torch.allclose(mark, parameter, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def _check(network: nn.Module, path: Path, example: Tensor) -> None:
    training = network.training
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        expected = torch.jit.load(path)(example)
    difference = float((network.eval()(example) - expected).abs().max())
    network.train(training)
    if not difference <= LARGEST_ERROR:
        raise InvalidRequest(
            f"{path} differs from the network with its weights by {difference:.1e}, expected at most {LARGEST_ERROR}",
            field="from",
        )
