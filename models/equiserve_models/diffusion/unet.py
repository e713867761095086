"""The denoising UNet in the paper's configurations: three sizes of picture, attention at the smallest.

A: pooling, bilinear upsampling. B: alias-free resampling. C: A with filtered nonlinearities. D: B with filtered
nonlinearities. The letters stand for correct filters; a suffix names the paper's 3x3 kernel instead (`2N`: Kaiser
beta 2, divided by its sum).

Small, because it is trained on CPUs: a skip is added, not concatenated, which halves the widest convolutions. No layer
mixes the rows of a batch.

Source: Anjum 2024, arXiv 2411.09174 (configurations); Dhariwal and Nichol 2021, arXiv 2105.05233 (adaptive group norm,
attention at low resolution only); Karras et al. 2022, arXiv 2206.00364 (embedding of the noise level).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import group_norm, scaled_dot_product_attention, silu

from equiserve_models.diffusion.resampling import FilteredSiLU, Kernel, doubling, halving

FREQUENCIES = 16
LOWEST_FREQUENCY, HIGHEST_FREQUENCY = 1 / 8, 8.0  # cycles per unit of ln(sigma) / 4


@dataclass(frozen=True)
class UNetConfig:
    """Sizes of a network.

    Args:
        size: Height and width of the picture, pixels.
        channels: Colour channels of the picture.
        classes: Number of classes; the label `classes` means none.
        widths: Channels at size, size / 2, size / 4, ...
        embedding: Channels of the embedding of noise level, class and angle.
        group: Channels of one group of the norms.
        heads: Attention heads.
        resampling: Kernel of the layers between two sizes.
        nonlinearity: Kernel of the filtered nonlinearities; None for plain SiLU.
    """

    size: int
    channels: int
    classes: int
    widths: tuple[int, ...]
    embedding: int
    group: int
    heads: int
    resampling: Kernel
    nonlinearity: Kernel | None


class ConditionEmbedding(nn.Module):
    """Noise level, class and angle as one vector a row, [B, embedding]."""

    frequencies: Tensor

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        steps = torch.linspace(math.log(LOWEST_FREQUENCY), math.log(HIGHEST_FREQUENCY), FREQUENCIES)
        self.register_buffer("frequencies", 2 * math.pi * steps.exp(), persistent=False)
        self.noise = nn.Linear(2 * FREQUENCIES, config.embedding)
        self.label = nn.Embedding(config.classes + 1, config.embedding)
        self.angle = nn.Linear(3, config.embedding)
        self.mix = nn.Linear(config.embedding, config.embedding)

    def forward(self, sigma: Tensor, label: Tensor, angle: Tensor) -> Tensor:
        """Embed a noise level float32 [B], a class int64 [B] and (cos, sin, flag) float32 [B, 3]."""
        # One logarithm a frequency: a runtime computes whole vectors of 8 or 16 otherwise than what is left over of
        # [B], and a row's bits would depend on its place in the batch.
        phase = sigma[:, None].expand(-1, FREQUENCIES).log() / 4 * self.frequencies
        noise = self.noise(torch.cat((phase.cos(), phase.sin()), 1))
        # Where the flag is 0, nothing of the angle is heard.
        stated = torch.cat((angle[:, :2] * angle[:, 2:], angle[:, 2:]), 1)
        return silu(self.mix(silu(noise + self.label(label) + self.angle(stated))))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions; the embedding scales and shifts between them: [B, in, n, n] -> [B, out, n, n]."""

    def __init__(self, config: UNetConfig, size: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(inputs // config.group, inputs)
        self.activation1 = _nonlinearity(config, size, inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.groups = outputs // config.group
        self.modulation = nn.Linear(config.embedding, 2 * outputs)
        self.activation2 = _nonlinearity(config, size, outputs)
        self.conv2 = _zero(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """See the class; the embedding is [B, config.embedding]."""
        inner = group_norm(self.conv1(self.activation1(self.norm(x))), self.groups)
        scale, shift = self.modulation(embedding)[:, :, None, None].chunk(2, 1)
        return self.skip(x) + self.conv2(self.activation2(inner * (1 + scale) + shift))


class SelfAttention(nn.Module):
    """Every pixel attends to every pixel, without positions: [B, C, n, n] -> the same."""

    def __init__(self, config: UNetConfig, channels: int) -> None:
        super().__init__()
        self.heads = config.heads
        self.norm = nn.GroupNorm(channels // config.group, channels)
        self.queries_keys_values = nn.Linear(channels, 3 * channels)
        self.output = _zero(nn.Linear(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        tokens = self.norm(x).flatten(2).transpose(1, 2)
        split = self.queries_keys_values(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(split[0], split[1], split[2]).transpose(1, 2).flatten(2)
        return x + self.output(mixed).transpose(1, 2).unflatten(2, x.shape[2:])


class UNet(nn.Module):
    """Noisy pictures [B, channels, size, size] with their conditions -> [B, channels, size, size]."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = ConditionEmbedding(config)
        sizes = [config.size >> level for level in range(len(config.widths))]
        self.input = nn.Conv2d(config.channels, config.widths[0], 3, padding=1)
        self.down = nn.ModuleList()
        self.down_blocks = nn.ModuleList()
        for size, inputs, outputs in zip(sizes, config.widths[:-1], config.widths[1:], strict=False):
            self.down.append(halving(size, inputs, config.resampling))
            self.down_blocks.append(ResidualBlock(config, size // 2, inputs, outputs))
        lowest = config.widths[-1]
        self.attention1 = SelfAttention(config, lowest)
        self.middle = ResidualBlock(config, sizes[-1], lowest, lowest)
        self.attention2 = SelfAttention(config, lowest)
        self.up_blocks = nn.ModuleList()
        self.narrow = nn.ModuleList()
        self.up = nn.ModuleList()
        for size, inputs, outputs in zip(sizes[:0:-1], config.widths[:0:-1], config.widths[-2::-1], strict=True):
            self.up_blocks.append(ResidualBlock(config, size, inputs, inputs))
            self.narrow.append(nn.Conv2d(inputs, outputs, 1))
            self.up.append(doubling(size, outputs, config.resampling))
        first = config.widths[0]
        self.last_block = ResidualBlock(config, config.size, first, first)
        self.norm = nn.GroupNorm(first // config.group, first)
        self.activation = _nonlinearity(config, config.size, first)
        self.output = _zero(nn.Conv2d(first, config.channels, 3, padding=1))

    def forward(self, x: Tensor, sigma: Tensor, label: Tensor, angle: Tensor) -> Tensor:
        """See the class; the conditions are those of `ConditionEmbedding`."""
        embedding = self.embedding(sigma, label, angle)
        x = self.input(x)
        skips = []
        for down, block in zip(self.down, self.down_blocks, strict=True):
            skips.append(x)
            x = block(down(x), embedding)
        x = self.attention1(x)
        skips.append(x)
        x = self.attention2(self.middle(x, embedding)) + skips.pop()
        for block, narrow, up in zip(self.up_blocks, self.narrow, self.up, strict=True):
            x = up(narrow(block(x, embedding))) + skips.pop()
        return self.output(self.activation(self.norm(self.last_block(x, embedding))))


def _nonlinearity(config: UNetConfig, size: int, channels: int) -> nn.Module:
    if config.nonlinearity is None:
        return nn.SiLU()
    return FilteredSiLU(size, channels, config.nonlinearity)


def _zero(layer: nn.Conv2d | nn.Linear) -> nn.Conv2d | nn.Linear:
    """Let a residual branch begin as nothing."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


POOLED: Kernel = ("pooled", 0.0, False)
HALF_BAND: Kernel = ("half_band", 0.0, False)
# The paper's suffixes: beta of the Kaiser window, N = divided by the kernel's sum.
PUBLISHED: dict[str, Kernel] = {
    "0": ("published", 0.0, False),
    "1": ("published", 1.0, False),
    "1N": ("published", 1.0, True),
    "2N": ("published", 2.0, True),
}

_A = UNetConfig(
    size=28, channels=1, classes=10, widths=(32, 64, 96), embedding=192, group=8, heads=2,
    resampling=POOLED, nonlinearity=None,
)  # fmt: skip


# For the comparison of the configurations: 0.27 M parameters.
_SMALL = replace(_A, widths=(16, 24, 56), embedding=96)


def configurations(plain: UNetConfig) -> dict[str, UNetConfig]:
    """Return the paper's configurations of one size, by their names: A to D, and B, C, D with each of its kernels."""

    def with_filter(kernel: Kernel, suffix: str) -> dict[str, UNetConfig]:
        return {
            f"B{suffix}": replace(plain, resampling=kernel),
            f"C{suffix}": replace(plain, nonlinearity=kernel),
            f"D{suffix}": replace(plain, resampling=kernel, nonlinearity=kernel),
        }

    table = {"A": plain, **with_filter(HALF_BAND, "")}
    for suffix, kernel in PUBLISHED.items():
        table |= with_filter(kernel, f"-{suffix}")
    return table


CONFIGS = {
    **{f"digits28-{letter}": config for letter, config in configurations(_A).items()},
    **{f"small28-{letter}": config for letter, config in configurations(_SMALL).items()},
    **{f"colour28-{letter}": config for letter, config in configurations(replace(_A, channels=3)).items()},
}
