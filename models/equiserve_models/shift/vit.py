"""A vision transformer in four versions: anchored layers or plain ones, canonical origin or none.

All read raw uint8 pixels; normalisation is part of the network. Anchored layers have circular padding and conditional
position encoding (PEG) only; plain ones zero padding and a learned absolute position embedding. With the canonical
origin the logits are the same, bit for bit, for every circular shift of a picture (at a fixed batch size).

Two sizes: small pictures have a convolutional stem, a PEG in every block and a mean over tokens; the published ViT-S/16
has linear patches, one PEG in front of the blocks (none where positions are absolute) and a class token.

Source: Ding et al. 2023, arXiv 2306.07470 (anchored ViT with circular PEG); Dosovitskiy et al. 2021, arXiv 2010.11929
(ViT); Hassani et al. 2021, arXiv 2104.05704 (convolutional tokeniser for small pictures).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from equiserve_models.shift.alias_free import AliasFreeActivation
from equiserve_models.shift.anchoring import polyphase_anchor
from equiserve_models.shift.canonical_origin import to_canonical_origin
from equiserve_models.shift.layers import (
    LinearPatches,
    PaddedConv,
    PixelScaling,
    PositionalEncodingGenerator,
    SelfAttention,
    tokens_of,
)


@dataclass(frozen=True)
class ViTConfig:
    """Sizes of a network.

    Args:
        anchored: Circular padding, PEG and, unless `canonical` includes it, the published anchor before the patch
            embedding; otherwise zero padding and absolute positions.
        canonical: Roll the raw picture to its canonical origin, whose first key is the published rule.
        size: Height and width of the picture, pixels.
        channels: Colour channels of the picture.
        classes: Number of logits.
        stem: Channels after the stride-1 stem and after the first stride-2 convolution; empty for linear patches.
        patch: Side of a token, pixels; 4 with a stem.
        class_token: Whether the logits are read from a class token instead of the mean over all tokens.
        width: Channels of a token.
        depth: Number of transformer blocks.
        heads: Attention heads of a block.
        mlp_ratio: Hidden channels of the MLP over width.
        epsilon: Added to the variance in the norms of the blocks.
        mean, std: Mean and standard deviation of the training pixels, as fractions of 255: of each channel, or of all.
        alias_free: Patch embedding with alias-free activations instead of ReLU and strides.
    """

    anchored: bool
    canonical: bool
    size: int
    channels: int
    classes: int
    stem: tuple[int, ...]
    patch: int
    class_token: bool
    width: int
    depth: int
    heads: int
    mlp_ratio: int
    epsilon: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    alias_free: bool = False


class PatchEmbedding(nn.Module):
    """Stride-1 stem, then two stride-2 convolutions: tokens of 4x4 pixels, [B, C, H, W] -> [B, width, H/4, W/4]."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        widths = (config.channels, *config.stem, config.width)
        self.layers = nn.Sequential()
        side = config.size
        for inputs, outputs, stride, following in zip(widths[:-1], widths[1:], (1, 2, 2), (2, 2, 1), strict=True):
            side //= stride
            # An alias-free activation samples for the next convolution, which then has no stride.
            self.layers.append(PaddedConv(inputs, outputs, 1 if config.alias_free else stride, config.anchored))
            self.layers.append(nn.BatchNorm2d(outputs))
            self.layers.append(AliasFreeActivation(side, side // following) if config.alias_free else nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return self.layers(x)


class Block(nn.Module):
    """Pre-norm transformer block; with a stem, the anchored version encodes positions first."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        width = config.width
        encoded = config.anchored and config.stem
        self.position = PositionalEncodingGenerator(width, config.size // config.patch) if encoded else nn.Identity()
        self.norm1 = nn.LayerNorm(width, config.epsilon)
        self.attention = SelfAttention(width, config.heads)
        self.norm2 = nn.LayerNorm(width, config.epsilon)
        self.mlp = nn.Sequential(
            nn.Linear(width, config.mlp_ratio * width), nn.GELU(), nn.Linear(config.mlp_ratio * width, width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, N, width] -> the same."""
        tokens = self.position(tokens)
        tokens = tokens + self.attention(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


class ViT(nn.Module):
    """uint8 pixels [B, channels, size, size] -> float32 logits [B, classes]."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        self.scaling = PixelScaling(config.mean, config.std)
        grid = config.size // config.patch
        self.position: nn.Module = nn.Identity()
        if config.stem:
            self.embedding: nn.Module = PatchEmbedding(config)
        elif config.anchored:
            self.embedding = LinearPatches(config.channels, config.width, config.patch)
            self.position = PositionalEncodingGenerator(config.width, grid)
        else:
            self.embedding = nn.Conv2d(config.channels, config.width, config.patch, config.patch)
        count = grid**2 + config.class_token
        self.class_token = nn.Parameter(torch.zeros(1, 1, config.width)) if config.class_token else None
        self.positions = None if config.anchored else nn.Parameter(0.02 * torch.randn(1, count, config.width))
        self.blocks = nn.Sequential(*(Block(config) for _ in range(config.depth)))
        self.norm = nn.LayerNorm(config.width, config.epsilon)
        self.head = nn.Linear(config.width, config.classes)

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        if self.config.canonical:
            image = to_canonical_origin(image, self.config.patch)
        # After selecting: integers cannot round, so the choice of origin does not depend on these constants.
        x = self.scaling(image)
        if self.config.anchored and not self.config.canonical:
            x = polyphase_anchor(x, self.config.patch)
        tokens = self.position(tokens_of(self.embedding(x)))
        if self.class_token is not None:
            # Nothing here reads the batch size: a traced TorchScript file would keep that of its example.
            tokens = torch.cat((torch.zeros_like(tokens[:, :1]) + self.class_token, tokens), 1)
        if self.positions is not None:
            tokens = tokens + self.positions
        tokens = self.norm(self.blocks(tokens))
        return self.head(tokens.mean(1) if self.class_token is None else tokens[:, 0])


_VIT28 = ViTConfig(
    anchored=False, canonical=False, size=28, channels=1, classes=10, stem=(16, 32), patch=4, class_token=False,
    width=96, depth=3, heads=3, mlp_ratio=2, epsilon=1e-5, mean=(0.2860,), std=(0.3530,),
)  # fmt: skip
_VIT28_APA = replace(_VIT28, anchored=True, canonical=True)
# The mean and deviation that the published weights were trained with.
_VIT_S16 = ViTConfig(
    anchored=False, canonical=False, size=224, channels=3, classes=1000, stem=(), patch=16, class_token=True,
    width=384, depth=12, heads=6, mlp_ratio=4, epsilon=1e-6, mean=(0.5,), std=(0.5,),
)  # fmt: skip

CONFIGS = {
    "vit28": _VIT28,
    "vit28_origin": replace(_VIT28, canonical=True),
    "vit28_published": replace(_VIT28, anchored=True),
    "vit28_apa": _VIT28_APA,
    "vit28_alias_free": replace(_VIT28_APA, alias_free=True),
    "vit28_apa_mnist": replace(_VIT28_APA, mean=(0.1307,), std=(0.3081,)),
    "vit_s16_224": _VIT_S16,
    "vit_s16_224_apa": replace(_VIT_S16, anchored=True),
}
