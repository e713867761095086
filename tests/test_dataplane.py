"""What both edges may rely on, whatever they decoded."""

from __future__ import annotations

import asyncio

import numpy as np

from equiserve.dataplane import DataPlane, InferRequest
from equiserve.engine import RequestContext
from equiserve.errors import InvalidRequest

CONTEXT = RequestContext("seven")


def texts(*elements: bytes) -> dict[str, np.ndarray]:
    kinds = {"BOOL": np.bool_, "UINT8": np.uint8, "INT32": np.int32, "INT64": np.int64}
    kinds |= {"FP16": np.float16, "FP32": np.float32, "FP64": np.float64}
    words = np.empty((1, 2), object)
    words[0] = elements
    return {f"in_{name}": np.ones((1, 2), kind) for name, kind in kinds.items()} | {"in_BYTES": words}


async def test_bytes_that_are_no_text_are_the_callers_fault_and_harm_no_neighbour(plane: DataPlane) -> None:
    asked = [(b"gr\xc3\xbc\xc3\x9fe", b""), (b"\xff\xfe", b"ok"), (b"a", b"b")]
    answers = await asyncio.gather(
        *(plane.infer(InferRequest("types", inputs=texts(*words)), CONTEXT) for words in asked), return_exceptions=True
    )
    refused = answers[1]
    assert isinstance(refused, InvalidRequest)
    assert (refused.code, refused.field) == ("not_text", "inputs.in_BYTES")
    for index in (0, 2):
        answer = answers[index]
        assert not isinstance(answer, BaseException)
        assert answer.outputs["out_BYTES"].tolist() == [list(asked[index])]
