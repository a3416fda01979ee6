"""The hash chain: an entry that was changed or taken out of the log is noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import rfc8785

from services.registry.domain.state import ZEROS, Entry


class Broken(Exception):
    """The log is not what was written; its text says where."""


def digest(document: Mapping[str, Any]) -> str:
    """Name an entry: SHA-256 over its RFC 8785 JSON, hexadecimal."""
    return hashlib.sha256(rfc8785.dumps(dict(document))).hexdigest()


def continues(entries: Sequence[Entry], entry: Entry) -> bool:
    """Tell whether `entry` is the next of the chain.

    Args:
        entries: the chain so far.
        entry: what stands next in the log.

    Returns:
        False for a copy, and for an entry whose place another writer had taken before.

    Raises:
        Broken: an entry is missing before this one, or the one before was changed.

    """
    if entry.seq <= len(entries):
        return False
    if entry.seq > len(entries) + 1:
        raise Broken(
            f"entry {len(entries) + 1} is missing before entry {entry.seq} ({entry.event_id})"
        )
    head = entries[-1].digest if entries else ZEROS
    if entry.previous != head:
        raise Broken(
            f"entry {entry.seq} ({entry.event_id}) was written after an entry "
            f"{entry.seq - 1} with digest {entry.previous[:12]}, but that one has {head[:12]}: "
            "it was changed"
        )
    return True


def verify(log: Iterable[Entry]) -> list[Entry]:
    """Check one model's log from its beginning.

    Returns:
        The entries that count, copies left out.

    Raises:
        Broken: an entry was changed or is missing. A changed or missing *last* entry cannot be
            noticed by the chain alone.

    """
    entries: list[Entry] = []
    for entry in log:
        if continues(entries, entry):
            entries.append(entry)
    return entries
