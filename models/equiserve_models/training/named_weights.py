"""Start a training from a shipped TorchScript file that keeps the names of its weights (frozen ones: `warm_start`)."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from equiserve.errors import InvalidRequest


def load_named_weights(network: nn.Module, path: Path) -> None:
    """Give a network the weights of a file of the same network.

    Raises:
        InvalidRequest: The file is of another network.
    """
    kept = _kept(path)
    for name, parameter in network.named_parameters():
        if name not in kept or kept[name].shape != parameter.shape:
            got = list(kept[name].shape) if name in kept else "none"
            raise InvalidRequest(
                f"{path}: got {got} in the place of {name}, expected a tensor of shape {list(parameter.shape)}",
                field="from",
            )
        with torch.no_grad():
            parameter.copy_(kept[name])


def load_matching_weights(network: nn.Module, path: Path) -> int:
    """Give a network the weights of a file where names and shapes agree; return how many tensors do.

    Raises:
        InvalidRequest: Not one agrees.
    """
    own = network.state_dict()
    matching = {name: value for name, value in _kept(path).items() if name in own and own[name].shape == value.shape}
    if not matching:
        raise InvalidRequest(f"{path}: no tensor has name and shape of one of the network's", field="from")
    network.load_state_dict(matching, strict=False)
    return len(matching)


def _kept(path: Path) -> dict[str, Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        kept: dict[str, Tensor] = torch.jit.load(path, map_location="cpu").state_dict()
    return kept
