"""Every program imports only what its own extra brings: images hold nothing else."""

import ast
import json
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import pytest

PROGRAMS = {
    "ingest": "services.ingest.app",
    "validation": "services.validation.app",
    "serving": "services.serving.app",
    "monitor": "services.monitor.app",
    "training": "services.training.run.training",
    "registry": "services.registry.app",
    "demo": "examples.flights.demo",
    "files": "driftwheel.cli",
}

OURS = ("contracts", "shared", "services", "examples", "driftwheel")

# Imports a module, and prints the files of ours that this has loaded.
LOADED = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
ours = [m for name, m in sys.modules.items() if name.partition(".")[0] in sys.argv[2:]]
print(json.dumps([m.__file__ for m in ours if getattr(m, "__file__", None)]))
"""


def needed(requirement, found):
    """Collect the distributions that a requirement such as driftwheel[monitor] brings."""
    match = re.match(r"([A-Za-z0-9._-]+)(?:\[([^]]*)\])?", requirement)
    name, extras = (
        match[1].lower().replace("_", "-"),
        {e.strip() for e in (match[2] or "").split(",")},
    )
    if (name, frozenset(extras)) in found:
        return
    found.add((name, frozenset(extras)))
    try:
        requires = distribution(name).requires or []
    except PackageNotFoundError:
        return
    for one in requires:
        wanted = re.search(r"extra == ['\"]([^'\"]+)['\"]", one)
        if wanted is None or wanted[1] in extras:
            needed(one.partition(";")[0].strip(), found)


@pytest.mark.parametrize("extra", PROGRAMS)
def test_a_program_loads_only_what_its_extra_brings(extra):
    found = set()
    needed(f"driftwheel[{extra}]", found)
    allowed = {name for name, _ in found}
    command = [sys.executable, "-c", LOADED, PROGRAMS[extra], *OURS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    brought, foreign = packages_distributions(), {}
    for path in json.loads(done.stdout):
        for module in imported(ast.parse(Path(path).read_text())):
            owners = {name.lower().replace("_", "-") for name in brought.get(module, ())}
            if owners and module not in OURS and not owners & allowed:
                foreign[module] = path
    assert foreign == {}


def imported(tree):
    """Collect the first part of every imported name, wherever in a file it is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
