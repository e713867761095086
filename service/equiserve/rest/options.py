"""Options of a task request: typed, whether they came as JSON, as form fields or in the query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import orjson

from equiserve.errors import InvalidRequest
from equiserve.rest.tensors import describe


class Options:
    """Named values, each taken once; `require_none_left` refuses what nobody took.

    Args:
        values: Text from forms and queries, JSON values from JSON.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._left = {name: value for name, value in values.items() if value is not None}
        self._taken: list[str] = []

    def text(self, name: str, default: str | None = None) -> str | None:
        """Take text."""
        value = self._take(name, default)
        if value is not None and type(value) is not str:
            self._refuse(name, value, "text")
        return value

    def whole(self, name: str, default: int) -> int:
        """Take a whole number."""
        value = _number(self._take(name, default))
        if type(value) is not int:
            self._refuse(name, value, "a whole number")
        return value

    def real(self, name: str) -> float | None:
        """Take a number; None where it did not come."""
        value = self._take(name, None)
        if type(value) is str:
            try:
                value = float(value)
            except ValueError:
                self._refuse(name, value, "a number")
        if value is None or type(value) is int or type(value) is float:
            return value
        self._refuse(name, value, "a number")

    def flag(self, name: str) -> bool:
        """Take true or false; false where it did not come."""
        value = self._take(name, False)
        value = {"true": True, "1": True, "false": False, "0": False}.get(value, value) if type(value) is str else value
        if type(value) is not bool:
            self._refuse(name, value, "true or false")
        return value

    def names(self, name: str) -> list[str] | None:
        """Take a list of names; as text they are separated by commas."""
        value = self._take(name, None)
        if type(value) is str:
            value = [part.strip() for part in value.split(",") if part.strip()]
        if value is not None and (type(value) is not list or not all(type(part) is str for part in value)):
            self._refuse(name, value, "a list of names")
        return value

    def any_of(self, name: str, *kinds: type) -> Any:
        """Take a value of one of several JSON types; text that looks like a number, a list or an object is read."""
        value = _number(self._take(name, None))
        if type(value) is str and value[:1] in ("{", "["):
            try:
                value = orjson.loads(value)
            except orjson.JSONDecodeError as error:
                raise InvalidRequest(f"{name}: {error}", code="invalid_json", field=name) from None
        if value is not None and type(value) not in kinds:
            self._refuse(name, value, " or ".join(_WORDS[kind] for kind in kinds))
        return value

    def require_none_left(self) -> None:
        """Raise InvalidRequest for an option that nobody took: misspelt, it must not silently do nothing."""
        if self._left:
            name = sorted(self._left)[0]
            raise InvalidRequest(
                f"unknown option {name[:80]!r}: expected some of {sorted(self._taken)}",
                code="unknown_option",
                field=name[:80],
            )

    def _take(self, name: str, default: Any) -> Any:
        self._taken.append(name)
        return self._left.pop(name, default)

    def _refuse(self, name: str, value: object, expected: str) -> NoReturn:
        raise InvalidRequest(f"{name}: got {describe(value)}, expected {expected}", code="invalid_option", field=name)


_WORDS: dict[type, str] = {int: "a whole number", float: "a number", str: "text", list: "a list", dict: "an object"}


def _number(value: Any) -> Any:
    """Return text of digits as the number that it is; anything else as it came."""
    if type(value) is str and value.removeprefix("-").isdecimal() and value.isascii() and len(value) <= 20:
        return int(value)
    return value
