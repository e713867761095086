from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import torch
from torch import Generator

from denoisers import tiny_denoiser
from equiserve.numerics.rotation import angle_features, turn_picture
from equiserve_models.data import datasets, photographs
from equiserve_models.data.photographs import Photographs
from equiserve_models.diffusion.equivariance import equivariance_error
from equiserve_models.diffusion.pictures import DigitPictures
from equiserve_models.diffusion.rotation import angle_condition, turned

needs_data = pytest.mark.skipif(datasets.data_root() is None, reason="EQUISERVE_DATA names no data root")


def blob(row: int, column: int, size: int = 28) -> torch.Tensor:
    """A smooth spot, float32 [1, 1, size, size]."""
    place = torch.arange(size, dtype=torch.float32)
    squared = (place[:, None] - row).square() + (place - column).square()
    return torch.exp(-squared / 8)[None, None]


def test_positive_angle_turns_counter_clockwise_as_seen() -> None:
    right, top = blob(14, 22), blob(5, 14)
    # What lies right of the centre comes to lie above it.
    moved = turned(right, torch.tensor([90.0]), 0.0)
    row, column = divmod(int(moved.argmax()), 28)
    assert (row, column) == (5, 14)
    torch.testing.assert_close(moved, torch.rot90(right, 1, (2, 3)), atol=0.02, rtol=0)
    row, column = divmod(int(turned(top, torch.tensor([30.0]), 0.0).argmax()), 28)
    assert column < 14  # above turns to the left


def test_training_turns_as_the_server_turns_and_embeds_the_same_angle() -> None:
    picture = blob(9, 20) + blob(18, 8)
    for degrees in (-40.0, 10.0, 45.0):
        ours = turned(picture, torch.tensor([degrees]), 0.0).numpy()
        assert np.abs(ours - turn_picture(picture.numpy(), degrees, background=0.0)).max() < 0.03
        condition = angle_condition(torch.tensor([degrees]), torch.tensor([True]))[0].tolist()
        assert condition == pytest.approx(angle_features(degrees), abs=1e-6)
    assert angle_condition(torch.tensor([30.0]), torch.tensor([False])).tolist() == [[0.0, 0.0, 0.0]]


def test_each_picture_of_a_batch_has_its_own_angle() -> None:
    pair = torch.cat((blob(14, 22), blob(14, 22)))
    moved = turned(pair, torch.tensor([0.0, 90.0]), 0.0)
    torch.testing.assert_close(moved[1:], turned(pair[:1], torch.tensor([90.0]), 0.0))
    torch.testing.assert_close(moved[:1], pair[:1], atol=0.02, rtol=0)


def digits(backgrounds: Photographs | None = None) -> DigitPictures:
    pictures = (255 * torch.cat([blob(9 + at, 16) for at in range(4)])).to(torch.uint8)
    return DigitPictures(pictures, torch.tensor([3, 1, 4, 1]), backgrounds)


def test_upright_digits_on_black_are_the_files_own() -> None:
    data = digits()
    batch = data.batch(torch.tensor([2, 0]), torch.zeros(2), Generator().manual_seed(0))
    assert torch.equal(((batch + 1) / 2 * 255).round(), data.digits[[2, 0]].float())


def photograph_of_columns() -> Photographs:
    """Two photographs; red is the column, green the row, blue tells them apart."""
    pixels, shapes = [], [(40, 50), (60, 30)]
    for number, (height, width) in enumerate(shapes):
        rows, columns = np.mgrid[:height, :width]
        pixels.append(np.stack([columns, rows, np.full_like(rows, 100 * number)], -1).reshape(-1, 3))
    starts = np.array([0, 2000])
    return Photographs(np.concatenate(pixels).astype(np.uint8), np.array(shapes), starts)


def test_crops_lie_inside_of_one_photograph() -> None:
    generator = np.random.default_rng(0)
    crops = photograph_of_columns().crops(28, generator.random((200, 3))).astype(int)
    assert (np.diff(crops[:, 0], axis=2) == 1).all()
    assert (np.diff(crops[:, 1], axis=1) == 1).all()
    which = crops[:, 2].reshape(200, -1)
    assert (which == which[:, :1]).all()
    assert set(which[:, 0]) == {0, 100}
    last = photograph_of_columns().crops(28, np.array([[0.0, 0.9999, 0.9999]]))
    assert last[0, :2, -1, -1].tolist() == [49, 39]


def test_colour_digits_are_the_difference_of_crop_and_digit_and_their_background_stays_upright() -> None:
    data = digits(photograph_of_columns())
    index = torch.tensor([1])
    upright = data.batch(index, torch.zeros(1), Generator().manual_seed(4))
    moved = data.batch(index, torch.tensor([40.0]), Generator().manual_seed(4))
    assert upright.shape == (1, 3, 28, 28)
    far_from_digits = (slice(None), slice(None), slice(24, None), slice(0, 8))
    torch.testing.assert_close(upright[far_from_digits], moved[far_from_digits], atol=1e-6, rtol=0)
    crop = data.backgrounds.crops(
        28, torch.rand(1, 3, generator=Generator().manual_seed(4), dtype=torch.float64).numpy()
    )  # type: ignore[union-attr]
    expected = np.abs(crop.astype(float) - data.digits[1].numpy()) / 255 * 2 - 1
    np.testing.assert_allclose(upright.numpy(), expected, atol=1e-6)


@needs_data
def test_training_and_test_backgrounds_come_from_different_photographs() -> None:
    training, test = photographs.load("train"), photographs.load("test")
    assert (len(training.shapes), len(test.shapes)) == (18, 6)
    assert training.pixels.shape == (18 * 384 * 256, 3)


def test_equivariance_loss_is_zero_for_a_denoiser_that_turns_with_its_picture_only() -> None:
    clean = blob(12, 9).repeat(4, 1, 1, 1) * 2 - 1
    noise = torch.randn(clean.shape, generator=Generator().manual_seed(1))
    sigma, label, degrees = torch.full((4,), 0.5), torch.zeros(4, dtype=torch.int64), torch.zeros(4)

    def loss(denoiser: torch.nn.Module) -> float:
        generator = Generator().manual_seed(2)
        return float(equivariance_error(denoiser, clean, noise, sigma, label, degrees, generator).detach())

    class Shrink(torch.nn.Module):
        def forward(self, x: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
            return torch.full_like(x, -1.0)

    class FirstRow(torch.nn.Module):
        def forward(self, x: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
            return x * torch.linspace(-1, 1, x.shape[-1])[:, None]

    assert loss(Shrink()) < 1e-6
    assert loss(FirstRow()) > 0.01
    assert loss(tiny_denoiser_of_28()) > 0


def tiny_denoiser_of_28() -> torch.nn.Module:
    import dataclasses

    from equiserve_models.diffusion.denoiser import Denoiser

    tiny = tiny_denoiser()
    torch.manual_seed(0)
    return Denoiser(dataclasses.replace(tiny.network.config, size=28), tiny.objective)
