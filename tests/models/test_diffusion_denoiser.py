from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import torch
from torch import Generator, Tensor, nn

from denoisers import tiny_denoiser
from equiserve_models.diffusion.denoiser import Denoiser, Objective
from equiserve_models.diffusion.unet import CONFIGS, UNet

LETTERS = ("A", "B", "C", "D")


def parameters(name: str) -> int:
    return sum(parameter.numel() for parameter in UNet(CONFIGS[name]).parameters())


def conditions(rows: int) -> tuple[Tensor, Tensor]:
    return torch.arange(rows) % 11, torch.tensor([[1.0, 0.0, 1.0]]).repeat(rows, 1)


def test_configurations_have_the_same_parameters_and_differ_in_resampling_and_nonlinearity() -> None:
    assert {parameters(f"digits28-{letter}") for letter in LETTERS} == {930_529}
    assert {parameters(f"small28-{letter}") for letter in (*LETTERS, "D-2N")} == {266_281}
    kinds = {letter: CONFIGS[f"digits28-{letter}"] for letter in LETTERS}
    assert {letter: config.resampling[0] for letter, config in kinds.items()} == {
        "A": "pooled", "B": "half_band", "C": "pooled", "D": "half_band"
    }  # fmt: skip
    filtered = {letter: config.nonlinearity and config.nonlinearity[0] for letter, config in kinds.items()}
    assert filtered == {"A": None, "B": None, "C": "half_band", "D": "half_band"}
    assert CONFIGS["digits28-B-2N"].resampling == ("published", 2.0, True)
    assert CONFIGS["digits28-C-1"].nonlinearity == ("published", 1.0, False)


@pytest.mark.parametrize("letter", [*LETTERS, "B-2N", "C-0", "D-1N"])
def test_every_configuration_estimates_and_learns(letter: str) -> None:
    denoiser = tiny_denoiser(letter=letter)
    label, angle = conditions(3)
    x = torch.randn(3, 1, 8, 8)
    denoised = denoiser(x, torch.tensor([0.1, 1.0, 10.0]), label, angle)
    assert denoised.shape == x.shape
    denoised.square().mean().backward()
    assert all(parameter.grad is not None for parameter in denoiser.parameters())


@pytest.mark.parametrize("kind", ["edm", "epsilon"])
def test_without_noise_the_estimate_is_the_picture(kind: str) -> None:
    denoiser = Denoiser(tiny_denoiser().network.config, Objective(kind=kind))  # type: ignore[arg-type]
    denoiser.network.load_state_dict(tiny_denoiser().network.state_dict())
    x = torch.rand(3, 1, 8, 8) * 2 - 1
    label, angle = conditions(3)
    torch.testing.assert_close(denoiser(x, torch.tensor([0.0, 1e-5, 1e-6]), label, angle), x, rtol=0, atol=1e-4)


def test_edm_scales_give_unit_variance_inside_and_a_mixture_that_amplifies_no_error() -> None:
    objective = Objective(kind="edm", sigma_data=0.6)
    sigma = torch.logspace(-3, 3, 50, dtype=torch.float64)
    skip, out, inside = objective.scales(sigma)
    torch.testing.assert_close(inside**2 * (sigma**2 + 0.6**2), torch.ones_like(sigma))
    # Skip is the best linear estimate; what it leaves has the variance out^2.
    torch.testing.assert_close(out**2, (1 - skip) ** 2 * 0.6**2 + skip**2 * sigma**2)
    torch.testing.assert_close(objective.weight(sigma), (sigma**2 + 0.6**2) / (sigma * 0.6) ** 2)
    assert float(out.max()) <= 0.6


def test_epsilon_objective_weighs_the_error_of_the_predicted_noise_evenly() -> None:
    objective = Objective(kind="epsilon")
    sigma = torch.tensor([0.05, 2.0])
    clean, noise, predicted = torch.randn(3, 2, 5)
    skip, out, _ = objective.scales(sigma)
    denoised = skip[:, None] * (clean + sigma[:, None] * noise) + out[:, None] * predicted
    weighted = objective.weight(sigma)[:, None] * (denoised - clean) ** 2
    torch.testing.assert_close(weighted, (predicted - noise) ** 2, rtol=1e-3, atol=1e-4)


def test_ddpm_schedule_is_the_published_one() -> None:
    sigma = Objective(kind="epsilon").schedule()
    assert len(sigma) == 1000
    alpha_bar = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    np.testing.assert_allclose(1 / (1 + sigma.numpy() ** 2), alpha_bar, rtol=1e-10)
    levels = Objective(kind="epsilon").noise_levels(4000, Generator().manual_seed(0))
    assert set(levels.tolist()) <= set(sigma.float().tolist()[1:])


def test_noise_levels_of_training_are_log_normal_with_a_tail() -> None:
    without_tail = Objective(kind="edm", tail=0.0)
    levels = without_tail.noise_levels(5000, Generator().manual_seed(0)).double().log()
    assert float(levels.mean()) == pytest.approx(without_tail.log_mean, abs=1e-3)  # one in each stratum
    assert float(levels.std()) == pytest.approx(without_tail.log_std, abs=1e-2)
    with_tail = Objective(kind="edm", tail=0.06).noise_levels(5000, Generator().manual_seed(0))
    assert 20 < int((with_tail > 40).sum()) < 80


def test_angle_is_not_heard_where_its_flag_is_zero() -> None:
    denoiser = tiny_denoiser()
    x, sigma, label = torch.randn(1, 1, 8, 8), torch.ones(1), torch.tensor([3])
    # One row at a time: eager kernels may compute a row otherwise at another place of a batch.
    nothing, upright, tilted, stated = (
        denoiser(x, sigma, label, torch.tensor([angle]))
        for angle in ([0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.6, 0.8, 1.0])
    )
    assert torch.equal(nothing, upright)
    assert torch.equal(nothing, tilted)
    assert not torch.allclose(nothing, stated)


def test_new_network_begins_as_the_best_linear_estimate() -> None:
    torch.manual_seed(0)
    denoiser = Denoiser(tiny_denoiser().network.config, Objective(kind="edm", sigma_data=0.6))
    x, sigma = torch.randn(2, 1, 8, 8), torch.tensor([0.5, 3.0])
    label, angle = conditions(2)
    expected = x * (0.36 / (0.36 + sigma**2))[:, None, None, None]
    torch.testing.assert_close(denoiser(x, sigma, label, angle), expected)


def test_no_layer_mixes_rows() -> None:
    kinds = {type(module) for module in UNet(CONFIGS["digits28-D"]).modules()}
    assert not any(issubclass(kind, nn.modules.batchnorm._BatchNorm) for kind in kinds)
