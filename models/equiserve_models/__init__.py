"""Networks, training and export of the models in `models/zoo`. Torch lives here; the server never imports it."""

import os

# ONNX Runtime reports to its maker unless told otherwise before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
