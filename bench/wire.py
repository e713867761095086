"""The requests that the load client sends, rendered to bytes once, and the numbers in their answers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from bench.models import row
from bench.pictures import picture_png
from tritonclient.grpc import service_pb2  # type: ignore[import-untyped]


def rest_request(kind: str, model: str, host: str) -> bytes:
    """Return a whole HTTP request that asks for one row of a model."""
    path, headers = f"/v2/models/{model}/infer", {}
    if kind == "picture":
        path, body = f"/v2/models/{model}/classify", picture_png()
        headers["content-type"] = "image/png"
    else:
        array = row(model)
        tensor: dict[str, Any] = {"name": "x", "shape": list(array.shape), "datatype": "FP32"}
        if kind == "json":
            tensor["data"] = array.ravel().tolist()
            body = json.dumps({"inputs": [tensor]}).encode()
            headers["content-type"] = "application/json"
        else:
            tensor["parameters"] = {"binary_data_size": array.nbytes}
            header = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
            body = header + array.tobytes()
            headers["content-type"] = "application/octet-stream"
            headers["inference-header-content-length"] = str(len(header))
    lines = [f"POST {path} HTTP/1.1", f"host: {host}", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def grpc_request(model: str) -> bytes:
    """Return a serialized ModelInferRequest of one row, with raw contents."""
    array = row(model)
    request = service_pb2.ModelInferRequest(model_name=model, raw_input_contents=[array.tobytes()])
    request.inputs.add(name="x", datatype="FP32", shape=array.shape)
    serialized: bytes = request.SerializeToString()
    return serialized


def outputs_of(kind: str, body: bytes) -> list[float]:
    """Return the numbers of an answer: logits, or for a picture the probabilities of its predictions."""
    if kind == "grpc":
        raw = service_pb2.ModelInferResponse.FromString(body).raw_output_contents[0]
        return [float(value) for value in np.frombuffer(raw, np.float32)]
    if kind == "binary":
        header, end = json.JSONDecoder().raw_decode(body.decode("latin-1"))
        size = header["outputs"][0]["parameters"]["binary_data_size"]
        return [float(value) for value in np.frombuffer(body[end : end + size], np.float32)]
    answer = json.loads(body)
    if kind == "json":
        return [float(value) for value in answer["outputs"][0]["data"]]
    return [float(one["probability"]) for one in answer["predictions"][0]]
