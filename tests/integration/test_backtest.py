"""A backtest over HTTP: a real child process, the client's command, every way it can end."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from typer.testing import CliRunner

from driftwheel.cli import app as command
from services.training.adapters.backtests import ChildBacktests
from services.training.http import routes
from tests.doubles import telemetry
from tests.polling import wait_until
from tests.service.training.world import MODEL, START, World, declaration, outcomes

DEADLINE_S = 60
RULES = {"min_labels": 500, "max_age": "14d", "cooldown": "7d"}
runner = CliRunner()


class Service:
    """The training service's HTTP side on a port of its own, over a table of real outcomes."""

    def __init__(self, state: Path):
        self.declared = declaration(retraining=RULES)
        self.models, self.kept = {MODEL: self.declared, "empty": self.declared}, {}
        self.folder = state
        self.backtests = ChildBacktests(telemetry("training"))
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        application = Starlette(
            routes=routes(
                declaration=self.models.get,
                names=lambda: self.models,
                uri=lambda model: str(state / "offline" / model),
                kept=self.kept.get,
                backtests=self.backtests,
            )
        )
        self.server = uvicorn.Server(
            uvicorn.Config(application, log_level="warning", timeout_graceful_shutdown=5)
        )
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listener]})

    def __enter__(self):
        asyncio.run(self._fill())
        self.kept[MODEL] = 1
        self.thread.start()
        wait_until(lambda: self.server.started)
        return self

    def __exit__(self, *_):
        self.server.should_exit = True
        self.thread.join()

    async def _fill(self):
        world = World(self.folder, self.declared)
        await world.hear(outcomes("binary", 3000))


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with Service(tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture
def ask(service, tmp_path):
    """Run the command against the service."""
    file = tmp_path / "endpoints.json"
    file.write_text(json.dumps({"kafka": "127.0.0.1:1", "services": {"training": service.url}}))

    def asked(*arguments):
        return runner.invoke(command, ["--endpoints", str(file), "drift", "backtest", *arguments])

    return asked


def is_alive(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def test_the_command_compares_policies_and_draws_them(ask, tmp_path):
    policies, picture = tmp_path / "policies.yaml", tmp_path / "picture.svg"
    policies.write_text("{name: patient, retraining: {cooldown: 14d, max_age: 56d}}")
    result = ask(MODEL, "--policy", str(policies), "--picture", str(picture))
    assert result.exit_code == 0, result.output
    rows = {line.split("  ")[0] for line in result.stdout.splitlines()}
    assert rows >= {"never", "schedule", "PSI > 0.2", "ours", "patient", "(the prior alone)"}
    assert "log_loss and cost of" in result.stdout
    assert "patient" in picture.read_text()


def test_as_json_it_says_everything(ask):
    span = ["--from", START.strftime("%Y-%m-%d"), "--to", "2013-01-20"]
    result = ask(MODEL, *span, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert [policy["name"] for policy in told["policies"]] == [
        *("never", "schedule", "PSI > 0.2", "ours")
    ]
    assert told["to"] == "2013-01-20T00:00:00Z"
    first = told["policies"][0]["runs"][0]
    assert first["result"] == "promoted"
    assert first["labels"] >= 500
    assert first["evaluation"]["candidate"] < first["evaluation"]["prior"]
    assert "picture" not in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["unknown"], "Unknown model 'unknown'; declared models: toy, empty."),
        (["empty"], "No outcome of empty has matured yet"),
        ([MODEL, "--from", "2031-01-01"], "There are no outcomes from 2031-01-01"),
        ([MODEL, "--from", "2013-02-01", "--to", "2013-01-01"], "is not before to"),
        ([MODEL, "--picture", "x.gif"], ".svg or .png"),
        ([MODEL, "--policy", "nowhere.yaml"], "nowhere.yaml is not there"),
    ],
)
def test_what_cannot_be_answered_is_said(ask, arguments, said):
    result = ask(*arguments)
    assert result.exit_code == 1
    assert said in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("{name: ours}", "two policies are named ours"),
        ("{name: hasty, retraining: {cooldown: soon}}", "'soon' is no duration"),
        ("{name: odd, retraining: {mood: bad}}", "mood"),
        ("{name: loud, drift: {false_alarms: many}}", "'many' is no promise"),
        ("{name: eager, trigger: always}", "trigger"),
        ("- just text", "must hold policies such as"),
        ("{: }: ]", "is not YAML"),
    ],
)
def test_a_policy_that_is_none_is_refused_by_its_field(ask, tmp_path, policy, said):
    file = tmp_path / "policy.yaml"
    file.write_text(policy)
    result = ask(MODEL, "--policy", str(file))
    assert result.exit_code == 1
    assert said.lower() in result.stderr.lower()


def test_one_at_a_time_and_it_ends_with_its_client(service, ask):
    with httpx.stream("POST", f"{service.url}/models/{MODEL}/backtest", timeout=30) as answer:
        assert answer.status_code == 200
        lines = answer.iter_lines()
        assert "done" in json.loads(next(lines))
        pid = service.backtests._child.pid
        assert is_alive(pid)
        refused = ask(MODEL)
        assert refused.exit_code == 1
        assert "A backtest goes on already" in refused.stderr
    wait_until(lambda: not service.backtests.busy())
    wait_until(lambda: not is_alive(pid))
    assert ask(MODEL, "--to", "2013-01-08").exit_code == 0


MAIN = "from driftwheel.cli import main; main()"
# What a shell starts in the background ignores SIGINT, and so would all that the tests start.
HEARS_SIGINT = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"


def test_ctrl_c_in_the_command_ends_the_child(service, tmp_path):
    file = tmp_path / "endpoints.json"
    file.write_text(json.dumps({"kafka": "127.0.0.1:1", "services": {"training": service.url}}))
    command_line = (sys.executable, "-c", f"{HEARS_SIGINT}; {MAIN}")
    # So many that nobody is done before he is interrupted.
    several = tmp_path / "several.yaml"
    several.write_text(json.dumps([{"name": f"policy {n}", "trigger": "psi"} for n in range(16)]))
    arguments = ("--endpoints", str(file), "drift", "backtest", MODEL, "--policy", str(several))
    asking = subprocess.Popen([*command_line, *arguments], stderr=subprocess.PIPE)
    wait_until(lambda: service.backtests._child is not None)
    pid = service.backtests._child.pid
    asking.send_signal(signal.SIGINT)
    _, said = asking.communicate(timeout=DEADLINE_S)
    assert asking.returncode == 130
    assert b"Traceback" not in said
    wait_until(lambda: not service.backtests.busy())
    wait_until(lambda: not is_alive(pid))


def test_a_child_that_is_killed_is_an_error_with_its_code(service):
    with httpx.stream("POST", f"{service.url}/models/{MODEL}/backtest", timeout=30) as answer:
        lines = answer.iter_lines()
        next(lines)
        service.backtests._child.kill()
        *_, last = lines
    assert json.loads(last)["error"].startswith("the backtest ended with code -9")


def test_without_the_service_the_command_says_what_to_do(tmp_path):
    file = tmp_path / "endpoints.json"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    for services, said in (({"training": url}, "does not answer"), ({}, "address of the training")):
        file.write_text(json.dumps({"kafka": "127.0.0.1:1", "services": services}))
        result = runner.invoke(command, ["--endpoints", str(file), "drift", "backtest", MODEL])
        assert result.exit_code == 1
        assert said in result.stderr
