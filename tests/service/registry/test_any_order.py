"""Whatever is sent, in whatever order, twice, with outages and restarts: the log is the state."""

import asyncio

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from contracts.registry import REGISTRY_COMMANDS, RegistryCommand
from contracts.training import MODEL_TRAINED
from services.registry.domain.chain import verify
from services.registry.domain.facts import PRIOR
from services.registry.domain.state import fold
from services.registry.handlers import entry_of
from shared.errors import Transient
from tests.doubles import MemoryKafka
from tests.service.registry.house import (
    MODEL,
    House,
    command,
    declaration,
    declare,
    evaluation,
    promote,
    restarted,
    roll_back,
    trained,
)

WIDER = {"features": {**declaration().model_dump(mode="json")["spec"]["features"],
                      "age": {"type": "float", "nullable": True}}}  # fmt: skip
SPECS = ({}, {"retraining": {"cooldown": "3d"}}, WIDER, {"prior": 0.5})
VERSIONS = st.sampled_from(["0.0.0", "0.0.1", "0.0.2", "0.1.0", "9.9.9"])


class AnyOrder(RuleBasedStateMachine):
    """One model, one registry after another on one log."""

    def __init__(self):
        super().__init__()
        self.house, self.sent = House(MemoryKafka()), []
        self.runner = asyncio.Runner()

    def teardown(self):
        self.runner.close()

    def send(self, *events):
        for event in events:
            topic = REGISTRY_COMMANDS if isinstance(event, RegistryCommand) else MODEL_TRAINED
            self.house.kafka.tell(topic, event)
            self.sent.append(event)
        self.house.kafka.now_ms += 5000
        self.runner.run(self.house.kafka.settle())

    def name(self):
        return f"m{len(self.sent)}"

    def champion(self):
        return self.house.ledger.book(MODEL).state.champion or PRIOR

    @rule(spec=st.sampled_from(SPECS), expected=st.none() | st.integers(0, 12))
    def declares(self, spec, expected):
        self.send(declare(self.name(), spec=spec, expected_revision=expected))

    @rule(current=st.booleans(), better=st.booleans(), spec=st.sampled_from(SPECS))
    def trains(self, current, better, spec):
        champion = self.champion() if current else "0.0.7"
        evidence = evaluation(champion, -0.01 if better else 0.01)
        self.send(trained(self.name(), evidence, declaration=declaration(**spec).digest()))

    @rule(version=VERSIONS, force=st.booleans())
    def promotes(self, version, force):
        self.send(promote(self.name(), version, force=force))

    @rule(version=st.none() | VERSIONS, expected=st.none() | st.integers(0, 12))
    def rolls_back(self, version, expected):
        self.send(roll_back(self.name(), version, expected_revision=expected))

    @rule()
    def asks_for_training(self):
        self.send(command(self.name(), {"kind": "train"}))

    @rule()
    def a_command_and_a_candidate_meet(self):
        """Both stand in one batch, so the second is decided before the first has come back."""
        name = self.name()
        self.send(
            trained(name, evaluation(self.champion())), promote(f"{name}b", "0.0.1", force=True)
        )

    @rule(data=st.data())
    def something_is_delivered_again(self, data):
        if self.sent:
            before = (self.house.log, self.house.releases, self.house.declared)
            self.send(data.draw(st.sampled_from(self.sent)))
            self.sent.pop()
            assert before == (self.house.log, self.house.releases, self.house.declared)

    @rule()
    def the_broker_is_away_for_a_moment(self):
        self.house.kafka.failures = [Transient("away")]

    @rule()
    def the_registry_restarts_without_a_commit(self):
        before = (self.house.log, self.house.releases, self.house.declared)
        kafka = self.house.kafka
        kafka.failures = []
        self.house = House(restarted(kafka))
        kafka = self.house.kafka
        self.runner.run(kafka.settle())
        assert before == (self.house.log, self.house.releases, self.house.declared)

    @invariant()
    def the_log_is_the_state(self):
        entries = [entry_of(recorded) for recorded in self.house.log]
        assert verify(entries) == entries
        book = self.house.ledger.book(MODEL)
        assert book.state == fold(entries)
        assert book.pending == []
        assert {event.event_id for event in self.sent} == {entry.cause for entry in entries}

    @invariant()
    def the_champion_exists_and_is_what_the_plan_says(self):
        state = self.house.ledger.book(MODEL).state
        assert state.champion is None or state.champion in state.versions
        plans = [release.plan for release in self.house.releases]
        assert (plans[-1].stable.version if plans else None) == state.champion
        assert len({plan.plan_id for plan in plans}) == len(plans) == len(state.promotions)
        assert self.house.dead == []

    @invariant()
    def every_plan_knows_the_ones_before(self):
        for before, release in zip(self.house.releases, self.house.releases[1:], strict=False):
            assert release.revision > before.revision
            assert [*before.history, before.plan] == [
                *release.history[:-1],
                release.history[-1].plan,
            ]


AnyOrder.TestCase.settings = settings(
    max_examples=40, stateful_step_count=15, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
TestAnyOrder = AnyOrder.TestCase
