from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import torch

from denoisers import tiny_denoiser, tiny_recipe, write_tiny_denoiser
from equiserve.artifact import read_manifest
from equiserve.artifact.folder import verify_digest
from equiserve.errors import InternalError, InvalidRequest
from equiserve_models.diffusion import zoo
from equiserve_models.diffusion.denoiser import Denoiser
from equiserve_models.training.named_weights import load_matching_weights

LOADERS = {"model.onnx": zoo.onnx_runner, "model.pt": zoo.torchscript_runner}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_denoiser(tmp_path_factory.mktemp("zoo")) / "1"


@pytest.fixture(scope="module")
def inputs() -> zoo.Inputs:
    return zoo.example_inputs(tiny_denoiser(), 33)


def rows(inputs: zoo.Inputs, chosen: np.ndarray) -> zoo.Inputs:
    x, sigma, label, angle = inputs
    return x[chosen], sigma[chosen], label[chosen], angle[chosen]


@pytest.mark.parametrize("file", LOADERS)
def test_exported_denoiser_agrees_with_the_network(exported: Path, inputs: zoo.Inputs, file: str) -> None:
    expected = zoo.eager_runner(tiny_denoiser())(inputs)
    np.testing.assert_allclose(LOADERS[file](exported / file)(inputs), expected, rtol=0, atol=5e-6)


def test_onnx_rows_have_the_same_bits_in_any_place_of_any_batch(exported: Path, inputs: zoo.Inputs) -> None:
    runner = zoo.onnx_runner(exported / "model.onnx")
    everything = runner(inputs)
    generator = np.random.default_rng(0)
    for size in range(1, 33):
        chosen = generator.permutation(33)[:size]
        assert np.array_equal(runner(rows(inputs, chosen)), everything[chosen]), size


def test_onnx_rows_alone_have_the_bits_that_they_have_in_company_where_powf_rounds_otherwise(exported: Path) -> None:
    """The C library's powf(sigma, 2) is not sigma * sigma here; ONNX Runtime calls it for a single number only."""
    sigma = np.array([1.315416932106018, 0.37367960810661316, 0.06992049515247345, 0.011184188537299633], np.float32)
    inputs = zoo.example_inputs(tiny_denoiser(), len(sigma))
    inputs = (inputs[0], sigma, *inputs[2:])
    runner = zoo.onnx_runner(exported / "model.onnx")
    alone = [runner(rows(inputs, np.array([place]))) for place in range(len(sigma))]
    np.testing.assert_array_equal(np.concatenate(alone), runner(inputs))


@pytest.mark.parametrize("file", LOADERS)
@pytest.mark.parametrize("poison", [np.nan, np.inf, 1e30])
def test_a_poisoned_row_changes_no_other(exported: Path, inputs: zoo.Inputs, file: str, poison: float) -> None:
    runner = LOADERS[file](exported / file)
    x, sigma, label, angle = (value.copy() for value in inputs)
    x[4], sigma[4], angle[4] = poison, poison, poison
    others = np.arange(33) != 4
    assert np.array_equal(runner((x, sigma, label, angle))[others], runner(inputs)[others])


def test_gate_refuses_a_file_of_another_network_and_rows_that_mix(exported: Path, inputs: zoo.Inputs) -> None:
    denoiser = tiny_denoiser()
    with pytest.raises(InternalError, match=r"model\.onnx differs"):
        zoo.check_file("model.onnx", lambda given: np.zeros_like(given[0]), denoiser)
    eager = zoo.eager_runner(denoiser)

    def mixing(given: zoo.Inputs) -> np.ndarray:
        return eager(given) + given[0].mean(0, keepdims=True) * np.float32(1e-9)

    with pytest.raises(InternalError, match="changes other rows"):
        zoo.check_rows("model.onnx", mixing, inputs, mixing(inputs))


def test_onnx_file_has_the_contract_and_names_nothing_of_the_exporting_machine(exported: Path) -> None:
    path = exported / "model.onnx"
    graph = onnx.load(path).graph
    kinds = {value.name: value.type.tensor_type.elem_type for value in graph.input}
    floats = onnx.TensorProto.FLOAT
    assert kinds == {"x": floats, "sigma": floats, "label": onnx.TensorProto.INT64, "angle": floats}
    assert [value.name for value in graph.output] == ["denoised"]
    assert {value.type.tensor_type.shape.dim[0].dim_param for value in (*graph.input, *graph.output)} == {"batch"}
    assert b"site-packages" not in path.read_bytes()


def test_manifest_tells_the_server_what_it_needs(exported: Path) -> None:
    manifest = read_manifest(exported.parent / "model.yaml")
    assert manifest.task == "generate"
    assert manifest.task_options == {
        "sigma_min": 0.002, "sigma_max": 80.0, "sigma_data": 0.6, "rho": 7.0, "classes": 10, "null_label": 10,
        "angle": "conditioned", "drift_band": [0.2, 1.5], "guidance": 1.35, "guidance_band": [0.6, 4.0],
        "size": 8, "channels": 1, "value_range": [-1.0, 1.0], "objective": "edm",
    }  # fmt: skip
    version = manifest.versions["1"]
    for name, file in version.files.items():
        verify_digest(exported / name, file.sha256)
    onnx_check, _ = version.export_checks
    assert "bit-identical at batch sizes [1, 2, 3, 4, 5, 8, 16, 32]" in (onnx_check.detail or "")


def test_a_version_is_written_again_from_its_own_weights_and_keeps_what_is_known_of_it(tmp_path: Path) -> None:
    folder = write_tiny_denoiser(tmp_path)
    inputs, first = zoo.example_inputs(tiny_denoiser(), 5), read_manifest(folder / "model.yaml")
    expected = zoo.onnx_runner(folder / "1" / "model.onnx")(inputs)
    (folder / "1" / "model.onnx").unlink()
    with tiny_recipe("tiny-diffusion", tiny_denoiser()):
        zoo.export_again("tiny-diffusion", tmp_path, 1)
    np.testing.assert_array_equal(zoo.onnx_runner(folder / "1" / "model.onnx")(inputs), expected)
    again = read_manifest(folder / "model.yaml")
    assert again.versions["1"].training == first.versions["1"].training
    with (
        tiny_recipe("tiny-diffusion", tiny_denoiser(channels=3)),
        pytest.raises(InternalError, match="not all weights"),
    ):
        zoo.export_again("tiny-diffusion", tmp_path, 1)


def test_training_can_begin_from_the_torchscript_file(exported: Path) -> None:
    fresh, colour = Denoiser(tiny_denoiser().network.config, tiny_denoiser().objective), tiny_denoiser(channels=3)
    assert load_matching_weights(fresh, exported / "model.pt") == len(fresh.state_dict())
    expected = tiny_denoiser().state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in fresh.state_dict().items())
    # Of another number of colours: the first and the last layer begin anew.
    assert load_matching_weights(colour, exported / "model.pt") == len(fresh.state_dict()) - 3
    with pytest.raises(InvalidRequest, match="no tensor"):
        load_matching_weights(torch.nn.Linear(2, 2), exported / "model.pt")
