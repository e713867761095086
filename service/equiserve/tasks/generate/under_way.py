"""Which generations are under way: how many rows they keep busy, and how one is cancelled by its id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from equiserve.engine import RequestContext
from equiserve.engine.core import CancelToken
from equiserve.engine.statistics import failure_reason
from equiserve.errors import Cancelled, NotFound, Overloaded
from equiserve.tasks.generate.parameters import GenerateParameters

#: Model, version, solver.
Subject = tuple[str, str, str]


class UnderWay:
    """The generations of a process. Plain data on the event loop.

    Args:
        max_rows: Rows that all of them together may have; one more generation is refused.

    Attributes:
        rows: Rows of those under way.
        outcomes: How many ended how, by subject and outcome: `completed` or Triton's reason of a failure.
        pictures: Pictures completed, by subject.
        calls: Calls of the denoiser made for them, by subject.
    """

    def __init__(self, max_rows: int) -> None:
        self.rows = 0
        self.outcomes: Counter[tuple[Subject, str]] = Counter()
        self.pictures: Counter[Subject] = Counter()
        self.calls: Counter[Subject] = Counter()
        self._max_rows = max_rows
        self._tokens: dict[tuple[str, str], list[CancelToken]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._tokens.values()))

    @contextmanager
    def admitted(
        self, parameters: GenerateParameters, context: RequestContext, *, rows: int, calls: int, row_s: float
    ) -> Iterator[CancelToken]:
        """Count a generation as under way and yield what cancels it.

        Args:
            parameters: What is drawn.
            context: Whose id and credential it has.
            rows: Rows of its largest call.
            calls: Calls of the denoiser.
            row_s: Learned seconds of a row.

        Raises:
            Overloaded: Too many rows are under way (`too_many_rows`).
        """
        if self.rows and self.rows + rows > self._max_rows:
            raise Overloaded(
                f"generations under way have {self.rows} rows, {rows} more came, at most {self._max_rows} may be",
                code="too_many_rows",
                retry_after_s=self.rows * row_s,
            )
        key, token = (context.credential, context.request_id), CancelToken()
        subject = (parameters.model, parameters.version, parameters.solver)
        self.rows += rows
        self._tokens.setdefault(key, []).append(token)
        try:
            yield token
        except BaseException as error:
            closed = isinstance(error, GeneratorExit)  # nobody reads on
            self.outcomes[subject, "CANCELED" if closed else failure_reason(error)] += 1
            raise
        else:
            self.outcomes[subject, "completed"] += 1
            self.pictures[subject] += parameters.n
            self.calls[subject] += calls
        finally:
            self.rows -= rows
            self._tokens[key].remove(token)
            if not self._tokens[key]:
                del self._tokens[key]

    def cancel(self, id: str, credential: str) -> int:
        """End the generations of a request's id; what waits of them fails at once.

        Args:
            id: The request's id.
            credential: Whoever asks must have the one that they came with.

        Returns:
            How many there were.

        Raises:
            NotFound: None is under way.
        """
        tokens = list(self._tokens.get((credential, id), ()))
        if not tokens:
            raise NotFound(f"no generation {id[:128]!r} is under way", code="unknown_generation", field="id")
        for token in tokens:
            token.cancel(Cancelled("the generation was cancelled by its id"))
        return len(tokens)
