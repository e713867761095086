"""Both clients against the real REST edge."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from in_process import Ask
from PIL import Image

from equiserve.client import Client
from equiserve.client.pictures import encode_png
from equiserve.errors import DeadlineExceeded, InvalidRequest, NotFound, Unavailable, Unsupported

DARK = np.zeros((4, 4), np.uint8)
BRIGHT = np.full((4, 4), 10, np.uint8)

TYPES = {
    "in_BOOL": np.array([[True, False]]),
    "in_UINT8": np.array([[0, 255]], np.uint8),
    "in_INT32": np.array([[-(2**31), 2**31 - 1]], np.int32),
    "in_INT64": np.array([[-(2**63), 2**63 - 1]], np.int64),
    "in_FP16": np.array([[1.5, np.nan]], np.float16),
    "in_FP32": np.array([[np.inf, 1e-40]], np.float32),
    "in_FP64": np.array([[math.pi, -0.0]], np.float64),
    "in_BYTES": np.array([[b"a\0b\0", "zwölf".encode()]], object),
}


async def test_every_datatype_comes_back_bit_by_bit(ask: Ask) -> None:
    outputs = await ask("infer", "types", TYPES)
    assert set(outputs) == {name.replace("in_", "out_") for name in TYPES}
    for name, sent in TYPES.items():
        got = outputs[name.replace("in_", "out_")]
        assert (got.dtype, got.shape) == (sent.dtype, sent.shape)
        assert got.tolist() == sent.tolist() if sent.dtype == object else got.tobytes() == sent.tobytes()


async def test_arrays_of_any_layout_byte_order_and_kind_of_text_are_taken(ask: Ask) -> None:
    strange = dict(TYPES)
    strange["in_FP32"] = np.asfortranarray(np.array([[1, 2], [3, 4]], ">f4"))
    strange["in_BYTES"] = np.array([["a", "bc"], ["", "d"]])
    others = {name: np.repeat(array, 2, axis=0) for name, array in strange.items() if name in TYPES and len(array) == 1}
    outputs = await ask("infer", "types", strange | others)
    assert outputs["out_FP32"].tolist() == [[1, 2], [3, 4]]
    assert outputs["out_BYTES"].tolist() == [[b"a", b"bc"], [b"", b"d"]]


async def test_only_the_outputs_that_were_asked_for_come_and_may_be_written_to(ask: Ask) -> None:
    outputs = await ask("infer", "types", TYPES, ["out_INT64"], version="1")
    assert list(outputs) == ["out_INT64"]
    outputs["out_INT64"][0, 0] = 7


async def test_an_array_that_the_protocol_lacks_is_refused_before_anything_is_sent(ask: Ask) -> None:
    with pytest.raises(InvalidRequest, match="complex64") as caught:
        await ask("infer", "types", {"in_FP32": np.zeros((1, 2), np.complex64)})
    assert caught.value.field == "inputs.in_FP32.datatype"


async def test_a_server_error_is_the_same_class_with_code_field_and_request_id(ask: Ask) -> None:
    with pytest.raises(InvalidRequest, match=r"shape is \[1, 3\], expected \[-1, 4\]") as caught:
        await ask("infer", "spare", {"x": np.zeros((1, 3), np.float32)})
    assert (caught.value.code, caught.value.field) == ("wrong_shape", "inputs.x.shape")
    assert caught.value.__notes__[0].startswith("request id ")
    with pytest.raises(NotFound) as missing:
        await ask("metadata", "no/such model?")
    assert missing.value.code in ("unknown_model", "unknown_route")
    with pytest.raises(Unsupported) as unsupported:
        await ask("classify", "spare", DARK)
    assert unsupported.value.code == "not_a_classifier"


async def test_a_deadline_in_the_past_is_the_servers_answer(ask: Ask) -> None:
    with pytest.raises(DeadlineExceeded) as caught:
        await ask("infer", "spare", {"x": np.zeros((1, 4), np.float32)}, timeout_s=1e-9)
    assert caught.value.code == "deadline_exceeded"


async def test_pictures_are_classified_as_bytes_paths_and_arrays_in_their_order(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "bright.png"
    Image.fromarray(BRIGHT).save(path)
    answer = await ask("classify", "brightness", [path, DARK, path.read_bytes(), BRIGHT[np.newaxis]], top_k=1)
    assert [guesses[0]["index"] for guesses in answer["predictions"]] == [0, 1, 0, 0]
    # Scores are +-0.6 and -+1: softmax in closed form.
    expected = [1 / (1 + math.exp(-1.2)), 1 / (1 + math.exp(-2))]
    got = [guesses[0]["probability"] for guesses in answer["predictions"][:2]]
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    assert (answer["model"], answer["version"], answer["runtime"]) == ("brightness", "1", "onnx")


async def test_one_picture_needs_no_list(ask: Ask) -> None:
    answer = await ask("classify", "brightness", BRIGHT)
    assert [guess["index"] for guess in answer["predictions"][0]] == [0, 1]


async def test_a_check_reports_the_whole_orbit(ask: Ask) -> None:
    picture = np.arange(16, dtype=np.uint8).reshape(4, 4)
    report = await ask("check", "brightness", picture, "CyclicShift", outputs=True, metrics=["modal_consistency"])
    assert report["coverage"] == {"checked": 16, "planned": 16, "exact": 16}
    assert report["bitwise_identical"] == {"identical": 16, "of": 16}
    # The pixels' sum is 120 wherever they are shifted to.
    np.testing.assert_allclose(report["elements"]["output"], [[0.2, -0.2]] * 16, rtol=1e-6)
    assert set(report["summary"]["all"]) == {"modal_consistency"}
    assert report["statement"]


async def test_a_check_takes_a_group_with_parameters_and_chosen_elements(ask: Ask) -> None:
    picture = np.arange(16, dtype=np.uint8).reshape(4, 4)
    group = {"name": "CyclicShift", "height": 4, "width": 4}
    shifts = [{"dy": 0, "dx": 1}, {"dy": 2, "dx": 3}]
    report = await ask("check", "brightness", picture, group, shifts, reference="label", label=0)
    # The identity is always among them.
    assert report["elements"]["element"] == [{"dy": 0, "dx": 0}, *shifts]
    assert report["reference"]["kind"] == "label"
    with pytest.raises(InvalidRequest):
        await ask("check", "brightness", picture, "NoSuchGroup")


async def test_a_checks_plot_is_an_svg_document(ask: Ask) -> None:
    svg = await ask("check_plot", "brightness", BRIGHT, "CyclicShift", 8)
    assert ElementTree.fromstring(svg).tag.endswith("svg")


async def test_catalogues_name_groups_and_metrics(ask: Ask) -> None:
    assert "CyclicShift" in {group["name"] for group in await ask("groups")}
    assert "modal_consistency" in {metric["name"] for metric in await ask("metrics")}


async def test_models_are_listed_described_unloaded_and_loaded(ask: Ask) -> None:
    def states() -> dict[str, str]:
        return {entry["name"]: entry["state"] for entry in index}

    assert await ask("ready")
    index = await ask("models")
    assert states()["spare"] == "READY"
    assert (await ask("metadata", "spare", "1"))["inputs"][0]["shape"] == [-1, 4]
    await ask("unload", "spare")
    index = await ask("models")
    assert states()["spare"] == "UNAVAILABLE"
    await ask("load", "spare")
    index = await ask("models")
    assert states()["spare"] == "READY"
    with pytest.raises(NotFound):
        await ask("load", "no_such_model")


def test_a_server_that_is_not_there_is_unavailable_and_not_ready() -> None:
    # Port 9 (discard) of loopback: nobody listens.
    with Client("127.0.0.1:9") as client:
        assert not client.ready()
        with pytest.raises(Unavailable) as caught:
            client.models()
    assert caught.value.code == "unreachable"


@pytest.mark.parametrize("shape", [(5, 7), (1, 5, 7), (3, 5, 7), (4, 5, 7)])
def test_an_array_becomes_a_png_that_pillow_reads_back_without_loss(tmp_path: Path, shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    path = tmp_path / "picture.png"
    path.write_bytes(encode_png(pixels))
    read = np.asarray(Image.open(path))
    channels_last = pixels if pixels.ndim == 2 else pixels.transpose(1, 2, 0)
    assert np.array_equal(read.reshape(channels_last.shape), channels_last)


@pytest.mark.parametrize(
    "picture", [np.zeros((4, 4)), np.zeros((2, 4, 4), np.uint8), np.zeros((0, 4), np.uint8), "picture.png"]
)
async def test_what_is_no_picture_is_refused_before_anything_is_sent(ask: Ask, picture: object) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await ask("classify", "brightness", picture)
    assert caught.value.code == "invalid_picture"


def test_importing_the_client_loads_nothing_of_the_server() -> None:
    program = (
        "import sys, equiserve.client\n"
        "server = {'fastapi', 'starlette', 'uvicorn', 'grpc', 'onnxruntime', 'torch', 'pydantic', 'PIL', 'yaml'}\n"
        "print(sorted(server & set(sys.modules)))\n"
        "print(sorted(name for name in sys.modules if name.startswith('equiserve.') and '.client' not in name))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "['equiserve.errors']"]
