"""`POST .../classify`: pictures in, class names and probabilities out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from equiserve.dataplane import DataPlane
from equiserve.engine import RequestContext
from equiserve.rest.direct import DirectRoute
from equiserve.rest.encoding import Headers
from equiserve.rest.openapi import direct_operation, picture_body
from equiserve.rest.submission import read_submission
from equiserve.rest.tensors import Buffer
from equiserve.symmetrization import KNOWN
from equiserve.tasks.classify import ClassifyRequest

_OPTIONS = {
    "top_k": {"type": "integer", "minimum": 1, "default": 5, "description": "classes to return for each picture"},
    "runtime": {"type": "string", "description": "`onnx` or `torchscript`; the model's first by default"},
    "priority": {"type": "integer", "minimum": 0, "default": 0, "description": "1 is the most urgent"},
    "symmetrize": {
        "type": "string",
        "description": f"make the answer invariant: one of {', '.join(KNOWN)}; the manifest's default where not given",
    },
}


async def classify(
    plane: DataPlane,
    route: DirectRoute,
    headers: Mapping[str, str],
    query: bytes,
    body: Buffer,
    context: RequestContext,
) -> tuple[Headers, bytes]:
    """Answer one request to classify pictures.

    Args:
        plane: The data plane.
        route: Model and version.
        headers: Lower-case names.
        query: The query string.
        body: The whole body, inflated.
        context: What admission found out.

    Returns:
        Headers and body of the answer (status 200).

    Raises:
        EquiServeError: See `read_submission`, `DataPlane.classify`; an option that is unknown or of another kind.
    """
    pictures, options = await read_submission(headers, query, body, plane.compute)
    asked = ClassifyRequest(route.model, route.version, runtime=options.text("runtime"), pictures=pictures)
    asked.top_k = options.whole("top_k", asked.top_k)
    asked.priority = options.whole("priority", asked.priority)
    asked.symmetrize = options.text("symmetrize")
    options.require_none_left()
    reply = orjson.dumps((await plane.classify(asked, context)).to_json())
    return [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(reply))], reply


def classify_operation(path_parameters: tuple[str, ...]) -> dict[str, Any]:
    """Return the route's OpenAPI operation."""
    return direct_operation(
        "classify",
        path_parameters,
        tag="tasks",
        description="Classify one or more pictures: for each the most probable classes, and what the model guarantees.",
        request=picture_body(_OPTIONS, several=True),
        reply={"application/json": {"schema": {}}},
    )
