# SPDX-License-Identifier: MIT
"""A client that sends but never reads stalls itself and nobody else: its sending stops, the
server's memory stays bounded, the others are served, and when it reads at last every byte is
right."""

import socket
import threading
import time

import pytest

from client import (Background, ask, connect, datagrams, digest, noise, receive_exactly,
                    send_until_stalled)
from program import is_sanitized, is_slow

SOFT_LIMIT = 64 << 10
# What the server may hold for twenty: the shared buffers at their largest, and the queues.
MEMORY_GROWTH_MAX = (512 if is_sanitized() else 140) << 20


def slowest_exchange(address, stop):
    """Asks in turn over TCP until told to stop; returns how often, and the longest wait."""
    waits = []
    with connect(address) as sock:
        while not stop.is_set():
            start = time.monotonic()
            ask(sock, b"steady\n")
            waits.append(time.monotonic() - start)
            time.sleep(0.001)
    return len(waits), max(waits)


@pytest.mark.parametrize("service", ["echo", "reply"])
def test_sends_but_never_reads(server, service):
    """One client sends as much as it can without reading. Then it reads everything: what comes is
    what was due, byte by byte, and its sending goes on again."""
    rollcall = server("--service", service, "--send-queue-bytes", SOFT_LIMIT, "--quiet")
    line = noise(999).replace(b"\n", b"n") + b"\n"
    answer = (b"Received: " if service == "reply" else b"") + line
    data = line * 1000
    with connect(rollcall.tcp, receive_bytes=16384) as sock:
        (taken,) = send_until_stalled([sock], data)
        assert taken > SOFT_LIMIT
        rest = data[taken % len(data):] + data
        sender = Background(sock.sendall, rest)
        count = (taken + len(rest)) // len(line)
        got = receive_exactly(sock, count * len(answer))
        sender.result()
        assert digest(got) == digest(answer * count)
        sock.sendall(line)
        assert receive_exactly(sock, len(answer)) == answer


def test_memory_is_bounded(server):
    """Twenty clients that never read, each stalled: the server has grown by no more than their soft
    limits and its pool of buffers need, and serves on when they are gone."""
    rollcall = server("--send-queue-bytes", SOFT_LIMIT, "--service", "echo", "--quiet")
    with connect(rollcall.tcp) as sock:
        sock.sendall(b"warm")
        receive_exactly(sock, 4)
    before = rollcall.memory_bytes()
    data = noise(1 << 20)
    stalled = [connect(rollcall.tcp, receive_bytes=16384) for _ in range(20)]
    taken = send_until_stalled(stalled, data)
    assert min(taken) > SOFT_LIMIT
    assert rollcall.memory_bytes("VmHWM") - before < MEMORY_GROWTH_MAX
    for sock in stalled:
        sock.close()
    with connect(rollcall.tcp) as sock:
        sock.sendall(b"still")
        assert receive_exactly(sock, 5) == b"still"


def test_others_do_not_notice(server):
    """While clients stall one after another, others go on: a client from before, new ones, and UDP.
    The bound on their waits is generous; a server that waits for a stalled client has none."""
    rollcall = server("--send-queue-bytes", SOFT_LIMIT, "--quiet")
    stop = threading.Event()
    steady = Background(slowest_exchange, rollcall.tcp, stop)
    stalled = []
    for _ in range(5):
        stalled.append(connect(rollcall.tcp, receive_bytes=16384))
        send_until_stalled(stalled[-1:], b"never read\n" * 10000)
        with connect(rollcall.tcp) as sock, datagrams(rollcall.udp) as other:
            ask(sock, b"new\n")
            ask(other, b"new\n")
    stop.set()
    count, slowest = steady.result()
    assert count > 100
    assert slowest < (5 if is_slow() else 2)
    for sock in stalled:
        sock.close()


def test_small_messages_unread(server):
    """Clients that have many small messages unread must not hold a large buffer for each of them,
    for the buffers are shared: others would be left without."""
    rollcall = server("--service", "echo", "--quiet")
    socks = [connect(rollcall.tcp, receive_bytes=4096) for _ in range(4)]
    send_until_stalled(socks, b"x" * 400)
    with connect(rollcall.tcp) as sock:
        sock.sendall(noise(100000))
        assert receive_exactly(sock, 100000) == noise(100000)
    for sock in socks:
        sock.close()


def test_stalled_server_is_idle(server):
    """A client at its limit costs no CPU time: nothing is tried again and again."""
    rollcall = server("--send-queue-bytes", SOFT_LIMIT, "--quiet")
    with connect(rollcall.tcp, receive_bytes=16384) as sock:
        send_until_stalled([sock], b"never read\n" * 10000)
        before = rollcall.cpu_s()
        time.sleep(1.5)
        assert rollcall.cpu_s() - before < 0.15


def test_reader_that_stops_for_seconds(server):
    """A client reads, stops for three seconds while it goes on sending, and reads on, twice: all of
    what it sent comes back, in order."""
    rollcall = server("--service", "echo", "--send-queue-bytes", SOFT_LIMIT, "--quiet")
    count = (8 if is_slow() else 32) << 20
    data = noise(count)
    got = []
    with connect(rollcall.tcp, receive_bytes=65536) as sock:
        def send():
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)

        sender = Background(send)
        for _ in range(2):
            got.append(receive_exactly(sock, count // 8))
            time.sleep(3)
        while part := sock.recv(1 << 20):
            got.append(part)
        sender.result()
    assert digest(b"".join(got)) == digest(data)


def test_slow_readers(server):
    """Fifty clients that each read a little at a time, at their own pace, beside a fast one: each
    gets its own bytes."""
    rollcall = server("--service", "echo", "--send-queue-bytes", 8192, "--quiet")
    count = (64 if is_slow() else 256) << 10
    socks = [connect(rollcall.tcp, receive_bytes=4096) for _ in range(50)]
    sent = [noise(count, seed) for seed in range(len(socks))]
    senders = [Background(sock.sendall, data) for sock, data in zip(socks, sent)]
    got = [b""] * len(socks)
    while any(len(data) < count for data in got):
        for index, sock in enumerate(socks):
            if len(got[index]) < count:
                part = sock.recv(1000 + 97 * index)
                assert part, "it was ended"
                got[index] += part
    for sender in senders:
        sender.result()
    assert got == sent
    for sock in socks:
        sock.close()


def test_stalled_client_that_leaves(server):
    """A stalled client resets, another half-closes and is gone: each ends, and the console has said
    so once."""
    rollcall = server("--send-queue-bytes", SOFT_LIMIT)
    line = b"y" * 60000 + b"\n"
    for number in range(2):
        sock = connect(rollcall.tcp, receive_bytes=16384)
        send_until_stalled([sock], line)
        if number == 0:
            sock.shutdown(socket.SHUT_WR)
        sock.close()
        rollcall.wait_for(f"Client ID : {number} disconnected .")
    rollcall.wait_for_lines("disconnected", 2)
