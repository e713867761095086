"""The three ways in which a body brings what a task works on: as a file, as a form, as JSON; options beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl

from equiserve.engine import ComputePool
from equiserve.errors import InvalidRequest
from equiserve.rest.options import Options
from equiserve.rest.tensors import Buffer

T = TypeVar("T")
#: Takes a body and its content type; returns what came, and the values beside it by name.
Read = Callable[[Buffer, str], tuple[T, dict[str, Any]]]

#: A form or JSON longer than this is parsed on a thread: it may hold up the event loop for more than a millisecond.
LARGE_BODY = 64 << 10


@dataclass(frozen=True, slots=True)
class Readers(Generic[T]):
    """What reads each kind of body.

    Attributes:
        file: Anything that is neither form nor JSON.
        form: `multipart/form-data`.
        json: `application/json`, and what looks so and says nothing.
    """

    file: Read[T]
    form: Read[T]
    json: Read[T]

    async def read(
        self, headers: Mapping[str, str], query: bytes, body: Buffer, compute: ComputePool
    ) -> tuple[T, Options]:
        """Return what came and the options of a request.

        Args:
            headers: Its headers, lower-case names.
            query: Its query string.
            body: Its body, which was bounded by the gate.
            compute: Parses what is large.

        Raises:
            InvalidRequest: The reader's, or an option that came twice.
        """
        content_type = headers.get("content-type", "")
        kind = content_type.partition(";")[0].strip().lower()
        read = self.file
        if kind == "multipart/form-data":
            read = self.form
        elif kind == "application/json" or (not kind and body[:1] == b"{"):
            read = self.json
        is_large = len(body) > LARGE_BODY and read is not self.file
        content, values = await compute.run(read, body, content_type) if is_large else read(body, content_type)
        if query:
            for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
                if name in values:
                    raise InvalidRequest(f"option {name[:80]!r} came twice", code="duplicate_option", field=name[:80])
                values[name] = value
        return content, Options(values)
