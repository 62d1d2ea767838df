# SPDX-License-Identifier: MIT
"""The servers that are compared: what there is, and how each is started.

A program needs nothing but --tcp HOST:PORT. It gets the other options below if its help names them.
"""

import dataclasses
import os
import pathlib
import re
import socket
import time

from compare.processes import Child, output_of

START_LIMIT_S = 10
LISTENS = {"tcp": "0A", "udp": "07"}  # the states in /proc/net
UDP_RECEIVE_BUFFER_BYTES = 4 << 20


@dataclasses.dataclass(frozen=True)
class Contestant:
    program: str  # a path, or what is built
    options: tuple = ()
    service: str = "echo"


CONTESTANTS = {
    "rollcall": Contestant("rollcall"),
    "rollcall again": Contestant("rollcall"),
    "rollcall reply": Contestant("rollcall", service="reply"),
    "rollcall --spin": Contestant("rollcall", ("--spin",)),
    "epoll-bare": Contestant("epoll-bare"),
    "epoll-bare again": Contestant("epoll-bare"),
    "epoll-bare plain": Contestant("epoll-bare", ("--udp-plain",)),
    "uring-bare": Contestant("uring-bare"),
    "rollcall-epoll": Contestant("rollcall", ("--engine=epoll",)),
    "libuv": Contestant("peer-libuv"),
    "libevent": Contestant("peer-libevent"),
    "Go": Contestant("peer-go"),
}


class Servers:
    """Those that can be started, and for each of the others why not."""

    def __init__(self, build, contestants=None):
        self.contestants, self.missing, self.options = {}, {}, {}
        for name, one in (CONTESTANTS if contestants is None else contestants).items():
            path = one.program if os.sep in one.program else os.path.join(build, one.program)
            if not os.access(path, os.X_OK):
                self.missing[name] = f"there is no {path}"
                continue
            known = self.options.setdefault(
                path, set(re.findall(r"(?<![\w-])--?([a-z][a-z-]+)", output_of([path, "--help"]))))
            strange = [option for option in one.options
                       if option.startswith("--") and option[2:].split("=")[0] not in known]
            if strange:
                self.missing[name] = f"{path} has no {' '.join(strange)}"
            else:
                self.contestants[name] = dataclasses.replace(one, program=path)

    def __contains__(self, name):
        return name in self.contestants

    def speaks(self, name, transport):
        return transport == "tcp" or transport in self.options[self.contestants[name].program]

    def command(self, name, addresses):
        """How it is started, with an address for each transport."""
        one = self.contestants[name]
        known = self.options[one.program]
        words = [one.program, *one.options]
        for transport, (host, port) in addresses.items():
            words += [f"--{transport}", f"{host}:{port}"]
        given = {word.split("=")[0].lstrip("-") for word in one.options}
        optional = {"service": [one.service], "quiet": [], "engine": ["io_uring"],
                    "udp-receive-buffer": [str(UDP_RECEIVE_BUFFER_BYTES)]}
        for option, values in optional.items():
            if option in known and option not in given:
                words += [f"--{option}", *values]
        return words

    def start(self, name, cpu):
        addresses = {transport: ("127.0.0.1", free_port(transport))
                     for transport in ("tcp", "udp") if self.speaks(name, transport)}
        return Server(self.command(name, addresses), cpu, addresses)


class Server(Child):
    def __init__(self, command, cpu, addresses):
        super().__init__(command, cpu)
        self.addresses = addresses

    def wait_until_it_listens(self):
        end = time.monotonic() + START_LIMIT_S
        while not all(is_bound(transport, port)
                      for transport, (_, port) in self.addresses.items()):
            self.check()
            if time.monotonic() > end:
                raise self.fault(f"does not listen after {START_LIMIT_S} s")
            time.sleep(0.01)

    def memory_bytes(self):
        """What it holds alone in memory, which excludes its program and libraries."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return 1024 * sum(map(int, re.findall(r"^Rss(?:Anon|Shmem):\s+(\d+) kB", status, re.M)))


def free_port(transport):
    kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
    with socket.socket(type=kind) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def is_bound(transport, port):
    """Whether a server has the port. Those that listen come first in the kernel's table."""
    with open(f"/proc/self/net/{transport}", encoding="ascii") as table:
        next(table)
        for line in table:
            _, local, _, state, *_ = line.split()
            if state == LISTENS[transport] and int(local.rsplit(":", 1)[1], 16) == port:
                return True
    return False
