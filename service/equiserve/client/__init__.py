"""A client of EquiServe over HTTP, blocking and asyncio. It needs numpy, httpx and orjson, nothing of the server."""

from equiserve.client.async_client import AsyncClient
from equiserve.client.client import Client
from equiserve.client.pictures import Picture
from equiserve.client.results import CheckResult, Classification, ModelState, Prediction

__all__ = ["AsyncClient", "CheckResult", "Classification", "Client", "ModelState", "Picture", "Prediction"]
