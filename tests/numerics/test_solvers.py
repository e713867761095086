"""The solvers on data whose denoiser and whose flow are known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest

from equiserve.numerics.noise import standard_normal
from equiserve.numerics.solvers import PRESETS, SOLVERS, Solver, SolverState, ddpm_sigmas, karras_sigmas

MEAN, DEVIATION = 0.3, 0.5
DETERMINISTIC = [name for name, solver in SOLVERS.items() if not solver.stochastic]


def gaussian_denoiser(x: np.ndarray, sigma: float) -> np.ndarray:
    """E[x0 | x] of data N(MEAN, DEVIATION^2), in x's precision."""
    kept = DEVIATION**2 / (DEVIATION**2 + sigma**2)
    return kept * x + (1 - kept) * MEAN


def gaussian_flow(x: np.ndarray, sigma: float, following: float) -> np.ndarray:
    """The probability flow of that data from one level to another: x - MEAN scales as its standard deviation does."""
    return MEAN + (x - MEAN) * math.hypot(DEVIATION, following) / math.hypot(DEVIATION, sigma)


def bimodal_denoiser(x: np.ndarray, sigma: float) -> np.ndarray:
    """E[x0 | x] of data that is -1 or 1."""
    return np.tanh(x / sigma**2)


def run(solver: Solver, x: np.ndarray, sigmas: tuple[float, ...], denoiser=gaussian_denoiser) -> np.ndarray:
    state, seeds = SolverState(x), range(len(x))
    for call in range(solver.calls(sigmas)):
        assert state.call == call
        noise = None
        if solver.wants_noise(call, sigmas):
            noise = standard_normal(seeds, 1 + solver.step(call), x.shape[1:]).astype(x.dtype)
        state = solver.advance(state, denoiser(state.x, solver.level(call, sigmas)), sigmas, noise)
        assert len(state.history) <= 3
    return state.x


def initial(n: int, sigma: float, dtype=np.float64, size: int = 6) -> np.ndarray:
    return (sigma * standard_normal(range(n), 0, (1, size, size))).astype(dtype)


@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_hits_mean_and_variance(name):
    solver = SOLVERS[name]
    sigmas = solver.schedule({"ddpm": 400, "ddim": 300}.get(name, 30), 0.002, 40.0)
    pictures = run(solver, initial(100, sigmas[0], np.float32, size=12), sigmas)
    assert pictures.dtype == np.float32
    samples = pictures.size
    assert abs(pictures.mean() - MEAN) < 4 * DEVIATION / math.sqrt(samples)
    # The initial noise has no trace of the data, which at level 40 has one: 40 / hypot(40, 0.5), a relative 8e-5.
    assert pictures.std() == pytest.approx(DEVIATION, rel=4 / math.sqrt(2 * samples) + 0.006)


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_every_deterministic_solver_follows_the_probability_flow(name):
    solver, x = SOLVERS[name], initial(3, 40.0)
    sigmas = karras_sigmas(60, 0.002, 40.0)
    tolerance = 0.06 if name == "ddim" else 5e-3
    np.testing.assert_allclose(run(solver, x, sigmas), gaussian_flow(x, 40.0, 0.0), atol=tolerance)


@pytest.mark.parametrize(("name", "order"), [("ddim", 1), ("heun", 2), ("dpmpp_2m", 2), ("unipc", 3), ("ipndm", 2)])
def test_each_solver_converges_at_its_order(name, order):
    solver, x = SOLVERS[name], initial(2, 10.0)

    def error(steps: int) -> float:
        sigmas = karras_sigmas(steps + 1, 0.1, 10.0)[:-1]  # ends above 0, where the flow is smooth
        return float(np.abs(run(solver, x, sigmas) - gaussian_flow(x, 10.0, 0.1)).max())

    coarse, fine = error(80), error(160)
    assert math.log2(coarse / fine) > order - 0.25
    assert fine < {1: 0.05, 2: 1e-3, 3: 1e-4}[order]


@pytest.mark.parametrize("name", SOLVERS)
def test_two_modes_are_told_apart(name):
    solver = SOLVERS[name]
    sigmas = solver.schedule(300 if solver.stochastic else 40, 0.01, 40.0)
    pictures = run(solver, initial(50, sigmas[0]), sigmas, bimodal_denoiser)
    np.testing.assert_allclose(np.abs(pictures), 1, atol=0.06)
    assert abs(np.sign(pictures).mean()) < 4 / math.sqrt(pictures.size)


@pytest.mark.parametrize("name", SOLVERS)
def test_the_last_step_to_level_zero_is_the_clean_estimate_or_close_to_it(name):
    solver, sigmas = SOLVERS[name], (1.0, 0.5, 0.25, 1e-4, 0.0)
    fixed = np.full((1, 1, 6, 6), 0.7)
    pictures = run(solver, initial(1, 1.0), sigmas, lambda x, sigma: np.broadcast_to(fixed, x.shape))
    np.testing.assert_allclose(pictures, fixed, atol=1e-3)


def test_heun_looks_at_each_end_but_the_last():
    solver, sigmas = SOLVERS["heun"], (3.0, 2.0, 1.0, 0.0)
    assert [solver.level(call, sigmas) for call in range(solver.calls(sigmas))] == [3.0, 2.0, 2.0, 1.0, 1.0]
    assert [solver.ends_step(call, sigmas) for call in range(5)] == [False, True, False, True, True]
    assert solver.calls((3.0, 2.0, 1.0)) == 4


def test_the_ancestral_step_has_the_posterior_of_ho_et_al():
    """Eq. 7 of arXiv 2006.11239 in its own variables, one step from t = 600 to t = 599."""
    betas = np.linspace(1e-4, 0.02, 1000)
    bars = np.cumprod(1 - betas)
    t, rng = 600, np.random.default_rng(0)
    x_t, x_0, noise = rng.normal(size=(3, 1, 1, 4, 4))
    mean = (math.sqrt(bars[t - 1]) * betas[t] * x_0 + math.sqrt(1 - betas[t]) * (1 - bars[t - 1]) * x_t) / (1 - bars[t])
    variance = (1 - bars[t - 1]) / (1 - bars[t]) * betas[t]
    sigmas = tuple(math.sqrt((1 - bars[k]) / bars[k]) for k in (t, t - 1))
    got = SOLVERS["ddpm"].advance(SolverState(x_t / math.sqrt(bars[t])), x_0, sigmas, noise)
    np.testing.assert_allclose(got.x * math.sqrt(bars[t - 1]), mean + math.sqrt(variance) * noise, rtol=1e-10)


def test_karras_levels_are_even_in_their_seventh_root():
    levels = karras_sigmas(9, 0.002, 80.0)
    assert (levels[0], levels[-2], levels[-1]) == (80.0, 0.002, 0.0)
    gaps = np.diff(np.array(levels[:-1]) ** (1 / 7))
    np.testing.assert_allclose(gaps, gaps[0])
    assert karras_sigmas(1, 0.002, 80.0) == (80.0, 0.0)


def test_ddpm_levels_are_those_of_the_thousand_betas():
    bars = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    known = np.sqrt((1 - bars) / bars)[::-1]
    np.testing.assert_allclose(ddpm_sigmas(1000, known[-1], known[0])[:-1], known)
    within = ddpm_sigmas(50, 0.05, 40.0)
    assert len(within) == 51
    assert (within[0], within[-2], within[-1]) == (pytest.approx(40.0), pytest.approx(0.05), 0.0)
    assert (np.diff(within) < 0).all()


@pytest.mark.parametrize("name", SOLVERS)
def test_pictures_of_one_request_are_those_of_single_requests_bit_for_bit(name):
    solver = SOLVERS[name]
    sigmas = solver.schedule(12, 0.01, 40.0)
    x = initial(5, sigmas[0], np.float32)

    def denoiser(x: np.ndarray, sigma: float) -> np.ndarray:
        return np.tanh(x / np.float32(1 + sigma))

    together = run(solver, x, sigmas, denoiser)
    # Seeds 0 to 4 give their own noise in either run.
    state = [run_seed(solver, x[k : k + 1], sigmas, denoiser, k) for k in range(5)]
    np.testing.assert_array_equal(together, np.concatenate(state))


def run_seed(solver, x, sigmas, denoiser, seed):
    state = SolverState(x)
    for call in range(solver.calls(sigmas)):
        wants = solver.wants_noise(call, sigmas)
        noise = standard_normal((seed,), 1 + solver.step(call), x.shape[1:]) if wants else None
        state = solver.advance(state, denoiser(state.x, solver.level(call, sigmas)), sigmas, noise)
    return state.x


@pytest.mark.parametrize("name", SOLVERS)
def test_a_solver_changes_none_of_the_arrays_that_it_is_given(name):
    """The server hands in views of what the model gave, and keeps states that others look at."""
    solver = SOLVERS[name]
    sigmas = solver.schedule(5, 0.01, 40.0)
    state = SolverState(initial(1, sigmas[0]))
    for call in range(solver.calls(sigmas)):
        denoised, noise = gaussian_denoiser(state.x, solver.level(call, sigmas)), np.ones_like(state.x)
        for array in (state.x, denoised, noise, *state.history):
            array.flags.writeable = False
        state = solver.advance(state, denoised, sigmas, noise if solver.wants_noise(call, sigmas) else None)


def test_presets_name_solvers():
    assert all(preset.solver in SOLVERS and preset.steps >= 1 for preset in PRESETS.values())
