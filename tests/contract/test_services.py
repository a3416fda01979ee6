"""What a service hears and says is what its card, its README and its code say."""

import ast
import re
from importlib import import_module

import pytest

from contracts import DATA_TOPICS, TOPICS, DataTopic
from contracts.documents import CARDS, ROOT
from shared.kafka import Consumer, Table
from tests.contract.subjects import SERVICES, SUBJECTS
from tests.doubles import MemoryKafka

PRODUCER_OF = {topic.message.__name__: topic.producer for topic in TOPICS}
FOR_USERS = "ingest"


def label(card):
    return card.name("<model>") if isinstance(card, DataTopic) else card.name


def says(service):
    """What a card lets a service write; ingest writes on behalf of users."""
    own = {label(card) for card in CARDS if card.producer == service}
    users = {label(card) for card in DATA_TOPICS if card.producer == "user"}
    return own | users if service == FOR_USERS else own


def hears(service):
    return {label(card) for card in CARDS if service in card.consumers}


def section(service, heading):
    path = ROOT / "services" / service / "README.md"
    if not path.exists():
        pytest.fail(f"write {path.relative_to(ROOT)} with ## Hears, ## Says and ## Knobs")
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", path.read_text(), re.M | re.S)
    assert found, f"services/{service}/README.md has no section ## {heading}"
    return found[1]


def bullets(text):
    return sorted(re.findall(r"^- `([^`]+)`", text, re.M))


@pytest.mark.parametrize("service", SERVICES)
def test_the_readme_lists_what_is_heard_and_said(service):
    assert bullets(section(service, "Hears")) == sorted(hears(service))
    assert bullets(section(service, "Says")) == sorted(says(service))


@pytest.mark.parametrize("service", SERVICES)
def test_the_readme_lists_every_knob_with_its_default(service):
    rows = re.findall(r"^\| `(DRIFTWHEEL_\w+)` \| ([^|]+) \|", section(service, "Knobs"), re.M)
    told = {name: default.strip().strip("`") for name, default in rows}
    fields = import_module(f"services.{service}.settings").Settings.model_fields
    known = {
        f"DRIFTWHEEL_{name.upper()}": "none" if field.default is None else str(field.default)
        for name, field in fields.items()
    }
    assert told == known
    assert all(field.description for field in fields.values())


@pytest.mark.parametrize("service", SERVICES)
def test_code_hears_what_the_cards_say(service, tmp_path):
    """What a service wrote itself it may read back; that ties nobody to anybody."""
    kafka = MemoryKafka()
    if service not in SUBJECTS:
        pytest.fail(f"tell tests/contract/subjects.py how to make {service} in memory")
    parts = SUBJECTS[service](kafka, tmp_path)
    patterns = [route for part in parts if isinstance(part, Consumer) for route, _ in part.routes]
    tables = {part.name for part in parts if isinstance(part, Table)}
    heard = {
        label(card)
        for card in CARDS
        for name in [kafka.names.prefix + label(card).replace("<model>", "flight-delay")]
        if name in tables or any(pattern.fullmatch(name) for pattern in patterns)
    }
    assert hears(service) <= heard
    assert heard - hears(service) <= says(service)


@pytest.mark.parametrize("service", SERVICES)
def test_a_message_is_built_by_its_one_producer_alone(service):
    for path in sorted((ROOT / "services" / service).rglob("*.py")):
        for name, line in built(ast.parse(path.read_text())):
            told = f"{path.relative_to(ROOT)}:{line} builds {name}"
            assert PRODUCER_OF[name] == service, f"{told}, which {PRODUCER_OF[name]} alone says"


def built(tree):
    """Find the messages that a module makes: Name(...), Name.caused_by(...) and the like."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            made = node.func
            if isinstance(made, ast.Attribute) and made.attr in ("caused_by", "model_construct"):
                made = made.value
            name = made.attr if isinstance(made, ast.Attribute) else getattr(made, "id", None)
            if name in PRODUCER_OF:
                yield name, node.lineno


def test_the_scan_sees_every_way_to_build():
    lines = (
        "DriftDetected(a=1)",
        "t.DriftDetected.caused_by(x)",
        "ModelTrained.caused_by(y)",
        "f(DriftDetected)",
    )
    assert list(built(ast.parse("\n".join(lines)))) == [
        ("DriftDetected", 1),
        ("DriftDetected", 2),
        ("ModelTrained", 3),
    ]


def test_every_control_message_is_built_somewhere():
    """A card whose producer never says it is a promise nobody keeps."""
    made = {
        name
        for service in SERVICES
        for path in (ROOT / "services" / service).rglob("*.py")
        for name, _ in built(ast.parse(path.read_text()))
    }
    promised = {topic.message.__name__ for topic in TOPICS if topic.producer in SERVICES}
    assert promised <= made
