# SPDX-License-Identifier: MIT
"""Clients that reset their connection just after they have sent: io_uring does not report some of
these resets, and the server must notice every one all the same."""

import os
import socket
import struct
import time

import pytest

from client import ask, connect, reset
from program import is_slow, needs_bare_program, wait_until

CONNECTIONS = 2000 if is_slow() else 20000

# Of these 20,000 Linux 6.18 does not report some 70.
PAUSE_NS_MAX = 8000
RESET = struct.pack("ii", 1, 0)

# A dead connection is gone after this time, whatever the kernel forgets.
GONE_S = 5


@pytest.fixture
def two_cores():
    """Makes programs run at the same time as this thread: calling it moves one to another core."""
    before = os.sched_getaffinity(0)
    first, *others = sorted(before)
    os.sched_setaffinity(0, {first})
    yield lambda pid: os.sched_setaffinity(pid, others or {first})
    os.sched_setaffinity(0, before)


def send_and_reset(address, pause_ns):
    with socket.socket() as sock:  # it has no deadlines, which would cost time here
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        sock.connect(address)
        end = time.perf_counter_ns() + pause_ns
        while time.perf_counter_ns() < end:
            pass
        sock.send(b"xxxx")


@needs_bare_program
@pytest.mark.parametrize("places", [100, 20000])
def test_all_are_noticed(server, two_cores, places):
    """With pauses of any length between the connect and the data, since the reset must come while
    the server starts to receive. A client that comes then is served, with a small table too."""
    rollcall = server("--quiet", "--max-clients", str(places))
    two_cores(rollcall.pid)
    files = rollcall.files()
    for number in range(CONNECTIONS):
        send_and_reset(rollcall.tcp, number * 37 % PAUSE_NS_MAX)
    with connect(rollcall.tcp) as sock:
        ask(sock, b"hello\n")
    wait_until(lambda: rollcall.files() == files, "all to be gone", GONE_S)


def test_after_a_conversation(server):
    """The same for clients that have been there for a while."""
    rollcall = server("--quiet")
    files = rollcall.files()
    socks = [connect(rollcall.tcp) for _ in range(200)]
    for sock in socks:
        ask(sock, b"hello\n")
    for sock in socks:
        sock.send(b"part of a line")
        reset(sock)
    wait_until(lambda: rollcall.files() == files, "all to be gone", GONE_S)
