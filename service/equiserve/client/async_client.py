"""The asyncio client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx
import numpy as np

from equiserve.client import calls
from equiserve.client.attempts import Attempts
from equiserve.client.clouds import Cloud
from equiserve.client.connection import answer_of, connection_options
from equiserve.client.errors import transport_errors
from equiserve.client.events import CheckEvent, EventReader
from equiserve.client.exchange import Exchange
from equiserve.client.jobs import AsyncJobs
from equiserve.client.options import CheckOptions, FitOptions, GenerateOptions
from equiserve.client.pictures import Checked, Picture
from equiserve.client.results import (
    BodyFit,
    CandidatesResult,
    CheckResult,
    Classification,
    Generated,
    ModelState,
    Regression,
)
from equiserve.errors import DeadlineExceeded, Unavailable

T = TypeVar("T")


class AsyncClient:
    """A client of one server over HTTP for one event loop; the same methods as `Client`, to be awaited.

    Arguments, results and errors are those of `Client`.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        token: str | None = None,
        timeout_s: float | None = 60.0,
        retries: int = 0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(**connection_options(url, token), transport=transport)
        self._timeout_s = timeout_s
        self._retries = retries
        #: Checks that outlive their call.
        self.jobs = AsyncJobs(self._send)

    async def ready(self) -> bool:
        """Return whether the server takes requests; False where nobody answers."""
        try:
            return await self._send(calls.ready())
        except (Unavailable, DeadlineExceeded):
            return False

    async def models(self) -> list[ModelState]:
        """Return every model version of the repository with its state."""
        return await self._send(calls.models())

    async def metadata(self, model: str, version: str = "") -> dict[str, Any]:
        """Return a model's inputs and outputs, how each transforms, and what is known of its symmetries."""
        return await self._send(calls.metadata(model, version))

    async def infer(
        self,
        model: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str] | None = None,
        parameters: Mapping[str, Any] | None = None,
        *,
        version: str = "",
        timeout_s: float | None = None,
    ) -> dict[str, np.ndarray]:
        """Run a model on arrays; see `Client.infer`."""
        return await self._send(calls.infer(model, version, inputs, outputs, parameters), timeout_s)

    async def classify(
        self,
        model: str,
        pictures: Picture | Sequence[Picture],
        top_k: int = 5,
        *,
        version: str = "",
        runtime: str | None = None,
        priority: int | None = None,
        symmetrize: str | None = None,
        timeout_s: float | None = None,
    ) -> Classification:
        """Return the most probable classes of pictures; see `Client.classify`."""
        options = {"top_k": top_k, "runtime": runtime, "priority": priority, "symmetrize": symmetrize}
        exchange = await asyncio.to_thread(calls.classify, model, version, pictures, options)
        return await self._send(exchange, timeout_s)

    async def generate(
        self,
        model: str,
        label: int | str | None = None,
        angle: float = 0.0,
        *,
        version: str = "",
        timeout_s: float | None = None,
        **options: Unpack[GenerateOptions],
    ) -> Generated:
        """Draw pictures; see `Client.generate`."""
        exchange = calls.generate(model, version, {"label": label, "angle": angle, **options})
        return await self._send(exchange, timeout_s)

    async def generate_file(
        self,
        model: str,
        label: int | str | None = None,
        angle: float = 0.0,
        *,
        media_type: str = "image/png",
        version: str = "",
        timeout_s: float | None = None,
        **options: Unpack[GenerateOptions],
    ) -> bytes:
        """Draw pictures into one file; see `Client.generate_file`."""
        exchange = calls.generate_file(model, version, {"label": label, "angle": angle, **options}, media_type)
        return await self._send(exchange, timeout_s)

    async def generate_stream(
        self,
        model: str,
        label: int | str | None = None,
        angle: float = 0.0,
        *,
        previews: int = 4,
        version: str = "",
        timeout_s: float | None = None,
        **options: Unpack[GenerateOptions],
    ) -> AsyncGenerator[CheckEvent, None]:
        """Draw pictures and yield events as they form; see `Client.generate_stream`."""
        exchange = calls.generate_stream(
            model, version, {"label": label, "angle": angle, "previews": previews, **options}
        )
        async with aclosing(self._stream(exchange, timeout_s)) as events:
            async for event in events:
                yield event

    async def cancel_generation(self, request_id: str) -> int:
        """End the generations under way of a request's id (`id` of a stream's events); return how many there were."""
        return await self._send(calls.cancel_generation(request_id))

    async def check_generator(
        self,
        model: str,
        generate: Mapping[str, Any],
        group: str | Mapping[str, Any] = "SO2",
        elements: int | Sequence[Any] | None = None,
        *,
        version: str = "",
        timeout_s: float | None = None,
    ) -> dict[str, Any]:
        """Check whether what a generator draws turns as asked; see `Client.check_generator`."""
        exchange = calls.check_generator(model, version, generate, {"group": group, "elements": elements})
        return await self._send(exchange, timeout_s)

    async def regress(
        self,
        model: str,
        inputs: Mapping[str, np.ndarray],
        truth: Mapping[str, np.ndarray] | None = None,
        *,
        version: str = "",
        runtime: str | None = None,
        priority: int | None = None,
        timeout_s: float | None = None,
    ) -> Regression:
        """Return a regressor's outputs with their units; see `Client.regress`."""
        options = {"runtime": runtime, "priority": priority}
        exchange = await asyncio.to_thread(calls.regress, model, version, inputs, truth, options)
        return await self._send(exchange, timeout_s)

    async def draw_motion(
        self,
        model: str,
        inputs: Mapping[str, np.ndarray],
        truth: Mapping[str, np.ndarray] | None = None,
        row: int = 0,
        *,
        version: str = "",
        timeout_s: float | None = None,
    ) -> str:
        """Return the drawing of a motion as an SVG document; see `Client.draw_motion`."""
        exchange = await asyncio.to_thread(calls.draw_motion, model, version, inputs, truth, {"row": row})
        return await self._send(exchange, timeout_s)

    async def check_candidates(
        self,
        model: str,
        inputs: Mapping[str, np.ndarray],
        groups: Sequence[str] | None = None,
        elements: int | None = None,
        *,
        seed: int | None = None,
        version: str = "",
        runtime: str | None = None,
        timeout_s: float | None = None,
    ) -> CandidatesResult:
        """Measure every declared symmetry; see `Client.check_candidates`."""
        options = {"groups": groups, "elements": elements, "seed": seed, "runtime": runtime}
        exchange = await asyncio.to_thread(calls.check_candidates, model, version, inputs, options)
        return await self._send(exchange, timeout_s)

    async def fit(
        self,
        model: str,
        cloud: Cloud,
        *,
        mesh: bool = False,
        version: str = "",
        timeout_s: float | None = None,
        **options: Unpack[FitOptions],
    ) -> BodyFit:
        """See `Client.fit`."""
        asked = {**options, "mesh": True} if mesh else dict(options)
        return await self._send(calls.fit(model, version, cloud, asked), timeout_s)

    async def fit_file(
        self,
        model: str,
        cloud: Cloud,
        media_type: str = "model/gltf-binary",
        *,
        version: str = "",
        timeout_s: float | None = None,
        **options: Unpack[FitOptions],
    ) -> bytes:
        """See `Client.fit_file`."""
        return await self._send(calls.fit_file(model, version, cloud, options, media_type), timeout_s)

    async def check(
        self,
        model: str,
        given: Checked,
        group: str | Mapping[str, Any] | None = None,
        elements: int | Sequence[Any] | None = None,
        *,
        version: str = "",
        timeout_s: float | None = None,
        **options: Unpack[CheckOptions],
    ) -> CheckResult:
        """Check how a model's answer moves with its input over a group; see `Client.check`."""
        exchange = await asyncio.to_thread(calls.check, model, version, given, calls.asked(group, elements, options))
        return await self._send(exchange, timeout_s)

    async def check_stream(
        self,
        model: str,
        given: Checked,
        group: str | Mapping[str, Any] | None = None,
        elements: int | Sequence[Any] | None = None,
        *,
        version: str = "",
        timeout_s: float | None = None,
        **options: Unpack[CheckOptions],
    ) -> AsyncGenerator[CheckEvent, None]:
        """Run a check and yield its events as they come; see `Client.check_stream`."""
        exchange = await asyncio.to_thread(
            calls.check_stream, model, version, given, calls.asked(group, elements, options)
        )
        async with aclosing(self._stream(exchange, timeout_s)) as events:
            async for event in events:
                yield event

    async def estimate_check(
        self,
        model: str,
        given: Checked,
        group: str | Mapping[str, Any] | None = None,
        elements: int | Sequence[Any] | None = None,
        *,
        version: str = "",
        timeout_s: float | None = None,
        **options: Unpack[CheckOptions],
    ) -> dict[str, Any]:
        """Return what a check would cost, without running it; see `Client.estimate_check`."""
        exchange = await asyncio.to_thread(
            calls.estimate_check, model, version, given, calls.asked(group, elements, options)
        )
        return await self._send(exchange, timeout_s)

    async def check_plot(
        self,
        model: str,
        given: Checked,
        group: str | Mapping[str, Any] | None = None,
        elements: int | Sequence[Any] | None = None,
        *,
        version: str = "",
        timeout_s: float | None = None,
        **options: Unpack[CheckOptions],
    ) -> str:
        """Return the NERO plot of a check as a self-contained SVG document; arguments as in `check`."""
        exchange = await asyncio.to_thread(
            calls.check_plot, model, version, given, calls.asked(group, elements, options)
        )
        return await self._send(exchange, timeout_s)

    async def groups(self) -> list[dict[str, Any]]:
        """Return every group that a check can run over."""
        return await self._send(calls.groups())

    async def metrics(self) -> list[dict[str, Any]]:
        """Return every metric that a check can report."""
        return await self._send(calls.metrics())

    async def load(self, model: str, *, timeout_s: float | None = None) -> None:
        """Load a model of the server's repository, or load it anew; returns once it serves."""
        await self._send(calls.load(model), timeout_s)

    async def unload(self, model: str, *, timeout_s: float | None = None) -> None:
        """Stop serving a model."""
        await self._send(calls.unload(model), timeout_s)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _send(self, exchange: Exchange[T], timeout_s: float | None = None) -> T:
        attempts = Attempts(self._timeout_s if timeout_s is None else timeout_s, self._retries)
        while True:
            with transport_errors():
                response = await self._http.request(
                    exchange.method,
                    exchange.path,
                    content=exchange.body,
                    headers={**exchange.headers, **attempts.headers()},
                    timeout=attempts.timeout(),
                )
            answer = answer_of(response)
            pause_s = attempts.pause(answer)
            if pause_s is None:
                return exchange.read(answer)
            await asyncio.sleep(pause_s)

    async def _stream(self, exchange: Exchange[None], timeout_s: float | None) -> AsyncGenerator[CheckEvent, None]:
        attempts, reader = Attempts(self._timeout_s if timeout_s is None else timeout_s, 0), EventReader()
        with transport_errors():
            async with self._http.stream(
                exchange.method,
                exchange.path,
                content=exchange.body,
                headers={**exchange.headers, **attempts.headers()},
                timeout=attempts.timeout(),
            ) as response:
                if response.status_code != 200:
                    await response.aread()
                    exchange.read(answer_of(response))
                async for line in response.aiter_lines():
                    if (event := reader.feed(line)) is not None:
                        yield event
