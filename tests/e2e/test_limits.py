# SPDX-License-Identifier: MIT
"""Limits, and how clients end: a full table, too few file descriptors, idle clients, and each kind
of end with its reason, told exactly once."""

import re
import resource
import socket
import time

import pytest

import network
from client import (ask, connect, datagrams, is_silent, receive_exactly, receive_to_end, reset,
                    send_until_stalled)
from program import needs_bare_program, wait_until

IDLE_CPU_S = 0.15


def answered(sock):
    return not is_silent(sock, 0)


def test_table_full(server):
    """With four slots the fifth and sixth wait in the backlog, which costs nothing; each
    that leaves admits one, which is served at once with what it had sent."""
    rollcall = server("--max-clients", "4")
    socks = [connect(rollcall.tcp) for _ in range(6)]
    for sock in socks:
        sock.sendall(b"hello\n")
    for sock in socks[:4]:
        wait_until(lambda: answered(sock), "an answer")
    before = rollcall.cpu_s()
    assert is_silent(socks[4], 1) and is_silent(socks[5], 0)
    assert rollcall.cpu_s() - before < IDLE_CPU_S
    rollcall.wait_for_lines("Received", 4)
    assert len(rollcall.stdout.matching(" connected")) == 4

    socks[1].close()
    wait_until(lambda: answered(socks[4]), "the fifth to be served")
    assert is_silent(socks[5], 0.2)
    reset(socks[0])
    wait_until(lambda: answered(socks[5]), "the sixth to be served")
    rollcall.wait_for("Client ID : 5 connected .")
    for sock in socks[2:]:
        sock.close()


def connect_from(host, address):
    sock = socket.socket()
    sock.settimeout(10)
    sock.bind((host, 0))
    sock.connect(address)
    return sock


def test_one_source_takes_all_places(server):
    """All places, the queue ahead and some of the backlog are taken by one address that says
    nothing. A client of another one is served, and those in its way are told why they went."""
    rollcall = server("--max-clients", "10", "--log-level", "debug")
    crowd = [connect_from("127.0.0.2", rollcall.tcp) for _ in range(50)]
    rollcall.wait_for_lines(" connected", 10)
    with connect_from("127.0.0.3", rollcall.tcp) as other:
        ask(other, b"hello\n")
    ended = rollcall.wait_for_log("ended: places are short")
    (line,) = rollcall.wait_for_log("disconnected: others needed")
    assert len(ended) == 1
    for sock in crowd:
        sock.close()


def test_clients_per_source(server):
    """The third client of an address is reset and the log says why; another address is served, and
    when one of the first two has gone, so is its third."""
    rollcall = server("--max-clients-per-source", "2")
    first, second = (connect_from("127.0.0.2", rollcall.tcp) for _ in range(2))
    ask(first, b"first\n")
    ask(second, b"second\n")
    # The reset may come while it still connects.
    with pytest.raises(ConnectionResetError), connect_from("127.0.0.2", rollcall.tcp) as third:
        third.recv(1)
    (line,) = rollcall.wait_for_log("refused: its source has 2 clients")
    assert "127.0.0.2:" in line
    with connect_from("127.0.0.3", rollcall.tcp) as other:
        ask(other, b"other\n")
    first.close()
    rollcall.wait_for("Client ID : 0 disconnected .")
    with connect_from("127.0.0.2", rollcall.tcp) as third:
        ask(third, b"third\n")
    second.close()


def test_message_timeout(server):
    """A client that begins a line and goes on byte by byte is closed when the message timeout has
    passed, behind its answers, and the log says so. One whose lines end may take all the time
    between them."""
    rollcall = server("--message-timeout", "1", "--log-level", "debug")
    with connect(rollcall.tcp) as patient, connect(rollcall.tcp) as slow:
        ask(patient, b"first\n")
        ask(slow, b"whole\n")
        start = time.monotonic()
        try:
            while time.monotonic() - start < 10 and is_silent(slow, 0.1):
                slow.sendall(b"x")
        except OSError:
            pass
        assert 0.9 < time.monotonic() - start < 10
        assert receive_to_end(slow) == b""
        ask(patient, b"second\n")
    (line,) = rollcall.wait_for_log("client 1 disconnected")
    assert "message timeout" in line
    (line,) = rollcall.wait_for_log("client 1 ended")
    assert "its message has not ended in time" in line


def test_one_slot(server):
    """With one slot a hundred clients are served one after the other, in any case all of
    them."""
    rollcall = server("--max-clients", "1")
    socks = [connect(rollcall.tcp) for _ in range(100)]
    for sock in socks:
        sock.sendall(b"hello\n")
        sock.shutdown(socket.SHUT_WR)
    for sock in socks:
        assert receive_to_end(sock) == b"Received: hello\n"
        sock.close()
    rollcall.wait_for_lines("disconnected", 100)


def test_ids_in_a_small_table(server):
    """In a table of a few slots, each of which is used again and again, no ID comes twice; TCP and
    UDP clients share the numbers."""
    rollcall = server("--max-clients", "2", "--udp-max-clients", "2", "--udp-idle-timeout", "0.05")
    with connect(rollcall.tcp) as staying:
        ask(staying, b"hello\n")
        for number in range(60):
            with connect(rollcall.tcp) as sock:
                ask(sock, b"%d\n" % number)
            if number % 10 == 0:
                with datagrams(rollcall.udp) as sock:
                    ask(sock, b"datagram %d\n" % number)
                    time.sleep(0.2)
    rollcall.wait_for_lines(r"\d disconnected", 61)
    came = [int(line.split()[3]) for line in rollcall.stdout.matching(" connected")]
    assert len(came) == len(set(came)) == 67
    assert max(came) < 2 * len(came)


def limit_files(soft, hard):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@needs_bare_program
def test_few_descriptors(server):
    """RLIMIT_NOFILE of 32: --max-clients is lowered, the diagnostics say to what, that many are
    served and the others wait for them to leave."""
    rollcall = server(preexec=limit_files(32, 32))
    (line,) = rollcall.wait_for_log("rollcall: (?:info|warning): .*(RLIMIT_NOFILE|descriptor|open files)")
    capacity = min(number for number in map(int, re.findall(r"\d+", line)) if number > 1)
    assert 4 <= capacity < 32
    socks = [connect(rollcall.tcp) for _ in range(capacity + 5)]
    for sock in socks:
        sock.sendall(b"hello\n")
    wait_until(lambda: sum(map(answered, socks)) == capacity, f"{capacity} answers")
    assert all(is_silent(sock, 0.05) for sock in socks[capacity:])
    for sock in socks[:5]:
        sock.close()
    wait_until(lambda: all(map(answered, socks[capacity:])), "the others to be served")
    for sock in socks[5:]:
        sock.close()


@needs_bare_program
def test_soft_limit_is_raised(server):
    """A soft limit that is too low is raised to the hard one: no warning, and all are served."""
    rollcall = server("--max-clients", "200", preexec=limit_files(16, 400))
    socks = [connect(rollcall.tcp) for _ in range(200)]
    for sock in socks:
        ask(sock, b"hello\n")
        sock.close()
    assert not rollcall.stderr.matching("warning")


@pytest.mark.io_uring("over epoll none is accepted ahead")
def test_no_descriptor_at_run_time(server):
    """The limit is lowered while the table is full. Linux takes the limit for an accept when that is
    started, so one more is accepted ahead, and has the place of the one that leaves. The next
    accept fails with EMFILE: it is not tried again and again, the clients are served, and when the
    limit is raised the new ones are too."""
    rollcall = server("--max-clients", "2")
    old, leaving = connect(rollcall.tcp), connect(rollcall.tcp)
    for sock in (old, leaving):
        ask(sock, b"old\n")
    before = resource.prlimit(rollcall.pid, resource.RLIMIT_NOFILE, (3, 20000))
    new = [connect(rollcall.tcp) for _ in range(5)]
    for sock in new:
        sock.sendall(b"new\n")
    leaving.close()
    ahead = new.pop(0)
    wait_until(lambda: answered(ahead), "the one ahead to be served")
    cpu_before = rollcall.cpu_s()
    assert all(is_silent(sock, 0.4) for sock in new)
    assert rollcall.cpu_s() - cpu_before < IDLE_CPU_S
    ask(old, b"still served\n")
    resource.prlimit(rollcall.pid, resource.RLIMIT_NOFILE, before)
    for sock in new:
        ahead.close()
        wait_until(lambda: answered(sock), "the new ones to be served")
        ahead = sock
    ahead.close()
    old.close()


def test_longest_line(server):
    """A line as long as --line-bytes-max may say is taken, though the client's memory doubled for it
    would be more than all clients have."""
    rollcall = server("--quiet", "--service", "discard", "--framing", "lines", "--line-bytes-max",
                      "128M", "--log-level", "debug")
    with connect(rollcall.tcp) as sock:
        for _ in range(128):
            sock.sendall(b"x" * (1 << 20))
        sock.sendall(b"\r\n")
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""
    rollcall.wait_for_log("ended by the client")


def test_idle_timeout(server):
    """--idle-timeout ends a client that has sent nothing for this long, in good order, and no
    other."""
    rollcall = server("--idle-timeout", "1", "--log-level", "debug")
    idle, active = connect(rollcall.tcp), connect(rollcall.tcp)
    ask(idle, b"hello\n")
    start = time.monotonic()
    while is_silent(idle, 0):
        ask(active, b"still here\n")
        time.sleep(0.02)
        assert time.monotonic() - start < 10
    assert time.monotonic() - start > 0.8
    assert idle.recv(10) == b""
    idle.close()
    (line,) = rollcall.wait_for_log("client 0 disconnected")
    assert "idle" in line
    assert not rollcall.stderr.matching("client 1 disconnected")
    active.close()


def test_no_idle_timeout_by_default(server):
    """A silent client stays as long as it likes."""
    rollcall = server()
    with connect(rollcall.tcp) as sock:
        assert is_silent(sock, 2)
        ask(sock, b"hello\n")


def leave_by_half_close(sock):
    sock.sendall(b"last words")
    sock.shutdown(socket.SHUT_WR)
    assert receive_to_end(sock) == b"Received: last words"
    sock.close()


def leave_with_unread_answers(sock):
    ask(sock, b"hello\n")
    sock.sendall(b"unread\n")
    wait_until(lambda: answered(sock), "an answer")
    sock.close()


def leave_by_oversized_line(sock):
    sock.sendall(b"y" * 70000)
    receive_to_end(sock)
    sock.close()


@pytest.mark.smoke
@pytest.mark.parametrize("leave, reason", [
    (leave_by_half_close, "ended by the client"),
    (socket.socket.close, "ended by the client"),
    (reset, "reset by the client"),
    (leave_with_unread_answers, "reset by the client"),
    (leave_by_oversized_line, "message too long"),
], ids=["half-close", "close", "reset", "unread answers", "oversized"])
def test_reasons(server, leave, reason):
    """Each kind of end is told once, on the console and, with its reason, in the debug log; also
    twenty at a time."""
    rollcall = server("--log-level", "debug")
    socks = [connect(rollcall.tcp) for _ in range(20)]
    for sock in socks:
        ask(sock, b"hello\n")
        leave(sock)
    rollcall.wait_for_lines("disconnected", 20)
    assert rollcall.stop() == 0
    for client in range(20):
        assert rollcall.stdout.count(f"Client ID : {client} disconnected .") == 1
        (line,) = rollcall.stderr.matching(f"client {client} disconnected")
        assert line == f"rollcall: debug: client {client} disconnected: {reason}"


def test_reset_before_it_is_accepted(server):
    """Clients that reset while they wait in the backlog, and some that reset at once after they
    came: the ones that were announced are said goodbye to, once, and the server serves on."""
    rollcall = server("--max-clients", "2", "--log-level", "debug")
    present = [connect(rollcall.tcp) for _ in range(2)]
    for sock in present:
        ask(sock, b"hello\n")
    for _ in range(50):
        sock = connect(rollcall.tcp)
        sock.sendall(b"gone\n")
        reset(sock)
    for sock in present:
        sock.close()
    with connect(rollcall.tcp) as sock:
        ask(sock, b"hello\n")
    wait_until(lambda: everyone_has_left(rollcall), "all to be said goodbye to")


def everyone_has_left(rollcall):
    came = [line.split()[3] for line in rollcall.stdout.matching(" connected")]
    left = [line.split()[3] for line in rollcall.stdout.matching("disconnected")]
    return sorted(came) == sorted(left)


def test_vanished(server):
    """A client on the far side of a cable that is cut: neither an end nor a reset ever comes, but
    keepalive probes find out. A client that is there, but silent and not reading, is probed as well
    and stays. The cable is a veth pair between two network namespaces."""
    near, far = network.Namespace(), network.Namespace()
    with network.entered(near):
        network.ip("link", "set", "lo", "up")
        network.ip("link", "add", "near", "type", "veth", "peer", "name", "far",
                   "netns", far.path)
        network.set_up("near", "10.0.0.1/24")
        rollcall = server("--tcp", "10.0.0.1:0", "--udp", "none", "--keepalive", "1",
                          "--log-level", "debug", "--send-queue-bytes", "64K")
        present = connect(rollcall.tcp, receive_bytes=4096)
        (taken,) = send_until_stalled([present], b"line\n" * 1000)
    with network.entered(far):
        network.set_up("far", "10.0.0.2/24")
        vanishing = connect(rollcall.tcp)
    ask(vanishing, b"hello\n")
    with network.entered(far):
        network.ip("link", "set", "far", "down")
    (line,) = rollcall.wait_for_log("client 1 disconnected", deadline_s=90)
    assert line.endswith(": timed out: no acknowledgement from the client")
    rollcall.wait_for_lines("disconnected", 1)
    answers = taken // len(b"line\n") * b"Received: line\n"
    assert receive_exactly(present, len(answers)) == answers
    present.close()
    vanishing.close()
