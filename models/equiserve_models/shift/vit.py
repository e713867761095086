"""A small vision transformer in four versions: anchored layers or plain ones, canonical origin or none.

All read raw uint8 pixels; normalisation is part of the network. Anchored layers have circular padding and conditional
position encoding (PEG) only; plain ones zero padding and a learned absolute position embedding. With the canonical
origin the logits are the same, bit for bit, for every circular shift of a picture (at a fixed batch size).

Source: Ding et al. 2023, arXiv 2306.07470 (anchored ViT with circular PEG); Hassani et al. 2021, arXiv 2104.05704
(convolutional tokeniser for small pictures).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from equiserve_models.shift.anchoring import polyphase_anchor
from equiserve_models.shift.canonical_origin import to_canonical_origin


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
        stem: Channels after the stride-1 stem and after the first stride-2 convolution.
        width: Channels of a token.
        depth: Number of transformer blocks.
        heads: Attention heads of a block.
        mlp_ratio: Hidden channels of the MLP over width.
        mean, std: Mean and standard deviation of the training pixels, as fractions of 255.
    """

    anchored: bool
    canonical: bool
    size: int
    channels: int
    classes: int
    stem: tuple[int, int]
    width: int
    depth: int
    heads: int
    mlp_ratio: int
    mean: float
    std: float


class PaddedConv(nn.Module):
    """3x3 convolution whose padding is circular (commutes with circular shifts) or zero.

    The circular padding is made of slices: ONNX opsets below 19 and several runtimes lack ``Pad(mode=wrap)``.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, circular: bool, groups: int = 1) -> None:
        super().__init__()
        self.circular = circular
        padding = 0 if circular else 1
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, padding, groups=groups, bias=groups > 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H / stride, W / stride]."""
        if self.circular:
            x = torch.cat((x[:, :, -1:], x, x[:, :, :1]), 2)
            x = torch.cat((x[:, :, :, -1:], x, x[:, :, :, :1]), 3)
        return self.conv(x)


class PatchEmbedding(nn.Module):
    """Stride-1 stem, then two stride-2 convolutions: tokens of 4x4 pixels, [B, C, H, W] -> [B, width, H/4, W/4]."""

    STRIDE = 4

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        widths = (config.channels, *config.stem, config.width)
        self.layers = nn.Sequential()
        for inputs, outputs, stride in zip(widths[:-1], widths[1:], (1, 2, 2), strict=True):
            self.layers.append(PaddedConv(inputs, outputs, stride, config.anchored))
            self.layers.append(nn.BatchNorm2d(outputs))
            self.layers.append(nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return self.layers(x)


class PositionalEncodingGenerator(nn.Module):
    """Conditional position encoding: a depth-wise circular 3x3 convolution plus identity (Chu et al. 2021, CPVT)."""

    def __init__(self, width: int, grid: int) -> None:
        super().__init__()
        self.width, self.grid = width, grid
        self.conv = PaddedConv(width, width, 1, circular=True, groups=width)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, grid * grid, width] -> the same."""
        plane = tokens.transpose(1, 2).reshape(-1, self.width, self.grid, self.grid)
        return tokens + self.conv(plane).flatten(2).transpose(1, 2)


class SelfAttention(nn.Module):
    """Multi-head attention over all tokens, [B, N, width] -> [B, N, width]."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """See the class."""
        N, width = tokens.shape[1:]
        q, k, v = self.qkv(tokens).reshape(-1, N, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(q, k, v)
        return self.out(mixed.transpose(1, 2).reshape(-1, N, width))


class Block(nn.Module):
    """Pre-norm transformer block; the anchored version encodes positions first."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        width = config.width
        grid = config.size // PatchEmbedding.STRIDE
        self.position = PositionalEncodingGenerator(width, grid) if config.anchored else nn.Identity()
        self.norm1 = nn.LayerNorm(width)
        self.attention = SelfAttention(width, config.heads)
        self.norm2 = nn.LayerNorm(width)
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
        self.embedding = PatchEmbedding(config)
        count = (config.size // PatchEmbedding.STRIDE) ** 2
        self.positions = None if config.anchored else nn.Parameter(0.02 * torch.randn(1, count, config.width))
        self.blocks = nn.Sequential(*(Block(config) for _ in range(config.depth)))
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, config.classes)

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        if self.config.canonical:
            image = to_canonical_origin(image, PatchEmbedding.STRIDE)
        # After selecting: integers cannot round, so the choice of origin does not depend on these constants.
        x = image.to(torch.float32) * (1 / (255 * self.config.std)) - self.config.mean / self.config.std
        if self.config.anchored and not self.config.canonical:
            x = polyphase_anchor(x, PatchEmbedding.STRIDE)
        tokens = self.embedding(x).flatten(2).transpose(1, 2)
        if self.positions is not None:
            tokens = tokens + self.positions
        return self.head(self.norm(self.blocks(tokens)).mean(1))


_VIT28 = ViTConfig(
    anchored=False, canonical=False, size=28, channels=1, classes=10, stem=(16, 32), width=96, depth=3, heads=3,
    mlp_ratio=2, mean=0.2860, std=0.3530,
)  # fmt: skip
_VIT28_APA = replace(_VIT28, anchored=True, canonical=True)

CONFIGS = {
    "vit28": _VIT28,
    "vit28_origin": replace(_VIT28, canonical=True),
    "vit28_published": replace(_VIT28, anchored=True),
    "vit28_apa": _VIT28_APA,
    "vit28_apa_mnist": replace(_VIT28_APA, mean=0.1307, std=0.3081),
}
