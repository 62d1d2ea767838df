# SPDX-License-Identifier: MIT
"""Many clients: ten thousand at once, and a thousand that vanish beside a hundred that stay. Every
byte is checked. In slow runs there are fewer."""

import select
import socket
import threading
import time

import pytest

from client import Background, connect, datagrams, receive_to_end, reset
from program import DEADLINE_S, is_slow, wait_until

ROUNDS = 20


class Asker:
    """A client that sends a numbered line, waits for its answer, and sends the next."""

    def __init__(self, sock, number):
        self.sock = sock
        self.number = number
        self.asked = 0
        self.due = b""

    def ask(self):
        line = b"client %d line %d\n" % (self.number, self.asked)
        self.asked += 1
        self.due = b"Received: " + line
        assert self.sock.send(line) == len(line)

    def take(self):
        """Takes what has come, which must be what is due; returns whether the answer is
        complete."""
        data = self.sock.recv(4096)
        assert data and self.due.startswith(data), f"{data!r} instead of {self.due!r}"
        self.due = self.due[len(data):]
        return not self.due


def exchange(socks, rounds, stop=None):
    """All ask at once, each in its own rhythm, until all have done their rounds or `stop` is set;
    returns the number of answers."""
    askers = {sock.fileno(): Asker(sock, number) for number, sock in enumerate(socks)}
    poll = select.epoll()
    for fd, asker in askers.items():
        poll.register(fd, select.EPOLLIN)
        asker.ask()
    waiting, answers = len(askers), 0
    end = time.monotonic() + 10 * DEADLINE_S
    while waiting:
        events = poll.poll(DEADLINE_S)
        assert events and time.monotonic() < end, f"{waiting} clients wait for an answer in vain"
        for fd, _ in events:
            asker = askers[fd]
            if not asker.take():
                continue
            answers += 1
            if asker.asked < rounds and not (stop and stop.is_set()):
                asker.ask()
            else:
                waiting -= 1
    poll.close()
    return answers


def test_ten_thousand(server, many_files):
    """All connect, and only then does the first one speak; each exchanges 20 lines; then the server
    says on SIGTERM that all are there, and each sees the end of its stream."""
    count = 500 if is_slow() else min(10000, many_files - 200)
    rollcall = server("--quiet")
    # Two addresses of the client's, so that its ephemeral ports are plenty.
    socks = [connect(rollcall.tcp, source=(f"127.0.0.{2 + number % 2}", 0))
             for number in range(count)]
    assert exchange(socks, ROUNDS) == count * ROUNDS
    rollcall.signal()
    rollcall.wait_for_log(f"SIGTERM: draining {count} clients")
    for sock in socks:
        assert receive_to_end(sock) == b""
        sock.close()
    assert rollcall.wait() == 0


def test_many_leave_and_come_again(server, many_files):
    """Several waves of clients that all come, speak and leave at once: the places of the first are
    free for the next."""
    count = 100 if is_slow() else 1000
    rollcall = server("--quiet", "--max-clients", str(count))
    for _ in range(5):
        socks = [connect(rollcall.tcp) for _ in range(count)]
        assert exchange(socks, 3) == 3 * count
        for sock in socks:
            sock.close()


def vanish(address, number):
    """Connects, sends, and goes in one of several ways: half of them by reset."""
    sock = connect(address)
    sock.sendall(b"gone\n" * (1 + number % 50) + b"in the middle of")
    if number % 3 == 0:
        sock.recv(5)
    if number % 2:
        reset(sock)
    else:
        sock.close()


def test_a_thousand_vanish(server):
    """A thousand clients connect, send and vanish, half of them by reset, while a hundred others go
    on exchanging lines and must see no error; each of the thousand is said goodbye to, once."""
    count, steady_count = (200, 20) if is_slow() else (1000, 100)
    rollcall = server()
    steady = [connect(rollcall.tcp) for _ in range(steady_count)]
    stop = threading.Event()
    exchanging = Background(exchange, steady, 1 << 30, stop)
    for number in range(count):
        vanish(rollcall.tcp, number)
        assert not exchanging.failure
    wait_until(lambda: goodbyes(rollcall) >= count or exchanging.failure, f"{count} goodbyes")
    stop.set()
    assert exchanging.result() > 10 * steady_count
    assert goodbyes(rollcall) == count
    for sock in steady:
        sock.close()
    wait_until(lambda: goodbyes(rollcall) == count + steady_count, "the last goodbyes")


def goodbyes(rollcall):
    """How many have left, in clients that are each told once; lines may be missing for a while."""
    lines = rollcall.stdout.matching("disconnected")
    assert len(lines) == len(set(lines))
    return len(lines)


def test_a_thousand_udp_clients(server, many_files):
    """A thousand UDP sockets are a thousand clients with IDs of their own, each of which gets its
    own answers, three times over."""
    count = 200 if is_slow() else 1000
    rollcall = server("--udp-max-clients", str(count))
    socks = [datagrams(rollcall.udp) for _ in range(count)]
    for turn in range(3):
        for start in range(0, count, 50):
            for number, sock in enumerate(socks[start:start + 50], start):
                sock.send(b"%d of %d" % (turn, number))
            for number, sock in enumerate(socks[start:start + 50], start):
                assert sock.recv(100) == b"Received: %d of %d" % (turn, number)
    rollcall.wait_for_lines(" connected", count)
    for sock in socks:
        sock.close()


def test_connections_come_and_go(server):
    """One connection after the other, each for one line, half a thousand times: no descriptor is
    left behind."""
    rollcall = server("--quiet")
    before = None
    for number in range(500):
        with socket.create_connection(rollcall.tcp, DEADLINE_S) as sock:
            Asker(sock, number).ask()
            sock.shutdown(socket.SHUT_WR)
            receive_to_end(sock)
        if number == 50:
            before = rollcall.files()
    wait_until(lambda: rollcall.files() <= before, "its descriptors to be closed")
