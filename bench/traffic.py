"""Good requests that run beside something else, every one of which must succeed with the right answer."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

import numpy as np
import tritonclient.grpc.aio as triton_grpc  # type: ignore[import-untyped]
import tritonclient.http.aio as triton_http  # type: ignore[import-untyped]
from bench.server import ServerProcess


class Traffic:
    """Two closed loops over REST and two over gRPC; leaving the block checks that none was ever harmed.

    Args:
        server: Serves `tiny`.
        question: Its input row.
        answer: The right answer.
    """

    def __init__(self, server: ServerProcess, question: np.ndarray, answer: np.ndarray) -> None:
        self._server = server
        self._question = question
        self._answer = answer
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self.answered = 0

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(loop()) for loop in (self._rest, self._rpc) for _ in range(2)]
        await self.more(8)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self.more(8)
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def more(self, answers: int) -> None:
        """Wait until so many more requests have been answered, or raise what went wrong with one."""
        target = self.answered + answers
        while self.answered < target:
            for task in self._tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0.005)

    def _check(self, result: triton_http.InferResult | triton_grpc.InferResult) -> None:
        np.testing.assert_allclose(result.as_numpy("logits"), self._answer, rtol=1e-5, atol=1e-6)
        self.answered += 1

    async def _rest(self) -> None:
        tensor = triton_http.InferInput("x", list(self._question.shape), "FP32")
        tensor.set_data_from_numpy(self._question)
        async with triton_http.InferenceServerClient(self._server.http) as client:
            while not self._stopping:
                self._check(await client.infer("tiny", [tensor]))

    async def _rpc(self) -> None:
        tensor = triton_grpc.InferInput("x", list(self._question.shape), "FP32")
        tensor.set_data_from_numpy(self._question)
        async with triton_grpc.InferenceServerClient(self._server.grpc) as client:
            while not self._stopping:
                self._check(await client.infer("tiny", [tensor]))
