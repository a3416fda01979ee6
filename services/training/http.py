"""POST /models/{name}/backtest: other policies over the kept outcomes, told as it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from contracts.declaration import Declaration
from services.training.ports import BUSY, POLICIES, Backtests, Policy, Question

MEDIA = "application/x-ndjson"


class Asked(BaseModel):
    """What a client asks: a span of event time, until before `to`, and policies beside ours."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: AwareDatetime | None = Field(None, alias="from")
    end: AwareDatetime | None = Field(None, alias="to")
    policies: tuple[Policy, ...] = Field((), max_length=16)
    picture: Literal["svg", "png"] | None = None

    @field_validator("start", "end", mode="before")
    @classmethod
    def dates_begin_at_midnight(cls, value: Any) -> Any:
        """Read 2013-02-01 as that day's beginning in UTC."""
        if isinstance(value, str) and len(value) == len("2013-02-01"):
            return f"{date.fromisoformat(value)}T00:00:00Z"
        return value


class _Api:
    def __init__(
        self,
        declaration: Callable[[str], Declaration | None],
        names: Callable[[], Iterable[str]],
        uri: Callable[[str], str],
        kept: Callable[[str], int | None],
        backtests: Backtests,
    ) -> None:
        self.declaration, self.names, self.uri, self.kept = declaration, names, uri, kept
        self.backtests = backtests

    async def backtest(self, request: Request) -> Response:
        name = request.path_params["name"]
        declaration = self.declaration(name)
        if declaration is None:
            known = ", ".join(self.names()) or "none"
            return _refused(404, f"unknown model {name!r}; declared models: {known}")
        if self.kept(name) is None:
            return _refused(
                404, f"no outcome of {name} has matured yet; publish events, and labels for them"
            )
        try:
            question = self._question(declaration, await request.body())
        except ValueError as error:
            return _refused(422, _spelled(error))
        if self.backtests.busy():
            return _refused(409, BUSY)
        return StreamingResponse(self.backtests.lines(question), media_type=MEDIA)

    def _question(self, declaration: Declaration, body: bytes) -> Question:
        """Read what is asked.

        Raises:
            ValueError: it cannot be answered, and why.

        """
        asked = Asked.model_validate_json(body or b"{}")
        policies = (*POLICIES, *asked.policies)
        names = [policy.name for policy in policies]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two policies are named {', '.join(twice)}; rename one")
        if asked.start and asked.end and asked.start >= asked.end:
            raise ValueError(f"from {_moment(asked.start)} is not before to {_moment(asked.end)}")
        for policy in asked.policies:
            try:
                policy.applied(declaration)
            except ValueError as error:
                raise ValueError(f"policy {policy.name}: {_spelled(error)}") from error
        return Question(
            declaration=declaration,
            uri=self.uri(declaration.name),
            start=asked.start,
            end=asked.end,
            policies=policies,
            picture=asked.picture,
        )


def routes(
    *,
    declaration: Callable[[str], Declaration | None],
    names: Callable[[], Iterable[str]],
    uri: Callable[[str], str],
    kept: Callable[[str], int | None],
    backtests: Backtests,
) -> list[Route]:
    """Serve backtests.

    Args:
        declaration: finds the one in force.
        names: of the declared models.
        uri: of a model's table.
        kept: version of a model's table; None without one.
        backtests: carries them out.

    """
    api = _Api(declaration, names, uri, kept, backtests)
    return [Route("/models/{name}/backtest", api.backtest, methods=["POST"])]


def _refused(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status)


def _spelled(error: ValueError) -> str:
    """Name the field at fault and what is wrong with it."""
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(
        f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg'].removeprefix('Value error, ')}"
        for one in error.errors()[:5]
    )


def _moment(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
