"""Models under TorchScript: beside ONNX on demand, or alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from written_models import ask, manifest

from equiserve.artifact import Device, File, TensorSpec, Version, write_manifest
from equiserve.artifact.digest import sha256_of
from equiserve.errors import InvalidRequest
from equiserve.repository import Repository
from equiserve.repository import loader as loading
from small_models import linear_model

torch = pytest.importorskip("torch", reason="TorchScript needs the train extra")
# Deprecated in torch 2.13, and served on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def scripted_model(path: Path, factor: float) -> None:

    class Scale(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.factor = torch.nn.Parameter(torch.tensor(float(factor)))

        def forward(self, x):  # type: ignore[no-untyped-def]
            return x * self.factor

    path.parent.mkdir(parents=True, exist_ok=True)
    torch.jit.save(torch.jit.trace(Scale().eval(), torch.zeros(2, 2)), str(path))


def both(repository: Repository, factor: float) -> None:
    """Write version 1 of `m` for both runtimes, and a manifest with their digests."""
    folder = repository.root / "m" / "1"
    linear_model(folder / "model.onnx", np.eye(2, dtype=np.float32) * factor)
    scripted_model(folder / "model.pt", factor)
    files = {
        name: File(sha256=sha256_of(folder / name), bytes=(folder / name).stat().st_size)
        for name in ("model.onnx", "model.pt")
    }
    described = manifest("m", runtimes=["onnx", "torchscript"], versions={"1": Version(files=files)})
    write_manifest(described, repository.root / "m" / "model.yaml")


async def test_two_requests_for_another_runtime_open_it_once(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    both(repository, 2)
    await repository.load("m")
    opened: list[str] = []
    open_file = loading.Loader.open

    def counting(self: loading.Loader, *rest: object) -> object:
        opened.append(str(rest[-1]))
        return open_file(self, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(loading.Loader, "open", counting)
    models = await asyncio.gather(*(repository.get("m", runtime="torchscript") for _ in range(5)))
    assert len({id(model) for model in models}) == 1
    assert opened == ["torchscript"]
    assert (await ask(models[0], [[1, 2]])).tolist() == [[2, 4]]


async def test_another_runtime_that_is_asked_for_during_a_reload_is_the_new_models(repository: Repository) -> None:
    both(repository, 2)
    await repository.load("m")
    both(repository, 3)
    reload = asyncio.ensure_future(repository.load("m"))
    await asyncio.sleep(0)
    model = await repository.get("m", runtime="torchscript")
    await reload
    assert (await ask(model, [[1, 2]])).tolist() == [[3, 6]]
    assert await repository.get("m", runtime="torchscript") is model


@pytest.mark.parametrize(
    "outputs",
    [
        [TensorSpec(name="y", datatype="FP64", shape=(-1, 2))],
        [TensorSpec(name="y", datatype="FP32", shape=(-1, 7))],
        [TensorSpec(name=name, datatype="FP32", shape=(-1, 2)) for name in ("y", "z")],
    ],
    ids=["datatype", "shape", "number"],
)
async def test_a_scripted_module_that_gives_something_else_than_its_manifest_says_is_refused(
    repository: Repository, outputs: list[TensorSpec]
) -> None:
    scripted_model(repository.root / "m" / "1" / "model.pt", 2)
    described = manifest("m", runtimes=["torchscript"], outputs=outputs)
    write_manifest(described, repository.root / "m" / "model.yaml")
    with pytest.raises(InvalidRequest) as refused:
        await repository.load("m")
    assert refused.value.code == "manifest_disagrees"


async def test_a_scripted_module_runs_with_the_threads_that_it_is_charged_for(repository: Repository) -> None:
    scripted_model(repository.root / "m" / "1" / "model.pt", 2)
    write_manifest(
        manifest("m", runtimes=["torchscript"], device=Device(threads=1)), repository.root / "m" / "model.yaml"
    )
    await repository.load("m")
    model = await repository.get("m")
    seen: list[int] = []
    module = model.runtime._module  # type: ignore[attr-defined]

    def watched(*arguments: object) -> object:
        seen.append(torch.get_num_threads())
        return module(*arguments)

    model.runtime._module = watched  # type: ignore[attr-defined]
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        await asyncio.to_thread(torch.set_num_threads, 2)
        await ask(model, [[1, 2]])
    finally:
        torch.set_num_threads(before)
    # The measuring thread may run it, too.
    assert set(seen) == {1}
