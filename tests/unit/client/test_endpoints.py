"""Where the client looks for a deployment."""

import json

import pytest

from driftwheel import endpoints
from driftwheel.endpoints import Endpoints, find
from driftwheel.errors import Invalid, NotFound


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """No environment, no file above, no checkout."""
    for name in ("KAFKA", "PREFIX", "ENDPOINTS"):
        monkeypatch.delenv(f"DRIFTWHEEL_{name}", raising=False)
    monkeypatch.setattr(endpoints, "checkout", lambda: None)
    monkeypatch.chdir(tmp_path)


def written(folder, **content):
    (folder / ".driftwheel").mkdir(parents=True)
    file = folder / ".driftwheel" / "endpoints.json"
    file.write_text(json.dumps(content))
    return file


def test_nothing_known_names_the_command_to_run():
    with pytest.raises(NotFound, match="driftwheel up"):
        find()


def test_the_nearest_file_upwards_counts(tmp_path, monkeypatch):
    written(tmp_path, kafka="outer:1")
    file = written(tmp_path / "a", kafka="inner:1", services={"ingest": "http://i", "gone": None})
    (tmp_path / "a" / "b").mkdir()
    monkeypatch.chdir(tmp_path / "a" / "b")
    found = find()
    assert found == Endpoints("inner:1", "driftwheel.", {"ingest": "http://i"}, str(file))


def test_the_environment_goes_before_the_file(tmp_path, monkeypatch):
    written(tmp_path, kafka="file:1", services={"ingest": "http://i"})
    monkeypatch.setenv("DRIFTWHEEL_KAFKA", "environment:1")
    monkeypatch.setenv("DRIFTWHEEL_PREFIX", "team.")
    assert find() == Endpoints("environment:1", "team.")


def test_arguments_go_before_the_environment(monkeypatch):
    monkeypatch.setenv("DRIFTWHEEL_KAFKA", "environment:1")
    assert find(kafka="argument:1", prefix="x.") == Endpoints("argument:1", "x.")


def test_a_named_file_that_is_not_there_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("DRIFTWHEEL_ENDPOINTS", str(tmp_path / "none.json"))
    with pytest.raises(NotFound, match=r"none\.json"):
        find()


@pytest.mark.parametrize("content", ["[]", "{", "\x00"])
def test_a_file_of_something_else_is_an_error(tmp_path, content):
    file = tmp_path / "e.json"
    file.write_text(content)
    with pytest.raises(Invalid, match=r"e\.json"):
        find(file=file)


def test_only_events_topics_name_a_model():
    names = Endpoints("k:1", "p.")
    assert names.model_of("p.data.delay.events.v1") == "delay"
    assert names.model_of("p.data.delay.labels.v1") is None
    assert names.model_of("q.data.delay.events.v1") is None
