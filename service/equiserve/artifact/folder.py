"""Models on disk: `<root>/<name>/model.yaml` beside `<root>/<name>/<version>/model.onnx` and/or `model.pt`.

Plain ONNX files are models too: the same layout without a manifest, or `<root>/<name>.onnx` as version 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from pydantic import ValidationError

from equiserve.artifact.digest import sha256_of
from equiserve.artifact.manifest import Manifest
from equiserve.errors import InvalidRequest, NotFound

MANIFEST = "model.yaml"
#: File name of each runtime inside a version folder.
RUNTIME_FILES = {"onnx": "model.onnx", "torchscript": "model.pt"}

_MAX_MANIFEST_BYTES = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True)
class ModelFolder:
    """What lies on disk of one model.

    Attributes:
        name: The model's name: that of its folder, or of its file without the ending.
        versions: Version -> runtime -> file.
        manifest_path: Its `model.yaml`, or None for plain model files.
    """

    name: str
    versions: dict[int, dict[str, Path]] = field(default_factory=dict)
    manifest_path: Path | None = None

    def file(self, version: int, runtime: str) -> Path:
        """Return a runtime's file; raises NotFound where the version lacks it."""
        path = self.versions.get(version, {}).get(runtime)
        if path is None:
            raise NotFound(
                f"model {self.name} version {version} has no runtime {runtime[:40]!r}: "
                f"it has {sorted(self.versions.get(version, {}))}",
                code="unknown_runtime",
                field="runtime",
            )
        return path

    def manifest(self) -> Manifest | None:
        """Return the manifest, or None for plain model files; raises InvalidRequest where it is wrong."""
        if self.manifest_path is None:
            return None
        manifest = read_manifest(self.manifest_path)
        if manifest.name != self.name:
            raise InvalidRequest(
                f"{self.manifest_path}: name is {manifest.name!r}, its folder says {self.name!r}",
                code="invalid_manifest",
                field="name",
            )
        return manifest


def find_model(root: Path, name: str) -> ModelFolder:
    """Return one model of a repository folder; raises NotFound for anything that is not directly in it."""
    if _NAME.fullmatch(name):
        folder, file = root / name, root / f"{name}.onnx"
        if folder.is_dir():
            versions = {
                int(entry.name): files
                for entry in folder.iterdir()
                if _is_version(entry) and (files := _runtime_files(entry))
            }
            if versions:
                manifest = folder / MANIFEST
                return ModelFolder(name, dict(sorted(versions.items())), manifest if manifest.is_file() else None)
        if file.is_file():
            return ModelFolder(name, {1: {"onnx": file}})
    raise NotFound(f"there is no model {name!r} in the repository", code="unknown_model", field="model")


def find_models(root: Path) -> list[str]:
    """Return the names of all models of a repository folder, sorted; raises NotFound where it is no folder."""
    if not root.is_dir():
        raise NotFound(f"{root} is no folder", code="no_repository", field="models")
    names = {entry.name for entry in root.iterdir() if _has_versions(entry)}
    names |= {entry.stem for entry in root.glob("*.onnx")}
    return sorted(name for name in names if _NAME.fullmatch(name))


def misplaced_files(root: Path) -> list[Path]:
    """Return model files and manifests at places where they are no part of any model."""
    known = set(find_models(root))
    misplaced = [path for path in root.iterdir() if path.is_file() and path.suffix.lower() in (".onnx", ".pt")]
    misplaced = [path for path in misplaced if path.suffix != ".onnx" or path.stem not in known]
    misplaced += [path for path in (root / MANIFEST,) if path.is_file()]
    misplaced += [
        path
        for folder in root.iterdir()
        if folder.is_dir() and folder.name not in known
        for path in folder.glob("**/*")
        if path.name == MANIFEST or path.suffix.lower() in (".onnx", ".pt")
    ]
    return sorted(misplaced)


def _has_versions(folder: Path) -> bool:
    try:
        return folder.is_dir() and any(_is_version(entry) and _runtime_files(entry) for entry in folder.iterdir())
    except OSError:
        return False  # not ours to read, as `lost+found` of a volume


def _is_version(folder: Path) -> bool:
    return folder.name.isascii() and folder.name.isdecimal()


def _runtime_files(folder: Path) -> dict[str, Path]:
    return {runtime: folder / file for runtime, file in RUNTIME_FILES.items() if (folder / file).is_file()}


def read_manifest(path: Path) -> Manifest:
    """Read and check a `model.yaml`; raises InvalidRequest that names each wrong key."""
    if path.stat().st_size > _MAX_MANIFEST_BYTES:
        raise InvalidRequest(
            f"{path}: has {path.stat().st_size} bytes, expected at most {_MAX_MANIFEST_BYTES}",
            code="invalid_manifest",
            field=str(path),
        )
    try:
        return Manifest.model_validate(yaml.load(path.read_text("utf-8"), Loader=_Loader))
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'manifest'}: {item['msg']}" for item in error.errors()
        )
        raise InvalidRequest(f"{path}: {wrong}", code="invalid_manifest", field=str(path)) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "cannot be read"
        raise InvalidRequest(f"{path}{where}: not YAML: {problem}", code="invalid_manifest", field=str(path)) from None
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{path}: not UTF-8: {error}", code="invalid_manifest", field=str(path)) from None


#: The C loader reads ten times faster; PyYAML may have been built without it.
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write a manifest as YAML, leaving out what equals its default."""
    content = manifest.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    content = {"schema": manifest.schema_version, **content}
    path.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)
    path.write_text(text, "utf-8")


def verify_digest(path: Path, promised: str) -> str:
    """Return the SHA-256 of a file; raises InvalidRequest where it is not the promised one."""
    actual = sha256_of(path)
    if actual != promised:
        raise InvalidRequest(
            f"{path}: SHA-256 is {actual}, promised was {promised}", code="digest_mismatch", field=str(path)
        )
    return actual
