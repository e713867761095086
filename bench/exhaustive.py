"""`make exhaustive`: every circular shift of 132 pictures, through the running server, gives the same bytes.

All 784 shifts of 100 test pictures and of 32 pictures made of ties go to the anchored network over REST and gRPC, in
requests of 1 to 16 rows of different pictures in random order, while its plain twin is asked the same shifts and
unrelated pictures go to both. Each row's logits must equal, to the last bit, those of the unshifted picture sent alone.
The plain twin's figures stand beside them. Exit code 1 on any difference.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import tritonclient.grpc.aio as triton_grpc  # type: ignore[import-untyped]
import tritonclient.http.aio as triton_http  # type: ignore[import-untyped]
from bench.pictures import SIDE, fashion_pictures, tie_pictures
from bench.server import ServerProcess

ZOO = Path("models/zoo")
ANCHORED, PLAIN = "fashion-mnist-vit-apa", "fashion-mnist-vit"
MAX_ROWS = 16
#: Requests that each sweep keeps in flight.
IN_FLIGHT = 4

#: Asks a model for the logits [n, 10] of pictures [n, 1, 28, 28].
Ask = Callable[[str, np.ndarray], Awaitable[np.ndarray]]


@dataclass
class Outcome:
    """What came back for every shift of some pictures.

    Attributes:
        model: Which model.
        protocol: `REST` or `gRPC`.
        rows: Shifted pictures asked.
        different: Those whose logits differ from the unshifted picture's in any bit.
        largest: Largest absolute difference of a logit.
        changed_class: Those whose most probable class differs.
    """

    model: str
    protocol: str
    rows: int = 0
    different: int = 0
    largest: float = 0.0
    changed_class: int = 0

    def compare(self, got: np.ndarray, expected: np.ndarray) -> None:
        """Count the rows of an answer [n, 10] against the unshifted pictures' logits."""
        self.rows += len(got)
        self.different += sum(one.tobytes() != other.tobytes() for one, other in zip(got, expected, strict=True))
        self.largest = max(self.largest, float(np.abs(got - expected).max()))
        self.changed_class += int((got.argmax(1) != expected.argmax(1)).sum())

    def text(self) -> str:
        """Return one line of the table."""
        same = 100 * (1 - self.changed_class / self.rows)
        return (
            f"| {self.model} | {self.protocol} | {self.rows} | {self.rows - self.different} | "
            f"{self.largest:.2g} | {same:.2f} % |"
        )


async def sweep(server: ServerProcess, pictures: np.ndarray, report: Callable[[int, int], None]) -> list[Outcome]:
    """Ask every circular shift of pictures [n, 28, 28], over both protocols, among other traffic.

    Args:
        server: Serves the anchored network and its plain twin, calibrated.
        pictures: uint8.
        report: Called with the rows answered so far and those to come in all.

    Returns:
        Outcomes of the anchored network by REST and by gRPC, and of the plain twin.
    """
    rest_client = triton_http.InferenceServerClient(server.http, conn_limit=64)
    grpc_client = triton_grpc.InferenceServerClient(server.grpc)
    rest, grpc = _ask(rest_client, triton_http), _ask(grpc_client, triton_grpc)
    outcomes = [Outcome(ANCHORED, "REST"), Outcome(ANCHORED, "gRPC"), Outcome(PLAIN, "REST")]
    total = len(outcomes) * len(pictures) * SIDE * SIDE
    try:
        unshifted = {model: await _alone(rest, model, pictures) for model in (ANCHORED, PLAIN)}
        plans = [_requests(len(pictures), seed) for seed in range(len(outcomes))]

        async def work(outcome: Outcome, ask: Ask, plan: Iterator[np.ndarray]) -> None:
            for places in plan:
                rows = np.stack([_shifted(pictures[picture], shift) for picture, shift in places])
                outcome.compare(await ask(outcome.model, rows[:, None]), unshifted[outcome.model][places[:, 0]])
                report(sum(one.rows for one in outcomes), total)

        strangers = [asyncio.create_task(_strangers(ask, seed)) for seed, ask in enumerate((rest, grpc))]
        try:
            await asyncio.gather(
                *(
                    work(outcome, ask, plan)
                    for outcome, ask, plan in zip(outcomes, (rest, grpc, rest), plans, strict=True)
                    for _ in range(IN_FLIGHT)
                )
            )
        finally:
            for task in strangers:
                if task.done():
                    task.result()
                task.cancel()
    finally:
        await rest_client.close()
        await grpc_client.close()
    return outcomes


def _ask(client: object, library: object) -> Ask:
    """Return a function that asks through one of tritonclient's protocols; both spell it alike."""

    async def ask(model: str, pictures: np.ndarray) -> np.ndarray:
        tensor = library.InferInput("image", list(pictures.shape), "UINT8")  # type: ignore[attr-defined]
        tensor.set_data_from_numpy(pictures)
        answer = await client.infer(model, [tensor])  # type: ignore[attr-defined]
        logits: np.ndarray = answer.as_numpy("logits")
        return logits

    return ask


async def _alone(ask: Ask, model: str, pictures: np.ndarray) -> np.ndarray:
    return np.concatenate([await ask(model, picture[None, None]) for picture in pictures])


def _requests(pictures: int, seed: int) -> Iterator[np.ndarray]:
    """Yield all (picture, shift) places once, in random order, in requests of 1 to 16 rows, each [rows, 2]."""
    random = np.random.default_rng(seed)
    places = iter(random.permutation(pictures * SIDE * SIDE))
    while request := list(islice(places, int(random.integers(1, MAX_ROWS + 1)))):
        yield np.stack(np.divmod(request, SIDE * SIDE), axis=1)


def _shifted(picture: np.ndarray, shift: int) -> np.ndarray:
    return np.roll(picture, divmod(int(shift), SIDE), (0, 1))


async def _strangers(ask: Ask, seed: int) -> None:
    """Send unrelated pictures of random numbers to both models for ever, in requests of 1 to 16 rows."""
    random = np.random.default_rng(1000 + seed)
    while True:
        rows = int(random.integers(1, MAX_ROWS + 1))
        await ask((ANCHORED, PLAIN)[rows % 2], random.integers(0, 256, (rows, 1, SIDE, SIDE), np.uint8))


def _progress() -> Callable[[int, int], None]:
    began = printed = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal printed
        now = time.monotonic()
        if now - printed > 10 or done == total:
            printed = now
            left = (now - began) * (total - done) / done
            print(f"{done} of {total} rows, {left:.0f} s left", file=sys.stderr, flush=True)

    return report


def main() -> int:
    """Run the proof; returns 1 where a shift changed a bit of the anchored network's logits."""
    sets = {"test pictures": fashion_pictures(), "ties": tie_pictures()}
    outcomes: dict[str, list[Outcome]] = {}
    with tempfile.TemporaryDirectory(prefix="equiserve-exhaustive-") as name:
        folder = Path(name)
        with ServerProcess(ZOO, log=folder / "server.log", cache=folder / "cache") as server:
            server.wait_until_calibrated()
            invariance = {model: server.properties(model)["batch_invariance"] for model in (ANCHORED, PLAIN)}
            for kind, pictures in sets.items():
                outcomes[kind] = asyncio.run(sweep(server, pictures, _progress()))
    print("| pictures | model | asked by | shifts | identical to the bit | largest difference | same class |")
    print("|---|---|---|---|---|---|---|")
    for kind, results in outcomes.items():
        for outcome in results:
            print(f"| {len(sets[kind])} {kind} {outcome.text()}")
    print(f"batches: {invariance}")
    failed = sum(outcome.different for results in outcomes.values() for outcome in results if outcome.model == ANCHORED)
    print(f"{failed} of the anchored network's answers differ from those to the unshifted picture")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
