"""Send one picture to every classifier of a server; each must put the name of the file first."""

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

server, picture = sys.argv[1], Path(sys.argv[2])
expected = picture.stem.replace("_", " ")
# The server is on loopback: a proxy variable must not divert the requests.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def call(path: str, body: bytes, content_type: str) -> Any:
    request = urllib.request.Request(server + path, body, {"Content-Type": content_type}, method="POST")
    with opener.open(request, timeout=60) as reply:
        return json.load(reply)


boundary = "----picture"
head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{picture.name}"\r\n'
form = f"{head}Content-Type: image/png\r\n\r\n".encode() + picture.read_bytes() + f"\r\n--{boundary}--\r\n".encode()

models = [entry["name"] for entry in call("/v2/repository/index", b'{"ready": true}', "application/json")]
classifiers = [name for name in models if name.startswith("fashion-mnist")]
assert classifiers, f"no model of {models} classifies this picture, expected one named fashion-mnist-..."
for name in classifiers:
    (predictions,) = call(f"/v2/models/{name}/classify", form, f"multipart/form-data; boundary={boundary}")[
        "predictions"
    ]
    probabilities = [entry["probability"] for entry in predictions]
    assert probabilities == sorted(probabilities, reverse=True), f"{name}: {probabilities} do not fall"
    assert 0 < sum(probabilities) <= 1 + 1e-6, f"{name}: the probabilities sum to {sum(probabilities)}"
    assert predictions[0]["label"] == expected, f"{name} says {predictions[0]}, expected {expected!r}"
    print(f"classify: {name} says {predictions[0]['label']!r} with {probabilities[0]:.3f}")
