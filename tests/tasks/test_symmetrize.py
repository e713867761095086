"""Models that know nothing of symmetry, made invariant by the server: through the real engine, in pure numpy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from equiserve.artifact import TensorSpec
from equiserve.checks import CheckRequest, run_check
from equiserve.description import configuration, metadata
from equiserve.engine import RequestContext
from equiserve.errors import InvalidRequest, TooLarge, Unsupported
from equiserve.symmetrization import symmetrization_of
from equiserve.tasks.classify import ClassifyRequest, classify
from equiserve.tasks.symmetrize import infer_symmetrized
from picture_runtimes import PictureRuntime, by_position, serve

PICTURES = np.random.default_rng(4).integers(0, 256, (5, 1, 28, 28), np.uint8)
# Every pixel of one grey ties; so do stripes.
TIED = np.stack([np.full((1, 28, 28), 90, np.uint8), np.tile(np.arange(28) % 4 * 80, (28, 1)).astype(np.uint8)[None]])
SHIFTS = [(0, 0), (1, 0), (0, 1), (13, 5), (27, 27), (4, 8), (20, 3)]

ORBITS = {
    "C2": [lambda p: p, lambda p: np.rot90(p, 2, (-2, -1))],
    "C4": [lambda p, k=k: np.rot90(p, k, (-2, -1)) for k in range(4)],
    "D4": [lambda p, k=k, s=s: np.rot90(p[..., ::s], k, (-2, -1)) for k in range(4) for s in (1, -1)],
    "Flip": [lambda p, r=r, s=s: p[..., ::r, ::s] for r in (1, -1) for s in (1, -1)],
    "Flip:left_right": [lambda p: p, lambda p: p[..., ::-1]],
    "Flip:up_down": [lambda p: p, lambda p: p[..., ::-1, :]],
}


def steep(pictures: np.ndarray) -> np.ndarray:
    """Scores by position whose class often changes with the picture's pose."""
    return by_position(pictures).astype(np.float32) * 3


async def run(model, compute, pictures, *, max_orbit=4096, **request):
    return await classify(
        model,
        ClassifyRequest("fake", pictures=list(pictures), top_k=4, **request),
        RequestContext("id"),
        compute=compute,
        max_pixels=10**6,
        max_orbit=max_orbit,
    )


async def infer(model, compute, pictures, asked=None, *, wanted=None, max_orbit=4096):
    return await infer_symmetrized(
        model, [pictures], symmetrization_of(model, asked), wanted=wanted, compute=compute, max_orbit=max_orbit
    )


def probabilities(result) -> np.ndarray:
    """[n, K] by class index."""
    return np.array([[g.probability for g in sorted(guesses, key=lambda g: g.index)] for guesses in result.predictions])


@pytest.mark.parametrize("pictures", [PICTURES, TIED], ids=["noise", "ties"])
async def test_a_net_that_looks_at_places_becomes_blind_to_circular_shifts(scheduler, compute, pictures):
    model = serve(scheduler, PictureRuntime(steep))
    answers = [
        await run(model, compute, np.roll(pictures, shift, (2, 3)), symmetrize="canonical_origin") for shift in SHIFTS
    ]
    for answer in answers:
        assert answer.predictions == answers[0].predictions
        assert answer.symmetrize == "canonical_origin"
        assert answer.stability is None
        assert "for every CyclicShift of the picture" in answer.guarantee
    plain = [await run(model, compute, np.roll(PICTURES, shift, (2, 3))) for shift in SHIFTS]
    assert plain[1].predictions != plain[0].predictions
    assert (plain[0].symmetrize, plain[0].guarantee) == (None, None)


@pytest.mark.parametrize("spelling", ["canonical_origin", "canonical_origin:7"])
async def test_a_check_of_a_plain_net_passes_to_the_last_bit_where_the_manifest_symmetrizes_it(
    scheduler, compute, spelling
):
    model = serve(scheduler, PictureRuntime(steep), symmetrize=spelling)
    request = CheckRequest("fake", picture=PICTURES[0])
    limits = {"compute": compute, "max_pixels": 10**6, "max_orbit": 4096}
    report = (await run_check(model, request, RequestContext("id"), **limits)).to_json()
    assert report["group"]["name"].startswith("CyclicShift")
    assert report["verdict"]["status"] == "pass"
    assert report["bitwise_identical"] == {"identical": 784, "of": 784}
    assert (report["level"], report["declared"]["source"]) == ("exact", "symmetrized")
    plain = CheckRequest("fake", picture=PICTURES[0], group="CyclicShift")
    report = (await run_check(serve(scheduler, PictureRuntime(steep)), plain, RequestContext("id"), **limits)).to_json()
    assert report["verdict"]["status"] == "fail"


async def test_a_request_can_switch_off_what_the_manifest_sets(scheduler, compute):
    runtime = PictureRuntime(steep)
    model = serve(scheduler, runtime, symmetrize="canonical_origin")
    default = await run(model, compute, PICTURES)
    assert default.symmetrize == "canonical_origin"
    assert default.guarantee == "the answer is exactly the same for every CyclicShift of the picture (symmetrize)"
    off = await run(model, compute, PICTURES, symmetrize="none")
    np.testing.assert_array_equal(runtime.batches[-1], PICTURES)
    assert (off.symmetrize, off.guarantee) == (None, None)
    assert off.predictions != default.predictions
    other = await run(model, compute, PICTURES, symmetrize="C4")
    assert other == await run(serve(scheduler, PictureRuntime(steep)), compute, PICTURES, symmetrize="C4")


async def test_the_guarantee_is_told_as_far_as_batches_keep_it(scheduler, compute):
    alone = serve(scheduler, PictureRuntime(steep), stable_batch=2)
    assert (
        "same up to the rounding of its batch"
        in (await run(alone, compute, PICTURES, symmetrize="canonical_origin")).guarantee
    )
    assert "exactly the same for every C4" in (await run(alone, compute, PICTURES, symmetrize="C4")).guarantee


async def test_metadata_show_the_default_and_the_symmetry_that_it_makes(scheduler):
    model = serve(scheduler, PictureRuntime(steep), symmetrize="canonical_origin:4")
    assert metadata(model, ["1"])["properties"]["symmetrize"] == "canonical_origin:4"
    assert metadata(model, ["1"])["properties"]["symmetry.CyclicShift"] == "exact (symmetrized)"
    assert configuration(model)["parameters"]["symmetrize"] == {"string_value": "canonical_origin:4"}


@pytest.mark.parametrize("group", ORBITS)
async def test_a_group_average_is_the_mean_of_the_probabilities_over_the_orbit(scheduler, compute, group):
    model = serve(scheduler, PictureRuntime(steep))
    result = await run(model, compute, PICTURES, symmetrize=group)
    members = np.stack([softmax(steep(g(PICTURES)).astype(np.float64), axis=1) for g in ORBITS[group]])
    np.testing.assert_allclose(probabilities(result), members.mean(0), rtol=1e-6)
    assert result.symmetrize == group
    for place, strength in enumerate(result.stability):
        votes = np.bincount(members[:, place].argmax(1), minlength=4) / len(members)
        first, second = sorted(votes)[:1:-1]
        assert strength.modal_share == pytest.approx(first)
        assert strength.margin == pytest.approx(first - second)


@pytest.mark.parametrize("group", ORBITS)
async def test_the_average_of_a_moved_picture_is_the_same_to_the_last_bit(scheduler, compute, group):
    model = serve(scheduler, PictureRuntime(steep))
    answers = [await run(model, compute, g(PICTURES), symmetrize=group) for g in ORBITS[group]]
    for answer in answers:
        assert answer.predictions == answers[0].predictions
        assert answer.stability == answers[0].stability


async def test_the_whole_orbit_goes_through_the_ordinary_batcher(scheduler, compute):
    runtime = PictureRuntime(steep)
    model = serve(scheduler, runtime, max_batch=8)
    await run(model, compute, PICTURES, symmetrize="D4")
    assert [len(batch) for batch in runtime.batches] == [8] * 5
    assert model.statistics.background_rows == 0


async def test_an_orbit_beyond_one_piece_is_averaged_like_a_small_one(scheduler, compute):
    pictures = np.random.default_rng(5).integers(0, 256, (40, 1, 28, 28), np.uint8)
    model = serve(scheduler, PictureRuntime(steep), max_batch=8)
    whole = await run(model, compute, pictures, symmetrize="D4")
    members = np.stack([softmax(steep(g(pictures)).astype(np.float64), axis=1) for g in ORBITS["D4"]])
    np.testing.assert_allclose(probabilities(whole), members.mean(0), rtol=1e-6)


async def test_pictures_of_several_sizes_are_averaged_each_over_its_own_orbit(scheduler, compute):
    model = serve(scheduler, PictureRuntime(lambda p: p[:, 0, 0, :4] / 50, shape=(-1, 1, -1, -1)))
    small, large = np.full((8, 8), 100, np.uint8), np.zeros((12, 12), np.uint8)
    small[0] = [250, 0, 0, 0, 0, 0, 0, 0]
    result = await run(model, compute, [small, large, small], symmetrize="C4")
    alone = await run(model, compute, [small], symmetrize="C4")
    assert result.predictions[0] == result.predictions[2] == alone.predictions[0]
    assert result.stability[0] == alone.stability[0] != result.stability[1]


async def test_a_model_without_batch_axis_is_symmetrized_too(scheduler, compute):
    batched = serve(scheduler, PictureRuntime(steep))
    runtime = PictureRuntime(steep, shape=(1, 1, 28, 28))
    single = serve(scheduler, runtime, max_batch=0)
    for way in ("canonical_origin", "C4"):
        expected = await run(batched, compute, PICTURES, symmetrize=way)
        result = await run(single, compute, PICTURES, symmetrize=way)
        np.testing.assert_allclose(probabilities(result), probabilities(expected), rtol=1e-5)
        assert {len(batch) for batch in runtime.batches} == {1}
    (mean,) = await infer(single, compute, PICTURES[:1], "C4")
    np.testing.assert_allclose(mean, np.mean([steep(g(PICTURES[:1])) for g in ORBITS["C4"]], axis=0), rtol=1e-5)


async def test_infer_averages_the_outputs_themselves(scheduler, compute):
    model = serve(scheduler, PictureRuntime(steep))
    (mean,) = await infer(model, compute, PICTURES, "D4")
    assert mean.dtype == np.float32
    np.testing.assert_allclose(mean, np.mean([steep(g(PICTURES)) for g in ORBITS["D4"]], axis=0), rtol=1e-5)


@pytest.mark.parametrize("value_range", [None, (0.0, 1.0)])
async def test_infer_and_classify_choose_the_same_origin_for_floats(scheduler, compute, value_range):
    runtime = PictureRuntime(steep, datatype="FP32")
    runtime.inputs = (runtime.inputs[0].model_copy(update={"value_range": value_range}),)
    model = serve(scheduler, runtime, symmetrize="canonical_origin")
    await run(model, compute, PICTURES)
    pixels = PICTURES.astype(np.float32) / np.float32(255) if value_range else PICTURES.astype(np.float32)
    for shift in SHIFTS:
        await infer(model, compute, np.roll(pixels, shift, (2, 3)))
    for batch in runtime.batches[1:]:
        np.testing.assert_array_equal(batch, runtime.batches[0])


async def test_outputs_that_move_with_the_picture_are_refused_unless_they_are_not_wanted(scheduler, compute):
    class WithMap(PictureRuntime):
        def run(self, inputs):
            return [*super().run(inputs), inputs["image"]]

    runtime = WithMap(steep)
    model = serve(scheduler, runtime)
    mask = TensorSpec(name="mask", datatype="UINT8", shape=(-1, 1, 28, 28), kind="segmentation")
    runtime.outputs = (*runtime.outputs, mask)
    model.manifest = model.manifest.model_copy(update={"outputs": [*model.manifest.outputs, mask]})
    for way in ("canonical_origin", "C4"):
        with pytest.raises(Unsupported, match="output 'mask' is UINT8") as caught:
            await infer(model, compute, PICTURES, way)
        assert (caught.value.code, caught.value.field) == ("output_not_invariant", "outputs.mask")
        scores = (await infer(model, compute, PICTURES, way, wanted=frozenset({"scores"})))[0]
        assert scores.shape == (5, 4)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("D3", "does not only permute pixels"),
        ("C8", "does not only permute pixels"),
        ("C999999999", "does not only permute pixels"),
        ("CropShift:2", "does not only permute pixels"),
        ("SO2", "infinite"),
        ("CyclicShift", "canonical_origin makes the answer exactly the same"),
        ("CyclicShift:28x28", "canonical_origin makes the answer exactly the same"),
        ("Q8", "got 'Q8'"),
        ("canonical_origin:0", "got 'canonical_origin:0'"),
        ("", "got ''"),
    ],
)
async def test_what_cannot_be_averaged_is_refused_with_the_known_values(scheduler, compute, asked, why):
    model = serve(scheduler, PictureRuntime(steep))
    with pytest.raises(InvalidRequest, match=r"expected one of none, canonical_origin, .*C4, .*Flip:up_down") as caught:
        await run(model, compute, PICTURES, symmetrize=asked)
    assert why in caught.value.message
    assert (caught.value.code, caught.value.field) == ("invalid_symmetrize", "symmetrize")


async def test_a_patch_that_does_not_divide_the_picture_is_named(scheduler, compute):
    model = serve(scheduler, PictureRuntime(steep))
    with pytest.raises(InvalidRequest, match="patch 16 does not divide a picture of 28 x 28 pixels"):
        await run(model, compute, PICTURES, symmetrize="canonical_origin:16")


async def test_quarter_turns_need_a_square_picture(scheduler, compute):
    model = serve(scheduler, PictureRuntime(lambda p: p[:, 0, 0, :4], shape=(-1, 1, 8, 12)))
    with pytest.raises(InvalidRequest, match=r"C4 does not act on this picture: .*square") as caught:
        await run(model, compute, [np.zeros((8, 12), np.uint8)], symmetrize="C4")
    assert caught.value.field == "symmetrize"
    assert (await run(model, compute, [np.zeros((8, 12), np.uint8)], symmetrize="C2")).symmetrize == "C2"


async def test_the_cost_of_an_average_is_bounded(scheduler, compute):
    runtime = PictureRuntime(steep)
    model = serve(scheduler, runtime)
    with pytest.raises(TooLarge, match="5 pictures x 8 elements of D4 are 40 evaluations, at most 39") as caught:
        await run(model, compute, PICTURES, symmetrize="D4", max_orbit=39)
    assert (caught.value.code, caught.value.field) == ("orbit_too_large", "symmetrize")
    with pytest.raises(TooLarge, match="40 evaluations"):
        await infer(model, compute, PICTURES, "D4", max_orbit=39)
    assert runtime.batches == []


async def test_a_model_that_takes_no_pictures_is_not_symmetrized(scheduler):
    model = serve(scheduler, PictureRuntime(steep, shape=(-1, 28)), kinds=("other", "logits"))
    with pytest.raises(Unsupported, match=r"takes no pictures: its inputs are 'image' UINT8 \[-1, 28\]") as caught:
        symmetrization_of(model, "canonical_origin")
    assert (caught.value.code, caught.value.field) == ("takes_no_pictures", "symmetrize")
