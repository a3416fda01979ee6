"""Fixtures of all tests: one real Kafka and Redis per session, names of its own per test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from deploy.local.stack import Infrastructure, infrastructure
from shared.kafka import Names


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Infrastructure]:
    """A real Kafka and a real Redis; do not kill them, other tests use them too."""
    with infrastructure(tmp_path_factory.mktemp("infrastructure")) as running:
        yield running


@pytest.fixture
def names() -> Names:
    """A prefix that no other test uses."""
    return Names(f"t{uuid.uuid4().hex[:12]}.")
