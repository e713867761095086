"""The model repository: finds, verifies, loads, reloads and unloads model versions while requests run.

A version is loaded and proven (digest, golden input) beside the one it replaces, then swapped in between two turns
of the event loop. What was already queued on the old one is still answered by it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from equiserve.artifact import Manifest, ModelFolder, find_model, find_models, misplaced_files
from equiserve.engine import CalibrationCache, Scheduler, ServedModel
from equiserve.errors import EquiServeError, InternalError, NotFound, Unavailable
from equiserve.repository.loader import Loader, Opened
from equiserve.repository.measurer import Measurer

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
        #: Whether start-up found what it was told to serve; requests should not come before.
        self.ready = False
        #: Told of every served model version as soon as its measurements are known.
        self.on_measured: Callable[[ServedModel], None] | None = None
        self._loader = Loader(root, cache, threads=scheduler.threads, device=device)
        self._max_queued_rows = max_queued_rows
        self._versions: dict[str, dict[int, LoadedVersion]] = {}
        self._served: dict[tuple[str, str], ServedModel] = {}
        self._reasons: dict[str, str] = {}
        self._loading: set[str] = set()
        self._lock = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="loader")
        self._measurer = Measurer(self._loader, lambda: not self._loading and scheduler.idle, self._measured)

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
        return loaded.others.get(runtime) or await self._open_other(name, version, runtime)

    def versions(self, name: str) -> list[str]:
        """Return the loaded versions of a model, ascending; raises NotFound where there are none."""
        self._loaded(name, "")
        return [str(number) for number in sorted(self._versions[name])]

    def models(self) -> list[ServedModel]:
        """Return every loaded model version, each opened runtime apart."""
        return [served for name in self._versions for served in self._models_of(name)]

    def _models_of(self, name: str) -> list[ServedModel]:
        versions = self._versions.get(name, {})
        return [served for loaded in versions.values() for served in (loaded.default, *loaded.others.values())]

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
                f"unknown model {name[:128]!r}{why}: loaded are {sorted(self._versions)}",
                code="unknown_model",
                field="model",
            )
        if not version:
            return versions[max(versions)]
        known = {str(number): loaded for number, loaded in sorted(versions.items())}
        if version in known:
            return known[version]
        raise NotFound(
            f"model {name!r} has no version {version[:40]!r}: loaded are {list(known)}",
            code="unknown_version",
            field="version",
        )

    # ---------------------------------------------------------------- changing it

    async def load_all(self, names: Iterable[str] | None = None) -> None:
        """Load the named models (default: all); one that fails is logged and listed as unavailable.

        Ready afterwards: with every named model, or with any at all; an empty folder is ready for models to come.
        """
        for path in misplaced_files(self.root):
            log.warning("file ignored: expected NAME.onnx or NAME/VERSION/model.onnx", extra={"file": str(path)})
        asked = find_models(self.root) if names is None else list(names)
        if not asked:
            log.warning("no model found", extra={"folder": str(self.root)})
        for name in asked:
            try:
                await self.load(name)
            except EquiServeError as error:
                log.error("model not loaded", extra={"model": name, "error": error.message, "code": error.code})
        missing = [name for name in asked if name not in self._versions]
        self.ready = not missing or (names is None and len(missing) < len(asked))

    async def load(self, name: str) -> None:
        """Load a model, or load it anew from what lies on disk now; the old one serves until the new one is proven.

        Raises:
            NotFound: No such model in the folder.
            InvalidRequest: Manifest, digest or file is wrong; what was loaded before stays.
            InternalError: The model fails on the golden input, or its files cannot be read.
        """
        async with self._lock:
            self._loading.add(name)
            try:
                folder = await self._in_loader(find_model, self.root, name)
                manifest = await self._in_loader(folder.manifest)
                opened = {number: await self._open(folder, manifest, number) for number in folder.versions}
            except NotFound:
                # Not listed: anybody could fill the index with names that never were.
                raise
            except EquiServeError as error:
                self._reasons[name] = error.message
                raise
            except Exception as error:
                log.exception("unexpected error while a model was loaded", extra={"model": name})
                self._reasons[name] = f"cannot be loaded: {error}"
                raise InternalError(f"model {name!r} cannot be loaded: {error}", code="load_failed") from None
            finally:
                self._loading.discard(name)
            # Served only once all versions are proven: what is served is also measured.
            versions = {
                number: LoadedVersion(folder, one.manifest, number, self._serve(one, number))
                for number, one in opened.items()
            }
            self._measurer.end(self._models_of(name))
            self._versions[name] = versions
            self._reasons.pop(name, None)
            self._reindex(name)

    async def unload(self, name: str) -> None:
        """Stop serving a model; requests that it has already taken are still answered."""
        async with self._lock:
            self._loaded(name, "")
            self._measurer.end(self._models_of(name))
            del self._versions[name]
            self._reasons[name] = "unloaded"
            self._reindex(name)
        log.info("model unloaded", extra={"model": name})

    def close(self) -> None:
        """Fail what waits and stop loading."""
        self._measurer.close()
        for model in self.models():
            model.retire()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _reindex(self, name: str) -> None:
        """Rebuild the one-look-up table of the hot path."""
        for key in [key for key in self._served if key[0] == name]:
            del self._served[key]
        versions = self._versions.get(name)
        if versions:
            for number, loaded in versions.items():
                self._served[name, str(number)] = loaded.default
            self._served[name, ""] = versions[max(versions)].default

    async def _open(self, folder: ModelFolder, manifest: Manifest | None, number: int) -> Opened:
        """Open a version under its default runtime: the first of the manifest's that is there."""
        present = folder.versions[number]
        wanted = [name for name in manifest.runtimes if name in present] if manifest else []
        return await self._in_loader(self._loader.open, folder, manifest, number, [*wanted, *present][0])

    async def _open_other(self, name: str, version: str, runtime: str) -> ServedModel:
        async with self._lock:
            # Only now: the model may have been loaded anew, or unloaded, while the lock was waited for.
            loaded = self._loaded(name, version)
            if runtime == loaded.default.runtime.name:
                return loaded.default
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
        if opened.calibration.measured:
            self._measured(served)
        else:
            self._measurer.begin(served)
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

    def _measured(self, served: ServedModel) -> None:
        if self.on_measured is not None:
            self.on_measured(served)

    async def _in_loader(self, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(work, *args, **kwargs))
