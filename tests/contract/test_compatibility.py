"""Contracts only grow: against the last release, and the checker itself against planted breaks."""

import copy
import json
import shutil
import subprocess

import pytest

from contracts.documents import CARDS, ROOT, name_of, schema_of
from tests.contract.compatibility import breaking

SCHEMA = {
    "type": "object",
    "required": ["id", "score", "part"],
    "properties": {
        "id": {"type": "string", "maxLength": 10},
        "score": {"type": "number", "minimum": 0},
        "role": {"enum": ["stable", "candidate"]},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "many": {"type": "array", "items": {"$ref": "#/$defs/Part"}},
        "named": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Part"}},
        "part": {"$ref": "#/$defs/Part"},
        "order": {"oneOf": [{"$ref": "#/$defs/Train"}]},
    },
    "$defs": {
        "Part": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
        "Train": {"type": "object", "properties": {"kind": {"const": "train"}}},
        "Stop": {"type": "object", "properties": {"kind": {"const": "stop"}}},
    },
}


def changed(path, value):
    """Set (or with None delete) one place of the schema."""
    new = copy.deepcopy(SCHEMA)
    *way, last = path.split("/")
    place = new
    for step in way:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return new


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("properties/score", None, "$.score was removed"),
        ("properties/note", None, "$.note was removed"),
        ("required", ["id", "score", "part", "role"], "$.role is required now"),
        ("properties/score/type", "string", "$.score: type changed"),
        ("properties/id/maxLength", 5, "$.id: maxLength changed"),
        ("properties/id/pattern", "^a", "$.id: pattern changed"),
        ("properties/id/format", "date-time", "$.id: format changed"),
        ("properties/role/enum", ["stable"], "$.role: enum changed"),
        ("properties/note/anyOf", [{"type": "string"}], "$.note no longer may be null"),
        ("$defs/Part/properties/n/type", "number", "$.part.n: type changed"),
        ("$defs/Part/required", ["n", "m"], "$.many[].m is required now"),
        ("$defs/Part/properties", {}, "$.named.*.n was removed"),
        ("properties/order/oneOf", [{"$ref": "#/$defs/Stop"}], "$.order no longer may be train"),
        ("additionalProperties", False, "$: additionalProperties changed"),
    ],
)
@pytest.mark.parametrize("users_write", [True, False])
def test_planted_breaks_are_found(path, value, complaint, users_write):
    found = breaking(SCHEMA, changed(path, value), users_write=users_write)
    assert any(line.startswith(complaint) for line in found), found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("properties/new", {"type": "string", "default": ""}),
        ("properties/id/description", "prose"),
        ("title", "prose"),
        ("properties/note/default", "other"),
    ],
)
def test_additions_are_welcome(path, value):
    assert breaking(SCHEMA, changed(path, value), users_write=False) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("properties/id/maxLength", 20),
        ("properties/score/minimum", -1),
        ("properties/role/enum", ["stable", "candidate", "shadow"]),
        ("properties/order/oneOf", [{"$ref": "#/$defs/Train"}, {"$ref": "#/$defs/Stop"}]),
    ],
)
def test_only_what_users_write_may_be_loosened(path, value):
    assert breaking(SCHEMA, changed(path, value), users_write=True) == []
    assert breaking(SCHEMA, changed(path, value), users_write=False)


def git(*arguments):
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


@pytest.fixture(scope="module")
def release():
    """The last tag, else the last commit."""
    if shutil.which("git") is None or git("rev-parse", "HEAD") is None:
        pytest.skip("not a git checkout: there is no earlier release to compare with")
    return (git("describe", "--tags", "--abbrev=0") or "HEAD").strip()


@pytest.mark.parametrize("card", CARDS, ids=name_of)
def test_a_topic_is_readable_by_those_who_know_the_last_release(card, release):
    old = git("show", f"{release}:contracts/schemas/{name_of(card)}.json")
    if old is not None:
        found = breaking(json.loads(old), schema_of(card), users_write=card.producer == "user")
        assert found == [], f"since {release}; make a v2 instead, see contracts/README.md"


def test_no_topic_is_dropped_without_a_successor(release):
    listed = git("ls-tree", "--name-only", release, "contracts/schemas/") or ""
    before = {line.split("/")[-1].removesuffix(".json") for line in listed.splitlines()}
    subjects = {name_of(card).rpartition(".v")[0] for card in CARDS}
    assert {name for name in before if name.rpartition(".v")[0] not in subjects} == set()
