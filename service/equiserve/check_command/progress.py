"""A line on a terminal that says how far a check is."""

from __future__ import annotations

from typing import TextIO

_CELLS = 24


class ProgressLine:
    """Draws a bar over itself; on anything but a terminal it says nothing.

    Args:
        stream: Where to, e.g. `sys.stderr`.
        total: Number of inputs.
    """

    def __init__(self, stream: TextIO, total: int) -> None:
        self._stream = stream if stream.isatty() else None
        self._total = total
        self._drawn = ""

    def tell(self, index: int, name: str, share: float) -> None:
        """Say that a share (0 to 1) of an input's orbit is done, after `index` whole inputs."""
        done = (index + share) / self._total
        cells = round(_CELLS * done)
        bar = "#" * cells + "." * (_CELLS - cells)
        self._draw(f"[{bar}] {done:4.0%}  {index + 1} of {self._total}  {name[-40:]}")

    def clear(self) -> None:
        """Leave an empty line."""
        self._draw("")

    def _draw(self, line: str) -> None:
        if self._stream is not None and line != self._drawn:
            self._stream.write(f"\r{line}{' ' * (len(self._drawn) - len(line))}{'' if line else chr(13)}")
            self._stream.flush()
            self._drawn = line
