"""A client of EquiServe over HTTP, blocking and asyncio. It needs numpy, httpx and orjson, nothing of the server."""

from equiserve.client.async_client import AsyncClient
from equiserve.client.client import Client
from equiserve.client.clouds import Cloud, CloudFile
from equiserve.client.events import CheckEvent
from equiserve.client.options import CheckOptions, FitOptions, GenerateOptions
from equiserve.client.pictures import Picture
from equiserve.client.results import (
    BodyFit,
    CandidatesResult,
    CheckResult,
    Classification,
    Generated,
    JobStatus,
    ModelState,
    Prediction,
    Regression,
)

__all__ = [
    "AsyncClient",
    "BodyFit",
    "CandidatesResult",
    "CheckEvent",
    "CheckOptions",
    "CheckResult",
    "Classification",
    "Client",
    "Cloud",
    "CloudFile",
    "FitOptions",
    "GenerateOptions",
    "Generated",
    "JobStatus",
    "ModelState",
    "Picture",
    "Prediction",
    "Regression",
]
