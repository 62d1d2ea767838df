# SPDX-License-Identifier: MIT
"""Both engines do the same work: whatever is sent to a server over io_uring and to one over epoll,
the same comes back. Each test talks to one and to the other, and knows what is due."""

import os
import re
import socket
import struct
import time

import pytest

from client import (Background, connect, datagrams, digest, is_silent, noise, receive_exactly,
                    receive_to_end, reset, send_until_stalled)
from program import is_sanitized, wait_until

SOFT_LIMIT = 64 << 10
MEMORY_GROWTH_MAX = (512 if is_sanitized() else 140) << 20
UDP_SEGMENT = 103


@pytest.fixture
def both(server):
    """both(*options) starts a server of each engine, alike."""
    return lambda *options: [server(*options, "--quiet", "--engine", engine)
                             for engine in ("io_uring", "epoll")]


def converse(address, pieces, pause_s=0.002):
    """Sends the pieces one by one, ends its side, and returns all that comes."""
    with connect(address) as sock:
        for piece in pieces:
            sock.sendall(piece)
            time.sleep(pause_s)
        sock.shutdown(socket.SHUT_WR)
        return receive_to_end(sock)


def message(data):
    return struct.pack("!I", len(data)) + data


def test_engines(both):
    """The one has an io_uring and the other has none, but an epoll."""
    kinds = []
    for one in both():
        files = " ".join(os.readlink(entry) for entry in os.scandir(f"/proc/{one.pid}/fd"))
        kinds.append(re.findall(r"io_uring|eventpoll", files))
    assert kinds == [["io_uring"], ["eventpoll"]]


@pytest.mark.parametrize("service, expected", [
    ("echo", b"one\r\ntwo\n\n\nthree and end"),
    ("reply", b"Received: one\r\nReceived: two\nReceived: \nReceived: \n"
              b"Received: three and end"),
    ("discard", b"")])
def test_services(both, service, expected):
    """Lines whole, in halves and several together, the last without an end; and datagrams."""
    pieces = b"one", b"\r", b"\ntwo\n\n", b"\nthree", b" and end"
    for one in both("--service", service):
        assert converse(one.tcp, pieces) == expected
        with datagrams(one.udp) as sock:
            for data in (b"hello", b"", b"two\nlines\n", noise(5000), noise(65000)):
                sock.send(data)
                if service == "discard":
                    assert is_silent(sock, 0.05)
                else:
                    prefix = b"Received: " if service == "reply" else b""
                    assert sock.recv(1 << 17) == prefix + data


@pytest.mark.parametrize("piece", [1, 7, 100])
def test_length_framing(both, piece):
    """Messages that announce their length, one empty, in pieces of any size."""
    texts = b"first", b"", b"x" * 300, b"last"
    stream = b"".join(map(message, texts))
    pieces = [stream[at:at + piece] for at in range(0, len(stream), piece)]
    for one in both("--framing", "length", "--service", "reply"):
        assert converse(one.tcp, pieces, 0) == b"".join(
            message(b"Received: " + text) for text in texts)


def test_oversized_line(both):
    """What is too long ends the client, after the answers that were due; nothing else is answered."""
    stream = b"short\n" + b"y" * 1001 + b"\nafter\n"
    for one in both("--line-bytes-max", 1000):
        assert converse(one.tcp, [stream]) == (
            b"Received: short\nError: line longer than 1000 bytes\n")


@pytest.mark.parametrize("service", ["echo", "reply"])
def test_pipelined(both, service):
    """Megabytes of lines of many lengths at once, and a half-close behind them: all is answered, to
    a client that begins to read late too."""
    lines = [noise(37 * number % 3000, number).replace(b"\n", b"n") + b"\n"
             for number in range(2000)]
    prefix = b"Received: " if service == "reply" else b""
    expected = b"".join(prefix + line for line in lines)

    def send(sock):
        sock.sendall(b"".join(lines))
        sock.shutdown(socket.SHUT_WR)

    for one in both("--service", service, "--send-queue-bytes", SOFT_LIMIT):
        with connect(one.tcp, receive_bytes=8192) as late, connect(one.tcp) as sock:
            senders = Background(send, late), Background(send, sock)
            assert digest(receive_to_end(sock)) == digest(expected)
            assert digest(receive_to_end(late)) == digest(expected)
            for sender in senders:
                sender.result()


def test_never_reads(both):
    """Clients that do not read stall themselves, not others, and cost no more memory than their
    limit and no time; when they read, every byte is right."""
    data = noise(1 << 20)
    for one in both("--service", "echo", "--send-queue-bytes", SOFT_LIMIT):
        before = one.memory_bytes()
        stalled = [connect(one.tcp, receive_bytes=16384) for _ in range(4)]
        taken = send_until_stalled(stalled, data)
        assert min(taken) > SOFT_LIMIT
        assert one.memory_bytes("VmHWM") - before < MEMORY_GROWTH_MAX
        used_s = one.cpu_s()
        assert converse(one.tcp, [b"others"], 0.3) == b"others"
        assert one.cpu_s() - used_s < 0.15
        for sock, count in zip(stalled, taken):
            sock.shutdown(socket.SHUT_WR)
            whole, part = divmod(count, len(data))
            assert digest(receive_to_end(sock)) == digest(data * whole + data[:part])


def test_long_answers(both):
    """Small requests with long answers, sent with pauses and not read for a while: the server goes
    on when the client does, though not a byte comes any more that could remind it."""
    requests = [b"\n" * 50000] * 12
    expected = b"Received: \n" * sum(map(len, requests))
    for one in both("--send-queue-bytes", SOFT_LIMIT):
        with connect(one.tcp, receive_bytes=8192) as sock:
            for request in requests:
                sock.sendall(request)
                time.sleep(0.02)
            assert digest(receive_exactly(sock, len(expected))) == digest(expected)


def test_resets(both):
    """Clients that reset their connection, at rest or with much unread, leave nothing behind."""
    for one in both("--service", "echo", "--send-queue-bytes", SOFT_LIMIT):
        files = one.files()
        socks = [connect(one.tcp, receive_bytes=4096) for _ in range(40)]
        send_until_stalled(socks[:2], noise(1 << 18))
        for number, sock in enumerate(socks[2:]):
            sock.sendall(b"x" * 1000 * number)
        for sock in socks:
            reset(sock)
        wait_until(lambda: one.files() == files, "the connections to be closed")
        assert converse(one.tcp, [b"still", b" there"]) == b"still there"


def test_full_table(both):
    """Above the limit a client waits until another one leaves."""
    for one in both("--service", "echo", "--max-clients", 2):
        first, second, third = (connect(one.tcp) for _ in range(3))
        for sock in (second, third):
            sock.sendall(b"here")
        assert receive_exactly(second, 4) == b"here"
        assert is_silent(third, 0.1)
        first.close()
        assert receive_exactly(third, 4) == b"here"
        second.close()
        third.close()


def test_many_datagrams(both):
    """Many from a few clients at once, and some that travel together: each is answered, in order."""
    texts = [b"%04d" % number for number in range(200)]
    for one in both("--service", "echo", "--udp-receive-buffer", 4 << 20):
        socks = [datagrams(one.udp) for _ in range(4)]
        for sock in socks[1:]:
            for text in texts:
                sock.send(text)
        socks[0].setsockopt(socket.SOL_UDP, UDP_SEGMENT, len(texts[0]))
        for start in range(0, len(texts), 50):
            socks[0].send(b"".join(texts[start:start + 50]))
        for sock in socks:
            assert [sock.recv(65536) for _ in texts] == texts
            sock.close()
