"""Pictures in, classes out, through the real engine."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from scipy.special import softmax

from equiserve.engine import RequestContext
from equiserve.errors import DeadlineExceeded, InvalidRequest, Unsupported
from equiserve.tasks.classify import ClassifyRequest, classify
from picture_runtimes import EXACT_SHIFTS, SHIFTS, PictureRuntime, by_position, histogram, serve

LABELS = ["dark", "dim", "light", "bright"]
PIXELS = np.random.default_rng(1).integers(0, 256, (5, 1, 28, 28), np.uint8)


def png(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array[0]).save(stream, "PNG")
    return stream.getvalue()


async def run(model, compute, *, context=None, **request):
    context = context or RequestContext("id")
    return await classify(
        model, ClassifyRequest("fake", **request), context, compute=compute, max_pixels=10**6, max_orbit=64
    )


async def test_probabilities_are_the_softmax_of_the_logits_best_first(scheduler, compute):
    model = serve(scheduler, PictureRuntime(by_position), labels=LABELS)
    result = await run(model, compute, pictures=[png(picture) for picture in PIXELS], top_k=4)
    truth = softmax(by_position(PIXELS).astype(np.float32).astype(np.float64), axis=1)
    for guesses, row in zip(result.predictions, truth, strict=True):
        assert [guess.index for guess in guesses] == np.argsort(-row).tolist()
        assert [guess.probability for guess in guesses] == pytest.approx(sorted(row, reverse=True), rel=1e-12)
        assert [guess.label for guess in guesses] == [LABELS[guess.index] for guess in guesses]
    assert (result.model, result.version, result.runtime) == ("fake", "1", "onnx")


async def test_the_pictures_of_a_request_share_one_call(scheduler, compute):
    runtime = PictureRuntime(histogram)
    await run(serve(scheduler, runtime), compute, pictures=list(PIXELS))
    assert [len(batch) for batch in runtime.batches] == [5]


async def test_arrays_and_files_are_classified_alike(scheduler, compute):
    model = serve(scheduler, PictureRuntime(by_position))
    files = await run(model, compute, pictures=[png(picture) for picture in PIXELS])
    arrays = await run(model, compute, pictures=[picture[0] for picture in PIXELS])
    assert files == arrays


async def test_pictures_of_several_sizes_come_back_in_the_order_they_were_sent(scheduler, compute):
    model = serve(scheduler, PictureRuntime(histogram, shape=(-1, 1, -1, -1)))
    pictures = [np.full(shape, value, np.uint8) for shape, value in (((8, 8), 0), ((9, 9), 100), ((8, 8), 250))]
    result = await run(model, compute, pictures=pictures, top_k=1)
    assert [guesses[0].index for guesses in result.predictions] == [0, 1, 3]


async def test_a_model_without_batch_axis_is_called_once_a_picture(scheduler, compute):
    runtime = PictureRuntime(by_position, shape=(1, 1, 28, 28))
    result = await run(serve(scheduler, runtime, max_batch=0), compute, pictures=list(PIXELS), top_k=1)
    assert [len(batch) for batch in runtime.batches] == [1] * 5
    assert [g[0].index for g in result.predictions] == by_position(PIXELS).argmax(axis=1).tolist()


async def test_a_strangers_file_that_ends_in_softmax_is_not_squashed_twice(scheduler, compute):
    model = serve(scheduler, PictureRuntime(lambda p: softmax(by_position(p), axis=1)), kinds=("other", "other"))
    result = await run(model, compute, pictures=[PIXELS[0]], top_k=1)
    assert result.predictions[0][0].probability == pytest.approx(softmax(by_position(PIXELS[:1])).max(), rel=1e-6)
    assert result.predictions[0][0].label == f"class {by_position(PIXELS[:1]).argmax()}"


@pytest.mark.parametrize(("value_range", "expected"), [(None, 200.0), ((0.0, 255.0), 200.0), ((0.0, 1.0), 200 / 255)])
async def test_a_floating_input_gets_pixels_in_its_value_range(scheduler, compute, value_range, expected):
    runtime = PictureRuntime(lambda p: np.zeros((len(p), 4)), datatype="FP32")
    runtime.inputs = (runtime.inputs[0].model_copy(update={"value_range": value_range}),)
    await run(serve(scheduler, runtime), compute, pictures=[np.full((28, 28), 200, np.uint8)])
    assert runtime.batches[0].dtype == np.float32
    assert runtime.batches[0].max() == np.float32(expected)


async def test_the_guarantee_is_told_and_limited_by_resizing(scheduler, compute):
    declared = {"groups": SHIFTS, "symmetries": EXACT_SHIFTS, "input_fit": "resize"}
    model = serve(scheduler, PictureRuntime(histogram), **declared)
    same = await run(model, compute, pictures=[PIXELS[0]])
    larger = await run(model, compute, pictures=[PIXELS[0], np.zeros((40, 30), np.uint8)])
    assert same.guarantee == "the answer is exactly the same for every shifts of the picture (declared)"
    assert "not of the one that was sent" in larger.guarantee
    assert larger.resized_from == [None, (40, 30)]
    assert (await run(serve(scheduler, PictureRuntime(histogram)), compute, pictures=[PIXELS[0]])).guarantee is None


@pytest.mark.parametrize(
    ("request_fields", "code"),
    [
        ({"pictures": []}, "no_picture"),
        ({"pictures": [PIXELS[0]] * 257}, "too_many_pictures"),
        ({"pictures": [PIXELS[0]], "top_k": 0}, "invalid_top_k"),
        ({"pictures": [PIXELS[0]], "top_k": True}, "invalid_top_k"),
        ({"pictures": [PIXELS[0], b"no picture"]}, "not_a_picture"),
        ({"pictures": [np.zeros((27, 28), np.uint8)]}, "wrong_picture_size"),
    ],
)
async def test_what_cannot_be_classified_is_refused(scheduler, compute, request_fields, code):
    model = serve(scheduler, PictureRuntime(histogram), labels=LABELS)
    with pytest.raises(InvalidRequest) as caught:
        await run(model, compute, **({"top_k": 1} | request_fields))
    assert caught.value.code == code


async def test_a_picture_among_several_is_named_in_its_error(scheduler, compute):
    model = serve(scheduler, PictureRuntime(histogram))
    with pytest.raises(InvalidRequest) as caught:
        await run(model, compute, pictures=[PIXELS[0], b"no picture"])
    assert caught.value.field == "pictures[1]"


async def test_more_classes_than_there_are_means_all(scheduler, compute):
    result = await run(serve(scheduler, PictureRuntime(histogram)), compute, pictures=[PIXELS[0]], top_k=1000)
    assert [len(guesses) for guesses in result.predictions] == [4]


@pytest.mark.parametrize("shape", [(-1, 28, 28, 1), (-1, 10), (-1, 4, 28, 28)])
async def test_a_model_that_takes_no_pictures_says_what_is_missing(scheduler, compute, shape):
    model = serve(scheduler, PictureRuntime(histogram, shape=shape))
    with pytest.raises(Unsupported, match=r"expected one input of kind picture") as caught:
        await run(model, compute, pictures=[PIXELS[0]])
    assert caught.value.code == "not_a_classifier"


async def test_an_output_that_is_not_finite_becomes_null_in_json(scheduler, compute):
    model = serve(scheduler, PictureRuntime(lambda p: np.full((len(p), 4), np.nan)))
    result = await run(model, compute, pictures=[PIXELS[0]], top_k=1)
    assert result.to_json()["predictions"][0][0]["probability"] is None


async def test_a_deadline_that_has_passed_is_an_error(scheduler, compute):
    with pytest.raises(DeadlineExceeded):
        await run(
            serve(scheduler, PictureRuntime(histogram)),
            compute,
            pictures=[PIXELS[0]],
            context=RequestContext("id", deadline=0.0),
        )
