"""Which Maven repository to fetch from: the user's own choice, a configured mirror, or central."""

import os
from pathlib import Path
from xml.etree import ElementTree

from deploy.local.errors import LocalError

CENTRAL = "https://repo.maven.apache.org/maven2"


def repository() -> str:
    """Return the address to fetch jars from, without a slash at its end.

    First DRIFTWHEEL_MAVEN, then the mirror of `central` in Maven's settings.xml (that of the user,
    or the one named by DRIFTWHEEL_MAVEN_SETTINGS), then Maven central.

    Raises:
        LocalError: settings.xml cannot be read, or the address is none.
    """
    chosen = os.environ.get("DRIFTWHEEL_MAVEN") or _mirror_of_central(_settings()) or CENTRAL
    if not chosen.startswith(("https://", "http://", "file://")):
        raise LocalError(
            f"{chosen!r} is not the address of a Maven repository.",
            f"give DRIFTWHEEL_MAVEN, or the mirror in {_settings()}, an address like {CENTRAL}.",
        )
    return chosen.rstrip("/")


def _settings() -> Path:
    named = os.environ.get("DRIFTWHEEL_MAVEN_SETTINGS")
    return Path(named) if named else Path.home() / ".m2" / "settings.xml"


def _mirror_of_central(settings: Path) -> str | None:
    if not settings.exists():
        return None
    try:
        root = ElementTree.parse(settings).getroot()  # noqa: S314 - the user's own file
    except (OSError, ElementTree.ParseError) as error:
        raise LocalError(
            f"{settings} cannot be read: {error}.",
            "mend that file, or set DRIFTWHEEL_MAVEN to the address of a Maven repository.",
        ) from error
    mirrors = {
        _text(mirror, "mirrorOf"): _text(mirror, "url")
        for mirror in root.iterfind(".//{*}mirrors/{*}mirror")
        if _text(mirror, "blocked") != "true"
    }
    # As in Maven: a mirror that names the repository wins over one that matches by pattern.
    return mirrors.get("central") or next(
        (url for pattern, url in mirrors.items() if _covers_central(pattern)), None
    )


def _covers_central(pattern: str) -> bool:
    parts = {part.strip() for part in pattern.split(",")}
    return "!central" not in parts and not parts.isdisjoint({"central", "*", "external:*"})


def _text(mirror: ElementTree.Element, tag: str) -> str:
    return (mirror.findtext(f"{{*}}{tag}") or "").strip()
