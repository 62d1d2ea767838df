# SPDX-License-Identifier: MIT
"""Network namespaces without names: they vanish with the last process or socket in them."""

import contextlib
import ctypes
import os
import subprocess

import pytest

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A new network namespace, held by a file descriptor; everything in it is still down."""

    def __init__(self):
        with _back_again():
            if libc.unshare(CLONE_NEWNET) != 0:
                pytest.skip("no network namespace here: " + os.strerror(ctypes.get_errno()))
            self.fd = _current()

    def __del__(self):
        if hasattr(self, "fd"):
            os.close(self.fd)

    @property
    def path(self):
        """A name for ip(8), also from other processes."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"


def _current():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _enter(fd):
    if libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def _back_again():
    before = _current()
    try:
        yield
    finally:
        _enter(before)
        os.close(before)


@contextlib.contextmanager
def entered(namespace):
    """The calling thread, and what it starts, is in the namespace until the end of the block."""
    with _back_again():
        _enter(namespace.fd)
        yield namespace


def ip(*arguments):
    """Runs ip(8) in the calling thread's namespace."""
    subprocess.run(["ip", *arguments], check=True, timeout=10)


def set_up(name, address):
    """Gives the link an address and takes it up."""
    ip("address", "add", address, "dev", name)
    ip("link", "set", name, "up")
