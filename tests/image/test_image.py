# SPDX-License-Identifier: MIT
"""What is in the image, what it says of itself, and how the program is started in it."""

import io
import json
import re
import subprocess
import tarfile

import pytest

from client import ask, connect, datagrams
from container import IMAGE_ADDRESSES, PROFILE, wait_until

IMAGE_BYTES_MAX = 2 << 20
# The engine puts these into each container.
OF_ENGINE = (".dockerenv", "dev/", "etc/", "proc", "sys")


@pytest.fixture
def config(engine, image):
    return json.loads(engine("image", "inspect", "--format", "{{json .Config}}", image))


def test_nothing_but_the_program(engine, image):
    """The image holds one file, and is smaller than 2 MiB."""
    container = engine("create", image)
    try:
        done = subprocess.run(["docker", "export", container], env=engine.environment,
                              capture_output=True, timeout=60, check=True)
    finally:
        engine("rm", container)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as files:
        names = [file.name for file in files if not file.isdir()]
    assert [name for name in names if not name.startswith(OF_ENGINE)] == ["bin/rollcall"]
    size = int(engine("image", "inspect", "--format", "{{.Size}}", image))
    assert 100_000 < size < IMAGE_BYTES_MAX


def test_configuration(config):
    """A user other than root, by number; words and not a shell's line; the ports; the signal."""
    uid, gid = map(int, config["User"].split(":"))
    assert uid > 0 and gid > 0
    assert config["Entrypoint"][0] == "rollcall" and not config.get("Cmd")
    assert set(config["ExposedPorts"]) == {"8080/tcp", "7070/udp"}
    assert config["StopSignal"] == "SIGTERM"
    kind, *words = config["Healthcheck"]["Test"]
    assert kind == "CMD" and words[:2] == ["rollcall", "--health"]


def test_labels(config, run):
    """OCI's labels; the version is the program's own."""
    labels = {name.rpartition(".")[2]: value for name, value in config["Labels"].items()
              if name.startswith("org.opencontainers.image.")}
    assert labels["title"] == "rollcall" and labels["licenses"] == "MIT" and labels["description"]
    assert run(arguments=["--version"]).stdout == f"rollcall {labels['version']}\n"


def test_no_options(start):
    """Without options it serves on all addresses of the container, as `reply`."""
    container = start()
    for place in ("tcp 0.0.0.0:8080", "tcp [::]:8080", "udp 0.0.0.0:7070", "udp [::]:7070"):
        assert f"listening on {place}\n" in container.log()
    with connect(container.tcp) as sock, datagrams(container.udp) as other:
        ask(sock, b"hello\n")
        ask(other, b"hello")


def converse(container):
    """A TCP and a UDP client ask twice, and go."""
    with connect(container.tcp) as sock, datagrams(container.udp) as other:
        for _ in range(2):
            ask(sock, b"hello\n")
            ask(other, b"hello")


@pytest.mark.parametrize("arguments", [[], ["--service", "reply"]], ids=["bare", "options"])
def test_quiet(start, arguments):
    """An engine keeps the log: clients and their messages add nothing to it."""
    container = start(arguments=arguments)
    before = container.log()
    converse(container)
    assert container.log() == before


def test_verbose(start):
    """The console is there when it is asked for."""
    container = start(arguments=["--verbose"])
    converse(container)
    wait_until(lambda: container.log().count("Received: hello\n") == 4, "four lines")
    assert "Client ID : 0 connected .\n" in container.log()


def test_options(start):
    """What follows the image's name are the program's options; the addresses stay."""
    container = start(arguments=["--service", "echo"])
    for sock in connect(container.tcp), datagrams(container.udp):
        with sock:
            sock.sendall(b"hello\n")
            assert sock.recv(100) == b"hello\n"


def test_own_addresses(start):
    """An entry point without the image's addresses leaves them all to the options."""
    container = start("--entrypoint", "rollcall", addresses=2,
                      arguments=["--tcp", "*:9000", "--udp", "none"])
    assert "udp" not in container.log() and ":8080" not in container.log()
    with connect(container.address(9000)) as sock:
        ask(sock, b"hello\n")


def test_wrong_option(run):
    done = run(arguments=["--sevrice", "echo"])
    assert done.returncode == 64 and "--service" in done.stderr


def test_check(run):
    """It tells what the kernel can do, and that it can run."""
    done = run("--security-opt", f"seccomp={PROFILE}", arguments=["--check"])
    assert done.returncode == 0 and done.stdout.endswith("\nrollcall can run here\n")
    assert re.search(r"^seccomp filter +yes$", done.stdout, re.MULTILINE)


def test_names(start, network):
    """The program is a static one, and resolves names all the same: its own from /etc/hosts, and
    one that only the engine's DNS knows."""
    container = start("--network", network(), "--hostname", "own-name", "--network-alias", "alias",
                      addresses=IMAGE_ADDRESSES + 2,
                      arguments=["--tcp", "own-name:9001", "--tcp", "alias:9002"])
    for port in 9001, 9002:
        host, _ = container.tcp
        assert f"listening on tcp {host}:{port}\n" in container.log()
        with connect((host, port)) as sock:
            ask(sock, b"hello\n")


def test_unknown_name(run, network):
    done = run("--network", network(), "--security-opt", f"seccomp={PROFILE}",
               arguments=["--tcp", "no-such-name.invalid:9000"])
    assert done.returncode == 68 and "does not resolve" in done.stderr
