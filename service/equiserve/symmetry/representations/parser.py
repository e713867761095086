"""Reading representations: ``5*V**0 + V``, ``V**2``, ``V*V.T``, and e3nn's ``1x0e+2x1o``.

The grammar of the former:

    sum     = term { "+" term }
    term    = factor { "*" factor }           a number repeats what follows it
    factor  = number | "V" [ ".T" ] [ "**" number ] | "(" sum ")"
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, NoReturn

from equiserve.errors import InvalidRequest
from equiserve.symmetry.representations.expression import DirectSum, Expression, Irrep, TensorProduct, Vector
from equiserve.symmetry.representations.wigner import HIGHEST_DEGREE

_TOKEN = re.compile(r"\s*(?:(?P<number>\d+)|(?P<sign>\*\*|\.T|[V+*()]))")
_IRREP = re.compile(r"\s*(?:(?P<count>\d+)\s*x\s*)?(?P<degree>\d+)(?P<parity>[eo])\s*")
_LONGEST_TEXT = 1000
_MOST_COMPONENTS = 4096
_DEEPEST = 8


def parse_representation(rep: str | Mapping[str, str]) -> Expression:
    """Read a representation; the text is never evaluated.

    Args:
        rep: ``"5*V**0 + V"`` or ``{"irreps": "1x0e+2x1o"}``.

    Raises:
        InvalidRequest: The message shows the place.
    """
    if isinstance(rep, Mapping):
        text = rep.get("irreps")
        if rep.keys() != {"irreps"} or not isinstance(text, str):
            raise InvalidRequest(f"rep: got {dict(rep)!r}, expected a text or {{irreps: text}}", field="rep")
        return _parse_irreps(_bounded(text))
    return _Parser(_bounded(rep)).parse()


def _bounded(text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        raise InvalidRequest(f"rep: got {len(text)} characters, expected at most {_LONGEST_TEXT}", field="rep")
    return text


class _Parser:
    """Recursive descent; ``_place`` is where the next token begins."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0
        self._depth = 0

    def parse(self) -> Expression:
        expression = self._sum()
        if self._text[self._place :].strip():
            self._refuse("'+', '*' or the end")
        return expression

    def _sum(self) -> Expression:
        parts = [self._term()]
        while self._take("+"):
            parts.append(self._term())
        return parts[0][1] if parts[0][0] == 1 and len(parts) == 1 else DirectSum(tuple(parts))

    def _term(self) -> tuple[int, Expression]:
        count, factors = 1, []
        while True:
            number = self._number()
            if number is None:
                factors.append(self._factor())
            elif factors:
                self._refuse("'V' or '(': a number comes first")
            else:
                count *= number
            if count < 1 or count > _MOST_COMPONENTS:
                self._refuse(f"a number of 1 to {_MOST_COMPONENTS} before this")
            if not self._take("*"):
                break
        if not factors:
            self._refuse("'*' and then 'V' or '('")
        return count, factors[0] if len(factors) == 1 else TensorProduct(tuple(factors))

    def _factor(self) -> Expression:
        if self._take("("):
            self._depth += 1
            if self._depth > _DEEPEST:
                self._refuse(f"at most {_DEEPEST} brackets within one another")
            inner = self._sum()
            if not self._take(")"):
                self._refuse("'+', '*' or ')'")
            self._depth -= 1
            return inner
        if not self._take("V"):
            self._refuse("a number, 'V' or '('")
        vector = Vector(dual=self._take(".T"))
        if not self._take("**"):
            return vector
        power = self._number()
        if power is None or power > 8:
            self._refuse("a power of 0 to 8" if power is None else "a power of at most 8 before this")
        return TensorProduct((vector,) * power) if power != 1 else vector

    def _number(self) -> int | None:
        match = _TOKEN.match(self._text, self._place)
        if match is None or match["number"] is None:
            return None
        if len(match["number"]) > 6:
            self._refuse("a smaller number")
        self._place = match.end()
        return int(match["number"])

    def _take(self, sign: str) -> bool:
        match = _TOKEN.match(self._text, self._place)
        if match is None or match["sign"] != sign:
            return False
        self._place = match.end()
        return True

    def _refuse(self, expected: str) -> NoReturn:
        refuse(self._text, self._place, expected)


def _parse_irreps(text: str) -> Expression:
    parts: list[tuple[int, Expression]] = []
    place = 0
    while True:
        match = _IRREP.match(text, place)
        if match is None or len(match["count"] or "") > 6 or len(match["degree"]) > 6:
            refuse(text, place, "an irrep such as 2x1o or 0e")
        count, degree = int(match["count"] or 1), int(match["degree"])
        if degree > HIGHEST_DEGREE or not 1 <= count <= _MOST_COMPONENTS:
            refuse(text, place, f"a count of 1 to {_MOST_COMPONENTS} and a degree of 0 to {HIGHEST_DEGREE}")
        parity: Literal["e", "o"] = "e" if match["parity"] == "e" else "o"
        parts.append((count, Irrep(degree, parity)))
        place = match.end()
        if place == len(text):
            return DirectSum(tuple(parts))
        if text[place] != "+":
            refuse(text, place, "'+' or the end")
        place += 1


def refuse(text: str, place: int, expected: str) -> NoReturn:
    """Raise the error that shows where a text stops making sense."""
    place += len(text[place:]) - len(text[place:].lstrip())
    got = repr(text[place : place + 8]) if place < len(text) else "the end"
    raise InvalidRequest(
        f"rep: {text!r}: got {got} at character {place + 1}, expected {expected}", code="invalid_rep", field="rep"
    )
