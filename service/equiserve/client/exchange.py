"""The nouns of the client: a request that knows how to read its answer. Nothing here touches a socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Answer(NamedTuple):
    """What came back: the status, the headers by lower-case name, the body without its content coding."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Exchange(Generic[T]):
    """One request and how to read its answer.

    Attributes:
        method: GET or POST.
        path: From the server's root, quoted.
        read: From the answer to the result; raises the error that an answer stands for.
        body: The request's body.
        headers: Beside those that every request has.
    """

    method: str
    path: str
    read: Callable[[Answer], T]
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
