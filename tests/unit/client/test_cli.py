"""The command line without a deployment: errors, exit codes, what is passed on."""

import sys

import pytest
from typer.testing import CliRunner

from driftwheel import endpoints
from driftwheel.cli import app, local, output

runner = CliRunner()


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """No environment, no file above, no checkout."""
    for name in ("KAFKA", "PREFIX", "ENDPOINTS"):
        monkeypatch.delenv(f"DRIFTWHEEL_{name}", raising=False)
    monkeypatch.setattr(endpoints, "checkout", lambda: None)
    monkeypatch.setattr(local, "checkout", lambda: None)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [
        "status",
        "decisions",
        "models list",
        "models show delay",
        "models log delay",
        "models promote delay 1.0.0",
        "models rollback delay",
        "models train delay",
        "describe delay",
        "tail delay",
        "quarantine list delay",
        "quarantine show delay 0:1",
        "quarantine replay delay",
    ],
)
def test_without_a_deployment_every_command_says_how_to_start_one(arguments):
    result = runner.invoke(app, arguments.split())
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "driftwheel up" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        "nonsense",
        "apply",
        "publish",
        "tail",
        "tail delay thoughts",
        "models promote delay",
        "tail delay -n 0",
        "publish x.csv -m delay --rate 0",
    ],
)
def test_what_is_not_understood_is_exit_code_2(arguments):
    assert runner.invoke(app, arguments.split()).exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "apply",
        "publish",
        "tail",
        "status",
        "decisions",
        "models",
        "models promote",
        "quarantine",
        "quarantine replay",
        "describe",
    ],
)
def test_every_command_explains_itself(arguments):
    result = runner.invoke(app, [*arguments.split(), "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.stdout


def test_kafka_that_does_not_answer_is_named():
    result = runner.invoke(app, ["--kafka", "127.0.0.1:1", "models", "list"])
    assert result.exit_code == 1
    assert "127.0.0.1:1 (given) does not answer" in result.stderr


def test_a_broken_file_is_refused_before_anything_is_asked(tmp_path):
    file = tmp_path / "delay.yaml"
    file.write_text("metadata: {name: a}\nmetadata: {name: b}\n")
    result = runner.invoke(app, ["apply", "-f", str(file)])
    assert result.exit_code == 1
    assert "delay.yaml:2:1: the key 'metadata' stands in line 1 already" in result.stderr


@pytest.mark.parametrize("name", ["none.csv", "table.xlsx"])
def test_a_file_that_cannot_be_published(tmp_path, name):
    (tmp_path / "table.xlsx").write_bytes(b"PK")
    result = runner.invoke(app, ["publish", name, "--model", "delay"])
    assert result.exit_code == 1
    assert name in result.stderr


@pytest.mark.parametrize("command", ["up", "down", "doctor", "demo"])
def test_what_needs_a_checkout_says_so(command):
    result = runner.invoke(app, [command])
    assert result.exit_code == 1
    assert "only in a checkout" in result.stderr


@pytest.mark.parametrize(
    ("typed", "run"),
    [
        ("up --detach --only kafka", "deploy.local up --detach --only kafka"),
        ("up --help", "deploy.local up --help"),
        ("down", "deploy.local down"),
        ("doctor --json", "deploy.local doctor --json"),
        ("demo --to 2013-03-31", "examples.flights.demo --to 2013-03-31"),
    ],
)
def test_all_arguments_are_passed_on(tmp_path, monkeypatch, typed, run):
    taken_over = []
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    monkeypatch.setattr(local, "checkout", lambda: checkout)
    monkeypatch.setattr(local.os, "execv", lambda path, command: taken_over.append(command))
    assert runner.invoke(app, typed.split()).exit_code == 0
    assert taken_over == [[sys.executable, "-m", *run.split()]]
    assert endpoints.Path.cwd() == checkout


def test_text_of_users_cannot_steer_the_terminal(capsys):
    output.line("a\x1b[31mred\nline\u202e")
    assert capsys.readouterr().out == "a\\x1b[31mred\\nline\\u202e\n"


def test_columns_are_aligned_and_never_cut(capsys):
    output.columns(("a", "long title"), [("x" * 120, 0.5), (None, 3)])
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["a" + " " * 121 + "long title", "x" * 120 + "  0.5000", "-" + " " * 121 + "3"]
