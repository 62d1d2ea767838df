# SPDX-License-Identifier: MIT
"""Memory: what a crowd of clients takes comes back when it has left."""

import socket

import pytest

from client import ask, connect
from program import is_sanitized, needs_bare_program, wait_until

MIB = 1 << 20

pytestmark = [needs_bare_program,
              pytest.mark.skipif(is_sanitized(), reason="a sanitizer keeps freed memory")]


def resident_bytes(rollcall):
    with open(f"/proc/{rollcall.pid}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS:"))


def push(sock, data):
    """Sends what the socket takes; the rest is lost."""
    sock.settimeout(0.2)
    try:
        sock.sendall(data)
    except socket.timeout:
        pass


def crowd(rollcall):
    """Readers that take nothing, so that their answers fill the queues, and lines that never end;
    then all leave. Returns how much was resident."""
    readers = [connect(rollcall.tcp, receive_bytes=4096) for _ in range(40)]
    for sock in readers:
        push(sock, b"z\n" * (4 * MIB))
    hoarders = [connect(rollcall.tcp) for _ in range(600)]
    for sock in hoarders:
        sock.sendall(b"x" * 60000)
    peak = resident_bytes(rollcall)
    for sock in readers + hoarders:
        sock.close()
    return peak


def test_memory_comes_back(server):
    """After two identical crowds no more is resident than after one, and not much more than
    before."""
    rollcall = server("--quiet", "--max-clients", "5000")
    with connect(rollcall.tcp) as sock:
        ask(sock, b"warm\n")
        before = resident_bytes(rollcall)
        for _ in range(2):
            peak = crowd(rollcall)
            assert peak > before + 32 * MIB
            wait_until(lambda: resident_bytes(rollcall) < before + 16 * MIB, "memory to come back")
        ask(sock, b"still here\n")
