"""When the next step of a request is due: shortest remaining first, with ageing."""

from __future__ import annotations

#: Times its remaining work that a request lets later ones go first.
AGEING = 6.0


def turn(came_s: float, remaining_s: float, *, latest_s: float = float("inf"), ageing: float = AGEING) -> float:
    """Return when a step's turn comes; the earliest of a model goes first.

    The rule "least remaining work, less what it has waited / AGEING" orders requests as this constant does, since the
    time that passes is the same for all: a queue need never be sorted anew. A newcomer overtakes only where it will be
    done sooner; nobody is overtaken by what comes later than AGEING times its own remaining work.

    Args:
        came_s: When the request came.
        remaining_s: Seconds that its remaining steps take, alone.
        latest_s: When it must be answered.
        ageing: See `AGEING`.
    """
    return min(came_s + ageing * remaining_s, latest_s - remaining_s)
