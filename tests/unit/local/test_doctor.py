"""The doctor names each problem with its cure."""

import pytest

from deploy.local import doctor
from deploy.local.folder import Folder
from deploy.local.ports import Ports


@pytest.fixture
def findings(monkeypatch, tmp_path):
    monkeypatch.setenv("DRIFTWHEEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DRIFTWHEEL_MAVEN", f"http://127.0.0.1:{Ports().any()}")
    monkeypatch.setattr(doctor, "redis_server", lambda: tmp_path / "no-such-server")
    return {finding.name: finding for finding in doctor.examine(Folder(tmp_path / "folder"))}


def test_unreachable_jars_are_a_problem(findings):
    assert not findings["kafka"].ok
    assert "DRIFTWHEEL_MAVEN" in findings["kafka"].line()


def test_a_server_that_does_not_run_is_a_problem(findings):
    assert not findings["redis"].ok
    assert "install" in findings["redis"].fix


def test_what_is_there_is_ok(findings):
    assert findings["python"].ok
    assert findings["java"].ok
    assert "openjdk" in findings["java"].found


def test_examining_changes_nothing(findings, tmp_path):
    assert not list(tmp_path.iterdir())
