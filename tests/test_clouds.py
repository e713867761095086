"""Clouds: files of every format to points, points to what a model takes, and what is refused."""

import io
import struct

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from equiserve.clouds import MAX_POINTS, prepare_cloud, read_cloud
from equiserve.errors import InvalidRequest
from scans import random_person, scan

CLOUD = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)


def person(points, seed=0):
    return scan(random_person(seed), points, seed)[0]


def ply(points, order="<", extra=()):
    kind = {"<": "binary_little_endian", ">": "binary_big_endian"}[order]
    names = ["x", "y", "z", *extra]
    header = f"ply\nformat {kind} 1.0\ncomment a scan\nelement vertex {len(points)}\n"
    header += "".join(f"property float {name}\n" for name in names)
    header += "element face 0\nproperty list uchar int vertex_indices\nend_header\n"
    rows = np.hstack([points, np.zeros((len(points), len(extra)))])
    return header.encode() + rows.astype(f"{order}f4").tobytes()


def ascii_ply(points):
    header = "ply\r\nformat ascii 1.0\r\nelement vertex {}\r\nproperty uchar red\r\nproperty double z\r\n"
    header += "property double y\r\nproperty double x\r\nend_header\r\n"
    rows = "".join(f"7 {z!r} {y!r} {x!r}\r\n" for x, y, z in points.tolist())
    return (header.format(len(points)) + rows).encode()


def saved(write, *arrays, **named):
    file = io.BytesIO()
    write(file, *arrays, **named)
    return file.getvalue()


FILES = {
    "ply, little endian": ply(CLOUD),
    "ply, big endian, more properties": ply(CLOUD, ">", ("nx", "ny", "nz")),
    "ply, ascii, any order": ascii_ply(CLOUD),
    "obj": b"# a mesh\nmtllib a.mtl\n"
    + "".join(f"v {x!r} {y!r} {z!r} 0.5\nvn 0 0 1\n" for x, y, z in CLOUD.tolist()).encode()
    + b"f 1 2 3\n",
    "xyz": "".join(f"{x!r} {y!r} {z!r}\n" for x, y, z in CLOUD.tolist()).encode(),
    "csv with a heading": b"x,y,z,r\n" + "".join(f"{x!r},{y!r},{z!r},9\n" for x, y, z in CLOUD.tolist()).encode(),
    "npy": saved(np.save, CLOUD),
    "npz": saved(np.savez_compressed, points=CLOUD, other=np.zeros(3)),
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_every_format_gives_the_same_points(content):
    np.testing.assert_array_equal(read_cloud(content), CLOUD.astype(np.float64))


def test_text_longer_than_a_piece_is_read_whole():
    points = np.random.default_rng(1).normal(size=(9000, 3))
    text = "\n".join(" ".join(map(repr, row)) for row in points.tolist()).encode()
    assert len(text) > 4 * 65536
    np.testing.assert_array_equal(read_cloud(text), points)
    np.testing.assert_array_equal(read_cloud(ascii_ply(points)), points)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "it is empty"),
        (b"  \n", "it is empty"),
        (b"ply\n", "no line 'end_header'"),
        (ply(CLOUD)[:-1], "its header says 300 vertices, there are bytes for 299"),
        (ascii_ply(CLOUD)[:-60], "its header says 300 vertices, there are numbers for 29"),
        (ply(CLOUD).replace(b"vertex 300", b"vertex 999999999999"), "bytes for 300"),
        (ascii_ply(CLOUD).replace(b"vertex 300", b"vertex 999999999999"), "there are only"),
        (ply(CLOUD).replace(b"float z", b"float w"), "expected x, y and z"),
        (ply(CLOUD).replace(b"element vertex", b"element vortex"), "element 'face' comes before the vertices"),
        (b"ply\nformat ascii 1.0\nend_header\n", "has no element 'vertex'"),
        (ply(CLOUD).replace(b"float x", b"sloth x"), "its header has the line 'property sloth x'"),
        (ascii_ply(CLOUD).replace(b"\r\n7 ", b"\r\n7 seven ", 1), "got 'seven', expected a number"),
        (b"\x89PNG\r\n\x1a\n\0\0", "is none of ply, obj"),
        (b"hello\nworld\n", "no line of three numbers"),
        (b"1 2 3\n4 5\n", "has 3 columns"),
        (b"v 1 2\n", "fewer than three"),
        (b"PK\x03\x04broken", "broken npz"),
        (saved(np.save, CLOUD)[:-9], "broken npy"),
        (saved(np.save, np.zeros(5)), "expected numbers"),
        (saved(np.savez, a=CLOUD, b=CLOUD), "expected one of"),
        (b"\x93NUMPY" + struct.pack("<BBH", 1, 0, 8) + b"\xff" * 8, "broken npy"),
        (b"1" * 300_000, "no line of three numbers"),
    ],
)
def test_what_is_broken_says_how(content, says):
    with pytest.raises(InvalidRequest, match=says) as caught:
        read_cloud(content)
    assert caught.value.code == "invalid_cloud"


def test_a_pickle_in_an_npy_stays_closed():
    with pytest.raises(InvalidRequest, match="allow_pickle=False"):
        read_cloud(saved(lambda file, array: np.save(file, array, allow_pickle=True), np.array([{}], dtype=object)))


@pytest.mark.parametrize(("unit", "factor"), [("m", 1), ("cm", 100), ("mm", 1000)])
def test_the_unit_is_guessed_from_the_size_of_a_person(unit, factor):
    points = person(3000)
    guessed = prepare_cloud(points * factor, count=2048, prefix=512)
    assert guessed.scale.unit == unit
    assert guessed.scale.guessed
    told = prepare_cloud(points * factor, count=2048, prefix=512, unit=unit)
    assert not told.scale.guessed
    assert told.scale.extent == pytest.approx(guessed.scale.extent)


@pytest.mark.parametrize("seed", range(12))
def test_no_pose_or_shape_is_taken_for_another_unit(seed):
    cloud = scan(random_person(seed, degrees=60.0), 1000, seed)[0]
    assert prepare_cloud(cloud, count=1024, prefix=64).scale.unit == "m"


def test_a_prepared_cloud_is_the_caller_s_with_the_origin_put_back():
    points = person(5000) + np.array([500_000.0, 0.0, -20.0])
    prepared = prepare_cloud(points, count=2048, prefix=512)
    assert prepared.points.shape == (2048, 3)
    distances = np.linalg.norm(points[:, None] - (prepared.points[:50] + prepared.origin), axis=-1).min(axis=0)
    assert distances.max() < 1e-6
    assert prepared.counts.to_json() == {"received": 5000, "kept": 5000, "isolated": 0, "used": 2048}


def test_the_order_in_which_points_come_changes_nothing():
    points = person(5000)
    shuffled = np.random.default_rng(3).permutation(points)
    once, again = (prepare_cloud(p, count=2048, prefix=512) for p in (points, shuffled))
    # The centroid is a sum, and sums depend on order in their last bits.
    np.testing.assert_allclose(once.points, again.points, atol=1e-6)


def test_a_cloud_of_just_enough_points_turns_as_a_whole():
    points = person(2048)
    turn = Rotation.from_rotvec([1.0, 2.0, 0.5]).as_matrix()
    here, there = (prepare_cloud(p, count=2048, prefix=512).points for p in (points, points @ turn.T))
    np.testing.assert_allclose(there[:512], here[:512] @ turn.T, atol=1e-5)


def test_few_points_are_filled_up_between_neighbours():
    points = person(400, seed=1)
    prepared = prepare_cloud(np.concatenate([points, points]), count=2048, prefix=512)
    assert prepared.counts.kept == 400
    assert prepared.counts.used == 2048
    cloud = prepared.points + prepared.origin
    assert np.linalg.norm(points[:, None] - cloud[None], axis=-1).min(axis=0).max() < 0.15


def test_dust_is_left_out():
    points, rng = person(4000, seed=2), np.random.default_rng(2)
    dusty = np.concatenate([points, points.mean(axis=0) + rng.uniform(-1.2, 1.2, (200, 3))])
    counts = prepare_cloud(dusty, count=2048, prefix=512).counts
    assert 120 < counts.isolated < 220


def test_too_many_points_are_down_sampled():
    counts = prepare_cloud(person(300_000, seed=3), count=2048, prefix=512).counts
    assert counts.received == 300_000
    assert counts.kept == MAX_POINTS


def broken(change):
    points = person(1000)
    change(points)
    return points


@pytest.mark.parametrize(
    ("points", "code"),
    [
        (person(255), "too_few_points"),
        (np.tile(person(200), (3, 1)), "too_few_points"),
        (broken(lambda p: p.__setitem__((17, 1), np.nan)), "not_finite"),
        (broken(lambda p: p.__setitem__((17, 1), np.inf)), "not_finite"),
        (np.ones((1000, 3)), "too_few_points"),
        (np.linspace(0, 1, 1000)[:, None] * [[1.0, 2.0, 0.5]], "degenerate_cloud"),
        (person(1000) * [1, 1, 0], "degenerate_cloud"),
        (person(1000) * 10, "not_person_sized"),
        (person(1000) * 0.05, "not_person_sized"),
    ],
)
def test_what_shows_no_body_is_refused(points, code):
    with pytest.raises(InvalidRequest) as caught:
        prepare_cloud(points, count=2048, prefix=512)
    assert caught.value.code == code


def test_a_person_of_170_metres_is_refused_and_told():
    with pytest.raises(InvalidRequest, match=r"spans 207 m as m; expected 0.4 to 3.2 m"):
        prepare_cloud(person(1000) * 100, count=2048, prefix=512, unit="m")
