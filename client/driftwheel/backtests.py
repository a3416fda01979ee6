"""Backtests: the training service replays other policies and tells as it goes."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from driftwheel.endpoints import Endpoints
from driftwheel.errors import Invalid, NotFound, Unreachable

CONNECT_S = 5.0


async def backtest(
    endpoints: Endpoints, model: str, question: Mapping[str, Any]
) -> AsyncGenerator[dict[str, Any], None]:
    """Ask the training service; to close the iterator ends the backtest there.

    Args:
        endpoints: of the deployment.
        model: its name.
        question: from, to (times or dates, optional), policies, picture (svg or png, optional).

    Yields:
        {"done": share, "policy": name, "said": text}, and at the end {"result": ...}.

    Raises:
        NotFound: no such model, nothing kept of it, or the service's address is not known.
        Invalid: the question cannot be answered.
        Unreachable: the service does not answer, or broke off.

    """
    url = endpoints.services.get("training")
    if url is None:
        raise NotFound(
            "The address of the training service is not known: no endpoints.json is used. Name the "
            "file that `driftwheel up` wrote with --endpoints."
        )
    timeout = httpx.Timeout(CONNECT_S, read=None)
    try:
        async with (
            httpx.AsyncClient(timeout=timeout, trust_env=False) as http,
            http.stream("POST", f"{url}/models/{model}/backtest", json=dict(question)) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise _refused(answer.status_code, await answer.aread())
            async for line in _lines(answer, url):
                yield line
    except httpx.ConnectError as error:
        raise Unreachable(
            f"Training at {url} does not answer: {error}. `driftwheel status` shows what runs."
        ) from error
    except httpx.HTTPError as error:
        raise Unreachable(
            f"Training at {url} broke off: {error or type(error).__name__}."
        ) from error


def policies(path: Path) -> list[dict[str, Any]]:
    """Read policies: one mapping, or a list of them, in YAML.

    Raises:
        NotFound: there is no such file.
        Invalid: it is not YAML, or holds no mappings.

    """
    try:
        content = yaml.safe_load(path.read_text())
    except FileNotFoundError as error:
        raise NotFound(f"{path} is not there.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} is not YAML: {error}") from error
    found = content if isinstance(content, list) else [content]
    if not found or not all(isinstance(one, dict) for one in found):
        raise Invalid(
            f"{path} must hold policies such as: {{name: weekly, trigger: schedule, "
            "retraining: {max_age: 7d}}"
        )
    return found


async def _lines(answer: httpx.Response, url: str) -> AsyncIterator[dict[str, Any]]:
    line: dict[str, Any] = {}
    async for text in answer.aiter_lines():
        line = json.loads(text)
        if "error" in line:
            raise Invalid(_sentence(line["error"]))
        yield line
    if "result" not in line:
        raise Unreachable(f"Training at {url} broke off before the end; its log says why.")


def _refused(status: int, body: bytes) -> NotFound | Invalid | Unreachable:
    try:
        text = _sentence(json.loads(body)["error"])
    except (ValueError, LookupError, TypeError):
        return Unreachable(f"Training answers {status}: {body[:200].decode('utf-8', 'replace')}")
    return NotFound(text) if status == httpx.codes.NOT_FOUND else Invalid(text)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}".rstrip(".") + "."
