# SPDX-License-Identifier: MIT
"""Each kind of crowd does what it says, seen by a server that is played here, or an echo server."""

import contextlib
import socket
import struct
import subprocess
import time

import pytest
from compare.crowd import CrowdProcess
from compare.servers import Servers
from programs import BUILD, LOAD_CORE, SERVER_CORE, played_server

LIMIT_S = 30
CLIENTS = 3
RESET = struct.pack("ii", 1, 0)  # SO_LINGER


@contextlib.contextmanager
def crowd_of(server, kind, clients=CLIENTS, *options):
    with CrowdProcess(f"{BUILD}/rollcall-crowd", server, LOAD_CORE,
                      kind, clients, options) as crowd:
        yield crowd


def until(crowd, is_met):
    """The first report of which this is true."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        report = crowd.report()
        if is_met(report):
            return report
        time.sleep(0.02)
    raise AssertionError(f"never met: {report}")


@contextlib.contextmanager
def met(kind):
    """A crowd and the sockets of its clients, before it has begun."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(played_server())
        crowd = stack.enter_context(crowd_of(server, kind))
        crowd.wait_until_connected()
        sockets = [stack.enter_context(server.listener.accept()[0]) for _ in range(CLIENTS)]
        for one in sockets:
            one.settimeout(LIMIT_S)
        yield crowd, sockets


def is_silent(one):
    one.setblocking(False)
    try:
        one.recv(1)
    except BlockingIOError:
        return True
    finally:
        one.settimeout(LIMIT_S)
    return False


def receive_exactly(one, count):
    received = b""
    while len(received) < count:
        data = one.recv(count - len(received))
        assert data
        received += data
    return received


def receive_all(one):
    received = bytearray()
    while data := one.recv(1 << 16):
        received += data
    return bytes(received)


@pytest.fixture
def bare():
    with Servers(BUILD).start("epoll-bare", SERVER_CORE) as server:
        server.wait_until_it_listens()
        yield server


@pytest.mark.parametrize("kind, each", [("hoard", 60000), ("touch", 1)])
def test_kinds_that_send_some_bytes(bare, kind, each):
    with crowd_of(bare, kind) as crowd:
        crowd.wait_until_connected()
        assert crowd.report()["sent"] == 0
        crowd.go()
        report = until(crowd, lambda report: report["received"] >= CLIENTS * each)
    assert report == {"clients": CLIENTS, "sent": CLIENTS * each, "received": CLIENTS * each,
                      "ended": 0, "reset": 0}


def test_hoarders_end_no_line():
    with met("hoard") as (crowd, sockets):
        crowd.go()
        assert receive_exactly(sockets[0], 60000) == b"x" * 60000
        assert is_silent(sockets[0])


def test_flooders_send_line_feeds_and_read_all(bare):
    with crowd_of(bare, "flood") as crowd:
        crowd.wait_until_connected()
        crowd.go()
        until(crowd, lambda report: report["received"] > 10 << 20)
    with met("flood") as (crowd, sockets):
        crowd.go()
        assert receive_exactly(sockets[0], 100000) == b"\n" * 100000


def test_slow_readers_read_64_bytes_each_100_ms(bare):
    with crowd_of(bare, "slow-read", 1) as crowd:
        crowd.wait_until_connected()
        began = time.monotonic()
        crowd.go()
        report = until(crowd, lambda report: report["received"] >= 5 * 64)
        ticks = (time.monotonic() - began) / 0.1
    assert 4 <= ticks and report["received"] <= (ticks + 1) * 64
    assert report["sent"] > 100 * report["received"]


def test_half_closers_end_their_side_and_read_nothing():
    with met("half-close") as (crowd, sockets):
        crowd.go()
        received = receive_all(sockets[0])
        assert received == (b"x" * 63 + b"\n") * (300000 // 64) + b"x" * (300000 % 64)
        sockets[0].setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                sockets[0].send(bytes(1 << 16))
        assert crowd.report()["received"] == 0


def test_clients_disconnect_when_told():
    with met("disconnect") as (crowd, sockets):
        assert all(map(is_silent, sockets))
        crowd.go()
        assert [receive_all(one) for one in sockets] == [b""] * CLIENTS


def test_idle_clients_send_nothing():
    with met("idle") as (crowd, sockets):
        crowd.go()
        crowd.report()
        assert all(map(is_silent, sockets))


@pytest.mark.parametrize("kind", ["idle", "slow-read", "half-close", "flood"])
def test_clients_that_the_server_ends_are_counted(kind):
    with met(kind) as (crowd, sockets):
        sockets[0].close()
        for one in sockets[1:]:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            one.close()
        report = until(crowd, lambda report: report["ended"] + report["reset"] == CLIENTS)
        assert (report["ended"], report["reset"]) == (1, CLIENTS - 1)


def test_addresses():
    """Clients come from as many addresses as they are to."""
    for options, expected in (((), CLIENTS), (("--addresses", 1), 1)):
        with played_server() as server, crowd_of(server, "idle", CLIENTS, *options) as crowd:
            crowd.wait_until_connected()
            hosts = {server.listener.accept()[1][0] for _ in range(CLIENTS)}
        assert len(hosts) == expected and "127.0.0.1" not in hosts


@pytest.mark.parametrize("options, complaint", [
    (("--kind", "sad", "--tcp", "1"), "--kind 'sad' is unknown"),
    (("--kind", "idle"), "it needs --tcp and --kind"),
    (("--kind", "idle", "--tcp", "1", "--clients", "0"), "--clients '0' is not allowed")])
def test_crowd_refuses(options, complaint):
    done = subprocess.run([f"{BUILD}/rollcall-crowd", *options], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=LIMIT_S)
    assert done.returncode == 64 and complaint in done.stderr
