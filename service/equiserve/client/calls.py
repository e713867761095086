"""Every call of the server as an `Exchange`: what both clients send and how they read what comes back."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import numpy as np
import orjson

from equiserve.client.clouds import Cloud, CloudFile, as_text, cloud_file
from equiserve.client.errors import raise_error
from equiserve.client.exchange import Answer, Exchange
from equiserve.client.pictures import Checked, Picture, as_list, to_base64
from equiserve.client.results import (
    BodyFit,
    CandidatesResult,
    CheckResult,
    Classification,
    Generated,
    JobStatus,
    ModelState,
    Regression,
)
from equiserve.client.tensors import HEADER_LENGTH, decode_outputs, encode_inputs, encode_named, encode_tensors
from equiserve.errors import InternalError, InvalidRequest

T = TypeVar("T")

_JSON = {"content-type": "application/json"}


def ready() -> Exchange[bool]:
    """Ask whether the server takes requests."""

    def read(answer: Answer) -> bool:
        if answer.status not in (200, 503):
            raise_error(answer)
        return answer.status == 200

    return Exchange("GET", "/v2/health/ready", read)


def models() -> Exchange[list[ModelState]]:
    """Ask for the repository index."""
    return Exchange("POST", "/v2/repository/index", _json)


def metadata(model: str, version: str) -> Exchange[dict[str, Any]]:
    """Ask for the v2 metadata of a model."""
    return Exchange("GET", _model_path(model, version), _json)


def groups() -> Exchange[list[dict[str, Any]]]:
    """Ask for the catalogue of groups."""
    return Exchange("GET", "/v2/symmetry/groups", lambda answer: _json(answer)["groups"])


def metrics() -> Exchange[list[dict[str, Any]]]:
    """Ask for the catalogue of metrics."""
    return Exchange("GET", "/v2/symmetry/metrics", lambda answer: _json(answer)["metrics"])


def load(model: str) -> Exchange[None]:
    """Ask to load a model, or to load it anew."""
    return Exchange("POST", f"/v2/repository/models/{quote(model, safe='')}/load", _nothing)


def unload(model: str) -> Exchange[None]:
    """Ask to stop serving a model."""
    return Exchange("POST", f"/v2/repository/models/{quote(model, safe='')}/unload", _nothing)


def infer(
    model: str,
    version: str,
    inputs: Mapping[str, np.ndarray],
    outputs: Sequence[str] | None,
    parameters: Mapping[str, Any] | None,
) -> Exchange[dict[str, np.ndarray]]:
    """Ask for an inference, raw arrays both ways."""

    def read(answer: Answer) -> dict[str, np.ndarray]:
        return decode_outputs(_successful(answer))

    body, header_length = encode_inputs(inputs, outputs, parameters or {})
    headers = {"content-type": "application/octet-stream", HEADER_LENGTH: str(header_length)}
    return Exchange("POST", f"{_model_path(model, version)}/infer", read, body, headers)


def classify(
    model: str, version: str, pictures: Picture | Sequence[Picture], options: Mapping[str, Any]
) -> Exchange[Classification]:
    """Ask for the classes of pictures."""
    body = {"images": [to_base64(picture) for picture in as_list(pictures)], **_given(options)}
    return Exchange("POST", f"{_model_path(model, version)}/classify", _json, orjson.dumps(body), _JSON)


def generate(model: str, version: str, options: Mapping[str, Any]) -> Exchange[Generated]:
    """Ask for pictures, as arrays."""

    def read(answer: Answer) -> Generated:
        with np.load(io.BytesIO(_successful(answer).body), allow_pickle=False) as content:
            parameters = orjson.loads(content["parameters"].tobytes())
            return Generated(content["pictures"], parameters, answer.headers.get("etag", ""))

    return _generation(model, version, options, "application/x-npz", read)


def generate_file(model: str, version: str, options: Mapping[str, Any], media_type: str) -> Exchange[bytes]:
    """Ask for pictures, as a file."""
    return _generation(model, version, options, media_type, lambda answer: _successful(answer).body)


def generate_stream(model: str, version: str, options: Mapping[str, Any]) -> Exchange[None]:
    """Ask for the events of a generation; `read` is for answers that are no stream."""
    headers = {**_JSON, "accept": "text/event-stream"}
    path = f"{_model_path(model, version)}/generate_stream"
    return Exchange("POST", path, _nothing, orjson.dumps(_given(options)), headers)


def cancel_generation(request_id: str) -> Exchange[int]:
    """Ask to end a generation."""
    path = f"/v2/generations/{quote(request_id, safe='')}"
    return Exchange("DELETE", path, lambda answer: _json(answer)["cancelled"])


def check_generator(
    model: str, version: str, generate: Mapping[str, Any], options: Mapping[str, Any]
) -> Exchange[dict[str, Any]]:
    """Ask for the report of a generator's equivariance check."""
    body = orjson.dumps({"generate": _given(generate), **_given(options)})
    return Exchange("POST", f"{_model_path(model, version)}/equivariance", _json, body, _JSON)


def _generation(
    model: str, version: str, options: Mapping[str, Any], media_type: str, read: Callable[[Answer], T]
) -> Exchange[T]:
    headers = {**_JSON, "accept": media_type}
    return Exchange("POST", f"{_model_path(model, version)}/generate", read, orjson.dumps(_given(options)), headers)


def regress(
    model: str,
    version: str,
    inputs: Mapping[str, np.ndarray],
    truth: Mapping[str, np.ndarray] | None,
    options: Mapping[str, Any],
) -> Exchange[Regression]:
    """Ask a regressor for its outputs, inputs raw, outputs as JSON."""
    return _tensor_exchange(f"{_model_path(model, version)}/regress", inputs, truth, options, _json, "application/json")


def draw_motion(
    model: str,
    version: str,
    inputs: Mapping[str, np.ndarray],
    truth: Mapping[str, np.ndarray] | None,
    options: Mapping[str, Any],
) -> Exchange[str]:
    """Ask for the drawing of a motion, as an SVG document."""

    def read(answer: Answer) -> str:
        return _successful(answer).body.decode()

    return _tensor_exchange(f"{_model_path(model, version)}/regress", inputs, truth, options, read, "image/svg+xml")


def check_candidates(
    model: str, version: str, inputs: Mapping[str, np.ndarray], options: Mapping[str, Any]
) -> Exchange[CandidatesResult]:
    """Ask for the check of all declared symmetries."""
    path = f"{_model_path(model, version)}/equivariance/candidates"
    return _tensor_exchange(path, inputs, None, options, _json, "application/json")


def _tensor_exchange(
    path: str,
    inputs: Mapping[str, np.ndarray],
    truth: Mapping[str, np.ndarray] | None,
    options: Mapping[str, Any],
    read: Callable[[Answer], T],
    accept: str,
) -> Exchange[T]:
    body, header_length = encode_named(inputs, truth, _given(options))
    headers = {"content-type": "application/octet-stream", HEADER_LENGTH: str(header_length), "accept": accept}
    return Exchange("POST", path, read, body, headers)


def fit(model: str, version: str, cloud: Cloud, options: Mapping[str, Any]) -> Exchange[BodyFit]:
    """Ask for the body of a cloud, as JSON."""
    return _fit(model, version, cloud, options, None, _json)


def fit_file(model: str, version: str, cloud: Cloud, options: Mapping[str, Any], media_type: str) -> Exchange[bytes]:
    """Ask for the body of a cloud as a file: a mesh, a picture, or arrays."""
    return _fit(model, version, cloud, options, media_type, lambda answer: _successful(answer).body)


def _fit(
    model: str,
    version: str,
    cloud: Cloud,
    options: Mapping[str, Any],
    media_type: str | None,
    read: Callable[[Answer], T],
) -> Exchange[T]:
    headers = {"content-type": "application/octet-stream"} | ({"accept": media_type} if media_type else {})
    query = urlencode({name: as_text(value) for name, value in _given(options).items()})
    path = f"{_model_path(model, version)}/fit" + (f"?{query}" if query else "")
    return Exchange("POST", path, read, cloud_file(cloud), headers)


def check(model: str, version: str, given: Checked, options: Mapping[str, Any]) -> Exchange[CheckResult]:
    """Ask for the report of an equivariance check."""
    body, headers = _check_body(given, options)
    return Exchange("POST", f"{_model_path(model, version)}/equivariance", _json, body, headers)


def check_stream(model: str, version: str, given: Checked, options: Mapping[str, Any]) -> Exchange[None]:
    """Ask for the events of an equivariance check; `read` is for answers that are no stream."""
    body, headers = _check_body(given, options)
    path = f"{_model_path(model, version)}/equivariance_stream"
    return Exchange("POST", path, _nothing, body, {**headers, "accept": "text/event-stream"})


def estimate_check(model: str, version: str, given: Checked, options: Mapping[str, Any]) -> Exchange[dict[str, Any]]:
    """Ask what an equivariance check would cost."""
    body, headers = _check_body(given, {**options, "estimate": True})
    return Exchange("POST", f"{_model_path(model, version)}/equivariance", _json, body, headers)


def submit_check(model: str, given: Checked | Sequence[Picture], options: Mapping[str, Any]) -> Exchange[JobStatus]:
    """Submit a job."""
    if isinstance(given, Mapping):
        raw, headers = _check_body(given, {"model": model, **options})
        return Exchange("POST", "/v2/jobs", _accepted, raw, headers)
    if isinstance(given, CloudFile):
        raise InvalidRequest(
            "given: got a cloud, a job takes pictures or arrays by name", code="invalid_picture", field="given"
        )
    pictures = list(given) if isinstance(given, np.ndarray) and given.ndim == 4 else given
    body = {"model": model, "images": [to_base64(picture) for picture in as_list(pictures)], **_given(options)}
    return Exchange("POST", "/v2/jobs", _accepted, orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), _JSON)


def job(job_id: str) -> Exchange[JobStatus]:
    """Ask for a job."""
    return Exchange("GET", f"/v2/jobs/{quote(job_id, safe='')}", _json)


def jobs() -> Exchange[list[JobStatus]]:
    """Ask for all jobs of the client's token."""
    return Exchange("GET", "/v2/jobs", lambda answer: _json(answer)["jobs"])


def delete_job(job_id: str) -> Exchange[JobStatus]:
    """Cancel or remove a job."""
    return Exchange("DELETE", f"/v2/jobs/{quote(job_id, safe='')}", _json)


def check_plot(model: str, version: str, given: Checked, options: Mapping[str, Any]) -> Exchange[str]:
    """Ask for the plot of an equivariance check, as an SVG document."""
    body, headers = _check_body(given, options)
    return Exchange(
        "POST",
        f"{_model_path(model, version)}/equivariance",
        lambda answer: _successful(answer).body.decode(),
        body,
        {**headers, "accept": "image/svg+xml"},
    )


def asked(
    group: str | Mapping[str, Any] | None, elements: int | Sequence[Any] | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what is asked of a check, as one mapping."""
    return {"group": group, "elements": elements, **options}


def _check_body(given: Checked, options: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
    """Return the body of a check, and the headers that say how it is to be read."""
    if isinstance(given, Mapping):
        raw, header_length = encode_tensors(given, _given(options))
        return raw, {"content-type": "application/octet-stream", HEADER_LENGTH: str(header_length)}
    came = given.to_json() if isinstance(given, CloudFile) else {"image": to_base64(given)}
    body = _given({**came, **options})
    return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), _JSON


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _model_path(model: str, version: str) -> str:
    path = f"/v2/models/{quote(model, safe='')}"
    return f"{path}/versions/{quote(version, safe='')}" if version else path


def _successful(answer: Answer) -> Answer:
    if answer.status != 200:
        raise_error(answer)
    return answer


def _json(answer: Answer) -> Any:
    try:
        return orjson.loads(_successful(answer).body)
    except orjson.JSONDecodeError as error:
        raise InternalError(f"the answer is no JSON: {error}", code="malformed_answer") from None


def _accepted(answer: Answer) -> Any:
    return _json(answer._replace(status=200) if answer.status == 202 else answer)


def _nothing(answer: Answer) -> None:
    _successful(answer)
