# SPDX-License-Identifier: MIT
"""UDP clients: told apart by their addresses, forgotten when idle, bounded in number, answered from
the address that they asked; and what must not be answered, because an answer would be a weapon."""

import pathlib
import socket
import struct
import time

import pytest

import rtp
from client import ask, datagrams, is_silent, noise, receive_exactly
from program import is_slow

SIZES = [0, 1, 2, 3, 511, 1471, 1472, 1473, 4095, 4096, 8192, 9000, 16384, 32768, 65000]


def connected(client):
    return f"Client ID : {client} connected ."


def test_ids_by_address(server):
    """A socket is a client: the ID line comes with its first datagram only. Another port, another
    local address or another family is another client."""
    rollcall = server("--udp", "127.0.0.1:0", "--udp", "[::1]:0")
    v4, v6 = rollcall.addresses("udp")
    socks = [datagrams(v4), datagrams(v4), datagrams(v4, bind=("127.0.0.5", 0)), datagrams(v6)]
    for turn in range(3):
        for number, sock in enumerate(socks):
            ask(sock, b"turn %d of %d\n" % (turn, number))
            rollcall.wait_for(connected(number))
    rollcall.wait_for_lines("Received", 12)
    assert len(rollcall.stdout.matching("connected")) == 4
    for sock in socks:
        sock.close()


def test_same_port_of_two_addresses(server):
    """Two clients whose ports are equal and whose addresses are not get their own answers."""
    rollcall = server()
    with datagrams(rollcall.udp, bind=("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
        with datagrams(rollcall.udp, bind=("127.0.0.9", port)) as two:
            for _ in range(3):
                ask(one, b"one\n")
                ask(two, b"two\n")
    rollcall.wait_for_lines("Received", 6)
    assert len(rollcall.stdout.matching(" connected")) == 2


@pytest.mark.parametrize("address", ["127.0.0.1:0", "[::1]:0"])
def test_datagrams_of_all_sizes(server, address):
    """0 to 65,507 bytes come back whole; one of no bytes does not stop the server from
    receiving."""
    rollcall = server("--service", "echo", "--udp", address)
    with datagrams(rollcall.udp) as sock:
        for size in [*SIZES, 65506, 65507, 0, 0, 1]:
            data = noise(size, size)
            sock.send(data)
            assert sock.recv(1 << 17) == data
    with datagrams(rollcall.udp) as sock:
        sock.send(b"another")
        assert sock.recv(100) == b"another"


def test_reply_to_all_sizes(server):
    """The prefix is put before payloads of every size that leaves space for it; where the answer
    would be larger than a datagram can be, it says so instead, and nothing else happens."""
    rollcall = server("--quiet")
    with datagrams(rollcall.udp) as sock:
        for size in [*SIZES, 65496, 65497]:
            ask(sock, noise(size, size))
        for size in (65498, 65507):
            sock.send(noise(size))
            assert sock.recv(1 << 17).startswith(b"Error: too long")
        ask(sock, b"")
        ask(sock, b"still here\n")


def test_parallel_replies(server):
    """Eight clients with several datagrams under way each: every client gets all its own
    answers."""
    rollcall = server("--quiet")
    socks = [datagrams(rollcall.udp) for _ in range(8)]
    for turn in range(10 if is_slow() else 100):
        asked = {sock: [b"%d of %d, %d" % (number, index, turn) for number in range(8)]
                 for index, sock in enumerate(socks)}
        for sock, messages in asked.items():
            for message in messages:
                sock.send(message)
        for sock, messages in asked.items():
            got = sorted(sock.recv(1000) for _ in messages)
            assert got == sorted(b"Received: " + message for message in messages)
    for sock in socks:
        sock.close()


def test_idle_timeout(server):
    """A client that is silent for longer than the timeout is forgotten: its next datagram makes it
    a new client. One that goes on sending keeps its ID."""
    rollcall = server("--udp-idle-timeout", "0.5", "--log-level", "debug")
    with datagrams(rollcall.udp) as silent, datagrams(rollcall.udp) as active:
        ask(silent, b"first\n")
        ask(active, b"first\n")
        rollcall.wait_for(connected(1))
        end = time.monotonic() + 2
        while time.monotonic() < end:
            ask(active, b"still here\n")
            time.sleep(0.05)
        (line,) = rollcall.wait_for_log("client 0 disconnected")
        assert "idle" in line
        ask(silent, b"again\n")
        rollcall.wait_for(connected(2))
        assert not rollcall.stderr.matching("client 1 disconnected")


def test_bounded_table(server):
    """With four slots, three clients that have taken answers for some seconds keep theirs, whatever
    strangers send, and the strangers share the fourth. Slots are free again when their clients have
    been forgotten."""
    rollcall = server("--udp-max-clients", "4", "--udp-idle-timeout", "1.5", "--log-level", "debug")
    regulars = [datagrams(rollcall.udp) for _ in range(3)]
    for turn in range(4):
        time.sleep(1.05 if turn else 0)
        for sock in regulars:
            ask(sock, b"regular %d\n" % turn)
    strangers = [datagrams(rollcall.udp) for _ in range(200)]
    for number, sock in enumerate(strangers):
        sock.send(b"stranger\n")
        if number % 20 == 0:
            for regular in regulars:
                ask(regular, b"regular still\n")
    ask(regulars[0], b"the last of the regulars\n")
    rollcall.wait_for("Received: the last of the regulars")
    for number in range(3):
        assert not rollcall.stderr.matching(f"client {number} disconnected")
        assert len(rollcall.stdout.matching(f"{connected(number)}$")) == 1
    for number in range(3):
        rollcall.wait_for_log(f"client {number} disconnected.*idle")
    for sock in (*regulars, *strangers):
        sock.close()


def test_low_ports(server, own_network):
    """A source port below 1024 is most often another service, which would answer the answer: it
    gets none and is no client, unless --udp-low-ports allows it."""
    for options, answered in (((), False), (("--udp-low-ports",), True)):
        rollcall = server(*options)
        for port in (1, 7, 1023):
            with datagrams(rollcall.udp, bind=("127.0.0.1", port)) as sock:
                if answered:
                    ask(sock, b"hello\n")
                else:
                    sock.send(b"hello\n")
        with datagrams(rollcall.udp, bind=("127.0.0.1", 1024)) as sock:
            ask(sock, b"a high port\n")
        rollcall.wait_for("Received: a high port")
        assert len(rollcall.stdout.matching(" connected")) == (4 if answered else 1)


def test_prefix_twice(server):
    """A datagram that carries the prefix twice has bounced: no answer. Once, it may be a
    person's text; and over TCP, and with echo, this rule does not exist."""
    rollcall = server()
    twice = b"Received: Received: loop\n"
    with datagrams(rollcall.udp) as sock:
        ask(sock, b"Received: once\n")
        sock.send(twice)
        ask(sock, b"after\n")
        assert is_silent(sock, 0.2)
    rollcall = server("--service", "echo")
    with datagrams(rollcall.udp) as sock:
        sock.send(twice)
        assert sock.recv(100) == twice


def spoof(source, target, payload):
    """Sends a datagram that says it is from another socket's address."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        udp = struct.pack(">HHHH", source[1], target[1], 8 + len(payload), 0) + payload
        head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                           socket.inet_aton(source[0]), socket.inet_aton(target[0]))
        sock.sendto(head + udp, (target[0], 0))


def test_own_endpoint_as_source(server, own_network):
    """A datagram that claims to come from an endpoint of the server's own, the same or another one,
    would bounce without end: it is dropped, and makes no client."""
    rollcall = server("--service", "echo", "--udp", "127.0.0.1:0", "--udp", "*:0",
                      "--udp-low-ports")
    one = rollcall.udp
    other = ("127.0.0.1", rollcall.addresses("udp")[1][1])
    spoof(("127.0.0.3", 5000), one, b"what spoof() sends arrives")
    rollcall.wait_for("Received: what spoof() sends arrives")
    for source in (one, other, ("127.0.0.2", other[1])):
        for target in (one, other):
            spoof(source, target, b"loop")
    before = rollcall.cpu_s()
    with datagrams(one) as sock:
        sock.send(b"after")
        assert sock.recv(100) == b"after"
    time.sleep(0.5)
    assert rollcall.cpu_s() - before < 0.2
    rollcall.wait_for("Received: after")
    assert not rollcall.stdout.matching("Received: loop")
    assert len(rollcall.stdout.matching(" connected")) == 2


def udp_received():
    """Datagrams that sockets of this network have received."""
    lines = [line.split() for line in pathlib.Path("/proc/net/snmp").read_text().splitlines()
             if line.startswith("Udp:")]
    return int(dict(zip(*lines))["InDatagrams"])


@pytest.mark.parametrize("ports", [(40001, 40001), (7001, 7002)])
@pytest.mark.parametrize("service", ["echo", "reply"])
@pytest.mark.parametrize("mode", ["off", "rtp"])
def test_two_servers(server, own_network, ports, service, mode):
    """One forged datagram makes two servers answer each other (CVE-2024-2169): they stop after a
    few, also if each answer has another number."""
    one, other = ("127.0.0.7", ports[0]), ("127.0.0.8", ports[1])
    for host, port in (one, other):
        server("--service", service, "--udp-sequence", mode, "--udp", f"{host}:{port}", "--quiet")
    before = udp_received()
    spoof(one, other, b"ping" if mode == "off" else rtp.build(1, b"ping"))
    time.sleep(0.5)
    assert 2 <= udp_received() - before < 10


def test_source_port_zero(server, own_network):
    """There is no port 0 to answer to, whatever --udp-low-ports says."""
    rollcall = server("--udp-low-ports")
    spoof(("127.0.0.1", 0), rollcall.udp, b"port zero\n")
    with datagrams(rollcall.udp) as sock:
        ask(sock, b"after\n")
    rollcall.wait_for("Received: after")
    assert not rollcall.stdout.matching("port zero")


@pytest.mark.parametrize("wildcard", ["*:0", "0.0.0.0:0"])
def test_answers_come_from_the_address_asked(server, wildcard):
    """On a wildcard socket the reply leaves from the address that the client sent to: its connected
    socket would not receive any other. One client asking two addresses is two clients."""
    rollcall = server("--udp", wildcard)
    port = rollcall.udp[1]
    for last in (1, 2, 77):
        with datagrams((f"127.0.0.{last}", port)) as sock:
            ask(sock, b"hello\n")
            ask(sock, b"again\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        for address in (("127.0.0.2", port), ("127.0.0.1", port)):
            sock.sendto(b"asks", address)
            assert sock.recvfrom(100) == (b"Received: asks", address)
    rollcall.wait_for_lines("Received", 8)
    assert len(rollcall.stdout.matching(" connected")) == 5


def test_wildcard_has_both_families(server):
    """*:0 takes one port for IPv4 and IPv6, and serves both, for TCP and UDP."""
    rollcall = server("--udp", "*:0", "--tcp", "*:0")
    for kind, type_ in (("udp", socket.SOCK_DGRAM), ("tcp", socket.SOCK_STREAM)):
        port = rollcall.addresses(kind)[0][1]
        assert {port} == {found for _, found in rollcall.addresses(kind)}
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with socket.socket(family, type_) as sock:
                sock.settimeout(10)
                sock.connect((host, port))
                sock.send(b"hello\n")
                assert receive_exactly(sock, 16) == b"Received: hello\n"


def test_port_unreachable(server):
    """A client that is gone before its answer comes makes the kernel report ICMP errors: the server
    goes on for the others."""
    rollcall = server()
    with datagrams(rollcall.udp) as steady:
        for _ in range(50):
            with datagrams(rollcall.udp) as gone:
                gone.send(b"gone\n")
            ask(steady, b"steady\n")


def test_what_was_dropped(server):
    """In the end the program says what it has dropped, and why; and nothing if there was nothing."""
    rollcall = server()
    with datagrams(rollcall.udp) as sock:
        for _ in range(2):
            sock.send(b"Received: Received: hello\n")
        ask(sock, b"hello\n")
    assert rollcall.stop() == 0
    assert rollcall.stderr.matching("dropped") == [
        "rollcall: info: UDP: 2 dropped: answered twice before: a loop between two servers"]
    rollcall = server()
    with datagrams(rollcall.udp) as sock:
        ask(sock, b"hello\n")
    assert rollcall.stop() == 0
    assert rollcall.stderr.matching("dropped") == []
