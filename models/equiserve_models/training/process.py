"""The process of a command that trains: its settings, and how it ends."""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch

from equiserve.errors import EquiServeError


def run_command(main: Callable[[], None]) -> None:
    """Run a command on one thread; an error of our own ends the process with its message.

    Args:
        main: Reads the arguments of the process.
    """
    # Settings of the process, not of whoever calls main: the second one changes all arithmetic from here on.
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        main()
    except EquiServeError as error:
        sys.exit(error.message)
