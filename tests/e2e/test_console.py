# SPDX-License-Identifier: MIT
"""The console never slows the server: standard output stuck, full, closed or gone, and the same for
the diagnostics."""

import errno
import fcntl
import os
import re
import resource
import socket
import time

import pytest

from client import Background, ask, connect, datagrams, is_silent, receive_exactly
from program import WAITING, Lines, is_slow, needs_bare_program, wait_until

FLOOD = 8000 if is_slow() else 30000


def stuck_pipe():
    """The two ends of a pipe that holds no more than four pages."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 16384)
    return reader, writer


def flood(address, count):
    """Sends this number of lines and reads all answers; returns the lines that the console owes."""
    lines = [b"line %d\n" % number for number in range(count)]
    with connect(address) as sock:
        sender = Background(sock.sendall, b"".join(lines))
        expected = b"".join(b"Received: " + line for line in lines)
        assert receive_exactly(sock, len(expected)) == expected
        sender.result()
    return count + 3


def dropped(lines):
    return sum(int(re.fullmatch(r"\((\d+) lines? dropped\)", line)[1])
               for line in lines if "dropped)" in line)


def test_stuck_pipe(server):
    """Nobody reads standard output while far more lines are due than can be kept: the server
    answers all the same. When it is read at last, each line is whole and in its place, the missing
    ones are counted where they are missing, and the sum is exact, there and in the diagnostics."""
    reader, writer = stuck_pipe()
    rollcall = server(stdout=writer)
    os.close(writer)
    due = 1 + flood(rollcall.tcp, FLOOD)
    with connect(rollcall.tcp) as sock:
        ask(sock, b"still here\n")
        due += 4
    shown = Lines(os.fdopen(reader, "rb"))
    with connect(rollcall.tcp) as sock:
        wait_until(lambda: dropped(shown), "a count of dropped lines")
        ask(sock, b"after\n")
        due += 4
    rollcall.wait_for_log("listening")
    assert rollcall.stop() == 0
    shown.thread.join(10)

    assert dropped(shown) > 1000
    kept = [line for line in shown if "dropped)" not in line]
    assert len(kept) + dropped(shown) == due
    assert all(re.fullmatch(r"Waiting for client\.\.\.|Client ID : \d+ (dis)?connected \.|"
                            r"Received: (line \d+|still here|after)", line) for line in kept)
    numbers = [int(line.split()[-1]) for line in kept if line.startswith("Received: line")]
    assert numbers == sorted(numbers)
    assert "Received: after" in kept
    (log,) = rollcall.stderr.matching("dropped")
    assert str(dropped(shown)) in log


def test_stuck_for_ever(server):
    """A standard output that nobody ever reads cannot keep the server from ending, and the number
    of lines that were lost is told at the end."""
    reader, writer = stuck_pipe()
    rollcall = server("--drain-timeout", "1", stdout=writer)
    os.close(writer)
    flood(rollcall.tcp, FLOOD)
    assert rollcall.stop() == 0
    assert rollcall.stderr.matching(r"\d+ .*dropped")
    os.close(reader)


@pytest.mark.smoke
@pytest.mark.parametrize("option", ["--quiet", "-q"])
def test_quiet(server, option):
    """No console lines at all, and the service as ever."""
    rollcall = server(option)
    with connect(rollcall.tcp) as sock, datagrams(rollcall.udp) as other:
        ask(sock, b"hello\n")
        ask(other, b"hello\n")
    assert rollcall.stop() == 0
    assert list(rollcall.stdout) == []


def test_verbose(server):
    """--verbose after --quiet: the lines are there again, as the image and the unit need it."""
    rollcall = server("--quiet", "--verbose")
    with connect(rollcall.tcp) as sock:
        ask(sock, b"hello\n")
    assert rollcall.stop() == 0
    assert "Received: hello" in list(rollcall.stdout)


@needs_bare_program
def test_closed_standard_output(server, own_network):
    """With descriptor 1 closed at the start, no socket may get its number: a console line would end
    up in a connection. /dev/null holds the place. The same for 2, and for all three."""
    for closed in ((1,), (2,), (0, 1, 2)):
        with open(os.devnull, "wb") as null:
            rollcall = server(recipe=True, stdout=null.fileno(), stderr=null.fileno(),
                              preexec=lambda: [os.close(fd) for fd in closed])
        wait_until(lambda: is_open(("127.0.0.1", 8080)), "port 8080")
        socks = [connect(("127.0.0.1", 8080)) for _ in range(5)]
        for sock in socks:
            ask(sock, b"hello\n")
        assert all(is_silent(sock, 0.1) for sock in socks)
        for fd in closed:
            assert os.readlink(f"/proc/{rollcall.pid}/fd/{fd}") == os.devnull
        with datagrams(("127.0.0.1", 7070)) as sock:
            ask(sock, b"hello\n")
        for sock in socks:
            sock.close()
        assert rollcall.stop() == 0


def is_open(address):
    with socket.socket() as sock:
        return sock.connect_ex(address) != errno.ECONNREFUSED


@pytest.mark.parametrize("kind", ["full device", "reader gone"])
def test_standard_output_fails(server, kind):
    """Standard output that fails with ENOSPC or EPIPE: the server goes on, says so once, and ends
    as ever. SIGPIPE does not matter."""
    if kind == "full device":
        writer = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, writer = os.pipe()
        os.close(reader)
    rollcall = server(stdout=writer)
    os.close(writer)
    for _ in range(20):
        with connect(rollcall.tcp) as sock:
            ask(sock, b"hello\n")
    assert rollcall.stop() == 0
    about = rollcall.stderr.matching("standard output|console")
    assert 1 <= len(about) <= 2, rollcall.output()


def test_file_size_limit(server, own_network, tmp_path):
    """Both outputs are files, and RLIMIT_FSIZE leaves no byte: SIGXFSZ does not matter."""
    files = [os.open(tmp_path / name, os.O_WRONLY | os.O_CREAT) for name in ("out", "err")]
    rollcall = server("--tcp", "127.0.0.1:8080", "--udp", "none", stdout=files[0], stderr=files[1],
                      preexec=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)))
    for fd in files:
        os.close(fd)
    wait_until(lambda: is_open(("127.0.0.1", 8080)), "it to listen")
    with connect(("127.0.0.1", 8080)) as sock:
        ask(sock, b"hello\n")


@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_both_outputs_are_one_file(server, own_network, tmp_path, kind):
    """2>&1, with a line of both for each client: none is lost, torn or overwritten."""
    clients = 300 if is_slow() else 1000
    if kind == "file":
        reader, writer = None, os.open(tmp_path / "both", os.O_WRONLY | os.O_CREAT)
    else:
        reader, writer = os.pipe()
    rollcall = server("--tcp", "127.0.0.1:8080", "--udp", "none", "--log-level", "debug",
                      stdout=writer, stderr=writer)
    os.close(writer)
    shown = Lines(os.fdopen(reader, "rb")) if reader else None
    wait_until(lambda: is_open(("127.0.0.1", 8080)), "it to listen")
    for number in range(clients):
        with connect(("127.0.0.1", 8080)) as sock:
            ask(sock, b"line %d\n" % number)
    assert rollcall.stop() == 0
    if shown is None:
        shown = Lines(open(tmp_path / "both", "rb"))
    shown.thread.join(10)
    strange = [line for line in shown if not re.fullmatch(
        r"Waiting for client\.\.\.|Client ID : \d+ (dis)?connected \.|Received: line \d+|"
        r"rollcall: \w+: [^:]+(: [^:]+)?(:\d+)?", line)]
    assert not strange
    for count, pattern in ((clients, r"Received: line"), (clients + 1, r"^Client ID : \d+ connected"),
                           (clients + 1, r"client \d+ connected: tcp"),
                           (clients + 1, r"client \d+ disconnected: ")):
        assert len(shown.matching(pattern)) == count, pattern


def test_reader_leaves_in_between(server):
    """head -1 at the other end of the pipe: the reader leaves after the first line."""
    reader, writer = os.pipe()
    rollcall = server(stdout=writer)
    os.close(writer)
    assert os.read(reader, 4096).decode() == WAITING + "\n"
    os.close(reader)
    for _ in range(20):
        with connect(rollcall.tcp) as sock:
            ask(sock, b"hello\n")


def test_standard_output_that_does_not_block(server):
    """A pipe in non-blocking mode gives EAGAIN when it is full: nothing is lost that fits into the
    buffer, the wait does not spin, and the lines come when there is space."""
    reader, writer = stuck_pipe()
    os.set_blocking(writer, False)
    rollcall = server(stdout=writer)
    os.close(writer)
    due = 1 + flood(rollcall.tcp, 3000)
    before = rollcall.cpu_s()
    time.sleep(1)
    assert rollcall.cpu_s() - before < 0.3
    shown = Lines(os.fdopen(reader, "rb"))
    wait_until(lambda: len(shown) == due, f"{due} lines")
    assert shown.count("Received: line 2999") == 1
    assert not dropped(shown)


def test_stuck_diagnostics(server):
    """Standard error stuck while --log-level debug has much to say: clients are served all the
    same, and the server ends when it is told to."""
    reader, writer = stuck_pipe()
    rollcall = server("--log-level", "debug", "--drain-timeout", "1", stderr=writer)
    os.close(writer)
    text = b""
    while not re.search(rb"listening on tcp .*\n", text):
        part = os.read(reader, 4096)
        assert part, text
        text += part
    port = int(re.search(rb"listening on tcp 127.0.0.1:(\d+)", text)[1])
    count = 300 if is_slow() else 2000
    for _ in range(count):
        with connect(("127.0.0.1", port)) as sock:
            ask(sock, b"hello\n")
    assert rollcall.stop() == 0
    assert len(rollcall.stdout.matching(" connected")) == count
    os.close(reader)


def test_levels(server):
    """Diagnostics go to standard error with their level in front: debug has what info has not, and
    at the level of errors a good run says nothing."""
    found = {}
    for level in ("error", "info", "debug"):
        rollcall = server("--log-level", level, "--max-clients", "100")
        if level != "error":
            with connect(rollcall.tcp) as sock:
                ask(sock, b"hello\n")
            rollcall.wait_for("Client ID : 0 disconnected .")
        assert rollcall.stop() == 0
        found[level] = list(rollcall.stderr)
        assert not any("rollcall:" in line for line in rollcall.stdout)
    assert found["error"] == []
    assert all(line.startswith("rollcall: info: ") for line in found["info"])
    assert not any("client 0" in line for line in found["info"])
    assert any(line.startswith("rollcall: debug: client 0 ") for line in found["debug"])
