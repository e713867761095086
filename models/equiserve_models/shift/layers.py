"""Layers that the networks share: pixel scaling, patches, padded convolutions, position encoding, attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


def tokens_of(plane: Tensor) -> Tensor:
    """[B, C, H, W] -> [B, H * W, C]."""
    return plane.flatten(2).transpose(1, 2)


def plane_of(tokens: Tensor, rows: int, columns: int) -> Tensor:
    """[B, rows * columns, C] -> [B, C, rows, columns]."""
    return tokens.transpose(1, 2).reshape(-1, tokens.shape[2], rows, columns)


class PixelScaling(nn.Module):
    """uint8 pixels [B, C, H, W] -> float32 of mean 0 and standard deviation 1 over the training pixels."""

    scale: Tensor
    offset: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        scale = torch.tensor([1 / (255 * spread) for spread in std])
        offset = torch.tensor([centre / spread for centre, spread in zip(mean, std, strict=True)])
        self.register_buffer("scale", scale.reshape(-1, 1, 1), persistent=False)
        self.register_buffer("offset", offset.reshape(-1, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        return image.to(torch.float32) * self.scale - self.offset


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


class LinearPatches(nn.Module):
    """Square patches by one linear map and a norm, [B, inputs, H, W] -> [B, width, H / side, W / side]."""

    def __init__(self, inputs: int, width: int, side: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, width, side, side)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        x = self.conv(x)
        return plane_of(self.norm(tokens_of(x)), x.shape[2], x.shape[3])


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
