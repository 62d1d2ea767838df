# SPDX-License-Identifier: MIT
"""What tests need of clients: sockets with a deadline, and exchanges that compare every byte."""

import hashlib
import random
import select
import socket
import struct
import threading

from program import DEADLINE_S

STALLED_S = 1.0
# What the kernel may hold for one stalled client: the buffers of both ends, in both directions.
KERNEL_BYTES_MAX = 64 << 20


def connect(address, receive_bytes=None, source=None):
    """A TCP connection whose every operation has a deadline."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(DEADLINE_S)
    if receive_bytes:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    if source:
        sock.bind(source)
    sock.connect(address)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def datagrams(address, bind=None):
    """A UDP socket connected to the address, so that only answers from there are received."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.settimeout(DEADLINE_S)
    if bind:
        sock.bind(bind)
    sock.connect(address)
    return sock


def receive_exactly(sock, count):
    """The next `count` bytes; fewer only if the connection ends before."""
    parts = []
    while count > 0 and (part := sock.recv(min(count, 1 << 20))):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def receive_to_end(sock):
    return b"".join(iter(lambda: sock.recv(1 << 20), b""))


def ask(sock, message):
    """Sends a line or a datagram to the reply service and checks the answer."""
    expected = b"Received: " + message
    sock.sendall(message)
    if sock.type == socket.SOCK_DGRAM:
        answer = sock.recv(1 << 17)
    else:
        answer = receive_exactly(sock, len(expected))
    assert answer == expected


def send_until_stalled(socks, data):
    """Sends the data again and again on all sockets until none has taken anything for a while;
    returns how many bytes each took."""
    taken = dict.fromkeys(socks, 0)
    for sock in socks:
        sock.setblocking(False)
    while writable := select.select([], socks, [], STALLED_S)[1]:
        for sock in writable:
            taken[sock] += sock.send(data[taken[sock] % len(data):])
            assert taken[sock] < KERNEL_BYTES_MAX, "its sending does not stall"
    for sock in socks:
        sock.settimeout(DEADLINE_S)
    return list(taken.values())


def is_silent(sock, seconds):
    """Whether nothing comes, not even the end, for this long."""
    return not select.select([sock], [], [], seconds)[0]


def reset(sock):
    """Closes a TCP connection with a reset, whatever state it is in."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def noise(count, seed=1):
    """Bytes without a pattern, the same for the same seed."""
    return random.Random(seed).randbytes(count)


def digest(data):
    return hashlib.sha256(data).hexdigest()


class Background(threading.Thread):
    """A function that runs beside the test; result() waits for it and raises what it raised."""

    def __init__(self, function, *arguments):
        super().__init__(daemon=True)
        self.function, self.arguments = function, arguments
        self.value = self.failure = None
        self.start()

    def run(self):
        try:
            self.value = self.function(*self.arguments)
        except BaseException as failure:
            self.failure = failure

    def result(self, deadline_s=DEADLINE_S):
        self.join(deadline_s)
        assert not self.is_alive(), f"{self.function.__name__} did not end in {deadline_s} s"
        if self.failure:
            raise self.failure
        return self.value
