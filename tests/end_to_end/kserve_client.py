"""KServe's own clients against a running server: `kserve_client.py HTTP GRPC`, in an environment of their own.

Reads `{"x": [...]}` with the 784 numbers of one row of `tiny` from standard input and prints the logits that each way
of asking gave, as JSON.
"""

import asyncio
import json
import sys

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig


async def main(http: str, rpc: str, row: np.ndarray) -> dict[str, object]:
    def request(*, binary: bool, protocol: str) -> InferRequest:
        tensor = InferInput("x", list(row.shape), "FP32")
        tensor.set_data_from_numpy(row, binary_data=binary)
        made = InferRequest(model_name="tiny", infer_inputs=[tensor])
        if protocol == "rest" and binary:
            made.parameters = {"binary_data_output": True}
        return made

    found: dict[str, object] = {}
    rest = InferenceRESTClient(RESTConfig(protocol="v2"))
    url = f"http://{http}"
    found["live"] = await rest.is_server_live(url)
    found["ready"] = await rest.is_server_ready(url)
    found["model ready"] = await rest.is_model_ready(url, "tiny")
    for name, binary in (("json", False), ("binary", True)):
        answer = await rest.infer(url, request(binary=binary, protocol="rest"), model_name="tiny")
        found[name] = answer.outputs[0].as_numpy().ravel().tolist()
    await rest.close()
    grpc = InferenceGRPCClient(rpc)
    found["grpc live"] = await grpc.is_server_live()
    found["grpc ready"] = await grpc.is_server_ready()
    found["grpc model ready"] = await grpc.is_model_ready("tiny")
    for name, binary in (("grpc typed", False), ("grpc raw", True)):
        answer = await grpc.infer(request(binary=binary, protocol="grpc"))
        found[name] = answer.outputs[0].as_numpy().ravel().tolist()
    await grpc.close()
    return found


if __name__ == "__main__":
    given = np.array(json.load(sys.stdin)["x"], np.float32).reshape(1, 1, 28, 28)
    print(json.dumps(asyncio.run(main(sys.argv[1], sys.argv[2], given))))
