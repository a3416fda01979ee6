"""Ports: the usual one, the one asked for, or any that is free."""

import socket
from collections.abc import Iterator

import pytest

from deploy.local.errors import LocalError
from deploy.local.ports import Ports, is_free, is_served


@pytest.fixture
def taken() -> Iterator[int]:
    port = Ports().any()
    with socket.create_server(("127.0.0.1", port)):
        yield port


def test_a_port_that_is_listened_at_is_not_free(taken):
    assert is_served(taken)
    assert not is_free(taken)


def test_a_free_port_is_not_served():
    port = Ports().any()
    assert is_free(port)
    assert not is_served(port)


def test_no_port_is_given_twice():
    ports = Ports()
    given = [ports.any() for _ in range(50)]
    assert len(set(given)) == 50
    assert ports.usual(given[0]) not in given


def test_the_usual_port_gives_way_when_taken(taken):
    assert Ports().usual(taken) != taken


def test_the_usual_port_is_kept_when_free():
    free = Ports().any()
    assert Ports().usual(free) == free


def test_a_port_asked_for_is_never_replaced(taken):
    with pytest.raises(LocalError, match=f"Port {taken} for kafka is taken") as caught:
        Ports().named(taken, "kafka")
    assert "--port kafka=NUMBER" in caught.value.remedy
