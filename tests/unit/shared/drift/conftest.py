"""Baselines that many tests share: fitting one takes most of a second."""

import pytest

from tests.unit.shared.drift.world import baseline


@pytest.fixture(scope="session", params=["binary", "multiclass", "regression"])
def fitted(request):
    return baseline(request.param)


@pytest.fixture(scope="session")
def binary():
    return baseline("binary")
