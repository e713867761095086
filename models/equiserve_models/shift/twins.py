"""Twins-SVT for small pictures: locally-grouped and global sub-sampled attention in turn, in four versions.

The versions are those of `equiserve_models.shift.vit`: anchored layers or plain ones, canonical origin or none. Plain
layers pad with zeros; anchored ones pad circularly and roll the feature map onto the grid of each sampling that
follows: patches, windows, sub-sampled keys. The stride-2 merge between stages needs no anchor of its own: the block
before it is a global one, whose even sampling fixes the phase modulo 2.

Source: Chu et al. 2021, arXiv 2104.13840 (Twins-SVT); Ding et al. 2023, arXiv 2306.07470 (where Twins is anchored). The
patches come from a convolutional stem (Hassani et al. 2021, arXiv 2104.05704) instead of one linear map.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from equiserve_models.shift.anchoring import polyphase_anchor
from equiserve_models.shift.canonical_origin import to_canonical_origin
from equiserve_models.shift.vit import PaddedConv, SelfAttention

PATCH = 2
MERGE = 2


@dataclass(frozen=True)
class Stage:
    """One resolution of the network.

    Args:
        width: Channels of a token.
        pairs: Pairs of blocks, a locally-grouped and a global one each.
        heads: Attention heads of a block.
        window: Side of the local groups, tokens; divides the grid.
        reduction: Stride of the sampling of the global keys and values; divides the grid, and is even where another
            stage follows.
    """

    width: int
    pairs: int
    heads: int
    window: int
    reduction: int


@dataclass(frozen=True)
class TwinsConfig:
    """Sizes of a network.

    Args:
        anchored: Circular padding and the published anchors; the one before the patch embedding is left out where
            `canonical` includes it. Otherwise zero padding.
        canonical: Roll the raw picture to its canonical origin, whose first key is the published rule.
        size: Height and width of the picture, pixels.
        channels: Colour channels of the picture.
        classes: Number of logits.
        stem: Channels after the stride-1 convolution.
        stages: From fine to coarse, each half as many tokens on a side as the one before.
        mlp_ratio: Hidden channels of an MLP over width.
        mean, std: Mean and standard deviation of the training pixels, as fractions of 255.
    """

    anchored: bool
    canonical: bool
    size: int
    channels: int
    classes: int
    stem: int
    stages: tuple[Stage, ...]
    mlp_ratio: int
    mean: float
    std: float


class LocalAttention(nn.Module):
    """Locally-grouped attention (LSA): every window x window group of tokens for itself, [B, C, H, W] -> the same."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.window = stage.window
        self.attention = SelfAttention(stage.width, stage.heads)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        _, C, H, W = x.shape
        side, rows, columns = self.window, H // self.window, W // self.window
        groups = x.reshape(-1, C, rows, side, columns, side).permute(0, 2, 4, 3, 5, 1).reshape(-1, side * side, C)
        groups = self.attention(groups).reshape(-1, rows, columns, side, side, C)
        return groups.permute(0, 5, 1, 3, 2, 4).reshape(-1, C, H, W)


class GlobalAttention(nn.Module):
    """Global sub-sampled attention (GSA): keys and values from a strided convolution, [B, C, H, W] -> the same."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        width = stage.width
        self.heads = stage.heads
        self.reduction = stage.reduction
        self.query = nn.Linear(width, width)
        self.sampling = nn.Conv2d(width, width, stage.reduction, stage.reduction) if stage.reduction > 1 else None
        self.norm = nn.LayerNorm(width) if stage.reduction > 1 else nn.Identity()
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        _, C, H, W = x.shape
        heads, share = self.heads, C // self.heads
        q = self.query(_tokens(x)).reshape(-1, H * W, heads, share).transpose(1, 2)
        sampled = self.norm(_tokens(x if self.sampling is None else self.sampling(x)))
        count = (H // self.reduction) * (W // self.reduction)
        k, v = self.key_value(sampled).reshape(-1, count, 2, heads, share).permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(q, k, v)
        return _plane(self.out(mixed.transpose(1, 2).reshape(-1, H * W, C)), H, W)


class Block(nn.Module):
    """Pre-norm block around one of the two attentions; the anchored version first rolls onto the attention's grid."""

    def __init__(self, attention: LocalAttention | GlobalAttention, width: int, mlp_ratio: int, anchor: int) -> None:
        super().__init__()
        self.anchor = anchor
        self.norm1 = nn.LayerNorm(width)
        self.attention = attention
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_ratio * width), nn.GELU(), nn.Linear(mlp_ratio * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> the same, in the anchored frame."""
        _, _, H, W = x.shape
        if self.anchor > 1:
            x = polyphase_anchor(x, self.anchor)
        x = x + self.attention(_plane(self.norm1(_tokens(x)), H, W))
        return x + _plane(self.mlp(self.norm2(_tokens(x))), H, W)


class StageBlocks(nn.Module):
    """The blocks of one stage, with a position encoding (PEG) after the first, [B, width, grid, grid] -> the same."""

    def __init__(self, config: TwinsConfig, stage: Stage, grid: int) -> None:
        super().__init__()
        # A window that is the whole grid has no phase.
        local_anchor = stage.window if config.anchored and stage.window < grid else 1
        global_anchor = stage.reduction if config.anchored else 1
        blocks: list[Block] = []
        for _ in range(stage.pairs):
            blocks.append(Block(LocalAttention(stage), stage.width, config.mlp_ratio, local_anchor))
            blocks.append(Block(GlobalAttention(stage), stage.width, config.mlp_ratio, global_anchor))
        self.first = blocks[0]
        self.position = PaddedConv(stage.width, stage.width, 1, config.anchored, groups=stage.width)
        self.others = nn.Sequential(*blocks[1:])

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        x = self.first(x)
        return self.others(x + self.position(x))


class Merge(nn.Module):
    """Patch merging between stages: a 2x2 convolution of stride 2 and a norm, [B, C, H, W] -> [B, width, H/2, W/2]."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, width, MERGE, MERGE)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        x = self.conv(x)
        return _plane(self.norm(_tokens(x)), x.shape[2], x.shape[3])


class Twins(nn.Module):
    """uint8 pixels [B, channels, size, size] -> float32 logits [B, classes].

    Raises:
        ValueError: A window or a sampling does not divide its grid, or would leave the phase of a merge open.
    """

    def __init__(self, config: TwinsConfig) -> None:
        super().__init__()
        self.config = config
        width = config.stages[0].width
        self.embedding = nn.Sequential(
            PaddedConv(config.channels, config.stem, 1, config.anchored),
            nn.BatchNorm2d(config.stem),
            nn.ReLU(),
            PaddedConv(config.stem, width, PATCH, config.anchored),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.stages = nn.Sequential()
        grid = config.size // PATCH
        for index, stage in enumerate(config.stages):
            if index > 0:
                self.stages.append(Merge(config.stages[index - 1].width, stage.width))
                grid //= MERGE
            last = index == len(config.stages) - 1
            if grid % stage.window or grid % stage.reduction or not (last or stage.reduction % MERGE == 0):
                raise ValueError(
                    f"stage {index}: window {stage.window}, reduction {stage.reduction} on {grid}x{grid} tokens, "
                    "expected divisors of the grid, and an even reduction before a merge"
                )
            self.stages.append(StageBlocks(config, stage, grid))
        self.norm = nn.LayerNorm(config.stages[-1].width)
        self.head = nn.Linear(config.stages[-1].width, config.classes)

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        if self.config.canonical:
            image = to_canonical_origin(image, PATCH)
        # After selecting: integers cannot round, so the choice of origin does not depend on these constants.
        x = image.to(torch.float32) * (1 / (255 * self.config.std)) - self.config.mean / self.config.std
        if self.config.anchored and not self.config.canonical:
            x = polyphase_anchor(x, PATCH)
        return self.head(self.norm(_tokens(self.stages(self.embedding(x)))).mean(1))


def _tokens(plane: Tensor) -> Tensor:
    return plane.flatten(2).transpose(1, 2)


def _plane(tokens: Tensor, rows: int, columns: int) -> Tensor:
    return tokens.transpose(1, 2).reshape(-1, tokens.shape[2], rows, columns)


_TWINS28 = TwinsConfig(
    anchored=False, canonical=False, size=28, channels=1, classes=10, stem=16,
    stages=(Stage(width=48, pairs=1, heads=2, window=7, reduction=2),
            Stage(width=96, pairs=1, heads=3, window=7, reduction=1)),
    mlp_ratio=2, mean=0.2860, std=0.3530,
)  # fmt: skip
_TWINS32_APA = TwinsConfig(
    anchored=True, canonical=True, size=32, channels=3, classes=10, stem=16,
    stages=(Stage(width=40, pairs=1, heads=2, window=4, reduction=4),
            Stage(width=96, pairs=1, heads=3, window=4, reduction=2)),
    mlp_ratio=2, mean=0.4724, std=0.2513,
)  # fmt: skip

CONFIGS = {
    "twins28": _TWINS28,
    "twins28_origin": replace(_TWINS28, canonical=True),
    "twins28_published": replace(_TWINS28, anchored=True),
    "twins28_apa": replace(_TWINS28, anchored=True, canonical=True),
    "twins32_apa": _TWINS32_APA,
}
