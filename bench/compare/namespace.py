# SPDX-License-Identifier: MIT
"""A network namespace of the run's own: all ports are free in it, and no packet filter sees what
passes its loopback. It vanishes with the run.

TCP's congestion control is reno there, which every kernel has. Bbr, the default of some machines,
paces by timers what loopback takes at once: a chance that comes out as a difference of servers."""

import contextlib
import ctypes
import fcntl
import os
import pathlib
import socket
import struct

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS = 0x8913
SIOCSIFFLAGS = 0x8914
IFF_UP = 1
IPV4 = pathlib.Path("/proc/sys/net/ipv4")
CONGESTION_CONTROL = IPV4 / "tcp_congestion_control"


def enter():
    """Enters a new one; returns why that was not possible, or None."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        return os.strerror(ctypes.get_errno())
    with socket.socket(type=socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))
    with contextlib.suppress(OSError):  # the results say what it is
        CONGESTION_CONTROL.write_text("reno")
    return None


def congestion_control():
    return CONGESTION_CONTROL.read_text().strip()


def bound_sockets(send_bytes_max, receive_bytes_max):
    """Bounds what the kernel holds for each TCP socket of the namespace."""
    for name, most in ("tcp_wmem", send_bytes_max), ("tcp_rmem", receive_bytes_max):
        least, begin, _ = map(int, (IPV4 / name).read_text().split())
        (IPV4 / name).write_text(f"{least} {min(begin, most)} {most}")
