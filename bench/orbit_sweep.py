"""Every circular shift of pictures, asked of a running server and compared with the unshifted picture, bit for bit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import tritonclient.grpc.aio as triton_grpc  # type: ignore[import-untyped]
import tritonclient.http.aio as triton_http  # type: ignore[import-untyped]
from bench.server import ServerProcess

#: Rows of a request among other traffic: any number up to this one, at random.
MAX_MIXED_ROWS = 16
#: Rows of the other requests: many, so that the model bounds the sweep and not the request.
BULK_ROWS = 128
#: Requests that each leg keeps in flight.
IN_FLIGHT = 4

#: Asks a model, in one of its formats, for the logits [n, classes] of pictures uint8 [n, C, H, W].
Ask = Callable[[str, str, np.ndarray], Awaitable[np.ndarray]]


@dataclass(frozen=True, eq=False)
class Leg:
    """One way to ask for the orbits of some pictures.

    Attributes:
        model: Which model.
        runtime: `onnx` or `torchscript`.
        protocol: `REST` or `gRPC`.
        kind: What the pictures are, for the table.
        pictures: uint8 [n, C, H, W].
    """

    model: str
    runtime: str
    protocol: str
    kind: str
    pictures: np.ndarray

    @property
    def shifts(self) -> int:
        """How many circular shifts a picture has."""
        return self.pictures.shape[2] * self.pictures.shape[3]


@dataclass
class Outcome:
    """What came back for every shift of a leg's pictures.

    Attributes:
        leg: Which.
        rows: Shifted pictures asked.
        different: Those whose logits differ from the unshifted picture's in any bit.
        largest: Largest absolute difference of a logit.
        changed_class: Those whose most probable class differs.
        expected: Logits of the unshifted pictures, each sent alone, [n, classes].
    """

    leg: Leg
    rows: int = 0
    different: int = 0
    largest: float = 0.0
    changed_class: int = 0
    expected: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32), repr=False)

    def compare(self, got: np.ndarray, pictures: np.ndarray) -> None:
        """Count the rows of an answer [n, classes] to shifts of these pictures (indices [n])."""
        expected = self.expected[pictures]
        self.rows += len(got)
        self.different += int((got.view(np.uint32) != expected.view(np.uint32)).any(1).sum())
        self.largest = max(self.largest, float(np.abs(got - expected).max()))
        self.changed_class += int((got.argmax(1) != expected.argmax(1)).sum())


async def sweep(
    server: ServerProcess, legs: Sequence[Leg], mixed_share: float, report: Callable[[int, int], None]
) -> list[Outcome]:
    """Ask every circular shift of every leg's pictures, all legs at once.

    Args:
        server: Serves the legs' models, calibrated.
        legs: What to ask.
        mixed_share: Share of the rows, drawn at random, that goes first, in requests of 1 to 16 rows while unrelated
            pictures go to the same models over both protocols; the others follow in requests of 128 rows, without.
        report: Called with the rows answered so far and those to come in all.

    Returns:
        An outcome for each leg.
    """
    rest_client = triton_http.InferenceServerClient(server.http, conn_limit=64)
    grpc_client = triton_grpc.InferenceServerClient(server.grpc)
    ask = {"REST": _ask(rest_client, triton_http), "gRPC": _ask(grpc_client, triton_grpc)}
    outcomes = [Outcome(leg) for leg in legs]
    total = sum(len(leg.pictures) * leg.shifts for leg in legs)
    plans = [_requests(len(leg.pictures) * leg.shifts, mixed_share, seed) for seed, leg in enumerate(legs)]
    try:
        for outcome in outcomes:
            outcome.expected = await _alone(ask["REST"], outcome.leg)

        async def work(outcome: Outcome, requests: list[np.ndarray]) -> None:
            leg = outcome.leg
            while requests:
                pictures, shifts = np.divmod(requests.pop(), leg.shifts)
                outcome.compare(
                    await ask[leg.protocol](leg.model, leg.runtime, shifted(leg.pictures[pictures], shifts)), pictures
                )
                report(sum(one.rows for one in outcomes), total)

        async def all_legs(part: int) -> None:
            pairs = zip(outcomes, plans, strict=True)
            await asyncio.gather(*(work(outcome, plan[part]) for outcome, plan in pairs for _ in range(IN_FLIGHT)))

        strangers = [asyncio.create_task(_strangers(one, legs, seed)) for seed, one in enumerate(ask.values())]
        try:
            await all_legs(0)
        finally:
            for task in strangers:
                if task.done():
                    task.result()
                task.cancel()
        await all_legs(1)
    finally:
        await rest_client.close()
        await grpc_client.close()
    return outcomes


def shifted(pictures: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Roll pictures [n, C, H, W] by their own shifts [n]: shift i moves by i // W rows and i % W columns."""
    _, _, height, width = pictures.shape
    down, right = np.divmod(shifts, width)
    rows = (np.arange(height) - down[:, None]) % height
    columns = (np.arange(width) - right[:, None]) % width
    moved = np.take_along_axis(pictures, rows[:, None, :, None], 2)
    return np.take_along_axis(moved, columns[:, None, None, :], 3)


def _ask(client: object, library: object) -> Ask:
    """Return a function that asks through one of tritonclient's protocols; both spell it alike."""

    async def ask(model: str, runtime: str, pictures: np.ndarray) -> np.ndarray:
        tensor = library.InferInput("image", list(pictures.shape), "UINT8")  # type: ignore[attr-defined]
        tensor.set_data_from_numpy(pictures)
        answer = await client.infer(model, [tensor], parameters={"runtime": runtime})  # type: ignore[attr-defined]
        logits: np.ndarray = answer.as_numpy("logits")
        return logits

    return ask


async def _alone(ask: Ask, leg: Leg) -> np.ndarray:
    return np.concatenate([await ask(leg.model, leg.runtime, picture[None]) for picture in leg.pictures])


def _requests(places: int, mixed_share: float, seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Cut all places 0..places-1, in random order, into the requests of the mixed part and those of the rest."""
    random = np.random.default_rng(seed)
    order = random.permutation(places)
    mixed, bulk = np.split(order, [round(mixed_share * places)])
    sizes = random.integers(1, MAX_MIXED_ROWS + 1, len(mixed))
    cuts = np.cumsum(sizes)
    return (
        np.split(mixed, cuts[cuts < len(mixed)]) if len(mixed) else [],
        np.split(bulk, range(BULK_ROWS, len(bulk), BULK_ROWS)) if len(bulk) else [],
    )


async def _strangers(ask: Ask, legs: Sequence[Leg], seed: int) -> None:
    """Send unrelated pictures of random numbers to the legs' models for ever, in requests of 1 to 16 rows."""
    random = np.random.default_rng(1000 + seed)
    while True:
        leg = legs[random.integers(len(legs))]
        rows = int(random.integers(1, MAX_MIXED_ROWS + 1))
        await ask(leg.model, leg.runtime, random.integers(0, 256, (rows, *leg.pictures.shape[1:]), np.uint8))
