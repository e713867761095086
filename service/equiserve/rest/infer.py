"""The tensor route, `POST /v2/models/{model}[/versions/{version}]/infer`: the hot path, in front of FastAPI."""

from __future__ import annotations

from collections.abc import Mapping

from equiserve.dataplane import DataPlane, InferRequest
from equiserve.engine import RequestContext
from equiserve.rest.compression import choose_coding, deflate
from equiserve.rest.decoding import decode_raw, decode_request, read_header_length
from equiserve.rest.direct import DirectRoute
from equiserve.rest.encoding import HEADER_LENGTH, Headers, OutputForm, encode_response
from equiserve.rest.tensors import Buffer

#: JSON longer than this is parsed on a thread: it would hold up the event loop for more than a millisecond.
LARGE_JSON = 256 << 10


async def infer(
    plane: DataPlane, route: DirectRoute, headers: Mapping[str, str], body: Buffer, context: RequestContext
) -> tuple[Headers, bytes]:
    """Answer one inference request.

    Args:
        plane: The data plane.
        route: Model and version.
        headers: Lower-case names.
        body: The whole body, inflated.
        context: What admission found out.

    Returns:
        Headers and body of the answer (status 200).

    Raises:
        EquiServeError: See `decode_request`, `DataPlane.infer`, `encode_response`.
    """
    model, version = route.model, route.version
    header_length = read_header_length(headers.get(HEADER_LENGTH), len(body))
    if header_length == 0:
        metadata = await plane.model_metadata(model, version)
        request = InferRequest(model, version, inputs=decode_raw(body, metadata["inputs"]))
        form = OutputForm(binary="application/json" not in headers.get("accept", ""))
    elif (len(body) if header_length is None else header_length) > LARGE_JSON:
        request, form = await plane.compute.run(decode_request, body, header_length, model, version)
    else:
        request, form = decode_request(body, header_length, model, version)
    response = await plane.infer(request, context)
    reply_headers, reply = encode_response(response, form)
    coding = choose_coding(headers.get("accept-encoding"), len(reply), is_text=len(reply_headers) == 2)
    if coding is None:
        return reply_headers, reply
    reply = await plane.compute.run(deflate, reply, coding)
    reply_headers = [(name, value) for name, value in reply_headers if name != b"content-length"]
    reply_headers += [
        (b"content-length", b"%d" % len(reply)),
        (b"content-encoding", coding.encode()),
        (b"vary", b"accept-encoding"),
    ]
    return reply_headers, reply
