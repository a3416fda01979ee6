"""The framework's side: raw records in, and nothing of them kept."""

from types import SimpleNamespace
from unittest.mock import create_autospec

from aiokafka.abc import ConsumerRebalanceListener

from shared.kafka.subscription import Subscription, _keep_raw
from tests.doubles import record


async def test_a_batch_is_handed_on_and_let_go():
    heard = []

    async def listen(records):
        heard.extend(records)

    subscription = Subscription(
        "127.0.0.1:1",
        "g",
        "t",
        listen,
        create_autospec(ConsumerRebalanceListener, instance=True),
        instance=None,
        max_records=10,
        linger_s=0,
        poll_s=1,
        rebalance_s=1,
    )
    records = (record("t", b"a"), record("t", b"b", offset=1))
    message = SimpleNamespace(raw_message=records, body=records)
    await subscription._receive(message)
    assert heard == list(records)
    assert (message.body, message.raw_message) == ([], records[:1])


async def test_no_header_and_no_body_reaches_the_framework():
    async def original(records):
        (stand_in,) = records
        assert (stand_in.key, stand_in.value, stand_in.headers) == (None, b"", ())
        return SimpleNamespace(raw_message=records)

    records = (record("t", b"\xff", key=b"\xff", headers=[("null", None)]),)
    message = await _keep_raw(records, original)
    assert message.raw_message is records
