# SPDX-License-Identifier: MIT
"""The load asks as a client of memcached, and checks each byte of the answers."""

import contextlib
import threading

import pytest
from programs import load_once, played_server


def answer(listener, text):
    """Answers each line of one client."""
    with listener.accept()[0] as one, contextlib.suppress(ConnectionError):
        while data := one.recv(1 << 16):
            one.sendall(text * data.count(b"mn\r\n"))


@pytest.mark.parametrize("text, status", [(b"MN\r\n", 0), (b"MM\r\n", 1)])
def test_load_speaks_to_memcached(text, status):
    with played_server() as server:
        thread = threading.Thread(target=answer, args=(server.listener, text))
        thread.start()
        found, result, said = load_once(server, "tcp", "--service", "memcached", "--messages", 100)
        thread.join()
    assert found == status, said
    if status == 0:
        assert (result["messages"], result["bytes"]) == (100, 400)
    else:
        assert "wrong bytes" in said
