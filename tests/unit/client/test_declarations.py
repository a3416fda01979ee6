"""YAML as people get it wrong."""

import pytest
import yaml

from driftwheel.declarations import Declaration, written
from driftwheel.errors import Invalid, NotFound

GOOD = """\
apiVersion: driftwheel/v1
kind: Model
metadata: {name: delay}
spec:
  task: binary
  features:
    carrier: {type: category, categories: [UA, DL]}
    minute:
      type: int
  label: {name: late, horizon: 36h}
"""


@pytest.fixture
def read(tmp_path):
    def reading(text: str | bytes) -> Declaration:
        file = tmp_path / "delay.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return Declaration(file)

    return reading


def test_a_declaration_is_read_as_it_was_written(read):
    assert read(GOOD).content["spec"]["features"]["minute"] == {"type": "int"}


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("spec.features.minute.type", 9),
        ("spec.features.minute.max", 8),
        ("spec.features.carrier.categories.1", 7),
        ("spec.prior", 4),
        ("nothing", 1),
    ],
)
def test_a_field_is_found_or_else_what_encloses_it(read, field, line):
    assert read(GOOD).place(field).endswith(f"delay.yaml:{line}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "kind: Model\n", r"delay\.yaml:11:1: the key 'kind' stands in line 2 already"),
        (
            GOOD.replace("    minute:", "    carrier: {type: int}\n    minute:"),
            r"delay\.yaml:8:5: the key 'carrier' stands in line 7 already",
        ),
        (GOOD.replace("carrier:", "no:"), r"delay\.yaml:7:5: the key False is not text"),
        ("a: [1, 2\nb: 3\n", r"delay\.yaml:2:\d+: "),
        ("a: b: c", r"delay\.yaml:1:5: "),
        ("a:\n\tb: 1", r"delay\.yaml:2:1: .*'\\t'"),
        ("? [a]\n: 1", "is not text"),
        ("!!python/object/apply:os.getcwd []", "could not determine a constructor"),
        (b"\xff\xfe\x00", "is not UTF-8"),
        ("a: \x00", "is not YAML"),
        ("a: 1\n---\nb: 2", "expected a single document|but found another document"),
        ("", "is no declaration"),
        ("- spec", "is no declaration"),
        ("metadata: {name: delay}", "is no declaration"),
        (GOOD.replace("name: delay", "name: Flight Delay"), r"delay\.yaml:3: metadata\.name must"),
        (GOOD.replace("{name: delay}", "{}"), r"delay\.yaml:3: metadata\.name must.*not None"),
        (GOOD.replace("{name: delay}", "delay"), r"metadata\.name must"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(read, text, message):
    with pytest.raises(Invalid, match=message):
        read(text)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(NotFound, match="is not there"):
        Declaration(tmp_path / "none.yaml")


def test_what_is_written_can_be_read_again(read):
    content = {"b": None, "a": {"x": (1, 2.5), "y": None, "z": "36h"}, "spec": {}}
    assert yaml.safe_load(written(content)) == {"a": {"x": [1, 2.5], "z": "36h"}, "spec": {}}
    assert yaml.safe_load(written(read(GOOD).content)) == read(GOOD).content
