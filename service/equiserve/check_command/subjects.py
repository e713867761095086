"""What is checked: a model of a running server, or a model file, in this process and without ports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from pydantic import SecretStr

from equiserve.artifact import Manifest, ModelFolder, find_model
from equiserve.artifact.folder import RUNTIME_FILES
from equiserve.check_command.inputs import CheckInput
from equiserve.checks import AnyCheckEvent, CheckRequest, Completed, TensorCheckRequest, stream_check
from equiserve.checks.events import Progress
from equiserve.checks.named_tensors import TensorProgress, stream_tensor_check
from equiserve.engine import CalibrationCache, ComputePool, RequestContext, Scheduler, ServedModel
from equiserve.engine.threads import cpu_budget
from equiserve.errors import InvalidRequest, Unsupported
from equiserve.repository.loader import Loader
from equiserve.settings import Settings
from equiserve.tasks.fit import cloud_inputs

if TYPE_CHECKING:
    from equiserve.client import Client

#: Told how much of the picture's orbit is done, 0 to 1.
Tell = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What to check of each input; see `CheckRequest`. `unit`: of the points of clouds."""

    group: str | None
    elements: int | None
    reference: Literal["consensus", "identity"] | None
    search: bool
    unit: str = "auto"


class Subject(Protocol):
    """Something that checks inputs, one after the other."""

    def check(self, given: CheckInput, asked: Asked, tell: Tell) -> dict[str, Any]:
        """Return the report of one input as JSON values."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


def client_of(url: str, token: SecretStr | None, timeout_s: float) -> Client:
    """Return a client of a running server; raises Unsupported where its packages are not installed."""
    try:
        from equiserve.client import Client
    except ImportError as error:
        raise Unsupported(
            f"to check a server's model the extra `client` is needed ({error.name} is missing): "
            "pip install 'equiserve[client]'",
            code="client_not_installed",
        ) from None
    secret = None if token is None else token.get_secret_value()
    return Client(url, token=secret, timeout_s=timeout_s, retries=3)


class ServedSubject:
    """A model of a running server.

    Args:
        model: Its name.
        url: `http://host:port`.
        token: The server's bearer token.
        timeout_s: Deadline of each input's check; what was checked until then is reported.
    """

    def __init__(self, model: str, url: str, token: SecretStr | None, timeout_s: float) -> None:
        self._model = model
        self._client = client_of(url, token, timeout_s)

    def check(self, given: CheckInput, asked: Asked, tell: Tell) -> dict[str, Any]:
        """Return the report of one input as JSON values; raises what the server raised."""
        from equiserve.client import CloudFile

        content = given.read()
        report: Mapping[str, Any] = self._client.check(
            self._model,
            CloudFile(content, asked.unit) if given.is_cloud and isinstance(content, bytes) else content,
            group=asked.group,
            elements=asked.elements,
            reference=asked.reference,
            search=asked.search or None,
        )
        tell(1.0)
        return dict(report)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


class FileSubject:
    """A model file, run by the server's own engine on an event loop of its own.

    Args:
        path: `<name>.onnx`, `<model>/<version>/model.onnx` (its manifest counts), or a folder `<model>` of these.
        timeout_s: As in `ServedSubject`.
        unit_range: Whether a floating input takes pixels from 0 to 1; the manifest's `value_range` by default.
        input_fit: What to do with pictures of another size; what the manifest says, or `reject`, by default.

    Raises:
        EquiServeError: The file is no model, or not one that the engine can run.
    """

    def __init__(self, path: Path, timeout_s: float, *, unit_range: bool, input_fit: str | None) -> None:
        # The server's default limits, whatever the environment says of a server.
        self._limits = Settings.model_construct()
        self._timeout_s = timeout_s
        self._runner = asyncio.Runner()
        try:
            self._runner.run(self._open(path, unit_range, input_fit))
        except BaseException:
            self._runner.close()
            raise

    async def _open(self, path: Path, unit_range: bool, input_fit: str | None) -> None:
        folder, number, runtime = _model_at(path)
        threads = cpu_budget(None)
        loader = Loader(path.parent, CalibrationCache(), threads=threads, device=self._limits.device)
        manifest = folder.manifest()
        opened = loader.open(folder, manifest, number, runtime or (manifest.runtimes[0] if manifest else "onnx"))
        self._scheduler = Scheduler(threads)
        self._compute = ComputePool(threads)
        self._model = ServedModel(
            _told(opened.manifest, unit_range, input_fit),
            str(number),
            opened.runtime,
            opened.calibration,
            self._scheduler,
            file_digest=opened.digest,
            max_queued_rows=self._limits.max_queued_rows,
        )

    def check(self, given: CheckInput, asked: Asked, tell: Tell) -> dict[str, Any]:
        """Return the report of one input as JSON values; raises what `stream_check` and `stream_tensor_check` raise."""
        return self._runner.run(self._check(given, asked, tell))

    async def _check(self, given: CheckInput, asked: Asked, tell: Tell) -> dict[str, Any]:
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        content = given.read()
        if given.is_cloud and isinstance(content, bytes):
            content = await cloud_inputs(self._model, content, compute=self._compute, unit=asked.unit)
        events = self._events(content, asked, RequestContext(given.name, deadline))
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Progress | TensorProgress):
                    tell(event.done / len(event.plan.orbit))
                elif isinstance(event, Completed):
                    return event.report.to_json()
        raise AssertionError("a check ends with its report")

    def _events(
        self, content: bytes | np.ndarray | Mapping[str, np.ndarray], asked: Asked, context: RequestContext
    ) -> AsyncGenerator[AnyCheckEvent, None]:
        limits, name, group, elements = self._limits, self._model.name, asked.group, asked.elements
        if isinstance(content, Mapping):
            if asked.search:
                raise InvalidRequest("search: only checks of a picture have it, got tensors", field="search")
            tensors = TensorCheckRequest(
                name, content, group=group, elements=elements, reference=asked.reference or "identity"
            )
            return stream_tensor_check(self._model, tensors, context, compute=self._compute, max_orbit=limits.max_orbit)
        picture = CheckRequest(
            name, content, group=group, elements=elements, reference=asked.reference or "consensus", search=asked.search
        )
        return stream_check(
            self._model,
            picture,
            context,
            compute=self._compute,
            max_pixels=limits.max_pixels,
            max_orbit=limits.max_orbit,
        )

    def close(self) -> None:
        """Stop the workers."""
        self._compute.stop()
        self._scheduler.stop(timeout_s=5)
        self._runner.close()


def _model_at(path: Path) -> tuple[ModelFolder, int, str | None]:
    """Return the model that a path names, its version and its runtime (None: the first); see `FileSubject`."""
    if path.is_dir():
        folder = find_model(path.resolve().parent, path.resolve().name)
        return folder, max(folder.versions), None
    runtimes = {file: runtime for runtime, file in RUNTIME_FILES.items()}
    version = path.resolve().parent
    if path.name in runtimes and version.name.isdecimal():
        folder = find_model(version.parent.parent, version.parent.name)
        return folder, int(version.name), runtimes[path.name]
    if path.suffix != ".onnx":
        raise InvalidRequest(
            f"model: {path} is no model file, expected <name>.onnx or <model>/<version>/model.onnx", field="model"
        )
    return ModelFolder(path.stem, {1: {"onnx": path}}), 1, "onnx"


def _told(manifest: Manifest, unit_range: bool, input_fit: str | None) -> Manifest:
    changes: dict[str, Any] = {"input_fit": input_fit} if input_fit else {}
    if unit_range:
        changes["inputs"] = [spec.model_copy(update={"value_range": (0.0, 1.0)}) for spec in manifest.inputs]
    return manifest.model_copy(update=changes)
