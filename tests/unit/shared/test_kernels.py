"""Compiled code that cannot be loaded: everything goes on, and a metric says so."""

import asyncio
import os

import pytest

from shared.kernels import Kernels
from shared.telemetry import COUNTERS
from tests.doubles import telemetry


@pytest.fixture
def kernels(monkeypatch, tmp_path):
    """Make kernels, which keep compiled code in a folder of the test."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    return lambda *loads: Kernels(telemetry("kernels"), loads)


def failed():
    (family,) = COUNTERS["kernels_failed"].collect()
    return {
        sample.labels["what"]: sample.value
        for sample in family.samples
        if sample.name.endswith("_total") and sample.labels["service"] == "kernels"
    }


async def test_what_cannot_be_loaded_is_counted_and_the_rest_is_loaded(kernels, caplog):
    loaded, before = asyncio.Event(), failed()
    loop = asyncio.get_running_loop()

    def broken():
        raise OSError("no space left on device")

    part = kernels(broken, lambda: loop.call_soon_threadsafe(loaded.set))
    await part.start()
    async with asyncio.timeout(5):
        await loaded.wait()
    await part.stop()
    name = __name__.rpartition(".")[2]
    assert failed() == before | {name: before.get(name, 0) + 1}
    assert "no space left on device" in caplog.text
    assert part.unready() is None


def test_compiled_code_is_kept_beside_its_sources(kernels, tmp_path):
    kernels()
    folder = os.environ["NUMBA_CACHE_DIR"]
    kernels()
    assert os.environ["NUMBA_CACHE_DIR"] == folder
    assert folder.startswith(f"{tmp_path}/")
