"""The process's configuration: defaults < file < environment (`EQUISERVE_*`) < command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from equiserve.errors import InvalidRequest, NotFound


class Settings(BaseSettings):
    """Everything that an operator can set. Sizes are in bytes, times in seconds."""

    model_config = SettingsConfigDict(env_prefix="EQUISERVE_", extra="forbid", frozen=True, hide_input_in_errors=True)

    models: Path = Field(default=Path("models/zoo"), description="the folder of model folders")
    load: list[str] | None = Field(default=None, description="a model to load at start; all of them by default")
    config_file: Path | None = Field(default=None, description="a YAML file with these same keys")

    host: str = "127.0.0.1"
    http_port: int = Field(default=8000, ge=0, le=65535)
    grpc_port: int = Field(default=8001, ge=-1, le=65535, description="-1 serves no gRPC")

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = Field(default=None, ge=1, description="CPU threads in all; affinity and quota by default")
    cache: Path | None = Field(default=None, description="calibration cache; under the user's cache folder by default")

    max_body_bytes: int = Field(default=64 << 20, ge=1024)
    max_pixels: int = Field(default=32_000_000, ge=1)
    max_inflight_bytes: int = Field(default=512 << 20, ge=1 << 20, description="bodies of all requests under way")
    max_inflight_requests: int = Field(default=4096, ge=1)
    max_queued_rows: int = Field(default=4096, ge=1, description="rows that may wait for one model")
    max_deadline_s: float = Field(default=600.0, gt=0)
    max_pictures: int = Field(default=64, ge=1, description="pictures that one generate request may ask for")
    max_orbit: int = Field(default=4096, ge=1, description="elements of one equivariance check")
    check_cache_bytes: int = Field(
        default=64 << 20, ge=0, description="model outputs kept for later checks of the same picture; 0 keeps none"
    )
    smoke_check: bool = Field(default=True, description="whether declared symmetries are tried once a model is loaded")
    monitor_share: float = Field(
        default=0.0, ge=0, le=1, description="share of live inputs that are checked in the background, unlabelled"
    )

    jobs_dir: Path | None = Field(default=None, description="where jobs lie; under the cache folder by default")
    max_jobs: int = Field(default=256, ge=1, description="jobs that are kept, ended ones included")
    max_jobs_bytes: int = Field(default=1 << 30, ge=1 << 20, description="files of all jobs")
    max_job_elements: int = Field(default=200_000, ge=1, description="elements of one job, over all its pictures")
    job_ttl_s: float = Field(default=86_400.0, ge=0, description="how long an ended job is kept")

    bodies: Path | None = Field(
        default=None, description="a folder of bodies in SMPL's file layout, `<name>.npz`, that a fit may ask for"
    )

    drain_s: float = Field(default=5.0, ge=0, description="unready but serving, before the sockets close")
    grace_s: float = Field(default=30.0, ge=0, description="for requests under way, after that")

    admin: bool = Field(default=True, description="whether models may be loaded and unloaded at run time")
    # An empty secret is a mistake of whoever deploys, and no request could ever match it.
    token: SecretStr | None = Field(
        default=None, min_length=1, description="bearer token that every request must carry"
    )
    admin_token: SecretStr | None = Field(
        default=None, min_length=1, description="bearer token for loading and unloading models"
    )

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "json"
    access_log: bool = Field(default=False, description="log a line for every request, not only for failures")

    @field_validator("load", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        """Take `a,b` for two names: the environment has no lists."""
        return [name.strip() for name in value.split(",")] if isinstance(value, str) else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: command line (init), environment, file."""
        sources: list[PydanticBaseSettingsSource] = [init_settings, env_settings]
        file: Any = init_settings().get("config_file") or env_settings().get("config_file")
        if file:
            sources.append(InitSettingsSource(settings_cls, init_kwargs=_read(Path(file))))
        return tuple(sources)


def _read(file: Path) -> dict[str, Any]:
    """Return the settings of a YAML file.

    Raises:
        NotFound: It cannot be opened; to serve on with the defaults would serve without the token that it holds.
        InvalidRequest: It is no YAML mapping.
    """
    try:
        content = yaml.safe_load(file.read_bytes())
    except OSError as error:
        raise NotFound(f"config_file: cannot read {file}: {error.strerror}", field="config_file") from None
    except (yaml.YAMLError, ValueError) as error:
        # PyYAML's own text spans lines and quotes the file, where secrets may lie.
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InvalidRequest(f"config_file: {file} is no YAML{where}", field="config_file") from None
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise InvalidRequest(
            f"config_file: {file} is no mapping, expected lines of `setting: value`", field="config_file"
        )
    return content
