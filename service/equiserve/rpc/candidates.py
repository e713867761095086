"""`equiserve.v1.Candidates`: every declared symmetry, measured against what is declared of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc

from equiserve.checks.candidates import CandidatesRequest
from equiserve.checks.candidates.request import DEFAULT_ELEMENTS
from equiserve.dataplane import DataPlane
from equiserve.engine import RequestContext
from equiserve.rpc.calls import parse, unary
from equiserve.rpc.generated import candidates_pb2
from equiserve.rpc.tensor_check import named_arrays

SERVICE = "equiserve.v1.Candidates"
FILE = candidates_pb2.DESCRIPTOR


def candidates_handler(plane: DataPlane) -> grpc.GenericRpcHandler:
    """Return what a server needs to serve the check of all candidates."""

    async def check_candidates(raw: bytes, context: RequestContext) -> bytes:
        message = parse(candidates_pb2.CheckCandidatesRequest, raw)
        request = CandidatesRequest(
            model=message.model,
            inputs=named_arrays(message.inputs, "inputs"),
            version=message.version,
            runtime=message.runtime or None,
            groups=list(message.groups) or None,
            elements=message.elements or DEFAULT_ELEMENTS,
            seed=message.seed,
        )
        serialised: bytes = _response(await plane.check_candidates(request, context)).SerializeToString()
        return serialised

    method = unary(plane, f"{SERVICE}/CheckCandidates", "check", check_candidates)
    return grpc.method_handlers_generic_handler(SERVICE, {"CheckCandidates": method})


def _response(report: Mapping[str, Any]) -> candidates_pb2.CheckCandidatesResponse:
    keys = ("id", "model", "version", "runtime", "file_digest", "statement", "agrees", "inputs", "elements", "seed")
    response = candidates_pb2.CheckCandidatesResponse(
        **{key: report[key] for key in keys}, noise_floor=report["noise_floor"]
    )
    for found in report["candidates"]:
        status = candidates_pb2.CandidateStatus.Value(f"CANDIDATE_STATUS_{found['status'].upper()}")
        entry = response.candidates.add(
            group=found["group"], name=found["name"], status=status, reason=found["reason"], warnings=found["warnings"]
        )
        if found["declared"] is not None:
            known = ("level", "source", "value", "metric", "stands")
            declared = {key: found["declared"][key] for key in known if key in found["declared"]}
            entry.declared.CopyFrom(candidates_pb2.DeclaredLevel(**declared))
        if found["measured"] is not None:
            entry.measured.CopyFrom(_measured(found["measured"]))
        for name, one in found["outputs"].items():
            entry.outputs[name].CopyFrom(_measured(one))
    return response


def _measured(figures: Mapping[str, Any]) -> candidates_pb2.MeasuredError:
    interval = figures["interval"]
    given = {key: figures[key] for key in ("metric", "mean", "p95", "max")}
    return candidates_pb2.MeasuredError(**given, low=interval["low"], high=interval["high"], over=interval["over"])
