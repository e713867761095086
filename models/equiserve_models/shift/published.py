"""The published sizes at 224 px: ViT-S/16 and Twins-SVT-S, plain and anchored, with random or converted weights.

Their files are far above what the repository holds: they are written into a folder of the user's choice. The canonical
origin is not in their graphs, where every picture would pay for the hash that only ties need: the manifest of an
anchored one has the server roll the picture (`symmetrize`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from equiserve.errors import InvalidRequest
from equiserve_models.export import ZOO
from equiserve_models.shift import twins, vit
from equiserve_models.shift.layers import LinearPatches
from equiserve_models.shift.zoo import Description, export_network

# A row costs about 0.1 s of a core: larger batches delay whoever waits and save nothing.
MAX_BATCH = 8
PUBLISHED = {
    "vit_s16_224": "ViT-S/16 with a class token and absolute positions, ImageNet-1k classes",
    "vit_s16_224_apa": "ViT-S/16 anchored, with a class token and a circular PEG, ImageNet-1k classes",
    "twins_svt_s_224": "Twins-SVT-S with zero padding, ImageNet-1k classes",
    "twins_svt_s_224_apa": "Twins-SVT-S anchored before its patches, windows and sampled keys, ImageNet-1k classes",
}


def build(name: str, seed: int = 0) -> vit.ViT | twins.Twins:
    """Return one of `PUBLISHED` with its seeded random weights, in evaluation mode."""
    torch.manual_seed(seed)
    network = twins.Twins(twins.CONFIGS[name]) if name in twins.CONFIGS else vit.ViT(vit.CONFIGS[name])
    for module in network.modules():
        if isinstance(module, LinearPatches):
            # Under gains of one all tokens have nearly the same norm, and rounding would choose the phase of windows.
            nn.init.uniform_(module.norm.weight, 0.5, 1.5)
    return network.eval()


def export_published(name: str, network: vit.ViT | twins.Twins, zoo: Path, provenance: dict[str, Any]) -> Path:
    """Write version 1 of a network into a model repository, and return the model's folder.

    Args:
        name: Key of `PUBLISHED`; the model is named so, with hyphens.
        network: In evaluation mode.
        zoo: The model repository, not the one of this project.
        provenance: Where the weights come from.

    Raises:
        InvalidRequest: The repository is the committed one.
        InternalError: See `equiserve_models.shift.zoo.export_network`.
    """
    if zoo.resolve() == ZOO.resolve():
        raise InvalidRequest(
            f"{zoo}: a file of 88 MB is not to be committed, expected another folder",
            code="file_too_large",
            field="zoo",
        )
    config = network.config
    description = Description(
        title=PUBLISHED[name],
        labels=None,
        training=provenance,
        symmetrize=f"canonical_origin:{config.patch}" if config.anchored else None,
        max_batch=MAX_BATCH,
    )
    model = name.replace("_", "-")
    export_network(model, network, description, zoo, 1)
    return zoo / model
