# SPDX-License-Identifier: MIT
"""The sockets of UDP: between two networks that are joined by a wire, and what the kernel may hold
for them."""

import contextlib
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import time

import pytest

import network
from client import ask, datagrams, noise
from program import needs_bare_program, wait_until

HERE, THERE = "here", "there"
COUNT, BYTES = 20, 2000  # more than the wire's 1,500


@pytest.fixture
def wire():
    """Two network namespaces joined by a wire (veth(4)): the server's, which is entered for the
    test, and the clients', which is given to it."""
    near, far = network.Namespace(), network.Namespace()
    with network.entered(near):
        try:
            network.ip("link", "add", HERE, "type", "veth",
                       "peer", "name", THERE, "netns", far.path)
        except subprocess.CalledProcessError as failure:
            pytest.skip(f"no veth here: {failure}")
        network.set_up(HERE, "10.9.0.1/24")
        network.ip("address", "add", "fe80::1/64", "dev", HERE, "nodad")
        network.ip("address", "add", "10.9.0.11/24", "dev", HERE)
        network.ip("link", "set", "lo", "up")
        with network.entered(far):
            network.set_up(THERE, "10.9.0.2/24")
            network.ip("address", "add", "fe80::2/64", "dev", THERE, "nodad")
        yield far


@contextlib.contextmanager
def client_at(wire, address, bind):
    """A socket of the clients' network, connected to the address."""
    with network.entered(wire):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.settimeout(20)
        sock.bind(bind)
        sock.connect(address)
    with sock:
        yield sock


def test_answers_over_a_wire(server, wire):
    """Each of the server's addresses answers for itself, link-local ones too, where only the wire
    that was asked says which one is meant."""
    rollcall = server("--udp", "*:0")
    port = rollcall.udp[1]
    with network.entered(wire):
        scope = socket.if_nametoindex(THERE)
    for address, bind in ((("10.9.0.1", port), ("10.9.0.2", 0)),
                          (("10.9.0.11", port), ("10.9.0.2", 0)),
                          (("fe80::1", port, 0, scope), ("fe80::2", 0, 0, scope))):
        with client_at(wire, address, bind) as sock:
            for _ in range(3):
                ask(sock, b"hello\n")
    rollcall.wait_for_lines("Received", 9)
    assert len(rollcall.stdout.matching(" connected")) == 3


def test_listening_on_a_link_local_address(server, wire):
    rollcall = server("--udp", f"[fe80::1%{HERE}]:0")
    port = rollcall.udp[1]
    with network.entered(wire):
        scope = socket.if_nametoindex(THERE)
    with client_at(wire, ("fe80::1", port, 0, scope), ("fe80::2", 0, 0, scope)) as sock:
        ask(sock, b"hello\n")
        ask(sock, b"again\n")


def test_answers_from_a_local_route(server, wire):
    """Addresses that only a local route makes the machine's (AnyIP) answer for themselves."""
    network.ip("route", "add", "local", "192.0.2.0/24", "dev", "lo")
    network.ip("-6", "route", "add", "local", "2001:db8:5::/64", "dev", "lo")
    rollcall = server("--udp", "*:0")
    for host in ("192.0.2.77", "2001:db8:5::77"):
        with datagrams((host, rollcall.udp[1])) as sock:
            ask(sock, b"hello\n")


def send_to_group(wire, group, port):
    """From the clients' network; returns the socket."""
    with network.entered(wire):
        index = socket.if_nametoindex(THERE)
        if ":" in group:
            sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            address = (group, port, 0, index)
        else:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            address = (group, port)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                            struct.pack("4s4si", bytes(4), bytes(4), index))
        sock.settimeout(20)
        sock.sendto(b"hello\n", address)
    return sock


@pytest.mark.parametrize("group", ["239.7.7.7", "ff15::7777"])
def test_groups_of_others(server, wire, group):
    """What goes to a multicast group that another socket of this machine has joined is that
    socket's alone."""
    index = socket.if_nametoindex(HERE)
    rollcall = server("--udp", "*:0")
    with socket.socket(socket.AF_INET6 if ":" in group else socket.AF_INET,
                       socket.SOCK_DGRAM) as member:
        if ":" in group:
            member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                              socket.inet_pton(socket.AF_INET6, group) + struct.pack("i", index))
        else:
            member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack(
                "4s4si", socket.inet_aton(group), bytes(4), index))
        member.bind(("", 0))
        member.settimeout(20)
        with send_to_group(wire, group, member.getsockname()[1]):
            assert member.recv(100) == b"hello\n"  # The group's datagrams do come here.
        with send_to_group(wire, group, rollcall.udp[1]) as sock:
            with client_at(wire, ("10.9.0.1", rollcall.udp[1]), ("10.9.0.2", 0)) as other:
                ask(other, b"later\n")
            sock.setblocking(False)
            with pytest.raises(BlockingIOError):
                sock.recv(100)
    rollcall.wait_for_lines("Received", 1)
    assert len(rollcall.stdout.matching(" connected")) == 1


@pytest.mark.parametrize("nonlocal_bind", [0, 1])
def test_peers_with_our_port(server, wire, nonlocal_bind):
    """A peer may send from the port number that the server has, also where every address could be
    bound to."""
    for family in ("ipv4", "ipv6"):
        setting = pathlib.Path(f"/proc/sys/net/{family}/ip_nonlocal_bind")
        setting.write_text(str(nonlocal_bind))
    rollcall = server("--udp", "*:0")
    port = rollcall.udp[1]
    with network.entered(wire):
        scope = socket.if_nametoindex(THERE)
    for address, bind in ((("10.9.0.1", port), ("10.9.0.2", port)),
                          (("fe80::1", port, 0, scope), ("fe80::2", port, 0, scope))):
        with client_at(wire, address, bind) as sock:
            ask(sock, b"hello\n")


def forge(source, target, port):
    """A datagram from and to the same port, with a source of our choice."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    addresses = socket.inet_pton(family, source) + socket.inet_pton(family, target)
    body = struct.pack(">HHHH", port, port, 8 + 6, 0) + b"hello\n"
    if family == socket.AF_INET:
        head = struct.pack(">BBHHHBBH8s", 0x45, 0, 20 + len(body), 0, 0, 64, socket.IPPROTO_UDP, 0,
                           addresses)
    else:
        pseudo = addresses + struct.pack(">II", len(body), socket.IPPROTO_UDP) + body
        total = sum(struct.unpack(f">{len(pseudo) // 2}H", pseudo))
        total = (total & 0xffff) + (total >> 16)
        checksum = 0xffff & ~((total & 0xffff) + (total >> 16)) or 0xffff
        body = body[:6] + struct.pack(">H", checksum) + body[8:]
        head = struct.pack(">IHBB32s", 6 << 28, len(body), socket.IPPROTO_UDP, 64, addresses)
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(head + body, (target, 0))


@pytest.mark.parametrize("target, foreign, added, routed, inside", [
    ("10.9.0.1", ["10.9.0.50", "10.9.0.51"], "10.9.0.60/24", "192.0.2.0/24", "192.0.2.7"),
    ("fd09::1", ["fd09::50", "fd09::51"], "fd09::60/64", "2001:db8:5::/64", "2001:db8:5::7")])
def test_own_addresses_change(server, wire, target, foreign, added, routed, inside):
    """Addresses and local routes that are added while the server runs are its own: what comes from
    there, and from its port, is not answered. What comes from others is."""
    network.ip("address", "add", "fd09::1/64", "dev", HERE, "nodad")
    rollcall = server("--udp", "*:0")
    port = rollcall.udp[1]
    forge(foreign[0], target, port)
    rollcall.wait_for_lines(" connected", 1)
    family = "-6" if ":" in target else "-4"
    network.ip(family, "address", "add", added, "dev", HERE, *["nodad"] * (family == "-6"))
    network.ip(family, "route", "add", "local", routed, "dev", "lo")
    time.sleep(0.2)  # They are looked at ten times a second.
    forge(added.split("/")[0], target, port)
    forge(inside, target, port)
    forge(foreign[1], target, port)
    rollcall.wait_for_lines(" connected", 2)
    rollcall.stop()
    assert rollcall.stderr.matching("UDP: 2 dropped: an address of this server as the source")
    assert len(rollcall.stdout.matching(" connected")) == 2


def is_stopped(rollcall):
    return ") T " in pathlib.Path(f"/proc/{rollcall.pid}/stat").read_text()


def test_answers_larger_than_the_wire(server, wire):
    """Answers to one client leave in batches, but not those larger than a packet of the wire: all
    arrive, whole and in order, and so do smaller ones."""
    rollcall = server("--udp", "10.9.0.1:0", "--service", "echo")
    with client_at(wire, rollcall.udp, ("10.9.0.2", 0)) as sock:
        for count in (BYTES, BYTES, BYTES // 2):
            messages = [noise(count, seed) for seed in range(COUNT)]
            rollcall.signal(signal.SIGSTOP)
            wait_until(lambda: is_stopped(rollcall), "a stopped server")
            for message in messages:
                sock.send(message)
            rollcall.signal(signal.SIGCONT)
            assert [sock.recv(1 << 16) for _ in messages] == messages


@pytest.mark.parametrize("sizes", [[2000] * 70, [20000] * 8, [2000, 2000, 10, 3000, 3000, 3000] * 4],
                         ids=["many", "large", "mixed"])
def test_order_of_refused_batches(server, wire, sizes):
    """Answers of one turn that are several GSO batches, all of them too large for the wire, and
    single ones between them, arrive in the order of what they answer."""
    rollcall = server("--udp", "10.9.0.1:0", "--service", "echo", "--udp-receive-buffer", "4M",
                      "--udp-send-buffer", "4M")
    messages = [noise(size, seed) for seed, size in enumerate(sizes)]
    with client_at(wire, rollcall.udp, ("10.9.0.2", 0)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        rollcall.signal(signal.SIGSTOP)
        wait_until(lambda: is_stopped(rollcall), "a stopped server")
        for message in messages:
            sock.send(message)
        rollcall.signal(signal.SIGCONT)
        assert [sock.recv(1 << 16) for _ in messages] == messages


def test_answers_to_batches(server, wire):
    """What a client sends as one (UDP_SEGMENT) goes over the wire together, and is answered
    datagram by datagram."""
    segment_option, each, last = 103, 1200, 77
    rollcall = server("--udp", "10.9.0.1:0", "--service", "echo")
    data = noise(40 * each + last)
    with client_at(wire, rollcall.udp, ("10.9.0.2", 0)) as sock:
        sock.setsockopt(socket.IPPROTO_UDP, segment_option, each)
        assert sock.send(data) == len(data)
        answers = [sock.recv(1 << 16) for _ in range(41)]
    assert [len(answer) for answer in answers] == [each] * 40 + [last]
    assert b"".join(answers) == data


@needs_bare_program
@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv")
def test_buffers_within_the_limit(server, public_program):
    """The kernel gives the administrator's socket what is asked for, and others no more than its
    limit; what is missing is said, with the setting that limits it."""
    asked = 512 << 20
    options = ("--udp-receive-buffer", asked, "--udp-send-buffer", asked)
    assert not server(*options).stderr.matching("warning")
    rollcall = server(*options, words=["setpriv", "--bounding-set=-net_admin", "--inh-caps=-all",
                                       "--reuid=1", "--regid=1", "--clear-groups", public_program])
    warnings = rollcall.stderr.matching("warning")
    assert len(warnings) == 2
    for line, kind, setting in zip(warnings, ("receive", "send"), ("rmem_max", "wmem_max")):
        limit = int(pathlib.Path(f"/proc/sys/net/core/{setting}").read_text())
        assert f"the UDP {kind} buffer has {limit} bytes instead of {asked}" in line
        assert f"net.core.{setting}" in line
    with datagrams(rollcall.udp) as sock:
        ask(sock, b"hello\n")
