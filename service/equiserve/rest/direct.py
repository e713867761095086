"""Which routes are answered in front of FastAPI: its router and its dependencies cost more than all that these do."""

from __future__ import annotations

from typing import Literal, NamedTuple

Verb = Literal["infer", "classify"]

_VERBS: dict[str, Verb] = {"infer": "infer", "classify": "classify"}


class DirectRoute(NamedTuple):
    """`/v2/models/{model}[/versions/{version}]/{verb}`; an empty version is the newest."""

    verb: Verb
    model: str
    version: str


def direct_route(path: str) -> DirectRoute | None:
    """Return what a path asks for; None for any other route."""
    parts = path.split("/")
    verb = _VERBS.get(parts[-1])
    if verb is None or parts[1:3] != ["v2", "models"] or not all(parts[3:]):
        return None
    if len(parts) == 5:
        return DirectRoute(verb, parts[3], "")
    if len(parts) == 7 and parts[4] == "versions":
        return DirectRoute(verb, parts[3], parts[5])
    return None
