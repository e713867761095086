"""The fit task over a real engine, with models that know the answer: what goes in, what comes out, what is refused."""

import asyncio
import io
import json
import struct
from dataclasses import replace

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from equiserve.clouds import prepare_cloud, read_cloud
from equiserve.engine import RequestContext
from equiserve.errors import DeadlineExceeded, EquiServeError, InternalError, NotFound, Unsupported
from equiserve.numerics.body_model import JOINT_NAMES, bundled_body
from equiserve.numerics.skinning import global_rotations, skin
from equiserve.tasks.fit import FitRequest
from equiserve.tasks.fit.mesh_files import to_glb, to_npz, to_obj, to_ply
from equiserve.tasks.fit.picture import to_png
from equiserve.tasks.fit.rasteriser import rasterise
from fit_models import LABELLED, body_fitter
from planes import served_plane
from scans import npz, random_person, scan, shaken, smpl_arrays
from small_models import linear_model

PERSON = random_person(21)
CLOUD, PARTS = scan(PERSON, 5000, 21)
PREPARED = prepare_cloud(CLOUD, count=2048, prefix=LABELLED)
CENTROID = PREPARED.points.astype(np.float64).mean(axis=0) + PREPARED.origin


def relative(person):
    """A person as the models of `fit_models` answer them: about the centroid of the cloud."""
    return replace(person, pelvis=person.pelvis - CENTROID)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plane(tmp_path_factory):
    root = tmp_path_factory.mktemp("fit")
    nearest = cKDTree(CLOUD).query(PREPARED.points[:LABELLED] + PREPARED.origin)[1]
    body_fitter(root / "zoo", relative(PERSON), PARTS[nearest], name="truth")
    body_fitter(root / "zoo", relative(shaken(PERSON, 21, degrees=10)), PARTS[nearest], name="near")
    body_fitter(root / "zoo", replace(relative(PERSON), betas=np.full(10, np.nan)), name="broken")
    linear_model(root / "zoo" / "linear" / "1" / "model.onnx", np.ones((4, 3), np.float32))
    (root / "bodies").mkdir()
    (root / "bodies" / "own.npz").write_bytes(npz(**smpl_arrays(bundled_body()), licence=np.array("private")))
    (root / "bodies" / "empty.npz").write_bytes(b"")
    async with served_plane(root / "zoo", root / "cache", bodies=root / "bodies") as plane:
        yield plane


def ask(plane, model="truth", points=CLOUD, *, deadline=float("inf"), **options):
    return plane.fit(FitRequest(model, points, **options), RequestContext("test", deadline=deadline))


async def test_the_answer_is_the_networks_in_smpls_terms(plane):
    found = await ask(plane)
    vertices, joints = skin(bundled_body(), PERSON.rotations, PERSON.betas, PERSON.pelvis)
    np.testing.assert_allclose(found.vertices, vertices, atol=1e-5)
    np.testing.assert_allclose(found.joints, joints, atol=1e-5)
    # From the parameters alone, as any SMPL program poses them.
    local = Rotation.from_rotvec(np.vstack([found.global_orient, found.body_pose])).as_matrix()
    again, _ = skin(bundled_body(), global_rotations(local), found.betas, np.zeros(3))
    np.testing.assert_allclose(again + found.transl, vertices, atol=1e-5)
    assert found.quality.level == "ok"
    assert found.misfit.to_surface < 0.002
    assert found.beginning is None


async def test_the_answer_in_json_is_complete(plane):
    answer = (await ask(plane, labels=True)).to_json(mesh=True)
    assert answer["body"] == {"name": "openbody", "licence": bundled_body().licence}
    assert answer["unit"]["read_as"] == "m"
    assert answer["unit"]["guessed"] is True
    assert answer["points"] == {"received": 5000, "kept": 5000, "isolated": 0, "used": 2048}
    assert answer["joint_names"] == list(JOINT_NAMES)
    assert answer["mesh"]["vertices"].shape == (6889, 3)
    assert "read as m (guessed from the size)" in answer["statement"]
    agreed = (answer["labels"] == PARTS.argmax(axis=1)).mean()
    assert agreed > 0.8  # of each point's nearest of 512


async def test_refinement_comes_to_the_surface(plane):
    start = await ask(plane, "near")
    refined = await ask(plane, "near", refine=True)
    vertices, _ = skin(bundled_body(), PERSON.rotations, PERSON.betas, PERSON.pelvis)
    assert np.linalg.norm(start.vertices - vertices, axis=1).mean() > 0.05
    assert np.linalg.norm(refined.vertices - vertices, axis=1).mean() < 0.008
    assert start.quality.level == "low"
    assert refined.quality.level == "ok"
    assert refined.beginning == "start"


@pytest.mark.parametrize(("unit", "factor"), [("cm", 100), ("mm", 1000)])
async def test_other_units_give_the_same_body_in_metres(plane, unit, factor):
    found = await ask(plane, points=CLOUD * factor, unit=unit)
    # These models answer about the centroid of what they see, which is another choice of points here.
    np.testing.assert_allclose(found.transl, PERSON.pelvis, atol=2e-2)
    assert found.cloud.scale.unit == unit


async def test_a_cloud_far_from_the_origin_keeps_its_place(plane):
    far = np.array([4.0e5, 5.0e6, 100.0])
    found = await ask(plane, points=CLOUD + far)
    np.testing.assert_allclose(found.transl - far, PERSON.pelvis, atol=2e-2)


async def test_another_body_takes_over_pose_and_size(plane):
    found = await ask(plane, body="own")
    assert found.body.licence == "private"
    vertices, joints = skin(bundled_body(), PERSON.rotations, PERSON.betas, PERSON.pelvis)
    # The pelvis of this file is 24 cm off its origin; transl says so, and the joints are where they were.
    assert np.linalg.norm(found.transl - PERSON.pelvis) > 0.2
    assert np.linalg.norm(found.joints - joints, axis=1).mean() < 0.05
    refined = await ask(plane, body="own", refine=True)
    assert np.linalg.norm(refined.vertices - vertices, axis=1).mean() < 0.01


@pytest.mark.parametrize(
    ("model", "options", "error", "code"),
    [
        ("truth", {"body": "../secret"}, NotFound, "unknown_body"),
        ("truth", {"body": "empty"}, EquiServeError, "invalid_body"),
        ("truth", {"unit": "feet"}, EquiServeError, "unknown_unit"),
        ("truth", {"file_format": "stl"}, EquiServeError, "invalid_cloud"),
        ("truth", {"priority": -1}, EquiServeError, "invalid_parameter"),
        ("linear", {}, Unsupported, "not_a_body_fitter"),
        ("broken", {}, InternalError, "unusable_answer"),
        ("nobody", {}, NotFound, "unknown_model"),
    ],
)
async def test_what_cannot_be_done_says_why(plane, model, options, error, code):
    points = b"solid" if "file_format" in options else CLOUD
    with pytest.raises(error) as caught:
        await ask(plane, model, points, **options)
    expected = "unknown_format" if "file_format" in options else code
    assert caught.value.code == expected


async def test_a_deadline_ends_refinement_between_two_slices(plane):
    loop = asyncio.get_running_loop()
    with pytest.raises(DeadlineExceeded):
        await ask(plane, "near", refine=True, deadline=loop.time() + 0.03)


async def test_a_caller_who_leaves_ends_refinement(plane):
    task = asyncio.ensure_future(ask(plane, "near", refine=True))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await ask(plane)).quality.level == "ok"


def chair(points):
    """Seat, back and four legs, evenly covered."""
    rng = np.random.default_rng(0)
    boxes = [((-0.22, 0.43, -0.22), (0.22, 0.47, 0.22)), ((-0.22, 0.47, -0.22), (0.22, 0.95, -0.18))]
    boxes += [((x, 0, z), (x + 0.04, 0.43, z + 0.04)) for x in (-0.22, 0.18) for z in (-0.22, 0.18)]
    parts = []
    for low, high in boxes:
        low, size = np.array(low), np.subtract(high, low)
        area = np.array([size[1] * size[2], size[0] * size[2], size[0] * size[1]])
        count = int(points * area.sum() / 0.65)
        axis = rng.choice(3, count, p=area / area.sum())
        part = rng.random((count, 3))
        part[range(count), axis] = rng.integers(0, 2, count)
        parts.append(low + part * size)
    return np.concatenate(parts)


@pytest.mark.parametrize("refine", [False, True])
async def test_a_chair_is_never_a_confident_body(plane, refine):
    found = await ask(plane, "near", points=chair(4000), refine=refine)
    assert found.quality.level == "low"
    assert found.quality.reasons


async def test_the_glb_is_what_gltf_2_asks_for(plane):
    found = await ask(plane)
    content = to_glb(found)
    magic, version, length = struct.unpack_from("<III", content)
    assert (magic, version, length) == (0x46546C67, 2, len(content))
    size, kind = struct.unpack_from("<II", content, 12)
    assert kind == 0x4E4F534A
    assert size % 4 == 0
    document = json.loads(content[20 : 20 + size])
    binary_size, kind = struct.unpack_from("<II", content, 20 + size)
    binary = content[28 + size :]
    assert kind == 0x004E4942
    assert len(binary) == binary_size == document["buffers"][0]["byteLength"]
    assert document["asset"]["version"] == "2.0"
    (primitive,) = document["meshes"][0]["primitives"]
    arrays = {}
    for key, place in {**primitive["attributes"], "indices": primitive["indices"]}.items():
        accessor = document["accessors"][place]
        view = document["bufferViews"][accessor["bufferView"]]
        dtype, width = {5126: "<f4", 5125: "<u4"}[accessor["componentType"]], {"VEC3": 3, "SCALAR": 1}[accessor["type"]]
        assert view["byteOffset"] % 4 == 0
        assert view["byteLength"] == accessor["count"] * width * 4
        assert view["target"] == (34963 if key == "indices" else 34962)
        arrays[key] = np.frombuffer(binary, dtype, accessor["count"] * width, view["byteOffset"]).reshape(-1, width)
        if key == "POSITION":
            np.testing.assert_array_equal(arrays[key].min(axis=0), np.float32(accessor["min"]))
            np.testing.assert_array_equal(arrays[key].max(axis=0), np.float32(accessor["max"]))
    translation = document["nodes"][document["scenes"][document["scene"]]["nodes"][0]]["translation"]
    np.testing.assert_allclose(arrays["POSITION"] + translation, found.vertices, atol=1e-6)
    np.testing.assert_array_equal(arrays["indices"].reshape(-1, 3), found.body.faces)
    np.testing.assert_allclose(np.linalg.norm(arrays["NORMAL"], axis=1), 1, atol=1e-5)


async def test_every_mesh_file_holds_the_vertices(plane):
    found = await ask(plane, labels=True)
    np.testing.assert_allclose(read_cloud(to_obj(found)), found.vertices, atol=1e-6)
    np.testing.assert_array_equal(read_cloud(to_ply(found)), found.vertices)
    with np.load(io.BytesIO(to_npz(found)), allow_pickle=False) as file:
        np.testing.assert_array_equal(file["vertices"], found.vertices)
        np.testing.assert_array_equal(file["labels"], found.labels)
        assert str(file["licence"]) == bundled_body().licence


async def test_the_picture_shows_what_is_off(plane):
    vermilion = (0xD5, 0x5E, 0x00)
    shares = {}
    for model in ("truth", "near"):
        picture = Image.open(io.BytesIO(to_png(await ask(plane, model))))
        assert picture.size == (1200, 536)
        shares[model] = (np.asarray(picture)[60:480] == vermilion).all(axis=-1).sum()
    assert shares["truth"] == 0
    assert shares["near"] > 500


def test_the_rasteriser_shows_the_nearer_of_two_triangles():
    far = [[1.0, 1, 9], [30, 1, 9], [1, 30, 9]]
    near = [[-5.0, -5, 2], [12, -5, 2], [-5, 12, 2]]
    owner, depth = rasterise(np.array([far, near]), 20, 25)
    rows, columns = np.mgrid[:20, :25]
    in_near, in_far = columns + rows <= 7, (columns >= 1) & (rows >= 1) & (columns + rows <= 31)
    np.testing.assert_array_equal(owner, np.where(in_near, 1, np.where(in_far, 0, -1)))
    np.testing.assert_allclose(depth[in_near], 2)
    assert np.isinf(depth[owner < 0]).all()


def test_a_leaning_triangle_is_cut_where_it_goes_through_another():
    level = [[0.0, 0, 5], [40, 0, 5], [0, 40, 5]]
    leaning = [[0.0, 0, 0], [20, 0, 10], [0, 40, 0]]  # depth = column / 2
    owner, _ = rasterise(np.array([level, leaning]), 8, 16)
    np.testing.assert_array_equal(owner[:4, :9], 1)
    np.testing.assert_array_equal(owner[:4, 11:], 0)
