"""The model repository: finds, verifies, loads, reloads and unloads model versions while requests run.

A version is loaded and proven (digest, golden input) beside the one it replaces, then swapped in between two turns
of the event loop. What was already queued on the old one is still answered by it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from equiserve.artifact import Manifest, ModelFolder, find_model, find_models
from equiserve.engine import CalibrationCache, Scheduler, ServedModel
from equiserve.errors import EquiServeError, NotFound, Unavailable
from equiserve.repository.loader import Loader, Opened

log = logging.getLogger("equiserve.repository")

P = ParamSpec("P")
R = TypeVar("R")


@dataclass
class LoadedVersion:
    """One version in memory: its default runtime, and the others as they are asked for."""

    folder: ModelFolder
    manifest: Manifest
    number: int
    default: ServedModel
    others: dict[str, ServedModel] = field(default_factory=dict)


class Repository:
    """Model versions by name.

    Args:
        root: The folder of model folders.
        scheduler: The device.
        cache: Where calibrations are kept.
        device: `auto`, `cpu` or `cuda`.
        max_queued_rows: Bound of each model's queue.
    """

    def __init__(
        self,
        root: Path,
        scheduler: Scheduler,
        cache: CalibrationCache,
        *,
        device: str = "auto",
        max_queued_rows: int = 4096,
    ) -> None:
        self.root = root
        self.scheduler = scheduler
        self.loaded_once = False
        self._loader = Loader(root, cache, threads=scheduler.threads, device=device)
        self._max_queued_rows = max_queued_rows
        self._versions: dict[str, dict[int, LoadedVersion]] = {}
        self._served: dict[tuple[str, str], ServedModel] = {}
        self._reasons: dict[str, str] = {}
        self._loading: set[str] = set()
        self._lock = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="loader")
        self._closed = False
        self._measurer = ThreadPoolExecutor(1, thread_name_prefix="calibration")
        self._measuring: set[asyncio.Task[None]] = set()

    # ---------------------------------------------------------------- what is there

    async def get(self, name: str, version: str = "", runtime: str | None = None) -> ServedModel:
        """Return a loaded model version; opens its other runtime on first use.

        Raises:
            NotFound: Unknown model, version or runtime.
            Unavailable: The model is there but is being loaded.
        """
        served = self._served.get((name, version))
        if served is not None and (runtime is None or runtime == served.runtime.name):
            return served
        loaded = self._loaded(name, version)
        if runtime is None or runtime == loaded.default.runtime.name:
            return loaded.default
        return loaded.others.get(runtime) or await self._open_other(loaded, runtime)

    def versions(self, name: str) -> list[str]:
        """Return the loaded versions of a model, ascending; raises NotFound where there are none."""
        self._loaded(name, "")
        return [str(number) for number in sorted(self._versions[name])]

    def models(self) -> list[ServedModel]:
        """Return every loaded model version, each opened runtime apart."""
        return [
            served
            for versions in self._versions.values()
            for loaded in versions.values()
            for served in (loaded.default, *loaded.others.values())
        ]

    def index(self, *, ready_only: bool = False) -> list[dict[str, Any]]:
        """Return the v2 repository index: everything on disk or in memory, with its state and why."""
        entries: list[dict[str, Any]] = []
        for name in sorted({*find_models(self.root), *self._versions, *self._reasons}):
            loaded = self._versions.get(name, {})
            entries += [{"name": name, "version": str(number), "state": "READY", "reason": ""} for number in loaded]
            if not loaded and not ready_only:
                state = "LOADING" if name in self._loading else "UNAVAILABLE"
                entries.append(
                    {"name": name, "version": "", "state": state, "reason": self._reasons.get(name, "not loaded")}
                )
        return entries

    def _loaded(self, name: str, version: str) -> LoadedVersion:
        versions = self._versions.get(name)
        if not versions:
            if name in self._loading:
                raise Unavailable(f"model {name!r} is being loaded", code="model_loading", field="model")
            why = f" ({self._reasons[name]})" if name in self._reasons else ""
            raise NotFound(
                f"unknown model {name!r}{why}: loaded are {sorted(self._versions)}", code="unknown_model", field="model"
            )
        if not version:
            return versions[max(versions)]
        if not version.isdecimal() or int(version) not in versions:
            raise NotFound(
                f"model {name!r} has no version {version!r}: loaded are {[str(number) for number in sorted(versions)]}",
                code="unknown_version",
                field="version",
            )
        return versions[int(version)]

    # ---------------------------------------------------------------- changing it

    async def load_all(self, names: Iterable[str] | None = None) -> None:
        """Load the named models (default: all); one that fails is logged and listed as unavailable."""
        for name in find_models(self.root) if names is None else names:
            try:
                await self.load(name)
            except EquiServeError as error:
                log.error("model not loaded", extra={"model": name, "error": error.message, "code": error.code})
        self.loaded_once = True

    async def load(self, name: str) -> None:
        """Load a model, or load it anew from what lies on disk now; the old one serves until the new one is proven.

        Raises:
            NotFound: No such model in the folder.
            InvalidRequest: Manifest, digest or file is wrong; what was loaded before stays.
        """
        async with self._lock:
            self._loading.add(name)
            try:
                folder = await self._in_loader(find_model, self.root, name)
                versions = {number: await self._load_version(folder, number) for number in folder.versions}
            except EquiServeError as error:
                self._reasons[name] = error.message
                raise
            finally:
                self._loading.discard(name)
            self._versions[name] = versions
            self._reasons.pop(name, None)
            self._reindex(name)

    async def unload(self, name: str) -> None:
        """Stop serving a model; requests that it has already taken are still answered."""
        async with self._lock:
            self._loaded(name, "")
            del self._versions[name]
            self._reasons[name] = "unloaded"
            self._reindex(name)
        log.info("model unloaded", extra={"model": name})

    def close(self) -> None:
        """Fail what waits and stop loading."""
        self._closed = True
        for task in self._measuring:
            task.cancel()
        for model in self.models():
            model.retire()
        for pool in (self._thread, self._measurer):
            pool.shutdown(wait=False, cancel_futures=True)

    def _reindex(self, name: str) -> None:
        """Rebuild the one-look-up table of the hot path."""
        for key in [key for key in self._served if key[0] == name]:
            del self._served[key]
        versions = self._versions.get(name)
        if versions:
            for number, loaded in versions.items():
                self._served[name, str(number)] = loaded.default
            self._served[name, ""] = versions[max(versions)].default

    async def _load_version(self, folder: ModelFolder, number: int) -> LoadedVersion:
        manifest = folder.manifest()
        present = folder.versions[number]
        wanted = [name for name in manifest.runtimes if name in present] if manifest else []
        runtime = [*wanted, *present][0]
        opened = await self._in_loader(self._loader.open, folder, manifest, number, runtime)
        served = self._serve(opened, number)
        return LoadedVersion(folder, opened.manifest, number, served)

    async def _open_other(self, loaded: LoadedVersion, runtime: str) -> ServedModel:
        async with self._lock:
            if runtime not in loaded.others:
                opened = await self._in_loader(
                    self._loader.open, loaded.folder, loaded.manifest, loaded.number, runtime
                )
                loaded.others[runtime] = self._serve(opened, loaded.number)
            return loaded.others[runtime]

    def _serve(self, opened: Opened, number: int) -> ServedModel:
        served = ServedModel(
            opened.manifest,
            str(number),
            opened.runtime,
            opened.calibration,
            self.scheduler,
            file_digest=opened.digest,
            max_queued_rows=self._max_queued_rows,
        )
        if not opened.calibration.measured:
            task = asyncio.create_task(self._measure_when_idle(served))
            self._measuring.add(task)
            task.add_done_callback(self._measuring.discard)
        log.info(
            "model loaded",
            extra={
                "model": served.name,
                "version": served.version,
                "runtime": opened.runtime.version,
                "device": opened.runtime.device,
                "batch_invariance": opened.calibration.batch_invariance,
            },
        )
        return served

    async def _measure_when_idle(self, served: ServedModel) -> None:
        measure = partial(self._loader.measure, served, self._wait_for_idleness)
        try:
            calibration, runtime = await asyncio.get_running_loop().run_in_executor(self._measurer, measure)
        except EquiServeError as error:
            log.error("calibration failed", extra={"model": served.name, "error": error.message})
            return
        served.replace_runtime(runtime)
        served.calibrate(calibration)
        log.info(
            "model calibrated",
            extra={
                "model": served.name,
                "batch_invariance": calibration.batch_invariance,
                "threads": calibration.threads,
                "max_batch": calibration.max_batch,
                "row_ms": round(calibration.per_row_s * 1e3, 4),
                "batch_ms": round(calibration.fixed_s * 1e3, 4),
            },
        )

    def _wait_for_idleness(self) -> None:
        """Hold the measuring thread back while requests run or models are loaded; raises when the server stops."""
        while not self._closed and (self._loading or not self.scheduler.idle):
            time.sleep(0.02)
        if self._closed:
            raise Unavailable("the server is stopping", code="stopping")

    async def _in_loader(self, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(work, *args, **kwargs))
