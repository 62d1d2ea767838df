# SPDX-License-Identifier: MIT
"""docker/compose.yaml: Compose takes it, and what it starts is what it says."""

import json
import os
import re
import resource
import shutil
import subprocess

import pytest

from client import ask, connect, datagrams
from container import IMAGE, Container
from engine import TOP

yaml = pytest.importorskip("yaml", reason="there is no python3-yaml")

UP_LIMIT_S = 120
COMPOSE_FILES = 131072
BENCH_IMAGE = "rollcall-test-bench"
BENCH_LIMIT_S = 120


def compose_command(environment):
    """Compose is a command of docker's, or in its first version a program of its own."""
    for words in ["docker", "compose"], ["docker-compose"]:
        if shutil.which(words[0]) and subprocess.run(
                [*words, "version"], env=environment, capture_output=True, check=False,
                timeout=30).returncode == 0:
            return words
    return pytest.skip("there is neither docker compose nor docker-compose")


class Compose:
    def __init__(self, environment):
        self.environment = {
            **environment, "COMPOSE_PROJECT_NAME": "rollcall-test", "ROLLCALL_IMAGE": IMAGE,
            "ROLLCALL_BENCH_IMAGE": BENCH_IMAGE,
            "ROLLCALL_TCP_PORT": "127.0.0.1:0", "ROLLCALL_UDP_PORT": "127.0.0.1:0",
            # Not everywhere may a limit be raised above that of the tests themselves.
            "ROLLCALL_FILES": str(min(COMPOSE_FILES,
                                      resource.getrlimit(resource.RLIMIT_NOFILE)[1]))}
        self.words = compose_command(self.environment)

    def __call__(self, *arguments, limit_s=60):
        done = subprocess.run([*self.words, *arguments], cwd=os.path.join(TOP, "docker"),
                              env=self.environment, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=limit_s, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def compose():
    return Compose(os.environ)


@pytest.fixture
def service(engine, image):
    """The container that `up` starts."""
    compose = Compose(engine.environment)
    try:
        compose("up", "--detach", "--no-build", limit_s=UP_LIMIT_S)
        yield Running(engine, compose("ps", "--quiet", "rollcall").strip()).wait_until_ready()
    finally:
        compose("down")


class Running(Container):
    """A container that Compose has started."""

    def __init__(self, engine, identity):
        self.engine, self.id = engine, identity


def test_valid(compose):
    """Compose's own parser takes the file; the benchmark runs only when it is asked for."""
    services = yaml.safe_load(compose("--profile", "bench", "config"))["services"]
    assert set(services) == {"bench", "rollcall"}
    assert services["bench"]["profiles"] == ["bench"] and "profiles" not in services["rollcall"]


def test_up(service):
    """What it starts has the profile, the limits and no privileges; and it serves on the published
    ports."""
    config = service.state(".HostConfig")
    assert config["ReadonlyRootfs"] is True and config["CapDrop"] == ["ALL"]
    seccomp = [option for option in config["SecurityOpt"] if option.startswith("seccomp")]
    assert "io_uring_setup" in json.dumps(seccomp)
    assert any(option.startswith("no-new-privileges") for option in config["SecurityOpt"])
    limits = {limit["Name"]: limit["Soft"] for limit in config["Ulimits"]}
    assert limits["memlock"] == 8 << 20 and limits["nofile"] > 1024
    log = config["LogConfig"]
    assert log["Type"] == "json-file" and set(log["Config"]) == {"max-size", "max-file"}
    assert service.state(".Config.Healthcheck.Test")[:3] == ["CMD", "rollcall", "--health"]
    with connect(service.published("8080/tcp")) as sock, \
            datagrams(service.published("7070/udp")) as other:
        ask(sock, b"hello\n")
        ask(other, b"hello")


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="a server and its load take a core each")
def test_bench(engine, base):
    """The comparison with epoll runs in a container, and comes to a result: one load, for a few
    seconds, however busy this machine is."""
    engine.build("docker/bench.Dockerfile", BENCH_IMAGE, base)
    compose = Compose(engine.environment)
    try:
        output = compose("run", "-T", "--rm", "bench", "--cells", "^tcp/50/64/1$", "--rounds", "20",
                         "--seconds", "4", "--wait-max", "1", limit_s=BENCH_LIMIT_S)
    finally:
        compose("down")
    assert re.search(r"^tcp/50/64/1 +epoll-bare +\d+\.\d+ +\d+\.\d+ +\d+\.\d+ ", output,
                     re.MULTILINE), output
