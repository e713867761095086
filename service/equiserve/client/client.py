"""The blocking client."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
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
from equiserve.client.jobs import Jobs
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


class Client:
    """A client of one server over HTTP; threads may share it.

    Every method raises the error that the server raised, as the same class of `equiserve.errors` with the same code
    and field; `DeadlineExceeded` (code `client_timeout`) where no answer came in time and `Unavailable` (code
    `unreachable`) where none came at all.

    Args:
        url: `http://host:port`, or just `host:port`.
        token: The server's bearer token.
        timeout_s: Deadline of each call in seconds, which the server is told; None = none.
        retries: How often a call that the server refused with 429 or 503 and a `Retry-After` is sent again, within its
            deadline. Nothing else is ever repeated.
        transport: Another way to the server than a socket, e.g. one of httpx's for tests.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        token: str | None = None,
        timeout_s: float | None = 60.0,
        retries: int = 0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(**connection_options(url, token), transport=transport)
        self._timeout_s = timeout_s
        self._retries = retries
        #: Checks that outlive their call.
        self.jobs = Jobs(self._send)

    def ready(self) -> bool:
        """Return whether the server takes requests; False where nobody answers."""
        try:
            return self._send(calls.ready())
        except (Unavailable, DeadlineExceeded):
            return False

    def models(self) -> list[ModelState]:
        """Return every model version of the repository with its state."""
        return self._send(calls.models())

    def metadata(self, model: str, version: str = "") -> dict[str, Any]:
        """Return a model's inputs and outputs, how each transforms, and what is known of its symmetries."""
        return self._send(calls.metadata(model, version))

    def infer(
        self,
        model: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str] | None = None,
        parameters: Mapping[str, Any] | None = None,
        *,
        version: str = "",
        timeout_s: float | None = None,
    ) -> dict[str, np.ndarray]:
        """Run a model on arrays, which travel raw both ways.

        Args:
            model: Its name.
            inputs: Arrays by name, batch first, in the model's dtypes; bytes or str arrays for BYTES.
            outputs: Names of the outputs wanted; None = all.
            parameters: `priority`, `timeout` (microseconds in the queue), `runtime`, `symmetrize`.
            version: The newest by default.
            timeout_s: Deadline of this call; None = the client's.

        Returns:
            Outputs by name; BYTES as object arrays of bytes.
        """
        return self._send(calls.infer(model, version, inputs, outputs, parameters), timeout_s)

    def classify(
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
        """Return the `top_k` most probable classes of one picture or of several.

        A picture is a PNG, JPEG or WebP file (bytes or Path), or uint8 pixels [H, W] or [C, H, W]. Priority 1 is the
        most urgent. `symmetrize` makes the answer invariant: `canonical_origin` under circular shifts, `C4`, `D4`,
        `Flip:left_right`, ... as a mean over the group, `none` where the model's default is not wanted.
        """
        options = {"top_k": top_k, "runtime": runtime, "priority": priority, "symmetrize": symmetrize}
        return self._send(calls.classify(model, version, pictures, options), timeout_s)

    def generate(
        self,
        model: str,
        label: int | str | None = None,
        angle: float = 0.0,
        *,
        version: str = "",
        timeout_s: float | None = None,
        **options: Unpack[GenerateOptions],
    ) -> Generated:
        """Draw pictures and return them as arrays, with the parameters that draw them again.

        Args:
            model: Its name.
            label: Class, by index or name; None = no class.
            angle: Degrees, counter-clockwise as seen.
            version: The newest by default.
            timeout_s: Deadline of this call; None = the client's.
            options: See `GenerateOptions`.
        """
        exchange = calls.generate(model, version, {"label": label, "angle": angle, **options})
        return self._send(exchange, timeout_s)

    def generate_file(
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
        """Draw pictures and return them as one file; arguments as in `generate`.

        Args:
            media_type: `image/png` (with the parameters in a text chunk), `image/webp`, `application/x-npz`.
        """
        exchange = calls.generate_file(model, version, {"label": label, "angle": angle, **options}, media_type)
        return self._send(exchange, timeout_s)

    def generate_stream(
        self,
        model: str,
        label: int | str | None = None,
        angle: float = 0.0,
        *,
        previews: int = 4,
        version: str = "",
        timeout_s: float | None = None,
        **options: Unpack[GenerateOptions],
    ) -> Generator[CheckEvent, None, None]:
        """Draw pictures and yield events as they form; arguments as in `generate`.

        Yields:
            `progress` (step, of; the first before the first step), at most `previews` of `preview` (a PNG in base64,
            the first within three steps), and last `completed`. To close the generator frees the rows.
        """
        exchange = calls.generate_stream(
            model, version, {"label": label, "angle": angle, "previews": previews, **options}
        )
        yield from self._stream(exchange, timeout_s)

    def cancel_generation(self, request_id: str) -> int:
        """End the generations under way of a request's id (`id` of a stream's events); return how many there were."""
        return self._send(calls.cancel_generation(request_id))

    def check_generator(
        self,
        model: str,
        generate: Mapping[str, Any],
        group: str | Mapping[str, Any] = "SO2",
        elements: int | Sequence[Any] | None = None,
        *,
        version: str = "",
        timeout_s: float | None = None,
    ) -> dict[str, Any]:
        """Check whether what a generator draws turns as asked: the same seeds at every angle of an orbit.

        Args:
            model: Its name.
            generate: What to draw: `label`, `angle` and `GenerateOptions`.
            group: Rotations of the picture plane.
            elements: How many, spread over the group, or which; all of a finite group, 72 of a continuous one.
            version: The newest by default.
            timeout_s: Deadline of this call; what was drawn until then is reported.

        Returns:
            The report: `statement`, `verdict`, `summary`, and for each element angle error and EQ-R.
        """
        exchange = calls.check_generator(model, version, generate, {"group": group, "elements": elements})
        return self._send(exchange, timeout_s)

    def regress(
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
        """Return a regressor's outputs with their units.

        Args:
            model: Its name.
            inputs: Arrays by name, batch first, in the model's dtypes.
            truth: What came true, by the names of outputs; the errors are then told.
            version: The newest by default.
            runtime: The model's first by default.
            priority: 1 is the most urgent.
            timeout_s: Deadline of this call; None = the client's.
        """
        options = {"runtime": runtime, "priority": priority}
        return self._send(calls.regress(model, version, inputs, truth, options), timeout_s)

    def draw_motion(
        self,
        model: str,
        inputs: Mapping[str, np.ndarray],
        truth: Mapping[str, np.ndarray] | None = None,
        row: int = 0,
        *,
        version: str = "",
        timeout_s: float | None = None,
    ) -> str:
        """Return past, prediction and truth of one row as an SVG document; arguments as in `regress`."""
        return self._send(calls.draw_motion(model, version, inputs, truth, {"row": row}), timeout_s)

    def check_candidates(
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
        """Measure every symmetry that a model's manifest declares against what it declares of each.

        Args:
            model: Its name.
            inputs: Arrays by name, an input a row.
            groups: Keys of the manifest's groups; all of them by default.
            elements: Independent elements of each group; 512 by default, at least as many as rows.
            seed: Of the elements.
            version: The newest by default.
            runtime: The model's first by default.
            timeout_s: Deadline of this call; None = the client's.
        """
        options = {"groups": groups, "elements": elements, "seed": seed, "runtime": runtime}
        return self._send(calls.check_candidates(model, version, inputs, options), timeout_s)

    def fit(
        self,
        model: str,
        cloud: Cloud,
        *,
        mesh: bool = False,
        version: str = "",
        timeout_s: float | None = None,
        **options: Unpack[FitOptions],
    ) -> BodyFit:
        """Fit a posed and shaped body to a point cloud of a person.

        Args:
            model: A body fitter.
            cloud: A PLY, OBJ, npy, npz, XYZ or CSV file (bytes or Path), or points [n, 3].
            mesh: Whether the answer carries vertices and faces.
            version: The newest by default.
            timeout_s: Deadline of this call.
            options: See `FitOptions`.
        """
        asked = {**options, "mesh": True} if mesh else dict(options)
        return self._send(calls.fit(model, version, cloud, asked), timeout_s)

    def fit_file(
        self,
        model: str,
        cloud: Cloud,
        media_type: str = "model/gltf-binary",
        *,
        version: str = "",
        timeout_s: float | None = None,
        **options: Unpack[FitOptions],
    ) -> bytes:
        """Fit a body as `fit` does and return a file of it.

        `media_type` is `model/gltf-binary`, `model/obj`, `application/ply` for the mesh, `application/x-npz` for all
        arrays, `image/png` for a picture of cloud and fit.
        """
        return self._send(calls.fit_file(model, version, cloud, options, media_type), timeout_s)

    def check(
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
        """Check how a model's answer moves with its input over a group.

        Args:
            model: Its name.
            given: A picture, as in `classify`; or the inputs of any model that says how its tensors move, arrays by
                name with one row each; or a `CloudFile` for a model that fits bodies.
            group: A group of the model's manifest or of `groups()`, with its parameters; the first symmetry that the
                model declares by default.
            elements: How many elements, spread over the group, or which; all of a finite group by default.
            version: The newest by default.
            timeout_s: Deadline of this call; what was checked until then is reported.
            options: See `CheckOptions`.
        """
        return self._send(calls.check(model, version, given, calls.asked(group, elements, options)), timeout_s)

    def check_stream(
        self,
        model: str,
        given: Checked,
        group: str | Mapping[str, Any] | None = None,
        elements: int | Sequence[Any] | None = None,
        *,
        version: str = "",
        timeout_s: float | None = None,
        **options: Unpack[CheckOptions],
    ) -> Generator[CheckEvent, None, None]:
        """Run a check and yield its events as they come; arguments as in `check`.

        Yields:
            `started` (the plan and its cost), `progress` (the elements that were answered since the last one),
            `verdict`, and last `completed`, whose data is the report. To close the generator stops the check.
        """
        exchange = calls.check_stream(model, version, given, calls.asked(group, elements, options))
        yield from self._stream(exchange, timeout_s)

    def estimate_check(
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
        """Return what a check would cost, without running it: `estimate` has elements, forward passes, seconds."""
        return self._send(calls.estimate_check(model, version, given, calls.asked(group, elements, options)), timeout_s)

    def check_plot(
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
        return self._send(calls.check_plot(model, version, given, calls.asked(group, elements, options)), timeout_s)

    def groups(self) -> list[dict[str, Any]]:
        """Return every group that a check can run over."""
        return self._send(calls.groups())

    def metrics(self) -> list[dict[str, Any]]:
        """Return every metric that a check can report."""
        return self._send(calls.metrics())

    def load(self, model: str, *, timeout_s: float | None = None) -> None:
        """Load a model of the server's repository, or load it anew; returns once it serves."""
        self._send(calls.load(model), timeout_s)

    def unload(self, model: str, *, timeout_s: float | None = None) -> None:
        """Stop serving a model."""
        self._send(calls.unload(model), timeout_s)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, exchange: Exchange[T], timeout_s: float | None = None) -> T:
        attempts = Attempts(self._timeout_s if timeout_s is None else timeout_s, self._retries)
        while True:
            with transport_errors():
                response = self._http.request(
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
            time.sleep(pause_s)

    def _stream(self, exchange: Exchange[None], timeout_s: float | None) -> Generator[CheckEvent, None, None]:
        attempts, reader = Attempts(self._timeout_s if timeout_s is None else timeout_s, 0), EventReader()
        with (
            transport_errors(),
            self._http.stream(
                exchange.method,
                exchange.path,
                content=exchange.body,
                headers={**exchange.headers, **attempts.headers()},
                timeout=attempts.timeout(),
            ) as response,
        ):
            if response.status_code != 200:
                response.read()
                exchange.read(answer_of(response))
            for line in response.iter_lines():
                if (event := reader.feed(line)) is not None:
                    yield event
