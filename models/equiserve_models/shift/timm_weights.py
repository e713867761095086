"""Weights of timm's ViT-S/16 and Twins-SVT-S for the networks here, plain and anchored.

``python -m equiserve_models.shift.timm_weights FILE --config vit_s16_224_apa --out DIR`` converts a state dict of
timm's ``vit_small_patch16_224`` or ``twins_svt_small`` (``pytorch_model.bin``, ``.pth``) and exports the network.

A plain network and an anchored Twins take every weight: anchored convolutions only pad in another way. An anchored ViT
has no use for the absolute position embedding, and timm has no weights for its norm of patches and its PEG: these keep
their random start, so that the network has to be trained further before it classifies anything.

Source of the layout: timm 1.0.31, ``timm/models/vision_transformer.py`` and ``timm/models/twins.py``.
"""

from __future__ import annotations

import argparse
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from equiserve.artifact.digest import sha256_of
from equiserve.errors import InvalidRequest, NotFound
from equiserve_models.shift.published import PUBLISHED, build, export_published
from equiserve_models.shift.twins import Twins
from equiserve_models.shift.vit import ViT
from equiserve_models.training.process import run_command

TIMM_NAMES = {ViT: "vit_small_patch16_224", Twins: "twins_svt_small"}


@dataclass(frozen=True)
class Conversion:
    """A state dict for one of our networks, and what does not correspond.

    Args:
        state: Complete state dict of the network.
        left_out: timm's names of weights that the network has no use for.
        initialised: Our names of weights that timm has not; they keep their random start.
    """

    state: dict[str, Tensor]
    left_out: list[str]
    initialised: list[str]


def convert(weights: Mapping[str, Tensor], network: ViT | Twins) -> Conversion:
    """Give a timm state dict the names of one of our networks.

    Args:
        weights: State dict of timm's model of the same size.
        network: Of the published size; its random start fills what timm has not.

    Raises:
        InvalidRequest: A weight is missing, has another shape, or is not one of this model.
    """
    state, initialised = {}, []
    unused = dict(weights)
    for name, start in network.state_dict().items():
        theirs = None if _has_no_counterpart(name, network) else timm_name(name, network)
        if theirs is None:
            state[name] = start
            initialised.append(name)
            continue
        weight = unused.pop(theirs, None)
        if weight is None or weight.shape != start.shape:
            got = "nothing" if weight is None else f"shape {tuple(weight.shape)}"
            raise InvalidRequest(
                f"{theirs}: got {got}, expected shape {tuple(start.shape)} of timm's {TIMM_NAMES[type(network)]}",
                code="weights_do_not_fit",
                field=theirs,
            )
        state[name] = weight.to(start.dtype)
    left_out = sorted(unused)
    if left_out != (["pos_embed"] if isinstance(network, ViT) and network.config.anchored else []):
        raise InvalidRequest(
            f"{', '.join(left_out)}: not weights of timm's {TIMM_NAMES[type(network)]}",
            code="weights_do_not_fit",
            field=left_out[0] if left_out else None,
        )
    return Conversion(state, left_out, initialised)


def timm_name(name: str, network: ViT | Twins) -> str:
    """Return timm's name of one of our weights."""
    if isinstance(network, Twins):
        # Our stage 2k is timm's k; the patches in front of it, which stand apart here, are our 2k - 1.
        name = re.sub(r"^embedding\.conv\.", "patch_embeds.0.proj.", name)
        name = re.sub(r"^embedding\.norm\.", "patch_embeds.0.norm.", name)
        name = re.sub(r"^stages\.(\d+)\.conv\.", lambda found: f"patch_embeds.{_half(found)}.proj.", name)
        name = re.sub(r"^stages\.(\d+)\.norm\.", lambda found: f"patch_embeds.{_half(found)}.norm.", name)
        name = re.sub(r"^stages\.(\d+)\.position\.conv\.", lambda found: f"pos_block.{_half(found)}.proj.0.", name)
        name = re.sub(r"^stages\.(\d+)\.first\.", lambda found: f"blocks.{_half(found)}.0.", name)
        name = re.sub(
            r"^stages\.(\d+)\.others\.(\d+)\.", lambda found: f"blocks.{_half(found)}.{int(found[2]) + 1}.", name
        )
        name = name.replace(".attention.attention.", ".attention.").replace(".attention.norm.", ".attn.norm.")
        name = name.replace(".attention.query.", ".attn.q.").replace(".attention.key_value.", ".attn.kv.")
        name = name.replace(".attention.sampling.", ".attn.sr.")
    else:
        name = re.sub(r"^class_token$", "cls_token", re.sub(r"^positions$", "pos_embed", name))
        name = re.sub(r"^embedding\.(conv\.)?", "patch_embed.proj.", name)
    name = name.replace(".attention.qkv.", ".attn.qkv.").replace(".attention.out.", ".attn.proj.")
    return name.replace(".mlp.0.", ".mlp.fc1.").replace(".mlp.2.", ".mlp.fc2.")


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a state dict that torch saved; no code in the file is run.

    Raises:
        NotFound: There is no such file.
        InvalidRequest: It is not a state dict.
    """
    if not path.is_file():
        raise NotFound(f"{path}: no such file, expected a state dict of timm", field=str(path))
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise InvalidRequest(
            f"{path}: got a file that torch.load cannot read as weights, expected a state dict (.pth, .bin; not "
            "safetensors)",
            code="not_a_state_dict",
            field=str(path),
        ) from error
    if not isinstance(weights, dict) or not all(isinstance(weight, Tensor) for weight in weights.values()):
        raise InvalidRequest(
            f"{path}: got a {type(weights).__name__} of other things than tensors, expected a state dict",
            code="not_a_state_dict",
            field=str(path),
        )
    return weights


def _half(found: re.Match[str]) -> int:
    return (int(found[1]) + 1) // 2


def _has_no_counterpart(name: str, network: ViT | Twins) -> bool:
    # An anchored ViT normalises its patches and encodes positions by a PEG; timm's does neither.
    return isinstance(network, ViT) and network.config.anchored and name.startswith(("embedding.norm.", "position."))


def main(arguments: list[str] | None = None) -> None:
    """Convert one file, say what does not correspond, and export the network."""
    parser = argparse.ArgumentParser(prog="python -m equiserve_models.shift.timm_weights", description=__doc__)
    parser.add_argument("file", type=Path, help="state dict of timm's model, as torch saves it")
    parser.add_argument("--config", choices=sorted(PUBLISHED), required=True)
    parser.add_argument("--out", type=Path, required=True, help="model repository that the network is written to")
    options = parser.parse_args(arguments)
    network = build(options.config)
    conversion = convert(read_weights(options.file), network)
    network.load_state_dict(conversion.state)
    for title, names in (("left out", conversion.left_out), ("random start", conversion.initialised)):
        print(f"{title}: {', '.join(names) or 'nothing'}")
    provenance = {
        "weights": f"timm {TIMM_NAMES[type(network)]}",
        "weights_sha256": sha256_of(options.file),
        "left_out": conversion.left_out,
        "random_start": conversion.initialised,
    }
    print(export_published(options.config, network, options.out, provenance))


if __name__ == "__main__":
    run_command(main)
