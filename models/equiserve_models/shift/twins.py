"""Twins-SVT: locally-grouped and global sub-sampled attention in turn, in four versions.

The versions are those of `equiserve_models.shift.vit`: anchored layers or plain ones, canonical origin or none. Plain
layers pad with zeros; anchored ones pad circularly and roll the feature map onto the grid of each sampling that
follows: patches, windows, sub-sampled keys. The stride-2 merge between stages needs no anchor of its own: the block
before it is a global one, whose even sampling fixes the phase modulo 2.

Source: Chu et al. 2021, arXiv 2104.13840 (Twins-SVT); Ding et al. 2023, arXiv 2306.07470 (where Twins is anchored). The
patches of small pictures come from a convolutional stem (Hassani et al. 2021, arXiv 2104.05704), those of the published
Twins-SVT-S from one linear map.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from equiserve_models.shift.anchoring import polyphase_anchor
from equiserve_models.shift.canonical_origin import to_canonical_origin
from equiserve_models.shift.layers import (
    LinearPatches,
    PaddedConv,
    PixelScaling,
    SelfAttention,
    plane_of,
    tokens_of,
)

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
        stem: Channels after the stride-1 convolution; None for linear patches.
        patch: Side of a token of the first stage, pixels; 2 with a stem.
        stages: From fine to coarse, each half as many tokens on a side as the one before.
        mlp_ratio: Hidden channels of an MLP over width.
        epsilon: Added to the variance in the norms of the blocks.
        mean, std: Mean and standard deviation of the training pixels, as fractions of 255: of each channel, or of all.
    """

    anchored: bool
    canonical: bool
    size: int
    channels: int
    classes: int
    stem: int | None
    patch: int
    stages: tuple[Stage, ...]
    mlp_ratio: int
    epsilon: float
    mean: tuple[float, ...]
    std: tuple[float, ...]


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
        q = self.query(tokens_of(x)).reshape(-1, H * W, heads, share).transpose(1, 2)
        sampled = self.norm(tokens_of(x if self.sampling is None else self.sampling(x)))
        count = (H // self.reduction) * (W // self.reduction)
        k, v = self.key_value(sampled).reshape(-1, count, 2, heads, share).permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(q, k, v)
        return plane_of(self.out(mixed.transpose(1, 2).reshape(-1, H * W, C)), H, W)


class Block(nn.Module):
    """Pre-norm block around one of the two attentions; the anchored version first rolls onto the attention's grid."""

    def __init__(
        self, attention: LocalAttention | GlobalAttention, width: int, mlp_ratio: int, epsilon: float, anchor: int
    ) -> None:
        super().__init__()
        self.anchor = anchor
        self.norm1 = nn.LayerNorm(width, epsilon)
        self.attention = attention
        self.norm2 = nn.LayerNorm(width, epsilon)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_ratio * width), nn.GELU(), nn.Linear(mlp_ratio * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> the same, in the anchored frame."""
        _, _, H, W = x.shape
        if self.anchor > 1:
            x = polyphase_anchor(x, self.anchor)
        x = x + self.attention(plane_of(self.norm1(tokens_of(x)), H, W))
        return x + plane_of(self.mlp(self.norm2(tokens_of(x))), H, W)


class StageBlocks(nn.Module):
    """The blocks of one stage, with a position encoding (PEG) after the first, [B, width, grid, grid] -> the same."""

    def __init__(self, config: TwinsConfig, stage: Stage, grid: int) -> None:
        super().__init__()
        # A window that is the whole grid has no phase.
        local_anchor = stage.window if config.anchored and stage.window < grid else 1
        global_anchor = stage.reduction if config.anchored else 1
        sizes = (stage.width, config.mlp_ratio, config.epsilon)
        blocks: list[Block] = []
        for _ in range(stage.pairs):
            blocks.append(Block(LocalAttention(stage), *sizes, local_anchor))
            blocks.append(Block(GlobalAttention(stage), *sizes, global_anchor))
        self.first = blocks[0]
        self.position = PaddedConv(stage.width, stage.width, 1, config.anchored, groups=stage.width)
        self.others = nn.Sequential(*blocks[1:])

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        x = self.first(x)
        return self.others(x + self.position(x))


class Twins(nn.Module):
    """uint8 pixels [B, channels, size, size] -> float32 logits [B, classes].

    Raises:
        ValueError: A window or a sampling does not divide its grid, or would leave the phase of a merge open.
    """

    def __init__(self, config: TwinsConfig) -> None:
        super().__init__()
        self.config = config
        width = config.stages[0].width
        self.scaling = PixelScaling(config.mean, config.std)
        self.embedding = _embedding(config, width)
        self.stages = nn.Sequential()
        grid = config.size // config.patch
        for index, stage in enumerate(config.stages):
            if index > 0:
                self.stages.append(LinearPatches(config.stages[index - 1].width, stage.width, MERGE))
                grid //= MERGE
            last = index == len(config.stages) - 1
            if grid % stage.window or grid % stage.reduction or not (last or stage.reduction % MERGE == 0):
                raise ValueError(
                    f"stage {index}: window {stage.window}, reduction {stage.reduction} on {grid}x{grid} tokens, "
                    "expected divisors of the grid, and an even reduction before a merge"
                )
            self.stages.append(StageBlocks(config, stage, grid))
        self.norm = nn.LayerNorm(config.stages[-1].width, config.epsilon)
        self.head = nn.Linear(config.stages[-1].width, config.classes)

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        if self.config.canonical:
            image = to_canonical_origin(image, self.config.patch)
        # After selecting: integers cannot round, so the choice of origin does not depend on these constants.
        x = self.scaling(image)
        if self.config.anchored and not self.config.canonical:
            x = polyphase_anchor(x, self.config.patch)
        return self.head(self.norm(tokens_of(self.stages(self.embedding(x)))).mean(1))


def _embedding(config: TwinsConfig, width: int) -> nn.Module:
    if config.stem is None:
        return LinearPatches(config.channels, width, config.patch)
    return nn.Sequential(
        PaddedConv(config.channels, config.stem, 1, config.anchored),
        nn.BatchNorm2d(config.stem),
        nn.ReLU(),
        PaddedConv(config.stem, width, config.patch, config.anchored),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )


_TWINS28 = TwinsConfig(
    anchored=False, canonical=False, size=28, channels=1, classes=10, stem=16, patch=2,
    stages=(Stage(width=48, pairs=1, heads=2, window=7, reduction=2),
            Stage(width=96, pairs=1, heads=3, window=7, reduction=1)),
    mlp_ratio=2, epsilon=1e-5, mean=(0.2860,), std=(0.3530,),
)  # fmt: skip
_TWINS32_APA = TwinsConfig(
    anchored=True, canonical=True, size=32, channels=3, classes=10, stem=16, patch=2,
    stages=(Stage(width=40, pairs=1, heads=2, window=4, reduction=4),
            Stage(width=96, pairs=1, heads=3, window=4, reduction=2)),
    mlp_ratio=2, epsilon=1e-5, mean=(0.4724,), std=(0.2513,),
)  # fmt: skip
_TWINS_SVT_S = TwinsConfig(
    anchored=False, canonical=False, size=224, channels=3, classes=1000, stem=None, patch=4,
    stages=(Stage(width=64, pairs=1, heads=2, window=7, reduction=8),
            Stage(width=128, pairs=1, heads=4, window=7, reduction=4),
            Stage(width=256, pairs=5, heads=8, window=7, reduction=2),
            Stage(width=512, pairs=2, heads=16, window=7, reduction=1)),
    mlp_ratio=4, epsilon=1e-6, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225),
)  # fmt: skip

CONFIGS = {
    "twins28": _TWINS28,
    "twins28_origin": replace(_TWINS28, canonical=True),
    "twins28_published": replace(_TWINS28, anchored=True),
    "twins28_apa": replace(_TWINS28, anchored=True, canonical=True),
    "twins32_apa": _TWINS32_APA,
    "twins_svt_s_224": _TWINS_SVT_S,
    "twins_svt_s_224_apa": replace(_TWINS_SVT_S, anchored=True),
}
