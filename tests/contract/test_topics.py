"""Every topic has a card, a schema, examples and a docstring, and nothing else lies about."""

import json
import re

import jsonschema
import pytest
import yaml

from contracts import TOPICS, DataTopic
from contracts.documents import (
    CARDS,
    HERE,
    ROOT,
    generated,
    meaning,
    name_of,
    out_of_date,
    schema_of,
    type_of,
    write,
)
from services.registry.domain.chain import verify
from services.registry.handlers import entry_of

EXAMPLES = HERE / "examples"
CASES = [
    pytest.param(card, path, id=f"{path.parent.name}/{path.stem}")
    for card in CARDS
    for path in sorted((EXAMPLES / name_of(card)).glob("*.json"))
]
SERVICES = {"ingest", "validation", "serving", "monitor", "training", "registry", "console"}


@pytest.mark.parametrize("card", CARDS, ids=name_of)
def test_names_are_lowercase_words_with_dots_and_a_version(card):
    name = card.name("m") if isinstance(card, DataTopic) else card.name
    assert re.fullmatch(r"[a-z]+(\.[a-z]+)+\.v[1-9][0-9]*", name)


def test_one_name_one_type_one_card():
    names = [name_of(card) for card in CARDS]
    types = [topic.message for topic in TOPICS]
    assert len(set(names)) == len(names)
    assert len(set(types)) == len(types)


@pytest.mark.parametrize("card", CARDS, ids=name_of)
def test_cards_name_services_that_exist(card):
    assert card.producer in SERVICES | {"user"}
    assert set(card.consumers) <= SERVICES | {"client"}
    assert len(set(card.consumers)) == len(card.consumers) > 0


@pytest.mark.parametrize("topic", TOPICS, ids=name_of)
def test_the_docstring_says_what_the_card_says(topic):
    said = re.search(r"Produced by (.+)\. Consumed by (.+)\.\s*$", topic.message.__doc__.strip())
    assert said, "end the docstring with: Produced by ... Consumed by ..."
    assert said[1] == topic.producer
    assert tuple(said[2].split(", ")) == topic.consumers
    assert meaning(topic.message).endswith(".")


@pytest.mark.parametrize("topic", TOPICS, ids=name_of)
def test_the_key_is_a_required_field(topic):
    assert topic.message.model_fields["model"].is_required()


@pytest.mark.parametrize("card", CARDS, ids=name_of)
def test_every_topic_has_an_example(card):
    folder = EXAMPLES / name_of(card)
    assert list(folder.glob("*.json")), f"add {folder.relative_to(ROOT)}/<what it shows>.json"


@pytest.mark.parametrize(("card", "path"), CASES)
def test_an_example_is_what_class_and_schema_say(card, path):
    document, message, schema = json.loads(path.read_text()), type_of(card), schema_of(card)
    if message is None or schema is None:
        return
    read = message.model_validate_json(path.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(schema, format_checker=checker).validate(document)
    # The wire knows no field that the class does not.
    assert document == json.loads(message.model_dump_json(read, exclude_unset=True))


def test_no_example_is_without_its_topic():
    assert {path.name for path in EXAMPLES.iterdir()} == {name_of(card) for card in CARDS}


def test_the_examples_of_the_log_are_a_log():
    card = next(topic for topic in TOPICS if topic.name == "registry.recorded.v1")
    paths = sorted((EXAMPLES / card.name).glob("*.json"))
    entries = [entry_of(card.message.model_validate_json(path.read_text())) for path in paths]
    assert verify(entries) == entries


def test_generated_files_are_up_to_date():
    assert out_of_date(ROOT, generated()) == [], "run: make contracts"


def test_missing_changed_and_orphaned_files_are_noticed_and_mended(tmp_path):
    files = generated()
    write(tmp_path, files)
    first, second, *_ = files
    (tmp_path / first).unlink()
    (tmp_path / second).write_text("{}")
    orphan = tmp_path / "contracts/schemas/gone.v1.json"
    orphan.write_text("{}")
    assert out_of_date(tmp_path, files) == [
        str(first),
        str(second),
        "contracts/schemas/gone.v1.json",
    ]
    write(tmp_path, files)
    assert out_of_date(tmp_path, files) == []
    assert not orphan.exists()


def references(node):
    """Find every $ref of a document."""
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_the_asyncapi_document_holds_together():
    document = yaml.safe_load((HERE / "asyncapi.yaml").read_text())
    assert document["asyncapi"] == "3.0.0"
    assert len(document["channels"]) == len(CARDS)
    for channel in document["channels"].values():
        parameters = set(re.findall(r"\{(\w+)\}", channel["address"]))
        assert parameters == set(channel.get("parameters", {}))
    for reference in references(document):
        if reference.startswith("./"):
            assert (HERE / reference).is_file()
            continue
        place = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
    for operation in document["operations"].values():
        assert operation["action"] in ("send", "receive")
