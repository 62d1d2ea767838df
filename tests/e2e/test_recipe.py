# SPDX-License-Identifier: MIT
"""The recipe, exactly: the program without options, and the tools that a person would try it with.
Each test has a network of its own, in which ports 8080 and 7070 are free."""

import os
import pty
import subprocess

import pytest

from client import ask, connect, datagrams, receive_exactly, receive_to_end
from program import DEADLINE_S, WAITING

pytestmark = pytest.mark.usefixtures("own_network")
TCP, TCP6 = ("127.0.0.1", 8080), ("::1", 8080)
UDP, UDP6 = ("127.0.0.1", 7070), ("::1", 7070)


class Tool:
    """A program of the user's, such as nc, that a test types into and reads."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def type(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def shows(self, expected):
        assert receive_exactly(self, len(expected)) == expected

    def recv(self, count):
        return os.read(self.process.stdout.fileno(), count)

    def leaves(self):
        self.process.kill()
        self.process.wait()


def connected(client):
    return f"Client ID : {client} connected ."


def disconnected(client):
    return f"Client ID : {client} disconnected ."


@pytest.mark.smoke
def test_nc_sessions(server):
    """Two nc beside each other, then a third after both have left. Each step is waited for, so the
    order of all lines is known, and standard output must be these lines and no other."""
    rollcall = server(recipe=True)
    with Tool("nc", "localhost", "8080") as first:
        first.type(b"hello\n")
        first.shows(b"Received: hello\n")
        with Tool("nc", "localhost", "8080") as second:
            rollcall.wait_for(connected(1))
            second.type(b"me too\n")
            second.shows(b"Received: me too\n")
            first.type(b"again\n")
            first.shows(b"Received: again\n")
            second.leaves()
            rollcall.wait_for(disconnected(1))
        first.leaves()
        rollcall.wait_for(disconnected(0))
    with Tool("nc", "localhost", "8080") as third:
        third.type(b"late\n")
        third.shows(b"Received: late\n")
    rollcall.wait_for(disconnected(2))
    assert rollcall.stop() == 0
    assert list(rollcall.stdout) == [
        WAITING, connected(0), WAITING, "Received: hello", connected(1), WAITING,
        "Received: me too", "Received: again", disconnected(1), disconnected(0),
        connected(2), WAITING, "Received: late", disconnected(2)]


def test_nc_half_close(server):
    """printf hi | nc -N localhost 8080: a last line without an ending is answered as it is, and nc
    ends because the server ends the connection too."""
    rollcall = server(recipe=True)
    for client, (text, answer) in enumerate([(b"hi", b"Received: hi"), (b"", b""),
                                             (b"a\nb", b"Received: a\nReceived: b"),
                                             (b"a\r\n", b"Received: a\r\n")]):
        done = subprocess.run(["nc", "-N", "localhost", "8080"], input=text,
                              stdout=subprocess.PIPE, timeout=DEADLINE_S)
        assert (done.returncode, done.stdout) == (0, answer)
        rollcall.wait_for(disconnected(client))


def test_nc_udp(server):
    """nc -u: the payload comes back behind the prefix; a UDP client has an ID of the same series as
    the TCP clients, and prints its ID line alone."""
    rollcall = server(recipe=True)
    with Tool("nc", "-u", "localhost", "7070") as first:
        for text in (b"hello\n", b"again\n"):
            first.type(text)
            first.shows(b"Received: " + text)
        with Tool("nc", "localhost", "8080") as second:
            second.type(b"tcp\n")
            second.shows(b"Received: tcp\n")
            with Tool("nc", "-u", "localhost", "7070") as third:
                third.type(b"third\n")
                third.shows(b"Received: third\n")
    rollcall.wait_for(disconnected(1))
    assert list(rollcall.stdout) == [
        WAITING, connected(0), "Received: hello", "Received: again", connected(1), WAITING,
        "Received: tcp", connected(2), "Received: third", disconnected(1)]


def test_telnet(server):
    """telnet on a terminal of its own: what is typed comes back, and leaving with its own command
    ends the client. A telnet line ends with CR LF, and so does the answer."""
    rollcall = server(recipe=True)
    terminal, inner = pty.openpty()
    telnet = subprocess.Popen(["telnet", "localhost", "8080"], stdin=inner, stdout=inner,
                              stderr=inner, start_new_session=True)
    os.close(inner)
    shown = b""

    def wait_to_see(text):
        nonlocal shown
        while text not in shown:
            shown += os.read(terminal, 4096)
        shown = shown.split(text, 1)[1]

    try:
        wait_to_see(b"Escape character is '^]'.")
        os.write(terminal, b"hello\r")
        wait_to_see(b"Received: hello\r\n")
        rollcall.wait_for("Received: hello")
        os.write(terminal, b"\x1d")
        wait_to_see(b"telnet>")
        os.write(terminal, b"quit\r")
        rollcall.wait_for(disconnected(0))
    finally:
        telnet.kill()
        telnet.wait()
        os.close(terminal)


def test_socat(server):
    """socat over IPv6, with a line ending of CR LF made from LF."""
    server(recipe=True)
    done = subprocess.run(["socat", "-t", "10", "-", "TCP6:[::1]:8080,crlf"], input=b"one\ntwo\n",
                          stdout=subprocess.PIPE, timeout=DEADLINE_S)
    assert done.stdout == b"Received: one\nReceived: two\n"


@pytest.mark.smoke
@pytest.mark.parametrize("message", [b"hello\n", b"hello\r\n", b"\n", b"\r\n", b" \n", b"a\rb\n",
                                     b"\r\r\n", b"\0\n", b"Received: \n", b"x" * 65536 + b"\n",
                                     b"x" * 65536 + b"\r\n"],
                         ids=lambda text: ascii(text[:12]))
def test_line_endings(server, message):
    """Each message comes back behind the prefix with the very line ending that it had."""
    rollcall = server(recipe=True)
    for address in (TCP, TCP6):
        with connect(address) as sock:
            ask(sock, message)
            ask(sock, message)
            sock.shutdown(1)
            assert receive_to_end(sock) == b""
    if len(message) < 65000:
        for address in (UDP, UDP6):
            with datagrams(address) as sock:
                ask(sock, message)


def test_both_families_listened_on(server):
    """localhost is 127.0.0.1 and ::1: the diagnostics name both, for TCP and for UDP."""
    rollcall = server(recipe=True)
    assert sorted(rollcall.addresses("tcp")) == [TCP, TCP6]
    assert sorted(rollcall.addresses("udp")) == [UDP, UDP6]


def test_ids_count_up(server):
    """IDs count up by one, whichever clients leave: 0 to 299, with never more than 3 at a time,
    and each of them says goodbye exactly once."""
    rollcall = server(recipe=True)
    present = []
    for _ in range(300):
        present.append(connect(TCP))
        ask(present[-1], b"x\n")
        if len(present) == 3:
            present.pop(1).close()
    for sock in present:
        sock.close()
    rollcall.wait_for_lines("disconnected", 300)
    assert rollcall.stdout.matching(r" connected") == [connected(i) for i in range(300)]
    assert sorted(rollcall.stdout.matching("disconnected")) == sorted(map(disconnected, range(300)))


@pytest.mark.parametrize("message, shown", [
    (b"tab\there\n", r"tab\there"),
    (b"\x1b[2Jcls\x07\n", r"\x1b[2Jcls\x07"),
    (b"back\\slash\n", r"back\\slash"),
    ("grüße, мир, 世界, 🎉\n".encode(), "grüße, мир, 世界, 🎉"),
    (b"\x7f\xff\xc3\n", r"\x7f\xff\xc3"),
    (b"\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\n", r"\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80"),
    (b"a\rb\r\n", r"a\rb"),
    (b"end\r\r\n", r"end\r"),
    (b"\0\n", r"\x00"),
    (b"\n", ""),
    (b"x" * 200 + b"\n", "x" * 200),
    (b"x" * 201 + b"\n", "x" * 200 + "..."),
    (b"\x01" * 5000 + b"\n", r"\x01" * 200 + "..."),
], ids=lambda text: ascii(text[:12]))
def test_console_escapes(server, message, shown):
    """What a peer sends cannot steer the terminal: TCP and UDP messages, as the console shows them.
    The answer has all the bytes as they were."""
    rollcall = server(recipe=True)
    for number, (kind, address) in enumerate(((connect, TCP), (datagrams, UDP)), 1):
        with kind(address) as sock:
            ask(sock, message)
            rollcall.wait_for("Received: " + shown, number)


def test_datagram_with_several_lines(server):
    """A datagram is one message: inner line endings are escaped, only the last one is left out."""
    rollcall = server(recipe=True)
    with datagrams(UDP) as sock:
        ask(sock, b"one\ntwo\r\n\n")
        rollcall.wait_for(r"Received: one\ntwo\r\n")


def test_nothing_waits_for_another_client(server):
    """Clients that keep the server waiting in every way: silent, in the middle of a line, or not
    reading their answers. A new client of TCP and one of UDP are served all the same."""
    server(recipe=True)
    clumsy = [connect(TCP) for _ in range(20)]
    for sock in clumsy[:10]:
        sock.sendall(b"half a li")
    for sock in clumsy[10:15]:
        sock.sendall(b"never read\n" * 5000)
    for address in (TCP, TCP6):
        with connect(address) as sock:
            ask(sock, b"hello\n")
    with datagrams(UDP) as sock:
        ask(sock, b"hello\n")
    for sock in clumsy[:10]:
        sock.sendall(b"ne\n")
        assert receive_exactly(sock, 22) == b"Received: half a line\n"
    for sock in clumsy:
        sock.close()
