"""What the transformer's JSON body costs before anything is done with it: simdjson, from text to numbers, alone."""

from __future__ import annotations

import time

import numpy as np
from bench.report import Figure, median_interval
from bench.wire import rest_request

_BODIES = 100


def measure_json_floor(rounds: int) -> Figure:
    """Return the CPU of parsing the body's list of numbers into an array, warm."""
    import simdjson

    request = rest_request("json", "vit", "host")
    text = request[request.index(b"[", request.index(b'"data"')) : request.index(b"]", request.index(b'"data"')) + 1]
    parser = simdjson.Parser()

    def parse() -> int:
        return np.frombuffer(parser.parse(text).as_buffer(of_type="d"), np.float64).size

    spent = []
    for _ in range(rounds + 1):
        began = time.thread_time_ns()
        for _ in range(_BODIES):
            parse()
        spent.append((time.thread_time_ns() - began) / _BODIES / 1e6)
    # The first one is warm-up.
    return Figure(
        f"CPU of simdjson alone for the {len(text) >> 10} KiB of `vit`'s numbers", median_interval(spent[1:]), "ms"
    )
