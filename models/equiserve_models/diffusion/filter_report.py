"""What the filters pass and what becomes of a constant: ``python -m equiserve_models.diffusion.filter_report``."""

from __future__ import annotations

import numpy as np
import torch

from equiserve_models.diffusion import filters
from equiserve_models.diffusion.resampling import doubling
from equiserve_models.diffusion.unet import HALF_BAND, PUBLISHED

FREQUENCIES = np.array([0, np.pi / 4, np.pi / 2, 3 * np.pi / 4, np.pi])


def report() -> str:
    """Return a Markdown table: gain along one axis at five frequencies, sum of the kernel, a doubled constant of 1."""
    lines = ["| filter | 0 | π/4 | π/2 | 3π/4 | π | sum | constant 1, doubled |", "|" + " --- |" * 8]
    rows = [("half-band, 12 taps", filters.half_band(), HALF_BAND)]
    for suffix, kernel in PUBLISHED.items():
        _, beta, normalised = kernel
        rows.append((f"published, {suffix}", filters.published_kernel(beta, normalised), kernel))
    for name, weights, kernel in rows:
        gains = " | ".join(f"{gain:.3f}" for gain in filters.response(weights, FREQUENCIES) + 0.0)
        # Far from the border, where the published layers' zeros come in.
        inner = doubling(28, 1, kernel)(torch.ones(1, 1, 28, 28))[0, 0, 8:-8, 8:-8]
        ripple = f"{float(inner.min()):.3f} to {float(inner.max()):.3f}, mean {float(inner.mean()):.3f}"
        lines.append(f"| {name} | {gains} | {weights.sum():.3f} | {ripple} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(report())
