"""`equiserve.v1.BodyFitter`: point clouds of people in, posed and shaped bodies out."""

from __future__ import annotations

from collections.abc import Callable

import grpc
import numpy as np

from equiserve.dataplane import DataPlane
from equiserve.engine import RequestContext
from equiserve.errors import InvalidRequest
from equiserve.numerics.body_model import JOINT_NAMES
from equiserve.rpc.calls import parse, unary
from equiserve.rpc.generated import body_fitter_pb2
from equiserve.tasks.fit import BodyFit, FitRequest
from equiserve.tasks.fit.mesh_files import to_glb, to_obj, to_ply
from equiserve.tasks.fit.picture import to_png

SERVICE = "equiserve.v1.BodyFitter"
FILE = body_fitter_pb2.DESCRIPTOR

_MESHES: dict[int, Callable[[BodyFit], bytes]] = {
    body_fitter_pb2.MESH_FORMAT_GLB: to_glb,
    body_fitter_pb2.MESH_FORMAT_OBJ: to_obj,
    body_fitter_pb2.MESH_FORMAT_PLY: to_ply,
}


def body_fitter_handler(plane: DataPlane) -> grpc.GenericRpcHandler:
    """Return what a server needs to serve the body fitter."""

    async def fit(raw: bytes, context: RequestContext) -> bytes:
        message = parse(body_fitter_pb2.FitRequest, raw)
        request = fit_request(message)
        found = await plane.fit(request, context)
        return await plane.compute.run(serialised, found, message.mesh, picture=message.include_picture)

    return grpc.method_handlers_generic_handler(SERVICE, {"Fit": unary(plane, f"{SERVICE}/Fit", "inference", fit)})


def fit_request(message: body_fitter_pb2.FitRequest) -> FitRequest:
    """Turn the message into the task's request; raises InvalidRequest for a cloud that is none."""
    cloud = message.cloud
    source = cloud.WhichOneof("source")
    if source is None:
        raise InvalidRequest(
            "cloud: got neither file nor float32_points, expected one of them", code="no_cloud", field="cloud"
        )
    if message.mesh != body_fitter_pb2.MESH_FORMAT_UNSPECIFIED and message.mesh not in _MESHES:
        raise InvalidRequest(
            f"mesh: got {message.mesh}, expected one of {sorted(_MESHES)}", code="invalid_option", field="mesh"
        )
    return FitRequest(
        model=message.model,
        points=cloud.file if source == "file" else _points(cloud.float32_points),
        version=message.version,
        runtime=message.runtime or None,
        file_format=cloud.format or None,
        unit=cloud.unit or "auto",
        refine=message.refine,
        labels=message.include_labels,
        body=message.body or None,
        priority=message.priority,
    )


def serialised(found: BodyFit, mesh: int, *, picture: bool) -> bytes:
    """Return a serialised FitResponse; up to a quarter of a second with a picture, not for the event loop."""
    scale, misfit = found.cloud.scale, found.misfit
    response = body_fitter_pb2.FitResponse(
        model=found.model,
        version=found.version,
        runtime=found.runtime,
        statement=found.statement,
        body=body_fitter_pb2.Body(name=found.body.name, licence=found.body.licence),
        quality=body_fitter_pb2.FitQuality(level=found.quality.level, reasons=found.quality.reasons),
        unit=body_fitter_pb2.CloudUnit(
            read_as=scale.unit, guessed=scale.guessed, metres_a_unit=scale.metres, extent_m=scale.extent
        ),
        points=body_fitter_pb2.CloudCounts(**found.cloud.counts.to_json()),
        residual=body_fitter_pb2.FitResidual(
            mean_mm=1e3 * misfit.to_surface,
            median_mm=1e3 * misfit.median,
            surface_to_points_mm=1e3 * misfit.to_cloud,
            outlier_share=misfit.outliers,
            unseen_share=misfit.unseen,
        ),
        refined_from=found.beginning,
        global_orient=found.global_orient.tolist(),
        body_pose=found.body_pose.ravel().tolist(),
        betas=found.betas.tolist(),
        transl=found.transl.tolist(),
        joints=found.joints.ravel().tolist(),
        joint_names=JOINT_NAMES,
        part_confidence=found.part_mass.tolist(),
        labels=b"" if found.labels is None else found.labels.tobytes(),
        mesh=_MESHES[mesh](found) if mesh else b"",
        picture=to_png(found) if picture else b"",
    )
    answer: bytes = response.SerializeToString()
    return answer


def _points(raw: bytes) -> np.ndarray:
    if len(raw) % 12:
        raise InvalidRequest(
            f"cloud.float32_points: got {len(raw)} bytes, expected 12 a point",
            code="invalid_cloud",
            field="cloud.float32_points",
        )
    return np.frombuffer(raw, "<f4").reshape(-1, 3)
