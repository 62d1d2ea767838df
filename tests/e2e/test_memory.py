# SPDX-License-Identifier: MIT
"""Memory: what a crowd of clients takes has a limit, and comes back when it has left."""

import re
import signal
import socket
import subprocess

import pytest

from client import ask, connect, datagrams, receive_exactly
from program import PINNED, command, is_sanitized, needs_bare_program, wait_until

MIB = 1 << 20

pytestmark = [needs_bare_program,
              pytest.mark.skipif(is_sanitized(), reason="a sanitizer keeps freed memory")]


def resident_bytes(rollcall):
    with open(f"/proc/{rollcall.pid}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS:"))


def push(sock, data):
    """Sends what the socket takes; the rest is lost."""
    sock.settimeout(0.2)
    try:
        sock.sendall(data)
    except socket.timeout:
        pass


def crowd(rollcall):
    """Readers that take nothing, so that their answers fill the queues, and lines that never end;
    then all leave. Returns how much was resident."""
    readers = [connect(rollcall.tcp, receive_bytes=4096) for _ in range(40)]
    for sock in readers:
        push(sock, b"z\n" * (4 * MIB))
    hoarders = [connect(rollcall.tcp) for _ in range(600)]
    for sock in hoarders:
        sock.sendall(b"x" * 60000)
    peak = resident_bytes(rollcall)
    for sock in readers + hoarders:
        sock.close()
    return peak


def test_memory_comes_back(server):
    """After two identical crowds no more is resident than after one, and not much more than
    before."""
    rollcall = server("--quiet", "--max-clients", "5000")
    with connect(rollcall.tcp) as sock:
        ask(sock, b"warm\n")
        before = resident_bytes(rollcall)
        for _ in range(2):
            peak = crowd(rollcall)
            assert peak > before + 32 * MIB
            wait_until(lambda: resident_bytes(rollcall) < before + 16 * MIB, "memory to come back")
        ask(sock, b"still here\n")


def parts_of(*options):
    """The lines of --check about memory, in bytes by name."""
    done = subprocess.run([*command(), *PINNED, "--check", *options], stdout=subprocess.PIPE, text=True,
                          check=True)
    return {name.strip(): int(mib) * MIB
            for name, mib in re.findall(r"^(\S.*?) +(\d+) MiB$", done.stdout, re.MULTILINE)}


def peak_bytes(rollcall):
    with open(f"/proc/{rollcall.pid}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM:"))


@pytest.mark.parametrize("mib", [48, 96])
def test_memory_limit(server, mib):
    """With --memory a crowd that asks for more than there is never makes the process larger than
    what --check says, and a client that behaves is served all the time."""
    parts = parts_of("--memory", f"{mib}M")
    sockets = parts["TCP sockets (kernel)"] + parts["UDP sockets (kernel)"]
    assert parts["in all"] <= mib * MIB
    assert abs(parts["in all"] - sum(parts.values()) / 2) < 4 * MIB
    rollcall = server("--quiet", "--memory", f"{mib}M")
    with connect(rollcall.tcp) as sock:
        readers = [connect(rollcall.tcp, receive_bytes=4096) for _ in range(60)]
        for reader in readers:
            push(reader, b"z\n" * MIB)
            ask(sock, b"a line\n")
        hoarders = [connect(rollcall.tcp) for _ in range(120)]
        for hoarder in hoarders:
            push(hoarder, b"x" * 60000)
            sock.sendall(b"in two ")
            sock.sendall(b"parts\n")
            assert receive_exactly(sock, 23) == b"Received: in two parts\n"
        with datagrams(rollcall.udp) as udp:
            for _ in range(2000):
                udp.send(b"x" * 20000)
        ask(sock, b"still here\n")
        assert peak_bytes(rollcall) <= parts["in all"] - sockets
    for other in readers + hoarders:
        other.close()


# ---- The kernel's memory -----------------------------------------------------------------------

def socket_bytes(kind, address):
    """What the kernel keeps for the sockets of the server with that port: data that waits to be
    received, to be sent or acknowledged, and memory that is set aside for more."""
    done = subprocess.run(["ss", "-Hanm", f"--{kind}", f"sport = :{address[1]}"],
                          stdout=subprocess.PIPE, text=True, check=True)
    total = 0
    for text in re.findall(r"skmem:\((.*?)\)", done.stdout):
        values = {name: int(number) for name, number in re.findall(r"([a-z]+)(\d+)", text)}
        total += values["r"] + values["f"] + (values["w"] if kind == "tcp" else values["t"])
    return total


def send_and_half_close(sock, data):
    """Sends what the socket takes at once, says that this was all, and never reads."""
    sock.setblocking(False)
    try:
        sock.send(data)
        sock.shutdown(socket.SHUT_WR)
    except (BlockingIOError, ConnectionError, OSError):
        pass  # the server has ended it already


@pytest.mark.parametrize("lines", [2000, 64 << 10])
def test_half_closed_readers(server, many_files, lines):
    """More than a thousand clients that half-close and never read have answers queued, in the
    server and in their sockets: as much as there is memory for, or more, so that some are ended.
    Neither the process nor the kernel takes more than --check says, and a client that behaves is
    served all the time."""
    options = ("--memory", "192M")
    parts = parts_of(*options)
    kernel = parts["TCP sockets (kernel)"]
    rollcall = server("--quiet", *options)
    most, readers = 0, []
    with connect(rollcall.tcp) as sock:
        for number in range(1, 1201):
            readers.append(connect(rollcall.tcp, receive_bytes=4096))
            send_and_half_close(readers[-1], b"z\n" * lines)
            if number % 100 == 0:
                ask(sock, b"a line\n")
                most = max(most, socket_bytes("tcp", rollcall.tcp))
        assert 2 * MIB < most <= kernel
        assert peak_bytes(rollcall) <= parts["in all"] - kernel - parts["UDP sockets (kernel)"]
        ask(sock, b"still here\n")
    for reader in readers:
        reader.close()


@pytest.mark.parametrize("options", [(), ("--udp-receive-buffer", "1M")])
def test_udp_flood(server, options):
    """The server is stopped, and its UDP sockets are full: the kernel keeps no more for them than
    --check says. When it goes on, all that is left of the flood is received."""
    options = ("--memory", "64M", "--udp", "127.0.0.1:0", *options)
    parts = parts_of(*options)
    rollcall = server("--quiet", *options)
    with datagrams(rollcall.udp) as sock:
        ask(sock, b"before")
        rollcall.signal(signal.SIGSTOP)
        for _ in range(3000):
            sock.send(b"x" * 1400)
        full = socket_bytes("udp", rollcall.udp)
        for _ in range(100):
            sock.send(b"x" * 60000)
        most = socket_bytes("udp", rollcall.udp)
        rollcall.signal(signal.SIGCONT)
        assert 64 << 10 < full <= most <= parts["UDP sockets (kernel)"]
        wait_until(lambda: socket_bytes("udp", rollcall.udp) < full // 2, "the flood to be received")
    assert peak_bytes(rollcall) <= (parts["in all"] - parts["TCP sockets (kernel)"] -
                                    parts["UDP sockets (kernel)"])
