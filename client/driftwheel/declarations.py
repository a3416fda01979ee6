"""Declarations as YAML: read strictly, with the place of every fault."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from driftwheel.errors import Invalid, NotFound

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class _Loader(yaml.SafeLoader):
    """Builds plain values only, and refuses a key that stands twice in one mapping."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        first: dict[Any, yaml.Node] = {}
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None,
                    None,
                    f"the key {key!r} is not text: put it in quotes",
                    key_node.start_mark,
                )
            if key in first:
                line = first[key].start_mark.line + 1
                raise yaml.constructor.ConstructorError(
                    None,
                    None,
                    f"the key {key!r} stands in line {line} already",
                    key_node.start_mark,
                )
            first[key] = key_node
        return super().construct_mapping(node, deep)


class Declaration:
    """A declaration read from a file.

    Attributes:
        path: of the file.
        content: as it was written, defaults not filled in.

    """

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            NotFound: there is no such file.
            Invalid: it is not a declaration; the text names line and column.

        """
        self.path = path
        try:
            text = path.read_text("utf-8")
            self._root: yaml.Node | None = yaml.compose(text, _Loader)
            self.content: Any = _Loader(text).get_single_data()
        except FileNotFoundError as error:
            raise NotFound(f"{path} is not there.") from error
        except UnicodeDecodeError as error:
            raise Invalid(f"{path} is not UTF-8 text: {error}") from error
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
            raise Invalid(f"{path}{where}: {error.problem or error.context}") from error
        except (yaml.YAMLError, RecursionError) as error:
            raise Invalid(f"{path} is not YAML: {error}") from error
        self._check()

    def place(self, field: str) -> str:
        """Tell where a dotted field stands: `file:line`, of what encloses it if it is missing."""
        node, line = self._root, 1
        for part in field.split("."):
            found = _within(node, part)
            if found is None:
                break
            line, node = found
        return f"{self.path}:{line}"

    def _check(self) -> None:
        """Look for what the registry needs to answer at all; the rest is for the registry."""
        content = self.content
        if not isinstance(content, Mapping) or "spec" not in content:
            raise Invalid(
                f"{self.path} is no declaration: it needs apiVersion, kind, metadata, spec"
            )
        metadata = content.get("metadata")
        name = metadata.get("name") if isinstance(metadata, Mapping) else None
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise Invalid(
                f"{self.place('metadata.name')}: metadata.name must be lowercase letters, digits "
                f"and dashes, at most 63, not {name!r}"
            )


def _within(node: yaml.Node | None, part: str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == part:
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and part.isdecimal() and int(part) < len(node.value):
        value = node.value[int(part)]
        return value.start_mark.line + 1, value
    return None


def written(declaration: Mapping[str, Any]) -> str:
    """Write a declaration as YAML that can be applied again, without what is not set."""
    return str(yaml.safe_dump(_set(declaration), sort_keys=False, allow_unicode=True, width=100))


def _set(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _set(item) for name, item in value.items() if item is not None}
    return [_set(item) for item in value] if isinstance(value, list | tuple) else value
