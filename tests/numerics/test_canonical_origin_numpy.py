"""The canonical origin of the serving path, against its laws and against the in-graph one of the networks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from equiserve.errors import InvalidRequest
from equiserve.numerics.canonical_origin import canonical_origin, default_patch

SIZE, PATCH = 28, 4
ROWS, COLUMNS = np.mgrid[:SIZE, :SIZE]
STROKES = np.random.default_rng(7).random((SIZE, SIZE)) < 0.15
TIES = {
    "black": np.zeros((SIZE, SIZE)),
    "white": np.full((SIZE, SIZE), 255),
    "checkerboard": (ROWS + COLUMNS) % 2 * 255,
    "stripes": COLUMNS % 4 * 80,
    "tiles of half the size": (ROWS * COLUMNS) % 14 * 18,
    "binarised": STROKES * 255,
    "single pixel": ((ROWS == 9) & (COLUMNS == 5)) * 255,
    "two pixels": (((ROWS == 3) & (COLUMNS == 5)) | ((ROWS == 18) & (COLUMNS == 7))) * 255,
}


def every_shift(picture: np.ndarray) -> np.ndarray:
    _, height, width = picture.shape
    return np.stack([np.roll(picture, (dy, dx), (1, 2)) for dy in range(height) for dx in range(width)])


def distinct(pictures: np.ndarray) -> int:
    return len({picture.tobytes() for picture in pictures})


@pytest.mark.parametrize("name", TIES)
def test_every_circular_shift_of_a_tie_picture_gives_the_identical_picture(name):
    moved, _ = canonical_origin(every_shift(TIES[name].astype(np.uint8)[None]), PATCH)
    assert distinct(moved) == 1


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_every_circular_shift_of_any_picture_gives_the_identical_picture(data):
    patch = data.draw(st.sampled_from([1, 2, 3, 4]))
    height, width = (patch * data.draw(st.integers(1, 4)) for _ in range(2))
    shape = (data.draw(st.integers(1, 4)), height, width)
    kind = data.draw(st.sampled_from([np.uint8, np.float16, np.float32, np.float64]))
    # Few values make ties; any bits at all are NaNs, infinities and signed zeros too.
    few = st.sampled_from([0, 1, 255])
    any_bits = st.integers(0, 255) if kind == np.uint8 else st.floats(width=np.dtype(kind).itemsize * 8)
    picture = data.draw(arrays(kind, shape, elements=data.draw(st.sampled_from([few, any_bits]))))
    moved, _ = canonical_origin(every_shift(picture), patch)
    assert distinct(moved) == 1
    assert moved[0].tobytes() in {shifted.tobytes() for shifted in every_shift(picture)}


def test_floats_that_differ_by_less_than_a_step_are_told_apart():
    picture = np.zeros((1, 8, 8), np.float32)
    picture[0, 2, 3] = 1e-30
    moved, _ = canonical_origin(every_shift(picture), 4)
    assert distinct(moved) == 1


def test_the_offsets_say_where_the_origin_was():
    pictures = np.random.default_rng(0).integers(0, 256, (9, 3, 24, 16), np.uint8)
    moved, offsets = canonical_origin(pictures, 8)
    assert offsets.shape == (9, 2)
    assert offsets.dtype == np.int64
    for picture, result, (dy, dx) in zip(pictures, moved, offsets, strict=True):
        np.testing.assert_array_equal(result, np.roll(picture, (-dy, -dx), (1, 2)))


def test_the_origin_has_the_largest_phase_energy_and_then_the_largest_patch_energy():
    pictures = np.random.default_rng(1).integers(0, 256, (20, 3, 12, 8), np.uint8)
    for picture, (dy, dx) in zip(pictures, canonical_origin(pictures, 4)[1], strict=True):
        squares = (picture.astype(np.int64) ** 2).sum(0)
        keys = {
            (y, x): (squares[y % 4 :: 4, x % 4 :: 4].sum(), np.roll(squares, (-y, -x), (0, 1))[:4, :4].sum())
            for y in range(12)
            for x in range(8)
        }
        assert keys[dy, dx] == max(keys.values())


def test_a_picture_gives_the_same_alone_and_among_others():
    pictures = np.random.default_rng(2).integers(0, 3, (300, 1, SIZE, SIZE), np.uint8)
    together, _ = canonical_origin(pictures, PATCH)
    alone = np.concatenate([canonical_origin(picture[None], PATCH)[0] for picture in pictures])
    np.testing.assert_array_equal(together, alone)


def test_bright_pictures_do_not_overflow():
    picture = np.full((1, 3, 512, 512), 255, np.uint8)
    picture[0, :, 130, 77] = 254
    # The phase of the darker pixel is (0, 1): with overflow it would win.
    ((dy, dx),) = canonical_origin(picture, 2)[1].tolist()
    assert (dy % 2, dx % 2) != (0, 1)


@pytest.mark.parametrize(
    ("patch", "fits"),
    [
        (0, "patch 1 divides height 28 and width 20"),
        (3, "patch 2 or 4 divides height 28 and width 20; patch 3 divides height 27 or 30 and width 18 or 21"),
        (7, "patch 4 divides height 28 and width 20; patch 7 divides width 14 or 21"),
        (32, "patch 4 divides height 28 and width 20; patch 32 divides height 32 and width 32"),
    ],
)
def test_a_patch_that_does_not_divide_the_picture_is_named_with_what_would(patch, fits):
    with pytest.raises(InvalidRequest, match=f"patch {patch} does not divide a picture of 28 x 20") as caught:
        canonical_origin(np.zeros((1, 1, 28, 20), np.uint8), patch)
    assert caught.value.message.endswith(f"pixels; {fits}")
    assert (caught.value.code, caught.value.field) == ("patch_does_not_divide", "symmetrize")


def test_a_picture_beyond_the_hash_is_refused():
    with pytest.raises(InvalidRequest, match="at most 1024 x 1024"):
        canonical_origin(np.zeros((1, 1, 4, 1028), np.uint8), 4)


@pytest.mark.parametrize(
    ("size", "patch"), [((28, 28), 4), ((32, 32), 4), ((64, 64), 4), ((224, 224), 16), ((30, 30), 3), ((227, 227), 1)]
)
def test_the_default_patch_divides_the_picture(size, patch):
    assert default_patch(*size) == patch


@pytest.mark.parametrize(("shape", "patch"), [((1, 28, 28), 4), ((3, 32, 32), 4), ((2, 16, 24), 8), ((3, 64, 48), 16)])
@pytest.mark.parametrize("levels", [2, 3, 256])
def test_the_networks_choose_the_same_origin_in_their_graphs(shape, patch, levels):
    torch = pytest.importorskip("torch", reason="the train extra is not installed")
    from equiserve_models.shift.canonical_origin import origin_of, to_canonical_origin

    pictures = np.random.default_rng(levels).integers(0, levels, (25, *shape), np.uint8)
    moved, offsets = canonical_origin(pictures, patch)
    dy, dx = origin_of(torch.from_numpy(pictures), patch)
    np.testing.assert_array_equal(offsets, np.stack([dy.numpy(), dx.numpy()], axis=1))
    np.testing.assert_array_equal(moved, to_canonical_origin(torch.from_numpy(pictures), patch).numpy())


@pytest.mark.parametrize("name", TIES)
def test_the_networks_see_the_same_picture_where_keys_tie(name):
    torch = pytest.importorskip("torch", reason="the train extra is not installed")
    from equiserve_models.shift.canonical_origin import to_canonical_origin

    pictures = every_shift(TIES[name].astype(np.uint8)[None])[::37]
    in_graph = to_canonical_origin(torch.from_numpy(pictures), PATCH).numpy()
    np.testing.assert_array_equal(canonical_origin(pictures, PATCH)[0], in_graph)
