"""Whether a new JSON Schema still fits those who know the old one.

Additive is allowed: a property with a default, a loosened rule where users write. All else breaks
somebody: new readers of old records, which logs keep for ever, or old readers of new records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
PROSE = {"title", "description", "default", "examples", "discriminator", "$schema", "$defs"}
LOWER = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
UPPER = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}


def breaking(old: Schema, new: Schema, *, users_write: bool) -> list[str]:
    """List the breaking differences, each with its path; empty when the change is additive.

    Args:
        old: JSON Schema of the last release.
        new: JSON Schema of now.
        users_write: what users write may be loosened; what we write may not, or old readers of
            ours would meet values they refuse.

    """
    return list(_Comparison(old, new, users_write).walk(old, new, "$", frozenset()))


class _Comparison:
    def __init__(self, old: Schema, new: Schema, users_write: bool) -> None:
        self.old, self.new, self.users_write = old, new, users_write

    def walk(
        self, old: Schema, new: Schema, path: str, seen: frozenset[tuple[str, str]]
    ) -> Iterator[str]:
        """Compare two schemas at one place."""
        pair = (old.get("$ref", ""), new.get("$ref", ""))
        if pair in seen:
            return
        if any(pair):
            seen |= {pair}
        old, new = _resolved(self.old, old), _resolved(self.new, new)
        yield from self._objects(old, new, path, seen)
        yield from self._choices(old, new, path, seen)
        if "items" in old and "items" in new:
            yield from self.walk(old["items"], new["items"], f"{path}[]", seen)
        if isinstance(old.get("additionalProperties"), Mapping) and isinstance(
            new.get("additionalProperties"), Mapping
        ):
            yield from self.walk(
                old["additionalProperties"], new["additionalProperties"], f"{path}.*", seen
            )
        yield from self._rules(old, new, path)

    def _objects(
        self, old: Schema, new: Schema, path: str, seen: frozenset[tuple[str, str]]
    ) -> Iterator[str]:
        before, now = old.get("properties", {}), new.get("properties", {})
        for name in before:
            if name not in now:
                yield f"{path}.{name} was removed"
            else:
                yield from self.walk(before[name], now[name], f"{path}.{name}", seen)
        for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
            yield f"{path}.{name} is required now"

    def _choices(
        self, old: Schema, new: Schema, path: str, seen: frozenset[tuple[str, str]]
    ) -> Iterator[str]:
        for key in ("anyOf", "oneOf"):
            before = {self._label(self.old, part): part for part in old.get(key, ())}
            now = {self._label(self.new, part): part for part in new.get(key, ())}
            for label, part in before.items():
                if label not in now:
                    yield f"{path} no longer may be {label}"
                else:
                    yield from self.walk(part, now[label], f"{path}<{label}>", seen)
            for label in now.keys() - before.keys():
                if not self.users_write:
                    yield f"{path} may be {label} now, which old readers refuse"

    def _rules(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        structural = {"properties", "required", "anyOf", "oneOf", "items", "$ref"}
        for rule in sorted((old.keys() | new.keys()) - PROSE - structural):
            was, is_ = old.get(rule), new.get(rule)
            if was == is_ or (rule == "additionalProperties" and isinstance(was, Mapping)):
                continue
            if not (self.users_write and _looser(rule, was, is_)):
                yield f"{path}: {rule} changed from {was!r} to {is_!r}"

    @staticmethod
    def _label(root: Schema, part: Schema) -> str:
        found = _resolved(root, part)
        kind = found.get("properties", {}).get("kind", {}).get("const")
        return str(kind or part.get("$ref") or found.get("const") or found.get("type"))


def _resolved(root: Schema, part: Schema) -> Schema:
    if "$ref" not in part:
        return part
    found: Any = root
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return {**found, **{key: value for key, value in part.items() if key != "$ref"}}


def _looser(rule: str, was: Any, is_: Any) -> bool:
    if is_ is None:
        return True
    if rule == "enum" and was is not None:
        return set(was) <= set(is_)
    if rule in LOWER and was is not None:
        return bool(is_ <= was)
    return rule in UPPER and was is not None and bool(is_ >= was)
