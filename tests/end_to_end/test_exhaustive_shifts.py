"""The project's central claim, on the exported file, through the running server (`make exhaustive` does it for 132)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from bench.exhaustive import ANCHORED, PLAIN, sweep
from bench.pictures import fashion_pictures, tie_pictures
from bench.server import ServerProcess


async def test_every_circular_shift_gives_identical_bytes_through_rest_and_grpc(
    server: ServerProcess, zoo: Path
) -> None:
    pictures = np.concatenate([fashion_pictures()[::25], tie_pictures()[[5, 13, 20, 27]]])
    rest, grpc, plain = await sweep(server, pictures, lambda done, total: None)
    for outcome in (rest, grpc):
        assert outcome.model == ANCHORED
        assert outcome.rows == 8 * 784
        assert outcome.different == 0, outcome
    # The sweep can fail: the unanchored twin is asked the same shifts and does differ.
    assert plain.model == PLAIN
    assert plain.different > plain.rows / 2
