"""What is started, where, and what each service is told."""

import sys

import pytest

from deploy.local.errors import LocalError
from deploy.local.folder import Folder
from deploy.local.services import SERVICES, ServiceProcess
from deploy.local.stack import Plan, Stack


@pytest.fixture
def folder(tmp_path) -> Folder:
    return Folder(tmp_path / "some where")


def test_no_two_services_share_a_name_or_a_port():
    for values in ({row.name for row in SERVICES}, {row.port for row in SERVICES}):
        assert len(values) == len(SERVICES)


def test_a_service_runs_under_uvicorn_from_its_factory(folder):
    process = ServiceProcess(SERVICES[0], 1234, {}, folder.logs)
    assert " ".join(process.command()) == (
        f"{sys.executable} -m uvicorn services.ingest.app:build --factory "
        "--log-level warning --no-access-log --timeout-graceful-shutdown 10 "
        "--host 127.0.0.1 --port 1234"
    )
    assert process.url == "http://127.0.0.1:1234"


def test_serving_runs_its_own_server(folder):
    (serving,) = (row for row in SERVICES if row.name == "serving")
    command = ServiceProcess(serving, 1234, {}, folder.logs).command()
    assert command[1:] == ["-m", "services.serving", "--host", "127.0.0.1", "--port", "1234"]


def test_a_service_is_told_where_everything_is(folder):
    stack = Stack(folder, Plan(), ())
    told = stack.services[0].environment()
    assert told["DRIFTWHEEL_KAFKA"] == stack.kafka.address
    assert told["DRIFTWHEEL_REDIS"] == stack.redis.url
    assert told["DRIFTWHEEL_STATE"] == str(folder.state)
    assert told["OMP_WAIT_POLICY"] == "PASSIVE"
    assert told["OPENBLAS_NUM_THREADS"] == "1"
    assert int(told["OMP_NUM_THREADS"]) >= 1


def test_a_part_of_the_stack_leaves_the_rest_to_the_environment(folder):
    stack = Stack(folder, Plan(only=("redis", "ingest")), ())
    assert [process.name for process in stack.processes] == ["redis", "ingest"]
    assert stack.kafka is None
    assert "DRIFTWHEEL_KAFKA" not in stack.services[0].environment()
    assert stack.endpoints()["kafka"] is None


def test_redis_and_kafka_start_first(folder):
    names = [process.name for process in Stack(folder, Plan(), ()).processes]
    assert names == ["redis", "kafka", *(row.name for row in SERVICES)]


@pytest.mark.parametrize("plan", [{"only": ("kafka", "redi")}, {"ports": {"redi": 1}}])
def test_an_unknown_name_is_refused_with_the_known_ones(plan):
    with pytest.raises(LocalError, match="nothing called 'redi'") as caught:
        Plan(**plan)
    assert "kafka, redis, ingest" in caught.value.remedy


def test_wiping_keeps_the_logs(folder):
    for path in (folder.kafka, folder.redis, folder.state, folder.logs):
        path.mkdir(parents=True)
    folder.wipe()
    assert [path.name for path in folder.root.iterdir()] == ["logs"]
