"""The read API: models, versions, logs, and how it stood at any revision."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_jsonable_python
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.registry.domain.facts import Declared, Gated, Registered
from services.registry.domain.ledger import Ledger
from services.registry.domain.state import State, fold


def routes(ledger: Ledger) -> list[Route]:
    """Serve what the log has confirmed."""
    api = _Api(ledger)
    return [
        Route("/models", api.models),
        Route("/models/{name}", api.model),
        Route("/models/{name}/log", api.log),
        Route("/models/{name}/as-of", api.as_of),
    ]


class _Api:
    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    async def models(self, _: Request) -> Response:
        books = self.ledger.confirmed()
        return JSONResponse({"models": [summary(name, book.state) for name, book in books.items()]})

    async def model(self, request: Request) -> Response:
        name = request.path_params["name"]
        books = self.ledger.confirmed()
        return JSONResponse(view(name, books[name].state)) if name in books else self._none(name)

    async def log(self, request: Request) -> Response:
        name = request.path_params["name"]
        entries = self.ledger.log(name)
        if not entries:
            return self._none(name)
        return JSONResponse({"model": name, "entries": [entry.document for entry in entries]})

    async def as_of(self, request: Request) -> Response:
        name = request.path_params["name"]
        entries = self.ledger.log(name)
        if not entries:
            return self._none(name)
        revision = request.query_params.get("revision", "")
        if not (revision.isdecimal() and 1 <= int(revision) <= len(entries)):
            text = f"revision must be a number from 1 to {len(entries)}, such as ?revision=1"
            return JSONResponse({"error": text}, 422)
        return JSONResponse(view(name, fold(entries[: int(revision)])))

    def _none(self, name: str) -> Response:
        known = list(self.ledger.confirmed())
        text = f"unknown model {name!r}; declared models: {', '.join(known) or 'none'}"
        return JSONResponse({"error": text, "models": known}, 404)


def summary(name: str, state: State) -> dict[str, Any]:
    """Say in a line how a model stands."""
    return {
        "model": name,
        "revision": state.revision,
        "champion": state.champion,
        "versions": list(state.versions),
    }


def view(name: str, state: State) -> dict[str, Any]:
    """Say all about a model; `declaration` has every default in force."""
    declared = state.declared or Declared({}, "")
    detail: dict[str, Any] = to_jsonable_python(
        {
            "declaration": declared.declaration or None,
            "digest": declared.digest or None,
            "versions": [
                _version(registered, state.gated.get(version), version == state.champion)
                for version, registered in state.registered.items()
            ],
        }
    )
    return {**summary(name, state), **detail}


def _version(registered: Registered, gated: Gated | None, champion: bool) -> dict[str, Any]:
    return {
        "version": registered.version.version,
        "champion": champion,
        "files": registered.version,
        "run_id": registered.run_id,
        "rows": registered.rows,
        "declaration": registered.declaration,
        "evaluation": registered.evaluation,
        "gate": gated,
    }
