"""Solvers of the diffusion process: pure functions on arrays that take one call of the denoiser at a time.

The noise level sigma is the time (Karras et al. 2022, arXiv 2206.00364: x = x0 + sigma * noise), the denoiser
D(x, sigma) returns the expected clean picture, and a request is the small `SolverState` that travels between two calls.
A whole run is a loop that a server may interrupt anywhere:

    >>> import numpy as np
    >>> sigmas, solver = karras_sigmas(8, 0.002, 80.0), SOLVERS["dpmpp_2m"]
    >>> state = SolverState(80.0 * np.random.default_rng(0).standard_normal((1, 1, 4, 4)))
    >>> denoise = lambda x, sigma: x / (1 + sigma**2)  # of pictures that are themselves standard normal
    >>> for call in range(solver.calls(sigmas)):
    ...     state = solver.advance(state, denoise(state.x, solver.level(call, sigmas)), sigmas, None)
    >>> state.x.shape
    (1, 1, 4, 4)
"""

from equiserve.numerics.solvers.ddim import ddim
from equiserve.numerics.solvers.ddpm import ddpm
from equiserve.numerics.solvers.dpm_solver import dpmpp_2m
from equiserve.numerics.solvers.heun import heun
from equiserve.numerics.solvers.ipndm import ipndm
from equiserve.numerics.solvers.schedule import ddpm_sigmas, karras_sigmas
from equiserve.numerics.solvers.solver import Preset, Solver, SolverState
from equiserve.numerics.solvers.unipc import unipc

#: Every solver by name; the name is part of a picture's parameters and never changes its meaning.
SOLVERS = {
    solver.name: solver
    for solver in (
        Solver("ddpm", ddpm, schedule=ddpm_sigmas, stochastic=True),
        Solver("ddim", ddim),
        Solver("heun", heun, calls_a_step=2),
        Solver("dpmpp_2m", dpmpp_2m),
        Solver("unipc", unipc),
        Solver("ipndm", ipndm, keeps_slopes=True),
    )
}

#: Named choices of solver and steps: what is best for so many calls of the network, and the paper's.
PRESETS = {
    "fast": Preset("ipndm", 6),
    "balanced": Preset("dpmpp_2m", 12),
    "quality": Preset("dpmpp_2m", 20),
    "paper": Preset("ddpm", 1000),
}

__all__ = ["PRESETS", "SOLVERS", "Preset", "Solver", "SolverState", "ddpm_sigmas", "karras_sigmas"]
