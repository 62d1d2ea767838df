# SPDX-License-Identifier: MIT
"""One ring does everything: strace, attached to the program under load, shows io_uring_enter and
next to nothing else. No wait in it is iowait."""

import re
import signal
import subprocess
import threading

import pytest

from client import Background, ask, connect, datagrams
from program import DEADLINE_S, needs_bare_program, wait_until

CLIENTS = 50

# Fewer clients than buffers at the start: each receive is then started once.
FEW = 8

# After this time each silent client was checked, and nothing is due any more.
SILENT_S = 4


# A call: how many completions it waits for, and its flags.
ENTER = re.compile(r"io_uring_enter\(\d+, \d+, (\d+), ([^,]+), ")
NO_IOWAIT = 1 << 7  # IORING_ENTER_NO_IOWAIT


class Trace:
    """The system calls of a running program, as strace writes them down between start and stop."""

    def __init__(self, pid, file, *options):
        self.file = file
        try:
            self.strace = subprocess.Popen(
                ["strace", *options, "-f", "-p", str(pid), "-o", str(file)],
                stderr=subprocess.PIPE, text=True)
        except FileNotFoundError:
            pytest.skip("there is no strace")
        first = self.strace.stderr.readline()
        if "attached" not in first:
            self.strace.wait(DEADLINE_S)
            pytest.skip("strace cannot attach: " + first.strip())

    def stop(self):
        """Returns what strace has written."""
        self.strace.send_signal(signal.SIGINT)
        self.strace.communicate(timeout=DEADLINE_S)
        return self.file.read_text()


class Counts(Trace):
    """The system calls of a running program, counted."""

    def __init__(self, pid, file):
        super().__init__(pid, file, "-c")

    def stop(self):
        """Returns the counts by the name of the call."""
        rows = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$",
                          super().stop(), re.MULTILINE)
        return {name: int(count) for count, name in rows if name != "total"}


pytestmark = [needs_bare_program, pytest.mark.io_uring("other engines have other calls")]


class Talker:
    """A client that asks in a thread of its own, and counts its answers."""

    def __init__(self, address, call):
        self.answers = 0
        self.stop = threading.Event()
        self.talk = Background(self._talk, address, call)

    def _talk(self, address, call):
        with call(address) as sock:
            while not self.stop.is_set():
                ask(sock, b"hello\n")
                self.answers += 1


def test_calls_under_load(server, tmp_path):
    """TCP and UDP clients in conversation, with the console lines of every message: all of it goes
    through the ring, so other calls are less than one in a hundred; and there is no more than one
    call for each message."""
    rollcall = server()
    talkers = [Talker(rollcall.tcp, connect) for _ in range(CLIENTS)]
    talkers += [Talker(rollcall.udp, datagrams) for _ in range(4)]

    def answers():
        return sum(talker.answers for talker in talkers)

    wait_until(lambda: answers() > 1000, "traffic")
    before = answers()
    trace = Counts(rollcall.pid, tmp_path / "calls")
    start = answers()
    wait_until(lambda: answers() > start + 5000, "more traffic")
    calls = trace.stop()
    messages = answers() - before
    for talker in talkers:
        talker.stop.set()
    for talker in talkers:
        talker.talk.result()
        assert talker.answers > 0

    enters = calls.pop("io_uring_enter")
    assert enters > 0
    assert sum(calls.values()) <= max(10, enters // 100), calls
    # A timer that is due takes calls that do not sleep, until one finds nothing.
    assert enters <= messages + messages // 50


def test_calls_when_clients_come_and_go(server, tmp_path):
    """Accepting, closing and all that goes with it are the ring's too: of other calls there are at
    most three for each client (to ask for its address, to shut it down), and no accept, no close,
    no read, no write, no wait of another kind."""
    rollcall = server()
    with connect(rollcall.tcp) as sock:
        ask(sock, b"first\n")
    trace = Counts(rollcall.pid, tmp_path / "calls")
    for _ in range(200):
        with connect(rollcall.tcp) as sock:
            ask(sock, b"hello\n")
    rollcall.wait_for_lines("disconnected", 201)
    calls = trace.stop()
    assert calls.pop("io_uring_enter") > 0
    assert not set(calls) & {"accept", "accept4", "close", "read", "write", "recvfrom", "sendto",
                             "recvmsg", "sendmsg", "epoll_wait", "poll", "select"}, calls
    assert sum(calls.values()) <= 3 * 200, calls


def test_calls_when_clients_fall_silent(server, tmp_path):
    """The address of each client is looked up once. Whether its connection was reset is asked once
    when its first data got no answer, however much follows, and once more when it has been silent
    for some seconds. Then nothing happens at all."""
    rollcall = server()
    trace = Counts(rollcall.pid, tmp_path / "calls")
    socks = [connect(rollcall.tcp) for _ in range(FEW)]
    for _ in range(10):
        for sock in socks:
            sock.sendall(b"part of a line, ")
        threading.Event().wait(0.02)
    threading.Event().wait(SILENT_S)
    calls = trace.stop()
    assert calls["getpeername"] in range(2 * FEW, 3 * FEW + 1), calls
    calls = Counts(rollcall.pid, tmp_path / "calls when silent")
    threading.Event().wait(1.5)
    assert sum(calls.stop().values()) <= 2  # what strace itself interrupts
    for sock in socks:
        sock.close()


def is_no_iowait(flags):
    """Whether flags as strace prints them, by name or number, have the one that is asked for."""
    words = re.sub(r"/\*.*?\*/", "", flags).replace(" ", "").split("|")
    return "IORING_ENTER_NO_IOWAIT" in words or any(
        int(word, 0) & NO_IOWAIT for word in words if word[0].isdigit())


def check_waits(rollcall, file, act):
    """Each call that waits while act() runs has the flag, and there are some."""
    trace = Trace(rollcall.pid, file)
    act()
    waits = [flags for count, flags in ENTER.findall(trace.stop()) if count != "0"]
    assert waits
    assert [flags for flags in waits if not is_no_iowait(flags)] == []


def converse(rollcall):
    """TCP and UDP clients get some hundred answers."""
    talkers = [Talker(rollcall.tcp, connect), Talker(rollcall.udp, datagrams)]
    wait_until(lambda: all(talker.answers > 200 for talker in talkers), "traffic")
    for talker in talkers:
        talker.stop.set()
        talker.talk.result()


@pytest.mark.parametrize("options", [(), ("--spin=1",)], ids=["sleeps", "spins"])
def test_waits_are_no_iowait(server, run, tmp_path, options):
    """No wait is counted as iowait, as those for a disk are: not of an idle server, nor of one with
    timers and a silent client, whose waits have a limit, nor of a busy one."""
    if not re.search(r"^wait without iowait .* works$", run("--check").stdout, re.MULTILINE):
        pytest.skip("the kernel counts each wait as iowait (before Linux 6.15)")
    rollcall = server("--quiet", *options)
    check_waits(rollcall, tmp_path / "idle", lambda: threading.Event().wait(0.5))
    with connect(rollcall.tcp) as sock:
        ask(sock, b"hello\n")
        check_waits(rollcall, tmp_path / "timers", lambda: threading.Event().wait(SILENT_S))
    check_waits(rollcall, tmp_path / "busy", lambda: converse(rollcall))
