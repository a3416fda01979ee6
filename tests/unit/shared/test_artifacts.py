"""Files by content."""

import pytest

from shared.artifacts import Artifacts, Corrupt


def test_what_is_put_is_got_under_the_name_of_its_content(tmp_path):
    artifacts = Artifacts(tmp_path)
    files = {"model.json": b"{}", "model.txt": b"tree"}
    tree = artifacts.put(files)
    assert artifacts.get(tree) == files
    assert artifacts.put(dict(reversed(files.items()))) == tree
    assert artifacts.put({**files, "model.txt": b"other"}) != tree


def test_one_changed_byte_is_refused(tmp_path):
    artifacts = Artifacts(tmp_path)
    tree = artifacts.put({"model.txt": b"tree"})
    (blob,) = [p for p in tmp_path.rglob("*") if p.is_file() and p.read_bytes() == b"tree"]
    blob.write_bytes(b"trea")
    with pytest.raises(Corrupt, match="restore the file"):
        artifacts.get(tree)


def test_a_missing_tree_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        Artifacts(tmp_path).get("0" * 64)


def test_nothing_half_written_is_left(tmp_path):
    artifacts = Artifacts(tmp_path)
    artifacts.put({"a": b"1"})
    names = {p.name for p in tmp_path.rglob("*") if p.is_file()}
    assert all(len(name) == 64 for name in names)
