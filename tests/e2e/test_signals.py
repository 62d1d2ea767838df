# SPDX-License-Identifier: MIT
"""SIGTERM and SIGINT: what has arrived is answered, then the program exits with 0; a client that
takes nothing is waited for until the drain timeout; a second signal ends it at once, unless it belongs
to the first. SIGHUP, SIGUSR1 and SIGUSR2 are logged and ignored."""

import contextlib
import os
import pathlib
import select
import signal
import threading
import time

import pytest

from client import (Background, ask, connect, datagrams, digest, is_silent, receive_exactly,
                    receive_to_end, send_until_stalled)
from program import DEADLINE_S, command, is_slow, needs_bare_program, wait_until

LINE_BYTES = len(b"0000000\n")
IN_FLIGHT_MAX = 500
HELD = ("127.0.0.1", 8080)
ANSWER_BYTES = LINE_BYTES + len(b"Received: ")
IGNORED = [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2]
AGAIN_S = 0.2  # two signals this far apart are two requests


def lines(start, count):
    return b"".join(b"%07d\n" % number for number in range(start, start + count))


def answers(count):
    return b"".join(b"Received: %07d\n" % number for number in range(count))


class Pipeliner:
    """A client that goes on sending numbered lines, with hundreds of answers due at any time."""

    def __init__(self, address):
        self.sock = connect(address)
        self.sock.setblocking(False)
        self.sent_bytes = 0
        self.unsent = b""
        self.received = b""
        self.has_ended = False

    def may_send(self):
        return self.sent_bytes // LINE_BYTES - len(self.received) // ANSWER_BYTES < IN_FLIGHT_MAX

    def send(self):
        if not self.unsent:
            self.unsent = lines(self.sent_bytes // LINE_BYTES, 5)
        taken = self.sock.send(self.unsent)
        self.unsent = self.unsent[taken:]
        self.sent_bytes += taken

    def receive(self):
        data = self.sock.recv(1 << 16)
        self.received += data
        self.has_ended = not data
        if self.has_ended:
            self.sock.close()


def traffic(clients, stop):
    """Keeps all clients going until the server has ended every connection. After `stop` they send
    no more: a client that is faster than the server could otherwise hold it up without end."""
    going = {client.sock: client for client in clients}
    end = time.monotonic() + DEADLINE_S
    while going:
        assert time.monotonic() < end, "the server does not end the connections"
        senders = [] if stop.is_set() else [sock for sock in going if going[sock].may_send()]
        readable, writable, _ = select.select(going, senders, [], 0.1)
        for sock in writable:
            going[sock].send()
        for sock in readable:
            going[sock].receive()
        going = {sock: client for sock, client in going.items() if not client.has_ended}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("attempt", range(3))
def test_no_answer_is_lost(server, number, attempt):
    """Twenty clients pipeline lines when the signal comes, and for some time after it. Each line
    that was sent in full before it has its answer; all answers are in order, none is torn, and the
    program exits with 0."""
    rollcall = server("--quiet")
    clients = [Pipeliner(rollcall.tcp) for _ in range(20)]
    stop = threading.Event()
    running = Background(traffic, clients, stop)
    wait_until(lambda: all(client.sent_bytes > 1000 for client in clients) or running.failure,
               "traffic")
    time.sleep(0.05 * attempt)
    sent = [client.sent_bytes // LINE_BYTES for client in clients]
    rollcall.signal(number)
    time.sleep(0.2)
    stop.set()
    running.result()
    assert rollcall.wait() == 0
    for client, count in zip(clients, sent):
        answered = len(client.received) // ANSWER_BYTES
        assert client.received == answers(answered)
        assert answered >= count


def test_burst_before_the_signal(server):
    """Clients that have sent all they want, and neither read nor ended, when the signal comes: they
    get every answer when they read, half a second later."""
    rollcall = server("--quiet")
    socks = [connect(rollcall.tcp) for _ in range(20)]
    for sock in socks:
        ask(sock, b"hello\n")
    for sock in socks:
        sock.sendall(lines(0, 1000))
    rollcall.signal()
    time.sleep(0.5)
    for sock in socks:
        assert receive_to_end(sock) == answers(1000)
        sock.close()
    assert rollcall.wait() == 0


def test_long_queue_is_delivered(server):
    """A client that has sent all it can and read nothing: its input has been paused, so that much
    of it is still in the kernel when the signal comes. When it reads at last it gets every
    answer."""
    rollcall = server("--quiet", "--send-queue-bytes", "64K", "--drain-timeout", "60")
    with connect(rollcall.tcp, receive_bytes=16384) as sock:
        (taken,) = send_until_stalled([sock], lines(0, 1000))
        count = taken // LINE_BYTES
        rollcall.signal()
        time.sleep(0.5)
        due = (answers(1000) * (count // 1000 + 1))[:count * ANSWER_BYTES]
        assert digest(receive_to_end(sock)) == digest(due)
    assert rollcall.wait() == 0


def test_datagrams_before_the_signal(server):
    """Datagrams that were sent before the signal are answered too."""
    rollcall = server("--quiet")
    with datagrams(rollcall.udp) as sock:
        ask(sock, b"hello\n")
        for number in range(20):
            sock.send(b"%d" % number)
        rollcall.signal()
        assert [sock.recv(100) for _ in range(20)] == [b"Received: %d" % n for n in range(20)]
    assert rollcall.wait() == 0


def test_suspended_when_the_signal_comes(server):
    """Everything has come before the server gets to see any of it, the signal too: lines of a
    client, new clients that wait in the backlog with theirs, and datagrams. All are answered."""
    rollcall = server()
    with connect(rollcall.tcp) as old, datagrams(rollcall.udp) as other:
        ask(old, b"hello\n")
        rollcall.signal(signal.SIGSTOP)
        socks = [old] + [connect(rollcall.tcp) for _ in range(3)]
        for sock in socks:
            sock.sendall(lines(0, 1000))
        other.send(b"hello")
        rollcall.signal()
        rollcall.signal(signal.SIGCONT)
        for sock in socks:
            assert receive_to_end(sock) == answers(1000)
            sock.close()
        assert other.recv(100) == b"Received: hello"
    assert rollcall.wait() == 0


@pytest.mark.smoke
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nobody_there(server, number):
    """Without clients, or with UDP clients only, the end comes at once; the log names the
    signal."""
    rollcall = server("--drain-timeout", "60")
    with datagrams(rollcall.udp) as sock:
        ask(sock, b"hello\n")
    rollcall.signal(number)
    assert rollcall.wait() == 0
    assert rollcall.stderr.matching(number.name)


def test_at_once_after_the_start(server):
    """A signal that comes as soon as the program says that it listens ends it in good order too."""
    for _ in range(3 if is_slow() else 20):
        rollcall = server("--quiet")
        assert rollcall.stop() == 0, rollcall.output()


@pytest.fixture
def held(server, own_network):
    """A server that listens, and then stands still for a second before its loop: it waits to say
    so, in a pipe that is full. With so few clients it has nothing to say before."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write_end, b"x")
    os.set_blocking(write_end, True)
    yield server("--quiet", "--tcp", f"{HELD[0]}:{HELD[1]}", "--udp", "none", "--max-clients", 100,
                 stderr=write_end)
    os.close(read_end)
    os.close(write_end)


def connect_when_it_listens():
    def attempt():
        with contextlib.suppress(ConnectionRefusedError):
            return connect(HELD)

    return wait_until(attempt, "listening")


def test_before_the_loop(held):
    """A signal that comes between the first address that is listened on and the loop is kept: a
    client that has connected by then, and sent something, gets its answer."""
    with connect_when_it_listens() as sock:
        sock.sendall(b"hello\n")
        held.signal()
        assert receive_to_end(sock) == b"Received: hello\n"
    assert held.wait() == 0


def test_twice_before_the_loop(held):
    """A second one ends the program at once there too."""
    with connect_when_it_listens():
        held.signal(signal.SIGINT)
        time.sleep(AGAIN_S)
        held.signal(signal.SIGTERM)
        assert held.wait() == 128 + signal.SIGTERM


def test_one_request_before_the_loop(held):
    """Two at once are one request there too."""
    with connect_when_it_listens() as sock:
        sock.sendall(b"hello\n")
        held.signal(signal.SIGINT)
        held.signal(signal.SIGTERM)
        assert receive_to_end(sock) == b"Received: hello\n"
    assert held.wait() == 0


@pytest.mark.parametrize("number", IGNORED)
def test_ignored_before_the_loop(held, number):
    """A signal that is ignored is held until the loop runs, and does not end the program."""
    with connect_when_it_listens() as sock:
        held.signal(number)
        ask(sock, b"hello\n")
    assert held.stop() == 0


@pytest.mark.parametrize("number", IGNORED)
def test_ignored(server, number):
    """It is logged by its name each time; the clients notice nothing."""
    rollcall = server()
    with connect(rollcall.tcp) as sock:
        for count in (1, 2):
            rollcall.signal(number)
            rollcall.wait_for_log(f"{number.name} ignored", count)
            ask(sock, b"hello\n")


def test_ignored_while_stopping(server):
    """A signal that is ignored is no second request to end."""
    rollcall = server("--drain-timeout", "60")
    with stalled_client(rollcall) as sock:
        rollcall.signal()
        rollcall.wait_for_log("SIGTERM")
        time.sleep(AGAIN_S)
        for number in IGNORED:
            rollcall.signal(number)
            rollcall.wait_for_log(f"{number.name} ignored")
        receive_to_end(sock)
    assert rollcall.wait() == 0


@needs_bare_program
def test_as_process_1(server):
    """As PID 1 of a container: signals are obeyed and ignored as elsewhere."""
    words = ["unshare", "--pid", "--fork", "--kill-child", *command()]
    rollcall = server("--drain-timeout", "60", words=words)
    children = pathlib.Path(f"/proc/{rollcall.pid}/task/{rollcall.pid}/children").read_text()
    process_1 = int(children)
    os.kill(process_1, signal.SIGHUP)
    rollcall.wait_for_log("SIGHUP ignored")
    with stalled_client(rollcall):
        os.kill(process_1, signal.SIGINT)
        rollcall.wait_for_log("SIGINT")
        time.sleep(AGAIN_S)
        os.kill(process_1, signal.SIGTERM)
        assert rollcall.wait() == 128 + signal.SIGTERM


def test_idle_clients_are_let_go(server):
    """Idle clients see the end of the stream; as soon as they end their side too the program exits,
    long before the drain timeout."""
    rollcall = server("--drain-timeout", "60")
    socks = [connect(rollcall.tcp) for _ in range(10)]
    for sock in socks:
        ask(sock, b"hello\n")
    rollcall.signal()
    for sock in socks:
        assert receive_to_end(sock) == b""
        sock.close()
    assert rollcall.wait() == 0
    assert len(rollcall.stdout.matching("disconnected")) == 10


def test_no_new_clients(server):
    """After the signal nobody is accepted any more, while an earlier client is waited for."""
    rollcall = server("--drain-timeout", "60")
    with stalled_client(rollcall) as sock:
        rollcall.signal()
        wait_until(lambda: not is_accepted(rollcall.tcp), "the listener to be closed")
        assert rollcall.process.poll() is None
        receive_to_end(sock)
    assert rollcall.wait() == 0


def is_accepted(address):
    try:
        with connect(address) as sock:
            sock.sendall(b"hello\n")
            return sock.recv(100) != b""
    except OSError:
        return False


def stalled_client(rollcall):
    """A client that does not read, with more answers due than the kernel's buffers hold."""
    sock = connect(rollcall.tcp, receive_bytes=4096)
    send_until_stalled([sock], b"z" * 50000 + b"\n")
    return sock


def test_drain_timeout(server):
    """A client that never reads is waited for as long as --drain-timeout says; then the program
    ends, with 0 all the same."""
    rollcall = server("--drain-timeout", "1")
    with stalled_client(rollcall):
        start = time.monotonic()
        rollcall.signal()
        assert rollcall.wait() == 0
        assert 0.9 < time.monotonic() - start < (20 if is_slow() else 5)
    assert rollcall.stdout.count("Client ID : 0 disconnected .") == 1


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_second_signal(server, first, second):
    """While it waits for a client that never reads, a second signal ends it at once: 128 + N."""
    rollcall = server("--drain-timeout", "60")
    with stalled_client(rollcall):
        rollcall.signal(first)
        rollcall.wait_for_log(first.name)
        time.sleep(AGAIN_S)
        assert rollcall.process.poll() is None
        rollcall.signal(second)
        assert rollcall.wait(5) == 128 + second


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_one_request(server, second):
    """Signals within microseconds of each other are one request, whether or not they are the same
    one: what has arrived is answered. A later one is a second request."""
    rollcall = server("--drain-timeout", "60")
    with stalled_client(rollcall), connect(rollcall.tcp) as sock:
        sock.sendall(lines(0, 1000))
        rollcall.signal()
        rollcall.signal(second)
        rollcall.signal()
        assert receive_to_end(sock) == answers(1000)
        time.sleep(AGAIN_S)
        assert rollcall.process.poll() is None
        rollcall.signal()
        assert rollcall.wait(5) == 128 + signal.SIGTERM


@needs_bare_program
def test_timeout_signals_twice(server):
    """timeout(1) signals the program, and then its process group."""
    rollcall = server("--drain-timeout", "60", words=["timeout", "60", *command()])
    with stalled_client(rollcall) as sock:
        rollcall.signal()
        rollcall.wait_for_log("SIGTERM")
        time.sleep(AGAIN_S)
        receive_to_end(sock)
    assert rollcall.wait() == 0


def test_pipe_signal_does_not_matter(server):
    """SIGPIPE, sent by hand, changes nothing."""
    rollcall = server()
    with connect(rollcall.tcp) as sock:
        for _ in range(3):
            rollcall.signal(signal.SIGPIPE)
            ask(sock, b"hello\n")


def test_stopped_and_continued(server):
    """A server that was suspended for a while (SIGSTOP, SIGCONT) goes on where it was, with what
    has come in the meantime, whether from its client or from new ones."""
    rollcall = server()
    with connect(rollcall.tcp) as old, datagrams(rollcall.udp) as other:
        ask(old, b"hello\n")
        rollcall.signal(signal.SIGSTOP)
        new = connect(rollcall.tcp)
        for sock in (old, new, other):
            sock.sendall(b"meanwhile\n")
        assert is_silent(old, 0.3)
        rollcall.signal(signal.SIGCONT)
        for sock in (old, new, other):
            assert receive_exactly(sock, 20) == b"Received: meanwhile\n"
        new.close()
