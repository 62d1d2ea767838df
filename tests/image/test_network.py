# SPDX-License-Identifier: MIT
"""From where the server in a container is reached, over TCP and UDP: the machine that the container
runs on, and another container; over IPv4 and IPv6."""

import uuid

import pytest

from client import ask, connect, datagrams

# One line and one datagram from bash, which every Debian has; head(1) prints the answers.
TALK = """
exec 3<>/dev/tcp/$0/8080 && echo hello >&3 && timeout 10 head -n 1 <&3
exec 4<>/dev/udp/$0/7070 && echo hello >&4 && timeout 10 head -n 1 <&4
"""


@pytest.fixture
def network6(network):
    """A network with IPv6 addresses, of a random unique local prefix (RFC 4193)."""
    noise = uuid.uuid4().hex
    return network("--ipv6", "--subnet", f"fd{noise[:2]}:{noise[2:6]}:{noise[6:10]}::/64")


def ask_both(tcp, udp):
    """Asks twice on each socket: from the second time on the server knows the UDP client."""
    with connect(tcp) as sock, datagrams(udp) as other:
        for _ in range(2):
            ask(sock, b"hello\n")
            ask(other, b"hello")


def test_published(start):
    """Ports that docker run publishes on this machine."""
    container = start("--publish", "127.0.0.1::8080/tcp", "--publish", "127.0.0.1::7070/udp")
    ask_both(container.published("8080/tcp"), container.published("7070/udp"))


def test_from_the_machine(start):
    container = start()
    ask_both(container.tcp, container.udp)


def test_from_another_container(engine, base, start, network):
    """A client in a container of its own finds the server by name."""
    name = network()
    start("--network", name, "--network-alias", "server")
    assert engine("run", "--rm", "--network", name, base, "bash", "-c", TALK, "server") == \
        "Received: hello\nReceived: hello"


def test_ipv6_from_the_machine(start, network6):
    container = start("--network", network6)
    ask_both(container.address(8080, "GlobalIPv6Address"),
             container.address(7070, "GlobalIPv6Address"))


def test_ipv6_from_another_container(engine, base, start, network6):
    container = start("--network", network6)
    host, _ = container.address(8080, "GlobalIPv6Address")
    assert ":" in host
    assert engine("run", "--rm", "--network", network6, base, "bash", "-c", TALK, host) == \
        "Received: hello\nReceived: hello"
