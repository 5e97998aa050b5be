"""The client of a running exporter: questions about cost, today's summary, and its stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeVar

from pydantic import BaseModel, ValidationError

from exporter.client.access import DEFAULT_URL, Access
from exporter.client.answers import Costs
from exporter.client.errors import Lost, not_understood
from exporter.client.http import Connection
from exporter.client.parameters import Moment, Where, conditions_text, dimensions_text, moment_text
from exporter.metrics.summary_schema import Summary
from exporter.questions.explain_answer import ExplainAnswer

Model = TypeVar("Model", bound=BaseModel)


class SpendClient:
    """Asks a running exporter. Every method raises SpendError, or QuestionError for a wrong question."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        user: str | None = None,
        password: str | None = None,
        password_file: str | Path | None = None,
        ca_file: str | Path | None = None,
        timeout_seconds: float = 30.0,
        retries: int = 3,
        backoff_seconds: float = 0.2,
    ) -> None:
        """The password is `password`, else in `password_file`, else in the variable SPEND_EXPORTER_PASSWORD.

        `ca_file` has certificates to trust instead of the system's. A failed connection is tried again
        `retries` times, after `backoff_seconds` and then twice as long each time.
        """
        self.access = Access(
            url,
            user,
            password,
            Path(password_file) if password_file else None,
            Path(ca_file) if ca_file else None,
        )
        self._backoff_seconds = backoff_seconds
        self._connection = Connection(
            self.access, timeout_seconds=timeout_seconds, retries=retries, backoff_seconds=backoff_seconds
        )

    def __repr__(self) -> str:
        return f"SpendClient({self.access.base!r}, user={self.access.user!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._connection.close()

    def costs(
        self,
        *,
        from_: Moment | None = None,
        to: Moment | None = None,
        step: Literal["hour", "day", "week", "month", "total"] = "day",
        by: str | Sequence[str] = (),
        where: Where = "",
        measure: Literal["net", "gross", "credits", "list", "usage"] = "net",
        top: int = 20,
        compare: Literal["previous", "week", "none"] = "none",
        per: str = "",
    ) -> Costs:
        """Return what was billed, when and on what; the parameters are those of /api/v1/costs."""
        query = {
            "from": moment_text(from_),
            "to": moment_text(to),
            "step": step,
            "by": dimensions_text(by),
            "where": conditions_text(where),
            "measure": measure,
            "top": str(top),
            "compare": compare,
            "per": per,
        }
        return self.ask("/api/v1/costs", query, Costs)

    def explain(
        self,
        *,
        day: date | str | None = None,
        from_: Moment | None = None,
        to: Moment | None = None,
        where: Where = "",
        compare: Literal["previous", "week"] = "previous",
        top: int = 10,
    ) -> ExplainAnswer:
        """Return why a cost changed; the parameters are those of /api/v1/explain."""
        query = {
            "day": moment_text(day),
            "from": moment_text(from_),
            "to": moment_text(to),
            "where": conditions_text(where),
            "compare": compare,
            "top": str(top),
        }
        return self.ask("/api/v1/explain", query, ExplainAnswer)

    def summary(self) -> Summary:
        """Return today, the rate, the month, the budgets and the sources as they are now."""
        return self.ask("/api/v1/summary", {}, Summary)

    def ask(self, path: str, query: Mapping[str, str], answer: type[Model]) -> Model:
        """Return the answer at any path; parameters without a value are left out."""
        body = self._connection.get(path, {name: value for name, value in query.items() if value})
        try:
            # A later version may say more than this one knows.
            return answer.model_validate_json(body, extra="ignore")
        except ValidationError as error:
            raise not_understood(self.access.base, error) from None

    def stream(self, *, lost: Lost | None = None) -> AsyncGenerator[Summary, None]:
        """Return the summary now, and again every 2 seconds.

        A connection that is lost later is made again, for as long as that takes; `lost` gets the reason.
        """
        # aiohttp takes 0.2 s to load, and no other question needs it.
        from exporter.client.stream import summaries  # noqa: PLC0415

        return summaries(self.access, lost=lost, backoff_seconds=self._backoff_seconds)

    def watch(self, update: Callable[[Summary], bool | None], *, lost: Lost | None = None) -> None:
        """Call `update` with each summary of the stream until it returns False."""
        asyncio.run(self._watch(update, lost))

    async def _watch(self, update: Callable[[Summary], bool | None], lost: Lost | None) -> None:
        async with aclosing(self.stream(lost=lost)) as updates:
            async for each in updates:
                if update(each) is False:
                    return
