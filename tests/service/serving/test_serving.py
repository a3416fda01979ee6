"""Predictions, and who decides them."""

import json
import math
import re

import pytest

from contracts.data import EVENTS_VALIDATED, prediction_type
from shared.models import load
from tests.doubles import START_MS
from tests.service.serving.world import (
    MODEL,
    World,
    boosted,
    declaration,
    event,
    linear,
    plan,
)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


async def test_a_model_is_born_as_its_prior(tmp_path):
    world = World(tmp_path).born()
    await world.send(event(1))
    assert world.predictions == [
        {
            "id": "e1",
            "time": "2023-11-14T12:00:00Z",
            "model": "flight-delay",
            "version": "0.0.0",
            "score": 0.24,
            "decision": False,
            "features": {"seats": 149, "age": 7.5},
            "plan": "plan-0",
            "role": "stable",
            "shadow": None,
        }
    ]
    assert list(world.predictions[0]) == [
        "id",
        "time",
        "model",
        "version",
        "score",
        "decision",
        "features",
        "plan",
        "role",
        "shadow",
    ]
    prediction_type(declaration()).model_validate_json(world.records[0].value)


async def test_what_came_goes_on_byte_for_byte(tmp_path):
    world = World(tmp_path).born()
    features = b'{ "age": 7.50,\t"seats":1e2 }'
    raw = b'{"features":' + features + b',"time":"2023-11-14T12:00:00+00:00","id":"e\\u00e9"}'
    await world.send(raw, key=b"UA", headers=[("mine", b"\xff"), ("ce_id", b"x"), ("n", None)])
    (record,) = world.records
    headers = dict(record.headers)
    assert features in record.value
    assert b'"id":"e\\u00e9","time":"2023-11-14T12:00:00+00:00"' in record.value
    assert record.key == b"UA"
    assert headers["mine"] == b"\xff"
    assert headers["n"] == b""
    assert headers["ce_type"] == b"data.flight-delay.predictions.v1"
    assert headers["ce_time"] == b"2023-11-14T12:00:00+00:00"
    assert headers["ce_id"] == "eé:0.0.0".encode()
    assert [name for name, _ in record.headers].count("ce_id") == 1


async def test_the_tasks_answer_in_their_own_way(tmp_path):
    shares = declaration(
        task="multiclass", classes=["a", "b", "c"], prior=[0.2, 0.5, 0.3], cost=None
    )
    await (several := World(tmp_path).born(shares)).send(event(1))
    assert several.predictions[0]["score"] == [0.2, 0.5, 0.3]
    assert several.predictions[0]["decision"] == "b"
    prediction_type(shares).model_validate_json(several.records[0].value)
    value = declaration(task="regression", prior=-3.5, cost=None)
    await (regression := World(tmp_path).born(value)).send(event(1))
    assert regression.predictions[0]["score"] == -3.5
    assert regression.predictions[0]["decision"] is None
    prediction_type(value).model_validate_json(regression.records[0].value)


async def test_a_trained_model_scores_what_it_scores_elsewhere(tmp_path):
    world, files = World(tmp_path).born(), boosted()
    world.promote("1.0.0", files)
    await world.send(event(1, seats=10), event(2, seats=590, age=None))
    expected = load(files).score([{"seats": 10, "age": 7.5}, {"seats": 590}]).tolist()
    assert [p["score"] for p in world.predictions] == expected
    assert [p["decision"] for p in world.predictions] == [x >= 0.25 for x in expected]
    assert {p["version"] for p in world.predictions} == {"1.0.0"}


async def test_scoring_off_the_loop_gives_the_same(tmp_path):
    world = World(tmp_path, inline_ms=0).born()
    world.promote("1.0.0", linear(0, seats=1.0))
    await world.send(event(1, seats=0), event(2, seats=200))
    assert [p["score"] for p in world.predictions] == pytest.approx([sigmoid(-1), sigmoid(1)])


async def test_a_plan_switches_in_the_middle_of_a_batch_by_append_time(tmp_path):
    world = World(tmp_path).born()
    world.promote("1.0.0", linear(-1), lead_ms=2000)
    for number, later in enumerate((0, 1999, 2000, 5000)):
        world.kafka.now_ms = START_MS + later
        world.append(event(number))
    await world.kafka.settle()
    assert [p["version"] for p in world.predictions] == ["0.0.0", "0.0.0", "1.0.0", "1.0.0"]
    assert [p["plan"] for p in world.predictions] == ["plan-0"] * 2 + ["plan-1"] * 2
    assert [p["id"] for p in world.predictions] == ["e0", "e1", "e2", "e3"]
    assert world.predictions[3]["score"] == pytest.approx(sigmoid(-1))


async def test_predictions_stand_where_their_events_stand_whoever_decides(tmp_path):
    world = World(tmp_path, partitions=4).born()
    world.promote("1.0.0", linear(-1), lead_ms=2000)
    for number in range(200):
        world.kafka.now_ms = START_MS + 20 * number
        world.append(event(number) if number % 7 else b"{}", key=str(number // 5).encode())
    await world.kafka.settle()
    heard = world.kafka.records(world.kafka.names.data(EVENTS_VALIDATED, MODEL))
    good = [(r.partition, json.loads(r.value)["id"]) for r in heard if r.value != b"{}"]
    told = [(r.partition, json.loads(r.value)) for r in world.records]
    assert [(partition, said["id"]) for partition, said in told] == good
    assert len({partition for partition, _ in good}) == 4
    decided = {said["id"]: said["version"] for _, said in told}
    assert decided == {f"e{n}": "1.0.0" if n >= 100 else "0.0.0" for n in range(200) if n % 7}


async def test_redelivery_after_promotions_yields_the_same_bytes(tmp_path):
    world = World(tmp_path).born()
    for step in range(1, 4):
        await world.send(*(event(10 * step + n) for n in range(3)))
        world.promote(f"1.0.{step}", linear(step), lead_ms=2000)
        world.kafka.now_ms += 10_000
    await world.send(event(99))
    before = world.records
    await world.kafka.redeliver(world.consumer)
    again = world.records[len(before) :]
    assert [(r.key, r.value, r.headers) for r in again] == [
        (r.key, r.value, r.headers) for r in before
    ]
    assert len({dict(r.headers)["ce_id"] for r in before}) == len(before)


async def test_a_withdrawn_version_decides_nothing_from_receipt_on(tmp_path):
    world = World(tmp_path).born()
    world.promote("1.0.0", linear(1))
    world.kafka.now_ms += 10_000
    world.append(event(1))
    world.kafka.now_ms += 10_000
    world.release(plan(2, "0.0.0", None, withdrawn="1.0.0"))
    await world.kafka.settle()
    assert [(p["version"], p["plan"]) for p in world.predictions] == [("0.0.0", "plan-2")]


async def test_a_version_withdrawn_while_it_scores_does_not_decide(tmp_path):
    class Slow:
        def prepare(self, artifact, trial): ...

        async def open(self, artifact, trial):
            if world.revision == 2:
                world.release(plan(2, "0.0.0", None, withdrawn="1.0.0"))
                for table, positions in world.kafka._tables:
                    world.kafka._feed(table, positions)
            return load(linear(1))

    world = World(tmp_path, library=Slow()).born()
    world.release(plan(1, "1.0.0", "a" * 64), lead_ms=0)
    await world.send(event(1))
    assert [(p["version"], p["plan"]) for p in world.predictions] == [("0.0.0", "plan-2")]


async def test_events_wait_for_declaration_and_plan(tmp_path):
    world = World(tmp_path)
    await world.send(event(1))
    world.declare()
    await world.kafka.settle()
    assert world.records == world.parked == []
    world.release(plan(0, "0.0.0", None))
    await world.kafka.settle()
    assert len(world.records) == 1


async def test_an_older_revision_changes_nothing(tmp_path):
    world = World(tmp_path).born()
    world.promote("1.0.0", linear(1))
    world.revision = 0
    world.history = []
    world.release(plan(9, "0.0.0", None), lead_ms=0)
    await world.send(event(1))
    assert world.predictions[0]["version"] == "1.0.0"


async def test_two_per_cent_poison_is_parked_alone(tmp_path):
    world = World(tmp_path, partitions=4).born()
    world.promote("1.0.0", linear(0, seats=1.0))
    poison = [
        None,
        b"",
        b"\xff",
        b'{"id":5,"time":"t","features":{}}',
        b'{"id":"x","time":"t"}',
        b'{"id":"x","time":"t","features":[1]}',
        b'{"id":"x","time":"t","features":{}} {}',
    ]
    for number in range(500):
        value = poison[number // 50 % 7] if number % 50 == 7 else event(number)
        world.append(value, key=str(number).encode())
    await world.kafka.settle()
    assert len(world.parked) == 10
    assert {p["id"] for p in world.predictions} == {f"e{n}" for n in range(500) if n % 50 != 7}


async def test_a_score_that_is_no_number_is_parked_and_the_rest_goes_on(tmp_path):
    world = World(tmp_path).born(declaration(task="regression", prior=0.0, cost=None))
    document = json.loads(linear(1.0, task="regression")["model.json"])
    document["columns"]["names"] = ["age", "seats"]
    document["weights"][1] = 1.7e308
    world.promote("1.0.0", {"model.json": json.dumps(document).encode()})
    await world.send(event(1, age=15), event(2, age=1e9), event(3, age=10))
    assert [p["id"] for p in world.predictions] == ["e1", "e3"]
    (letter,) = world.parked
    assert b"no number" in dict(letter.headers)["dlq-reason"]


def damage(world, artifact, how):
    path = world.artifacts._path(artifact)
    if how == "tree":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        blob = world.artifacts._path(json.loads(path.read_bytes())["model.json"])
        blob.write_bytes(b"{}")


@pytest.mark.parametrize("how", ["tree", "blob"])
async def test_changed_files_never_decide(tmp_path, how):
    world = World(tmp_path).born()
    artifact = world.artifacts.put(linear(1))
    damage(world, artifact, how)
    world.release(plan(1, "1.0.0", artifact), lead_ms=0)
    await world.send(event(1))
    assert [(p["version"], p["plan"]) for p in world.predictions] == [("0.0.0", "plan-0")]


@pytest.mark.parametrize(
    "damage", [(r"leaf_value=.*\n", ""), (r"split_feature=.*", "split_feature=99999999 1 1")]
)
async def test_a_file_that_kills_its_reader_kills_only_the_child(tmp_path, damage, caplog):
    world = World(tmp_path).born()
    world.promote("1.0.0", linear(1))
    files = boosted()
    files["model.txt"] = re.sub(*damage, files["model.txt"].decode()).encode()
    world.kafka.now_ms += 10_000
    world.promote("1.0.1", files)
    await world.send(event(1), event(2))
    assert [p["version"] for p in world.predictions] == ["1.0.0", "1.0.0"]
    assert "trial ended with signal" in caplog.text


async def test_a_file_that_is_cut_off_decides_nothing(tmp_path, caplog):
    world = World(tmp_path).born()
    files = boosted()
    files["model.txt"] = files["model.txt"][: len(files["model.txt"]) // 2]
    world.promote("1.0.0", files)
    await world.send(event(1))
    assert [p["version"] for p in world.predictions] == ["0.0.0"]
    assert "cut off" in caplog.text


async def test_a_model_that_never_answers_is_given_up(tmp_path, caplog):
    world = World(tmp_path, load_s=3).born()
    files = boosted()
    text = files["model.txt"].decode()
    # Of the same length, because the file tells the sizes of its trees.
    round_and_round = re.sub(
        r"(?m)^(left|right)_child=(.+)$",
        lambda m: f"{m[1]}_child=" + re.sub(r"\S", "0", m[2]),
        text,
    )
    files["model.txt"] = round_and_round.encode()
    world.promote("1.0.0", files)
    await world.send(event(1))
    assert world.predictions[0]["version"] == "0.0.0"
    assert "did not load and score" in caplog.text or "signal" in caplog.text


async def test_files_that_are_not_there_yet_are_waited_for(tmp_path, monkeypatch):
    world = World(tmp_path).born()
    elsewhere = World(tmp_path / "elsewhere").artifacts
    artifact = elsewhere.put(linear(1))
    world.release(plan(1, "1.0.0", artifact), lead_ms=0)
    waits = []
    wait = world.consumer._wait_for

    def arrive(error):
        waits.append(str(error))
        if len(waits) == 2:
            world.artifacts.put(linear(1))
        wait(error)

    monkeypatch.setattr(world.consumer, "_wait_for", arrive)
    await world.send(event(1))
    assert "cannot be read" in waits[0]
    assert [p["version"] for p in world.predictions] == ["1.0.0"]


async def test_models_are_opened_again_when_memory_is_short(tmp_path):
    world = World(tmp_path, models_kept=2).born()
    for step in range(1, 5):
        world.promote(f"1.0.{step}", linear(step))
        world.append(event(step))
        world.kafka.now_ms += 1
    await world.kafka.settle()
    await world.kafka.redeliver(world.consumer)
    versions = [p["version"] for p in world.predictions]
    assert versions == ["1.0.1", "1.0.2", "1.0.3", "1.0.4"] * 2


async def test_the_trace_that_came_goes_on_once(tmp_path):
    world = World(tmp_path).born()
    trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
    await world.send(event(1), headers=[("traceparent", trace)])
    assert [value for name, value in world.records[0].headers if name == "traceparent"] == [trace]
