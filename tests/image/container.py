# SPDX-License-Identifier: MIT
"""Containers of the image."""

import json
import os
import re
import time

import pytest

from client import ask, connect, datagrams

IMAGE = "rollcall-test"
# With io_uring; and Docker's own since 25.0, without it.
PROFILE = "docker/seccomp.json"
DEFAULT_PROFILE = "docker/seccomp-default.json"
DEADLINE_S = 20
TCP_PORT = 8080
UDP_PORT = 7070
IMAGE_ADDRESSES = 4  # *:8080 and *:7070, each for IPv4 and IPv6

# The image's own health check, at a pace for tests.
PACE = ("--health-interval", "1s", "--health-timeout", "2s", "--health-retries", "2",
        "--health-start-period", "0s")


def wait_until(condition, what, deadline_s=DEADLINE_S):
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"not within {deadline_s} s: {what}"
        time.sleep(0.1)


def rings(pid):
    """What the process waits with, as the kernel names descriptors: io_uring, eventpoll."""
    directory = f"/proc/{pid}/fd"
    if not os.path.exists(directory):
        pytest.skip("the container's processes cannot be seen: the engine is on another machine")
    links = [os.readlink(f"{directory}/{name}") for name in os.listdir(directory)]
    return [name for name in ("io_uring", "eventpoll") if f"anon_inode:[{name}]" in links]


def warnings(log):
    return re.findall("^rollcall: warning: (.*)$", log, re.MULTILINE)


class Container:
    """One that runs in the background. Options are those of docker run; arguments the program's. No
    profile: the engine's own default."""

    def __init__(self, engine, *options, arguments=(), image=IMAGE, profile=PROFILE):
        self.engine = engine
        if profile:
            options = ("--security-opt", f"seccomp={profile}", *options)
        self.id = engine("run", "--detach", *options, image, *arguments)

    def state(self, path):
        """What docker inspect tells at the path, such as .State.ExitCode."""
        return json.loads(self.engine("inspect", "--format", f"{{{{json {path}}}}}", self.id))

    def log(self):
        """All it has printed."""
        done = self.engine.try_("logs", self.id)
        return done.stdout + done.stderr

    def wait_until_ready(self, addresses=IMAGE_ADDRESSES):
        """Waits until it listens on this number of addresses."""
        wait_until(lambda: self.log().count("listening on ") == addresses or
                   not self.state(".State.Running"), f"it listens on {addresses} addresses")
        assert self.state(".State.Running"), self.log()
        return self

    def address(self, port, field="IPAddress"):
        """Where to reach a port of it in the first of its networks."""
        (network, *_) = self.state(".NetworkSettings.Networks").values()
        return network[field], port

    @property
    def tcp(self):
        return self.address(TCP_PORT)

    @property
    def udp(self):
        return self.address(UDP_PORT)

    def published(self, port):
        """Where on this machine a port of it, such as 8080/tcp, is to be reached."""
        host, _, number = self.engine("port", self.id, port).splitlines()[0].rpartition(":")
        return host.strip("[]"), int(number)

    def rings(self):
        return rings(self.state(".State.Pid"))

    def serves(self):
        with connect(self.tcp) as sock, datagrams(self.udp) as other:
            ask(sock, b"hello\n")
            ask(other, b"hello")

    def becomes(self, status):
        """Waits for a verdict on its health; the last checks tell why it is another."""
        try:
            wait_until(lambda: self.state(".State.Health.Status") == status, status)
        except AssertionError as late:
            raise AssertionError(f"{late}; {self.state('.State.Health')}") from None

    def wait(self):
        """Waits for its end; returns the exit code."""
        return int(self.engine("wait", self.id))

    def remove(self):
        self.engine("rm", "--force", "--volumes", self.id)
