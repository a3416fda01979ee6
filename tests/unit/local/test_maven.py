"""The user's choice comes before a configured mirror, and that before central."""

import pytest

from deploy.local.errors import LocalError
from deploy.local.maven import CENTRAL, repository


@pytest.fixture
def settings(monkeypatch, tmp_path):
    monkeypatch.delenv("DRIFTWHEEL_MAVEN", raising=False)
    file = tmp_path / "settings.xml"
    monkeypatch.setenv("DRIFTWHEEL_MAVEN_SETTINGS", str(file))

    def write(*mirrors: tuple[str, str], extra: str = "") -> None:
        rows = "".join(
            f"<mirror><id>m</id><mirrorOf>{of}</mirrorOf><url>{url}</url>{extra}</mirror>"
            for of, url in mirrors
        )
        namespace = "http://maven.apache.org/SETTINGS/1.2.0"
        file.write_text(f'<settings xmlns="{namespace}"><mirrors>{rows}</mirrors></settings>')

    return write


def test_without_settings_it_is_central(settings):
    assert repository() == CENTRAL


@pytest.mark.parametrize("pattern", ["central", "*", "external:*", "a, central", "*,!snapshots"])
def test_a_mirror_of_central_is_used(settings, pattern):
    settings((pattern, "http://mirror/maven/"))
    assert repository() == "http://mirror/maven"


@pytest.mark.parametrize("pattern", ["other", "*,!central", "external:http:*", "centralish"])
def test_a_mirror_of_something_else_is_not(settings, pattern):
    settings((pattern, "http://mirror/maven"))
    assert repository() == CENTRAL


def test_the_mirror_that_names_central_wins(settings):
    settings(("*", "http://any"), ("central", "http://exact"))
    assert repository() == "http://exact"


def test_a_blocked_mirror_is_no_mirror(settings):
    settings(("*", "http://0.0.0.0"), extra="<blocked>true</blocked>")
    assert repository() == CENTRAL


def test_the_environment_wins(settings, monkeypatch):
    settings(("*", "http://any"))
    monkeypatch.setenv("DRIFTWHEEL_MAVEN", "file:///jars/")
    assert repository() == "file:///jars"


def test_what_is_no_address_is_refused(settings, monkeypatch):
    monkeypatch.setenv("DRIFTWHEEL_MAVEN", "mirror/maven")
    with pytest.raises(LocalError, match="'mirror/maven' is not the address"):
        repository()


def test_broken_settings_are_named(settings, tmp_path):
    (tmp_path / "settings.xml").write_text("<settings>")
    with pytest.raises(LocalError, match=r"settings\.xml cannot be read"):
        repository()
