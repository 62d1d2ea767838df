# SPDX-License-Identifier: MIT
"""The services on the public API, with every framing, over TCP and UDP; what a service is given, in
whatever pieces the bytes arrive."""

import socket
import struct
import time

import pytest

from client import (Background, ask, connect, datagrams, digest, is_silent, noise, receive_exactly,
                    receive_to_end)
from program import WAITING, is_slow

MEGABYTE = 1 << 20
TOO_LONG = b"Error: line longer than %d bytes\n"


@pytest.mark.smoke
def test_echo(server):
    """RFC 862: raw bytes over TCP at once, without waiting for a line; datagrams as they are."""
    rollcall = server("--service", "echo")
    with connect(rollcall.tcp) as sock:
        for data in (b"h", b"ello", b"\r\n\0\xff", noise(10000)):
            sock.sendall(data)
            assert receive_exactly(sock, len(data)) == data
        sock.shutdown(socket.SHUT_WR)
        assert receive_to_end(sock) == b""
    with datagrams(rollcall.udp) as sock:
        for data in (b"hello", b"\0\r\n", b"", noise(5000)):
            sock.send(data)
            assert sock.recv(65536) == data


@pytest.mark.smoke
def test_discard(server):
    """RFC 863: everything is taken, nothing is ever answered; the console shows that it came."""
    rollcall = server("--service", "discard")
    with connect(rollcall.tcp) as sock, datagrams(rollcall.udp) as other:
        sock.sendall(b"tcp")
        other.send(b"udp")
        rollcall.wait_for("Received: tcp")
        rollcall.wait_for("Received: udp")
        sock.sendall(noise(3 * MEGABYTE))
        assert is_silent(sock, 0.2) and is_silent(other, 0.2)
        sock.shutdown(socket.SHUT_WR)
        assert receive_to_end(sock) == b""


@pytest.mark.parametrize("piece", [1, 7, 1023, 65536])
@pytest.mark.parametrize("service", ["echo", "reply"])
def test_megabyte(server, service, piece):
    """A megabyte in writes of 1 byte, odd sizes and 64 KiB, compared by its hash. For reply it is
    made of lines of many lengths. (Less of the single bytes for reply, and in slow runs.)"""
    count = MEGABYTE // 16 if piece == 1 and (is_slow() or service == "reply") else MEGABYTE
    if service == "echo":
        data = expected = noise(count)
    else:
        lines = []
        while sum(map(len, lines)) < count:
            lines += [noise(len(lines) * 37 % 4000, len(lines)).replace(b"\n", b"n") + b"\n"
                      for _ in range(50)]
        data = b"".join(lines)
        expected = b"".join(b"Received: " + line for line in lines)
    rollcall = server("--service", service, "--quiet")

    def send():
        for start in range(0, len(data), piece):
            sock.sendall(data[start:start + piece])
        sock.shutdown(socket.SHUT_WR)

    with connect(rollcall.tcp) as sock:
        sender = Background(send)
        answer = receive_to_end(sock)
        sender.result()
    assert (len(answer), digest(answer)) == (len(expected), digest(expected))


def test_lines_split_everywhere(server):
    """Some lines with LF, CR LF and none, cut in two at every position, with a pause for the server
    to take the first part by itself: the answers are always the same."""
    rollcall = server("--quiet")
    text = b"one\r\n\ntwo \rx\r\n\r\n" + b"three" * 3 + b"\nend"
    answers = [b"Received: " + line for line in (
        b"one\r\n", b"\n", b"two \rx\r\n", b"\r\n", b"three" * 3 + b"\n", b"end")]
    for cut in range(len(text) + 1):
        with connect(rollcall.tcp) as sock:
            sock.sendall(text[:cut])
            complete = text[:cut].count(b"\n")
            first = receive_exactly(sock, len(b"".join(answers[:complete])))
            time.sleep(0.002)
            sock.sendall(text[cut:])
            sock.shutdown(socket.SHUT_WR)
            assert first + receive_to_end(sock) == b"".join(answers), f"cut at {cut}"


def test_many_lines_in_one_write(server):
    """Ten thousand short lines at once, some empty: each is answered, in order."""
    rollcall = server("--quiet")
    lines = [b"%d\n" % number if number % 3 else b"\n" for number in range(10000)]
    expected = b"".join(b"Received: " + line for line in lines)
    with connect(rollcall.tcp) as sock:
        sender = Background(sock.sendall, b"".join(lines))
        assert receive_exactly(sock, len(expected)) == expected
        sender.result()


@pytest.mark.parametrize("limit", [65536, 1000, 1])
def test_oversized_line(server, limit):
    """A line that is too long: the answers to those before it come first, then the error, then the
    end. Nothing after it is answered. The longest allowed line passes, whatever its ending."""
    rollcall = server(*(["--line-bytes-max", limit] if limit != 65536 else []))
    good = [b"x" * limit + ending for ending in (b"\n", b"\r\n")]
    bad = b"y" * (limit + 1)
    for tail in (b"\nafter\n", b"\r\nafter\n", b"y" * 70000 + b"\nafter\n", b""):
        with connect(rollcall.tcp) as sock:
            sock.sendall(b"".join(good) + bad + tail)
            if not tail:
                sock.shutdown(socket.SHUT_WR)
            assert receive_to_end(sock) == b"".join(
                b"Received: " + line for line in good) + TOO_LONG % limit
    rollcall.wait_for_lines("disconnected", 4)
    assert not rollcall.stdout.matching("Received: .*after")


def test_oversized_line_behind_a_queue(server):
    """A long queue of answers that the client does not read yet, then a line that is too long: when
    it reads, all the answers come, and the error after them."""
    rollcall = server("--quiet")
    lines = [b"%d %s\n" % (number, b"z" * 5000) for number in range(100)]
    with connect(rollcall.tcp, receive_bytes=4096) as sock:
        sender = Background(sock.sendall, b"".join(lines) + b"y" * 70000 + b"\n")
        time.sleep(0.5)
        assert receive_to_end(sock) == b"".join(
            b"Received: " + line for line in lines) + TOO_LONG % 65536
        sender.result()


def test_oversized_client_that_goes_on(server):
    """A client that never stops sending its endless line is told so, and does not keep the server:
    the error text reaches it though it has not read while it sent."""
    rollcall = server()
    with connect(rollcall.tcp) as sock:
        try:
            for _ in range(200):
                sock.sendall(b"y" * 10000)
        except OSError:
            pass
        rollcall.wait_for("Client ID : 0 disconnected .")
    with connect(rollcall.tcp) as sock:
        ask(sock, b"others are served\n")


@pytest.mark.parametrize("service", ["echo", "reply"])
def test_length_framing(server, service):
    """32-bit big-endian lengths: of 0 bytes, with line endings inside, split at every position, and
    the longest; the answers carry their own lengths. A datagram needs none."""
    rollcall = server("--service", service, "--framing", "length")
    prefix = b"Received: " if service == "reply" else b""
    messages = [b"", b"a", b"two\nlines\r\n", noise(65536), b"end"]
    stream = b"".join(framed(message) for message in messages)
    expected = b"".join(framed(prefix + message) for message in messages)
    for cut in [*range(30), len(stream) - 7, len(stream) - 1]:
        with connect(rollcall.tcp) as sock:
            sock.sendall(stream[:cut])
            time.sleep(0.002)
            sock.sendall(stream[cut:])
            sock.shutdown(socket.SHUT_WR)
            assert receive_to_end(sock) == expected, f"cut at {cut}"
    with datagrams(rollcall.udp) as sock:
        sock.send(b"no length")
        assert sock.recv(65536) == prefix + b"no length"


def framed(message):
    return struct.pack(">I", len(message)) + message


def test_length_framing_too_long(server):
    """A length above the limit ends the client at once, also if it is as large as lengths get."""
    rollcall = server("--framing", "length", "--service", "echo", "--line-bytes-max", 100)
    for length in (101, 0x7fffffff, 0x80000000, 0xffffffff):
        with connect(rollcall.tcp) as sock:
            sock.sendall(framed(b"x" * 100) + struct.pack(">I", length) + b"rest")
            assert receive_to_end(sock).startswith(framed(b"x" * 100))
    rollcall.wait_for_lines("disconnected", 4)


def test_framing_overrides(server):
    """--framing lines with echo answers whole lines only; --framing raw with reply does not wait
    for the end of the line."""
    rollcall = server("--service", "echo", "--framing", "lines")
    with connect(rollcall.tcp) as sock:
        sock.sendall(b"half")
        assert is_silent(sock, 0.2)
        sock.sendall(b" line\n")
        assert receive_exactly(sock, 10) == b"half line\n"
    rollcall = server("--service", "reply", "--framing", "raw")
    with connect(rollcall.tcp) as sock:
        sock.sendall(b"no end")
        assert receive_exactly(sock, 16) == b"Received: no end"


@pytest.mark.smoke
def test_addresses_repeat(server):
    """--tcp and --udp repeat, port 0 takes a free one, and each address is logged and served, with
    one series of IDs for all of them."""
    rollcall = server("--tcp", "127.0.0.1:0", "--tcp", "127.0.0.2:0", "--tcp", "[::1]:0",
                      "--udp", "127.0.0.1:0", "--udp", "[::1]:0")
    assert [host for host, _ in rollcall.addresses("tcp")] == ["127.0.0.1", "127.0.0.2", "::1"]
    assert [host for host, _ in rollcall.addresses("udp")] == ["127.0.0.1", "::1"]
    assert all(port for kind in ("tcp", "udp") for _, port in rollcall.addresses(kind))
    number = 0
    for kind, call in (("tcp", connect), ("udp", datagrams)):
        for address in rollcall.addresses(kind):
            with call(address) as sock:
                ask(sock, b"hello\n")
                rollcall.wait_for(f"Client ID : {number} connected .")
                number += 1


def test_none(server):
    """--tcp none and --udp none each turn one off; a server without either has nothing to do and
    says so."""
    rollcall = server("--tcp", "none")
    with datagrams(rollcall.udp) as sock:
        ask(sock, b"hello\n")
    assert rollcall.addresses("tcp") == []
    rollcall = server("--udp", "none")
    with connect(rollcall.tcp) as sock:
        ask(sock, b"hello\n")
    assert rollcall.addresses("udp") == []
    assert rollcall.stdout[0] == WAITING


def test_nothing_to_listen_on(run):
    """Both turned off: a usage error."""
    done = run("--tcp", "none", "--udp", "none")
    assert done.returncode == 64 and "none" in done.stderr
