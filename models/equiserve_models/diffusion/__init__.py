"""Rotation-controllable diffusion: the denoiser, its filters, its training, its artifact and what is measured of it."""
