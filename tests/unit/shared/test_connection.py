"""A connection that is gone is reported as that, also by uvloop."""

import asyncio
import socket
import struct

import pytest
import uvloop
from aiokafka import conn
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from shared.kafka.connection import Connection
from tests.polling import until

RESET = struct.pack("ii", 1, 0)  # lingers for no time, so that closing resets


async def written_after_a_reset(server):
    host, port = server.getsockname()
    connection = conn.AIOKafkaConnection(host, port)
    reader, writer = await asyncio.open_connection(host, port)
    connection._reader, connection._writer = reader, writer
    connection._read_task = asyncio.create_task(asyncio.Event().wait())
    connection._versions = {MetadataRequest.API_KEY: (0, 0)}
    other, _ = server.accept()
    other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    other.close()
    await until(lambda: reader.exception())
    assert connection.connected(), "the client has not looked yet"
    with pytest.raises(KafkaConnectionError, match="is gone"):
        connection.send(MetadataRequest([]))
    assert not connection.connected()


def test_a_write_after_a_reset_is_a_broken_connection():
    assert conn.AIOKafkaConnection is Connection
    with socket.create_server(("127.0.0.1", 0)) as server:
        uvloop.run(written_after_a_reset(server))
