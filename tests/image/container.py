# SPDX-License-Identifier: MIT
"""Containers of the image."""

import json
import time

IMAGE = "rollcall-test"
PROFILE = "docker/seccomp.json"
DEADLINE_S = 20
TCP_PORT = 8080
UDP_PORT = 7070
IMAGE_ADDRESSES = 4  # *:8080 and *:7070, each for IPv4 and IPv6


def wait_until(condition, what, deadline_s=DEADLINE_S):
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"not within {deadline_s} s: {what}"
        time.sleep(0.1)


class Container:
    """One that runs in the background. Options are those of docker run; arguments the program's."""

    def __init__(self, engine, *options, arguments=(), image=IMAGE, profile=PROFILE):
        self.engine = engine
        self.id = engine("run", "--detach", "--security-opt", f"seccomp={profile}", *options, image,
                         *arguments)

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

    def wait(self):
        """Waits for its end; returns the exit code."""
        return int(self.engine("wait", self.id))

    def remove(self):
        self.engine("rm", "--force", "--volumes", self.id)
