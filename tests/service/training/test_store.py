"""The offline store: nothing lost and no copy visible, wherever a crash falls."""

import json

import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from services.training.run.dataset import read
from shared.columns import Columns
from shared.errors import Transient
from tests.service.training.world import (
    DAY,
    MODEL,
    START,
    TOPIC,
    World,
    declaration,
    outcomes,
    position,
)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def stored(world):
    return DeltaTable(world.store.uri(MODEL)).to_pyarrow_table()


async def test_outcomes_are_stored_as_they_were(world):
    rows = outcomes("binary", 50)
    await world.hear(rows)
    table = stored(world).sort_by("offset")
    assert table["id"].to_pylist() == [row["id"] for row in rows]
    assert table["label"].to_pylist() == [row["label"] for row in rows]
    assert table["f_x"].to_pylist() == [row["features"]["x"] for row in rows]
    assert table["time"][7].as_py() == START + 7 * DAY / 100


async def test_copies_are_invisible_wherever_they_stand(world):
    rows = outcomes("binary", 300)
    await world.hear([*rows[:200], *rows[50:60]])
    await world.hear([*rows[150:], *rows[:5]])
    assert sorted(stored(world)["id"].to_pylist()) == sorted(row["id"] for row in rows)
    world.restart()
    await world.hear(rows[100:120])
    assert stored(world).num_rows == 300


async def test_a_crash_between_append_and_commit_neither_loses_nor_doubles(world):
    rows = outcomes("binary", 300)
    await world.hear(rows[:200])
    world.restart()
    await world.hear(rows[200:])
    assert sorted(stored(world)["id"].to_pylist()) == sorted(row["id"] for row in rows)


async def test_what_was_only_buffered_is_read_again(world):
    rows = outcomes("binary", 300)
    await world.hear(rows[:200])
    world.append(rows[200:])
    await world.kafka.settle()
    answers = await world.store.reopen({MODEL: (TOPIC, frozenset({0, 1}))})
    assert answers == {(TOPIC, 0): 200, (TOPIC, 1): 0}
    assert stored(world).num_rows == 200


async def test_the_consumer_goes_on_where_the_table_ends(world):
    await world.hear(outcomes("binary", 120))
    hook = world.consumer.positioning[0]
    other = position("test.drift.detected.v1")
    assert await hook(frozenset({position(TOPIC), other})) == {position(TOPIC): 120}


async def test_replayed_offsets_change_nothing(world):
    await world.hear(outcomes("binary", 300))
    version = DeltaTable(world.store.uri(MODEL)).version()
    await world.kafka.redeliver(world.consumer)
    await world.settle()
    assert DeltaTable(world.store.uri(MODEL)).version() == version


async def test_a_correction_is_kept_and_the_reader_takes_the_latest(world):
    rows = outcomes("binary", 20)
    late = (START + 9 * DAY).isoformat()
    corrected = {
        **rows[3],
        "label": not rows[3]["label"],
        "label_time": late,
        "status": "corrected",
    }
    unlabelled = {**rows[4], "label": None, "label_time": None, "status": "unlabelled"}
    await world.hear([corrected, *rows, unlabelled])
    assert stored(world).num_rows == 22
    seen = read(world.store.uri(MODEL), None, world.declared).labelled()
    labels = dict(zip(seen.ids, seen.labels, strict=True))
    assert len(labels) == 20
    assert labels["e3"] == (not rows[3]["label"])
    assert labels["e4"] == rows[4]["label"]


async def test_of_equal_label_times_the_last_in_the_log_counts(world):
    row = outcomes("binary", 1)[0]
    await world.hear([{**row, "label": True}, {**row, "label": False}])
    assert read(world.store.uri(MODEL), None, world.declared).labelled().labels.tolist() == [0.0]


async def test_two_copies_of_the_service_cannot_store_twice(world):
    rows = outcomes("binary", 300)
    await world.hear(rows[:100])
    zombie_store = world.store
    world.append(rows[100:])
    await world.kafka.settle()
    world.restart()
    await world.settle()
    with pytest.raises(Transient, match="another copy writes"):
        await zombie_store.flush()
    await zombie_store.flush()
    assert stored(world).num_rows == 300


async def test_outcomes_wait_for_the_declaration(tmp_path):
    world = World(tmp_path)
    other = [{**row, "model": "other"} for row in outcomes("binary", 5)]
    world.append(other, "test.data.other.outcomes.v1")
    await world.hear(outcomes("binary", 5))
    assert stored(world).num_rows == 5
    assert not DeltaTable.is_deltatable(world.store.uri("other"))
    assert not world.kafka.records("test.data.other.outcomes.v1.dlq")


async def test_what_is_no_outcome_is_parked_alone(world):
    world.kafka.append(TOPIC, b"\xff\x00 garbage")
    world.kafka.append(TOPIC, json.dumps({**outcomes("binary", 1)[0], "label": "yes"}).encode())
    await world.hear(outcomes("binary", 5))
    assert stored(world).num_rows == 5
    assert len(world.kafka.records(TOPIC + ".dlq")) == 2


async def test_a_new_feature_widens_the_table(world):
    await world.hear(outcomes("binary", 5))
    wider = world.declared.model_dump(mode="json")
    wider["spec"]["features"]["z"] = {"type": "float", "nullable": True}
    del wider["spec"]["features"]["n"]
    widened = type(world.declared).model_validate_json(json.dumps(wider))
    world.declare(widened, revision=2)
    rows = outcomes("binary", 5, first=5)
    await world.hear([{**row, "features": {**row["features"], "z": 1.5}} for row in rows])
    assert stored(world).sort_by("time")["f_z"].to_pylist() == [None] * 5 + [1.5] * 5
    assert read(world.store.uri(MODEL), None, widened).matrix(Columns(("z",), {})).shape == (10, 1)


async def test_a_feature_cannot_change_its_type(world):
    await world.hear(outcomes("binary", 5))
    changed = world.declared.model_dump(mode="json")
    changed["spec"]["features"]["n"] = {"type": "category"}
    world.declare(type(world.declared).model_validate_json(json.dumps(changed)), revision=2)
    rows = outcomes("binary", 1, first=5)
    await world.hear([{**row, "features": {**row["features"], "n": "5"}} for row in rows])
    letter = world.kafka.records(TOPIC + ".dlq")[0]
    assert b"declare the changed model under a new name" in dict(letter.headers)["dlq-reason"]


async def test_many_commits_are_compacted_and_pinned_versions_stay(world):
    rows = outcomes("binary", 120)
    for start in range(0, 120, 2):
        await world.hear(rows[start : start + 2])
    table = DeltaTable(world.store.uri(MODEL))
    assert len(table.file_uris()) < 20
    assert table.to_pyarrow_table().num_rows == 120
    assert table.transaction_version(f"{TOPIC}:0") == 119
    assert read(world.store.uri(MODEL), 10, world.declared).ids == [f"e{n}" for n in range(20)]


@pytest.mark.parametrize("task", ["binary", "regression", "multiclass"])
async def test_the_reader_agrees_with_serving_on_every_number(tmp_path, task):
    classes = {"classes": ["low", "mid", "high"]} if task == "multiclass" else {}
    world = World(tmp_path, declaration(task, **classes))
    await world.hear(outcomes(task, 400))
    rows = read(world.store.uri(MODEL), None, world.declared).labelled()
    columns = rows.columns()
    assert columns.matrix(rows.features).tobytes() == rows.matrix(columns).tobytes()
    assert rows.served().shape == ((400, 3) if task == "multiclass" else (400,))


async def test_missing_labels_count_as_negative_where_declared(tmp_path):
    label = {"name": "y", "horizon": "36h", "missing": "negative"}
    world = World(tmp_path, declaration(label=label))
    row = outcomes("binary", 1)[0]
    await world.hear([{**row, "label": None, "label_time": None, "status": "unlabelled"}])
    rows = read(world.store.uri(MODEL), None, world.declared).labelled()
    assert rows.labels.tolist() == [0.0]
    assert rows.label_times[0] - rows.times[0] == 36 * 3_600_000_000


async def test_the_digest_names_the_content_not_the_files(world, tmp_path):
    rows = outcomes("binary", 300)
    await world.hear(rows)
    other = World(tmp_path / "other")
    for start in (200, 0, 100):
        await other.hear(rows[start : start + 100])
    one, two = (read(w.store.uri(MODEL), None, world.declared) for w in (world, other))
    assert one.digest() == two.digest()
    assert one.take(one.times.argsort()[:-1]).digest() != one.digest()
    assert pc.count_distinct(one.table["id"]).as_py() == 300


async def test_labels_are_counted_by_event_time_and_as_the_summary_does(world):
    rows = outcomes("binary", 300)
    for row in rows[::3]:
        row |= {"label": None, "label_time": None, "status": "unlabelled"}
    assert await world.store.labels_within(MODEL, [(START, START + DAY)], unlabelled=True) == 0
    await world.hear(rows)

    async def counted(*spans, unlabelled=False):
        return await world.store.labels_within(MODEL, spans, unlabelled=unlabelled)

    assert await counted() == 0
    assert await counted((START, START + DAY), unlabelled=True) == 100
    assert await counted((START, START + DAY)) == 66
    assert (
        await counted((START, START + DAY / 100), (START + DAY / 100, START + 3 * DAY / 100)) == 2
    )
    summary = await world.store.summary(MODEL, unlabelled=False)
    assert await counted((START, START + 9 * DAY)) == summary.labels == 200


async def test_a_reader_leaves_spans_out_until_before_their_ends(world):
    await world.hear(outcomes("binary", 100))
    spans = [(START + 10 * DAY / 100, START + 20 * DAY / 100), (START + DAY / 2, START + DAY)]
    rows = read(world.store.uri(MODEL), None, world.declared, excluded=spans)
    assert rows.ids == [f"e{n}" for n in range(50) if not 10 <= n < 20]
