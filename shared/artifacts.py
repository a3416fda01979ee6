"""Model files by content: a blob is named by its SHA-256, a tree by that of its listing."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path


class Corrupt(ValueError):
    """Stored bytes are not the ones their name promises."""


class Artifacts:
    """A folder of blobs, each written whole or not at all.

    Args:
        root: the folder; may be shared by several services.

    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, files: Mapping[str, bytes]) -> str:
        """Store a tree of files.

        Returns:
            The tree's digest: SHA-256 of its listing {name: digest} as sorted, compact JSON.

        """
        listing = {name: self._write(content) for name, content in files.items()}
        return self._write(_canonical(listing))

    def get(self, tree: str) -> dict[str, bytes]:
        """Fetch a tree; every byte is verified before it is returned.

        Raises:
            FileNotFoundError: a file is not (or not yet) there.
            Corrupt: a file has changed.

        """
        listing: dict[str, str] = json.loads(self._read(tree))
        return {name: self._read(digest) for name, digest in listing.items()}

    def _write(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        path = self._path(digest)
        if path.exists():
            return digest
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
        return digest

    def _read(self, digest: str) -> bytes:
        content = self._path(digest).read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if found != digest:
            raise Corrupt(
                f"artifact {digest[:12]} has the content of {found[:12]}; restore the file"
            )
        return content

    def _path(self, digest: str) -> Path:
        return self.root / digest[:2] / digest


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
