from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import torch

from equiserve_models.shift.anchoring import phase_energies, polyphase_anchor
from equiserve_models.shift.canonical_origin import origin_of, to_canonical_origin, torus_hash
from equiserve_models.shift.tie_pictures import circular_orbit, tie_pictures

SIZE, STRIDE = 28, 4
TIES = tie_pictures(SIZE)


def distinct(pictures: torch.Tensor) -> int:
    return len({picture.numpy().tobytes() for picture in pictures})


@pytest.mark.parametrize("name", TIES)
def test_every_circular_shift_of_a_tie_picture_has_one_canonical_picture(name: str) -> None:
    orbit = torch.from_numpy(circular_orbit(TIES[name]))
    assert distinct(to_canonical_origin(orbit, STRIDE)) == 1


@pytest.mark.parametrize(("shape", "stride"), [((1, 28, 28), 4), ((3, 16, 24), 4), ((1, 12, 8), 2), ((2, 32, 32), 8)])
@pytest.mark.parametrize("levels", [2, 256])
def test_every_circular_shift_of_noise_has_one_canonical_picture(
    shape: tuple[int, ...], stride: int, levels: int
) -> None:
    picture = np.random.default_rng(levels).integers(0, levels, shape, dtype=np.uint8)
    orbit = circular_orbit(picture)
    canonical = to_canonical_origin(torch.from_numpy(orbit), stride)
    assert distinct(canonical) == 1
    assert canonical[0].numpy().tobytes() in {shifted.tobytes() for shifted in orbit}


def test_canonical_origin_lies_on_the_phase_of_largest_energy() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (50, 1, SIZE, SIZE), dtype=np.uint8)
    dy, dx = origin_of(torch.from_numpy(pictures), STRIDE)
    for picture, y, x in zip(pictures.astype(np.int64), dy, dx, strict=True):
        energies = [[(picture[0, i::STRIDE, j::STRIDE] ** 2).sum() for j in range(STRIDE)] for i in range(STRIDE)]
        assert energies[int(y) % STRIDE][int(x) % STRIDE] == np.max(energies)


def test_published_anchor_fails_on_ties_where_the_canonical_origin_does_not() -> None:
    orbit = torch.from_numpy(circular_orbit(TIES["two pixels"]))
    published = polyphase_anchor(orbit.float(), STRIDE)
    # A covariant anchor leaves shifts by whole patches only.
    assert distinct(published) > (SIZE // STRIDE) ** 2
    assert distinct(to_canonical_origin(orbit, STRIDE)) == 1


def test_published_anchor_leaves_whole_patch_shifts_only_where_the_maximum_is_unique() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (1, SIZE, SIZE), dtype=np.uint8)
    anchored = polyphase_anchor(torch.from_numpy(circular_orbit(picture)).float(), STRIDE)
    assert distinct(anchored) == (SIZE // STRIDE) ** 2
    assert bool((phase_energies(anchored, STRIDE).flatten(1).argmax(1) == 0).all())


def test_white_pictures_do_not_overflow_the_energies() -> None:
    white = torch.full((1, 3, 512, 512), 255, dtype=torch.uint8)
    white[0, :, 130, 77] = 254
    dy, dx = origin_of(white, 2)
    # The phase of the darker pixel is (0, 1): with overflow it would win.
    assert (int(dy) % 2, int(dx) % 2) != (0, 1)


def test_hash_moves_with_the_picture_and_differs_between_positions() -> None:
    picture = torch.zeros(1, 1, SIZE, SIZE, dtype=torch.int64)
    picture[0, 0, 9, 4] = 1
    views = torus_hash(picture)
    assert len(views.unique()) == SIZE * SIZE
    assert torch.equal(torus_hash(picture.roll((5, 3), (2, 3))), views.roll((5, 3), (1, 2)))
    assert int(views.min()) >= 0


def test_hash_refuses_a_picture_that_is_too_large() -> None:
    with pytest.raises(ValueError, match="at most 1024"):
        torus_hash(torch.zeros(1, 1, 2, 1025, dtype=torch.int64))
