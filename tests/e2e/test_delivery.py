# SPDX-License-Identifier: MIT
"""What a client has acknowledged decides when it ends: not before it has everything, and not while
it takes something. And what arrived in time is answered, though the process was stopped."""

import os
import signal
import socket
import time

import pytest

from client import DEADLINE_S, Background, ask, connect, digest, noise, receive_exactly, receive_to_end

LINE = noise(8000).replace(b"\n", b"n") + b"\n"
ANSWER = b"Received: " + LINE


def receive_slowly(sock, count, bytes_a_second):
    """Receives in small parts, at a steady pace, as over a slow link."""
    data = b""
    while len(data) < count:
        part = sock.recv(min(count - len(data), bytes_a_second // 20))
        assert part, f"the end of the stream after {len(data)} of {count} bytes"
        data += part
        time.sleep(0.05)
    return data


def test_reader_that_waits_in_the_drain(server):
    """The kernel holds all the answers when the server stops, and the client, which goes on
    sending, reads them only 3 s later: it gets all that it had asked for, and then the end."""
    rollcall = server("--drain-timeout", "20")
    with connect(rollcall.tcp, receive_bytes=4096) as sock:
        sock.sendall(LINE * 25)
        rollcall.wait_for_lines("^Received: ", 25)
        rollcall.signal()
        for _ in range(6):
            time.sleep(0.5)
            sock.sendall(b"more\n")
        got = receive_to_end(sock)
        assert digest(got[:25 * len(ANSWER)]) == digest(ANSWER * 25)
    assert rollcall.wait() == 0


def test_oversized_line_of_a_slow_reader(server):
    """A line that is too long ends a client; the answers before it and the error still come, 3 s
    later, though the client has not stopped sending."""
    rollcall = server("--line-bytes-max", "8001")
    with connect(rollcall.tcp, receive_bytes=4096) as sock:
        sock.sendall(LINE * 25 + b"x" * 9000)
        for _ in range(6):
            time.sleep(0.5)
            sock.sendall(b"x" * 9000)
        got = receive_to_end(sock)
    assert digest(got[:25 * len(ANSWER)]) == digest(ANSWER * 25)
    assert got[25 * len(ANSWER):].startswith(b"Error: ")


def test_send_timeout(server):
    """A half-closed client that takes its answers slowly has all the time it needs; one that takes
    nothing for the send timeout is reset, in an eighth more at the latest."""
    rollcall = server("--send-timeout", "1", "--service", "echo", "--log-level", "debug")
    data = noise(6 << 20)
    slow, stuck = (connect(rollcall.tcp, receive_bytes=4096) for _ in range(2))
    for sock in slow, stuck:
        Background(sock.sendall, data[:600000]).result()
        sock.shutdown(socket.SHUT_WR)
    start = time.monotonic()
    got = receive_slowly(slow, 600000, 200000)
    assert time.monotonic() - start > 2
    assert digest(got) == digest(data[:600000]) and slow.recv(1) == b""
    (line,) = rollcall.wait_for_log("client 1 disconnected")
    assert "timed out" in line
    with pytest.raises(ConnectionResetError):
        receive_to_end(stuck)
    (line,) = rollcall.wait_for_log("client 0 disconnected")
    assert "ended by the client" in line


def test_not_idle_while_it_takes_an_answer(server):
    """The server has long sent everything when the idle timeout passes, but the client is still
    taking it: it is not idle, and is served on when it has it all. Then it is idle in the end."""
    rollcall = server("--idle-timeout", "1", "--service", "echo")
    data = noise(400000)
    with connect(rollcall.tcp, receive_bytes=4096) as sock:
        Background(sock.sendall, data).result()
        assert digest(receive_slowly(sock, len(data), 150000)) == digest(data)
        sock.sendall(b"again")
        assert receive_exactly(sock, 5) == b"again"
        start = time.monotonic()
        assert sock.recv(1) == b""
        assert time.monotonic() - start > 0.8


def test_first_message_after_the_signal(server):
    """A client that has just connected when the server stops is answered; one that stays silent
    is let go after its grace, and the server ends long before its drain timeout."""
    rollcall = server("--drain-timeout", "20")
    with connect(rollcall.tcp) as asks, connect(rollcall.tcp) as silent:
        rollcall.wait_for_lines("^Client ID : ", 2)
        start = time.monotonic()
        rollcall.signal()
        time.sleep(0.3)
        ask(asks, b"just in time\n")
        assert asks.recv(1) == b""
        assert silent.recv(1) == b""
    assert rollcall.wait() == 0
    assert 0.5 < time.monotonic() - start < 10


def test_message_begun_before_the_signal(server):
    """The rest of a line that had begun is waited for."""
    rollcall = server("--drain-timeout", "20")
    with connect(rollcall.tcp) as sock:
        ask(sock, b"first\n")
        sock.sendall(b"begun ")
        time.sleep(1.2)
        rollcall.signal()
        time.sleep(1.2)
        sock.sendall(b"and ended\n")
        answer = b"Received: begun and ended\n"
        assert receive_exactly(sock, len(answer)) == answer
        assert sock.recv(1) == b""
    assert rollcall.wait() == 0


@pytest.mark.parametrize("clients", [3, 300])
def test_not_idle_while_the_process_is_stopped(server, clients):
    """Stopped for twice the idle timeout, the process finds what came meanwhile before it finds
    that time has passed; only those that sent nothing have been idle."""
    rollcall = server("--idle-timeout", "1", "--quiet")
    socks = [connect(rollcall.tcp) for _ in range(clients)]
    silent = connect(rollcall.tcp)
    for sock in socks:
        ask(sock, b"before\n")
    os.kill(rollcall.pid, signal.SIGSTOP)
    for sock in socks:
        sock.sendall(b"meanwhile\n")
    time.sleep(2.2)
    os.kill(rollcall.pid, signal.SIGCONT)
    answer = b"Received: meanwhile\n"
    for sock in socks:
        assert receive_exactly(sock, len(answer)) == answer
    assert silent.recv(1) == b""
    for sock in [*socks, silent]:
        sock.close()


def push(sock, data):
    """Sends until the server takes no more for a while; returns how many bytes it took."""
    sock.settimeout(0.2)
    sent = 0
    try:
        while sent < len(data):
            sent += sock.send(data[sent:])
    except TimeoutError:
        pass
    sock.settimeout(DEADLINE_S)
    return sent


def test_stuck_readers_take_no_thread(server):
    """Clients that ask for much, read nothing and close their side: the server stays one thread, does
    not spin, and those that read at last get all."""
    rollcall = server("--service", "echo", "--quiet")
    asked = noise(6_000_000)
    socks = [connect(rollcall.tcp, receive_bytes=4096) for _ in range(20)]
    taken = [push(sock, asked) for sock in socks]
    assert min(taken) > 1_000_000
    for sock in socks:
        sock.shutdown(socket.SHUT_WR)
    time.sleep(0.5)
    before_s = rollcall.cpu_s()
    time.sleep(1)
    assert rollcall.cpu_s() - before_s < 0.2
    with open(f"/proc/{rollcall.pid}/status", encoding="ascii") as status:
        assert "\nThreads:\t1\n" in status.read()
    for sock, count in list(zip(socks, taken))[:3]:
        assert digest(receive_to_end(sock)) == digest(asked[:count])
    for sock in socks:
        sock.close()
