"""`equiserve.v1.Regressor`: named arrays in, named arrays out, with their units."""

from __future__ import annotations

import grpc
import numpy as np

from equiserve.artifact.datatypes import datatype_of
from equiserve.dataplane import DataPlane
from equiserve.engine import RequestContext
from equiserve.rpc.calls import parse, unary
from equiserve.rpc.generated import regressor_pb2
from equiserve.rpc.tensor_check import named_arrays
from equiserve.tasks.motion_drawing import draw_motion
from equiserve.tasks.regress import Regression, RegressRequest

SERVICE = "equiserve.v1.Regressor"
FILE = regressor_pb2.DESCRIPTOR


def regressor_handler(plane: DataPlane) -> grpc.GenericRpcHandler:
    """Return what a server needs to serve the regressor."""

    async def regress(raw: bytes, context: RequestContext) -> bytes:
        message = parse(regressor_pb2.RegressRequest, raw)
        inputs, truth = named_arrays(message.inputs, "inputs"), named_arrays(message.truth, "truth")
        request = RegressRequest(
            message.model, message.version, message.runtime or None, inputs, truth, message.priority
        )
        answer = await plane.regress(request, context)
        response = _response(answer)
        if message.include_svg:
            response.svg = await plane.compute.run(draw_motion, answer, inputs, truth, message.row)
        serialised: bytes = response.SerializeToString()
        return serialised

    return grpc.method_handlers_generic_handler(
        SERVICE, {"Regress": unary(plane, f"{SERVICE}/Regress", "inference", regress)}
    )


def _response(answer: Regression) -> regressor_pb2.RegressResponse:
    model = answer.model
    response = regressor_pb2.RegressResponse(
        model=model.name, version=model.version, runtime=model.runtime.name, guarantee=answer.guarantee
    )
    for name, output in answer.outputs.items():
        spec, array = output.spec, np.ascontiguousarray(output.array)
        entry = response.outputs.add(
            units=spec.units or "",
            kind=spec.kind,
            frame=spec.frame or "",
            relative_to=spec.relative_to or "",
            error=output.error,
        )
        entry.tensor.name, entry.tensor.datatype = name, datatype_of(array)
        entry.tensor.shape.extend(array.shape)
        entry.tensor.data = array.tobytes()
    return response
