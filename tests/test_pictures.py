"""Picture files and pixel arrays, as they come from strangers."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from equiserve.artifact import TensorSpec
from equiserve.errors import InvalidRequest, TooLarge
from equiserve.pictures import decode_picture, picture_from_array, probe, quick_to_read, read_pictures

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (10, 14, 3), np.uint8)
PLENTY = 1_000_000


def spec(channels: int = 3, height: int = -1, width: int = -1, value_range: tuple[float, float] | None = None):
    return TensorSpec(name="x", datatype="UINT8", shape=(-1, channels, height, width), value_range=value_range)


def file_of(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def decoded(file: bytes, tensor: TensorSpec | None = None, fit: str = "reject") -> np.ndarray:
    return decode_picture(file, tensor or spec(), input_fit=fit, max_pixels=PLENTY).array


def png_header(width: int, height: int) -> bytes:
    """A valid PNG that announces a size and holds next to nothing."""
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (
            (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
            (b"IDAT", zlib.compress(b"\0")),
            (b"IEND", b""),
        )
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_a_lossless_file_gives_its_pixels_back(kind, options):
    got = decoded(file_of(Image.fromarray(COLOURS), kind, **options))
    assert got.flags.c_contiguous
    assert np.array_equal(got, COLOURS.transpose(2, 0, 1))


def test_a_jpeg_comes_close_to_its_pixels():
    smooth = np.tile(np.linspace(0, 255, 32).astype(np.uint8)[:, None], (1, 32))
    got = decoded(file_of(Image.fromarray(smooth), "JPEG", quality=95), spec(channels=1))
    assert got.shape == (1, 32, 32)
    assert np.abs(got[0].astype(int) - smooth).max() < 8


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_probe_reads_size_and_format_from_the_header_alone(kind):
    file = file_of(Image.fromarray(COLOURS), kind)
    # A WebP is measured by its first 30 bytes, the others up to where their pixels begin.
    begin = {"PNG": 60, "WEBP": 30}.get(kind, len(file) - 40)
    assert tuple(probe(file[:begin], max_pixels=PLENTY)) == (14, 10, kind)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 1}])
def test_every_kind_of_jpeg_header_tells_its_size(options):
    thumbnail = file_of(Image.new("RGB", (16, 9)), "JPEG")
    exif = Image.Exif()
    exif[0x0110] = thumbnail.decode("latin-1")  # a whole JPEG within a segment of another
    file = file_of(Image.new("RGB", (300, 70)), "JPEG", exif=exif, comment=b"\xff\xc0" * 9, **options)
    filled = file[:2] + b"\xff\xff" + file[2:]
    for variant in (file, filled):
        assert probe(variant, max_pixels=PLENTY)[:2] == (300, 70)
        assert decoded(variant).shape == (3, 70, 300)


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 50}, {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}])
def test_every_kind_of_webp_header_tells_its_size(options):
    file = file_of(Image.new("RGB", (300, 7)), "WEBP", **options)
    assert probe(file, max_pixels=PLENTY)[:2] == (300, 7)


def test_a_decompression_bomb_is_refused_by_its_header():
    with pytest.raises(TooLarge, match="50000 x 60000") as caught:
        decoded(png_header(50_000, 60_000))
    assert caught.value.code == "picture_too_large"
    webp = bytearray(file_of(Image.new("RGBA", (4, 4)), "WEBP", lossless=True, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0"))
    webp[24:30] = b"\xff\x3f\0\xff\x3f\0"  # a canvas of 16384 x 16384
    with pytest.raises(TooLarge, match="16384 x 16384"):
        decoded(bytes(webp))


def test_a_second_header_does_not_get_past_the_limit_of_pixels():
    small, bomb = png_header(4, 4), png_header(50_000, 60_000)
    end_of_header = 8 + 25
    smuggled = small[:end_of_header] + bomb[8:]
    assert probe(smuggled, max_pixels=PLENTY)[:2] == (4, 4)
    with pytest.raises(InvalidRequest, match="headers differ in size") as caught:
        decoded(smuggled)
    assert caught.value.code == "broken_picture"


def test_of_a_photograph_with_previews_the_first_picture_is_taken():
    preview = Image.fromarray(COLOURS[:4, :4])
    photograph = file_of(Image.fromarray(COLOURS), "MPO", save_all=True, append_images=[preview])
    assert decoded(photograph).shape == (3, 10, 14)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (b"hello, I am a picture", "text that begins with 'hello"),
        (b"", "an empty file"),
        (b"GIF89a......", "a GIF"),
        (b"\x00\x01\x02\xff\xfe", "bytes 00 01 02 ff fe"),
    ],
)
def test_what_is_no_picture_is_named_in_the_error(file, words):
    with pytest.raises(InvalidRequest, match=words) as caught:
        decoded(file)
    assert caught.value.code == "not_a_picture"
    assert "PNG, JPEG or WEBP" in caught.value.message.replace("WebP", "WEBP")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_truncated_file_is_refused(kind):
    file = file_of(Image.fromarray(RNG.integers(0, 256, (64, 64, 3), np.uint8)), kind)
    for part in (file[: len(file) // 2], file[:40]):
        with pytest.raises(InvalidRequest) as caught:
            decoded(part)
        assert caught.value.code == "broken_picture"


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animation_is_refused(kind):
    frames = [Image.fromarray(RNG.integers(0, 256, (8, 8, 3), np.uint8)) for _ in range(3)]
    with pytest.raises(InvalidRequest, match="3 frames") as caught:
        decoded(file_of(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert caught.value.code == "animated_picture"


def test_exif_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise to see it upright
    got = decoded(file_of(Image.fromarray(COLOURS), "PNG", exif=exif), spec(height=14, width=10))
    assert np.array_equal(got, np.rot90(COLOURS, -1).transpose(2, 0, 1))


def test_a_palette_becomes_its_colours():
    image = Image.fromarray(COLOURS).quantize(16)
    assert np.array_equal(decoded(file_of(image)), np.asarray(image.convert("RGB")).transpose(2, 0, 1))


def test_sixteen_bits_keep_their_upper_eight():
    deep = np.array([[0, 255, 256], [32768, 65280, 65535]], np.uint16)
    assert decoded(file_of(Image.fromarray(deep)), spec(channels=1)).tolist() == [[[0, 0, 1], [128, 255, 255]]]


def test_cmyk_becomes_rgb():
    got = decoded(file_of(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"))
    assert got.shape == (3, 8, 8)
    assert got[:, 4, 4].tolist() == pytest.approx([255, 0, 0], abs=4)


@pytest.mark.parametrize(("value_range", "expected"), [(None, 100), ((0, 255), 100), ((0, 1), 100), ((255, 255), 227)])
def test_what_is_half_transparent_shows_the_background(value_range, expected):
    image = Image.new("RGBA", (1, 1), (200, 200, 200, 128))
    got = decoded(file_of(image), spec(value_range=value_range))
    assert got[:, 0, 0].tolist() == pytest.approx([expected] * 3, abs=1)


def test_colours_become_grey_for_a_model_of_one_channel_and_back():
    grey = decoded(file_of(Image.fromarray(COLOURS)), spec(channels=1))[0]
    assert np.abs(grey - COLOURS @ [0.299, 0.587, 0.114]).max() <= 1
    assert np.array_equal(decoded(file_of(Image.fromarray(grey))), np.stack([grey] * 3))


def test_arrays_and_files_give_the_same_picture():
    planes = COLOURS.transpose(2, 0, 1)
    for tensor in (spec(), spec(channels=1)):
        from_array = picture_from_array(planes, tensor, input_fit="reject").array
        assert np.array_equal(from_array, decoded(file_of(Image.fromarray(COLOURS)), tensor))
    assert np.array_equal(picture_from_array(COLOURS[..., 0], spec(1), input_fit="reject").array, planes[:1])


@pytest.mark.parametrize("array", [np.zeros((3, 4, 4)), np.zeros((2, 4, 4), np.uint8), np.zeros((1, 0, 4), np.uint8)])
def test_an_array_that_is_no_picture_is_refused(array):
    with pytest.raises(InvalidRequest, match=r"expected uint8 \[C, H, W\]"):
        picture_from_array(array, spec(), input_fit="reject")


def test_reject_names_both_sizes():
    with pytest.raises(InvalidRequest, match="10 pixels high and 14 wide, expected 28 high and any wide") as caught:
        decoded(file_of(Image.fromarray(COLOURS)), spec(height=28))
    assert caught.value.code == "wrong_picture_size"


def test_resize_fills_the_models_size_and_says_so():
    ramp = np.tile(np.arange(0, 240, 4, np.uint8), (40, 1))
    got = decode_picture(file_of(Image.fromarray(ramp)), spec(1, 20, 30), input_fit="resize", max_pixels=PLENTY)
    assert got.resized_from == (40, 60)
    assert got.array.shape == (1, 20, 30)
    # Every second column of the ramp lies halfway between two of the original's.
    assert np.abs(got.array[0, 10, 2:-2].astype(float) - (ramp[0, ::2] + 2.0)[2:-2]).max() <= 1


def test_pad_centres_the_picture_and_keeps_its_pixels():
    tensor = spec(3, 16, 15, value_range=(7, 255))
    got = decode_picture(file_of(Image.fromarray(COLOURS)), tensor, input_fit="pad", max_pixels=PLENTY)
    assert got.resized_from == (10, 14)
    assert np.array_equal(got.array[:, 3:13, 0:14], COLOURS.transpose(2, 0, 1))
    assert (got.array[:, :3] == 7).all()
    assert (got.array[:, :, 14] == 7).all()
    with pytest.raises(InvalidRequest) as caught:
        decode_picture(file_of(Image.fromarray(COLOURS)), spec(3, 9, 20), input_fit="pad", max_pixels=PLENTY)
    assert caught.value.code == "wrong_picture_size"


def test_the_pixels_of_one_request_are_bounded_together_where_the_model_takes_any_size():
    file = file_of(Image.new("L", (100, 100)))
    read = {"input_fit": "reject", "max_pixels": 25_000, "field": "pictures"}
    assert len(read_pictures([file] * 2, spec(1), **read)) == 2
    with pytest.raises(TooLarge, match="3 of 9 pictures have 30000 pixels"):
        read_pictures([file] * 9, spec(1), **read)


def test_only_small_pictures_are_decoded_on_the_event_loop():
    small = file_of(Image.new("L", (28, 28)))
    assert quick_to_read([small])
    assert not quick_to_read([small] * 5)
    # A few bytes that unfold into many pixels.
    assert not quick_to_read([file_of(Image.new("L", (2000, 2000)))])
