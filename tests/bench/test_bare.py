# SPDX-License-Identifier: MIT
"""The servers that rollcall is compared with lose nothing: not a byte when a client reads slowly,
and no client when others are reset, or when there are more than buffers or files."""

import contextlib
import os
import resource
import socket
import struct
import threading
import time

import pytest
from compare.servers import Servers
from programs import BUILD, SERVER_CORE, load_once

LIMIT_S = 30
SLOW_BYTES = (1, 100000, 5000000, 20000000)  # the last ones fill all buffers of both sockets
PAUSE_S = 0.3
FILES = 50
RESET = struct.pack("ii", 1, 0)  # SO_LINGER


@pytest.fixture(params=["epoll-bare", "uring-bare", "rollcall-epoll"])
def server(request):
    with Servers(BUILD).start(request.param, SERVER_CORE) as started:
        started.wait_until_it_listens()
        yield started


def connect(server):
    return socket.create_connection(server.addresses["tcp"], LIMIT_S)


def echo_slowly(server, number):
    """Sends all and half-closes, but reads only after a while; returns what came until the end."""
    data = os.urandom(number)

    def send():
        one.sendall(data)
        one.shutdown(socket.SHUT_WR)

    with connect(server) as one:
        sender = threading.Thread(target=send)
        sender.start()
        time.sleep(PAUSE_S)
        answer = bytearray()
        while part := one.recv(70001):
            answer += part
        sender.join()
    return bytes(answer) == data


def test_slow_readers(server):
    results = []
    threads = [threading.Thread(target=lambda n=n: results.append(echo_slowly(server, n)))
               for n in SLOW_BYTES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    assert results == [True] * len(SLOW_BYTES)


@pytest.mark.parametrize("load", [
    ("--clients", 50, "--size", "16K", "--inflight", 16, "--messages", 2000),
    ("--clients", 1000, "--size", 1000, "--messages", 10000),
    ("--clients", 50, "--connect", "--messages", 2000)])
def test_each_byte_comes_back(server, load):
    status, result, said = load_once(server, "tcp", *load)
    assert (status, said) == (0, "")
    assert result["messages"] == load[-1]


def test_clients_that_reset(server):
    for _ in range(100):
        with connect(server) as one:
            one.sendall(bytes(300000))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    assert echo_slowly(server, 1000)


def test_more_clients_than_files():
    """A client in the backlog is accepted when another client has gone."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Servers(BUILD).start("epoll-bare", SERVER_CORE))
        server.wait_until_it_listens()
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
        clients = [stack.enter_context(connect(server)) for _ in range(2 * FILES)]
        for one in clients:
            one.sendall(b"x")
        assert clients[0].recv(1) == b"x"
        clients[-1].settimeout(PAUSE_S)
        with pytest.raises(TimeoutError):
            clients[-1].recv(1)
        for one in clients[:-1]:
            one.close()
        clients[-1].settimeout(LIMIT_S)
        assert clients[-1].recv(1) == b"x"
