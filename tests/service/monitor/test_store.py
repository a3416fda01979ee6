"""The store in memory behaves as every store."""

import pytest

from tests.service.monitor.store import MemoryStore
from tests.service.monitor.suite import StoreBehaviour


class TestMemoryStore(StoreBehaviour):
    @pytest.fixture
    def store(self):
        return MemoryStore()
