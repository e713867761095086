"""`POST .../regress`: named tensors in, named tensors out with their units; or the motion as a drawing."""

from __future__ import annotations

from typing import Any

import numpy as np
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from equiserve.dataplane import DataPlane, InferResponse
from equiserve.errors import InvalidRequest
from equiserve.rest.decoding import read_inputs
from equiserve.rest.encoding import HEADER_LENGTH, OutputForm, encode_response
from equiserve.rest.openapi import TENSOR_SCHEMA
from equiserve.rest.replies import context_of, json_reply
from equiserve.rest.tensor_submission import read_tensors
from equiserve.rest.tensors import describe
from equiserve.tasks.motion_drawing import draw_motion
from equiserve.tasks.regress import RegressRequest

_SVG, _RAW = "image/svg+xml", "application/octet-stream"


def regress_routes(plane: DataPlane) -> APIRouter:
    """Return the routes over a data plane."""
    routes = APIRouter(tags=["tasks"])
    tensors = {"type": "array", "items": TENSOR_SCHEMA}
    properties = {
        "inputs": tensors,
        "truth": {**tensors, "description": "what came true, by the names of outputs; the errors are then told"},
        "runtime": {"type": "string", "description": "`onnx` or `torchscript`; the model's first by default"},
        "priority": {"type": "integer", "minimum": 0, "default": 0, "description": "1 is the most urgent"},
        "row": {"type": "integer", "minimum": 0, "default": 0, "description": "which row a drawing shows"},
    }
    schema = {"type": "object", "required": ["inputs"], "properties": properties}
    extra: dict[str, Any] = {
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}, _RAW: {}}},
        "responses": {"200": {"description": "The answer", "content": {"application/json": {}, _RAW: {}, _SVG: {}}}},
    }

    @routes.post("/v2/models/{model}/regress", openapi_extra=extra)
    @routes.post("/v2/models/{model}/versions/{version}/regress", openapi_extra=extra)
    async def regress(request: Request, model: str, version: str = "") -> Response:
        """Run a regressor on named tensors; the answer says units, kind and frame of each output.

        `inputs` travel as for `infer`, in JSON or raw after a JSON header; a raw request, or `Accept:
        application/octet-stream`, is answered raw. `Accept: image/svg+xml` draws past, prediction and truth of a motion
        whose manifest has `task_options.motion`.
        """
        body, headers = await request.body(), request.headers
        submitted = await read_tensors(headers, request.scope["query_string"], body, plane.compute)
        if submitted is None:
            raise InvalidRequest("inputs: it is missing, expected a list of tensors", field="inputs")
        inputs, options = submitted
        truth = _truth(options.any_of("truth", list))
        row = options.whole("row", 0)
        asked = RegressRequest(
            model, version, options.text("runtime"), inputs, truth, priority=options.whole("priority", 0)
        )
        options.require_none_left()
        answer = await plane.regress(asked, context_of(request))
        accepted = headers.get("accept", "")
        if _SVG in accepted:
            drawing = await plane.compute.run(draw_motion, answer, inputs, truth, row)
            return Response(drawing, media_type=_SVG)
        if _RAW in accepted or (HEADER_LENGTH in headers and "application/json" not in accepted):
            arrays = {name: output.array for name, output in answer.outputs.items()}
            reply_headers, reply = encode_response(InferResponse(answer.model, "", arrays), OutputForm(binary=True))
            return Response(reply, headers={name.decode(): value.decode() for name, value in reply_headers})
        return await plane.compute.run(json_reply, answer.to_json())

    return routes


def _truth(given: list[Any] | None) -> dict[str, np.ndarray]:
    """Return the arrays of `truth`, which is JSON in any case."""
    if not given:
        return {}
    if not all(type(entry) is dict for entry in given):
        raise InvalidRequest(f"truth: got {describe(given)}, expected a list of tensors", field="truth")
    try:
        return read_inputs({"inputs": given}, b"", None)
    except InvalidRequest as error:
        field = (error.field or "inputs").replace("inputs", "truth", 1)
        raise InvalidRequest(error.message.replace("inputs", "truth", 1), code=error.code, field=field) from None
