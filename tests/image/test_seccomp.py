# SPDX-License-Identifier: MIT
"""The seccomp profile: what is in it, that io_uring is used with it, and how the image serves where
an engine's own profile blocks io_uring."""

import json
import os
import subprocess

import pytest

from client import ask, connect, datagrams
from container import DEFAULT_PROFILE, PACE, PROFILE, warnings
from engine import TOP

CALLS = ["io_uring_enter", "io_uring_register", "io_uring_setup"]
ALLOWED = {"names": CALLS, "action": "SCMP_ACT_ALLOW"}
ENOSYS = 38
EX_UNAVAILABLE = 69
# The first release of Docker whose own profile blocks io_uring.
BLOCKED_SINCE = 25
MAKE = os.path.join(TOP, "docker/make-seccomp")


def read(name):
    with open(os.path.join(TOP, "docker", name), encoding="utf-8") as file:
        return json.load(file)


def test_one_rule_more():
    """The profile is the engine's default and the rule for the three calls, and that is all."""
    default, profile = read("seccomp-default.json"), read("seccomp.json")
    assert profile["syscalls"] == [*default["syscalls"], ALLOWED]
    assert {**profile, "syscalls": None} == {**default, "syscalls": None}


def test_default_blocks():
    """The default has no rule for the calls: what it does not name fails with EPERM."""
    default = read("seccomp-default.json")
    assert (default["defaultAction"], default["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 1)
    assert not [rule for rule in default["syscalls"] if set(CALLS) & set(rule["names"])]


def test_made_by_the_script():
    """docker/make-seccomp makes the profile that is here, from the default that is here."""
    done = subprocess.run([MAKE], capture_output=True, text=True, timeout=20, check=True)
    with open(os.path.join(TOP, "docker/seccomp.json"), encoding="utf-8") as file:
        assert done.stdout == file.read()


def test_script_refuses():
    """A default that has a rule for one of the calls needs a human eye."""
    done = subprocess.run([MAKE, os.path.join(TOP, "docker/seccomp.json")], capture_output=True,
                          text=True, timeout=20, check=False)
    assert done.returncode == 1 and done.stdout == "" and "io_uring" in done.stderr


def test_profile_is_enough(start):
    """With the profile it serves on io_uring."""
    container = start()
    container.serves()
    assert warnings(container.log()) == []
    assert container.rings() == ["io_uring"]


@pytest.fixture(params=["EPERM", "ENOSYS"])
def blocked(request, tmp_path):
    """A profile that blocks io_uring, and the error: as Docker does it, whatever the default of the
    engine here is, and as Podman does, where the calls seem to be missing."""
    if request.param == "EPERM":
        return DEFAULT_PROFILE, request.param
    profile = read("seccomp-default.json")
    profile["syscalls"].append({"names": CALLS, "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS})
    path = tmp_path / "enosys.json"
    path.write_text(json.dumps(profile), encoding="utf-8")
    return path, request.param


def test_blocked(start, blocked):
    """It serves over epoll, is healthy, and ends well. One warning tells the cause, which error,
    and the option to add."""
    profile, error = blocked
    container = start(*PACE, profile=profile)
    (warning,) = warnings(container.log())
    assert "blocked by a seccomp filter" in warning and error in warning
    assert "serving over epoll" in warning
    assert f"--security-opt seccomp={PROFILE}, " in warning
    container.serves()
    assert container.rings() == ["eventpoll"]
    container.becomes("healthy")
    container.engine("stop", container.id)
    assert container.state(".State.ExitCode") == 0, container.log()


def test_blocked_check(run, blocked):
    profile, error = blocked
    done = run("--security-opt", f"seccomp={profile}", arguments=["--check"])
    assert done.returncode == 0 and done.stdout.endswith("\nrollcall can run here, over epoll\n")
    assert error in done.stdout and f"seccomp={PROFILE}, " in done.stdout


def test_io_uring_or_nothing(run, blocked):
    """An image that insists on io_uring ends with 69, and says the cause and the option to add."""
    profile, error = blocked
    done = run("--security-opt", f"seccomp={profile}", arguments=["--engine", "io_uring"])
    assert done.returncode == EX_UNAVAILABLE, done.stderr
    cause, cure = done.stderr.splitlines()[-2:]
    assert "blocked by a seccomp filter" in cause and error in cause
    assert f"--security-opt seccomp={PROFILE}, " in cure


def test_no_option_at_all(engine, start):
    """As a first try has it: it serves on the published ports, on io_uring if this engine allows
    it."""
    container = start("--publish", "127.0.0.1::8080", "--publish", "127.0.0.1::7070/udp",
                      profile=None)
    with connect(container.published("8080/tcp")) as sock, \
            datagrams(container.published("7070/udp")) as other:
        ask(sock, b"hello\n")
        ask(other, b"hello")
    is_blocked = int(engine.version.split(".")[0]) >= BLOCKED_SINCE
    assert len(warnings(container.log())) == is_blocked
    assert container.rings() == ["eventpoll" if is_blocked else "io_uring"]
