# SPDX-License-Identifier: MIT
"""The seccomp profile: what is in it, that it is enough, and what the program says where an
engine's own profile blocks io_uring."""

import json
import os
import subprocess

import pytest

from client import ask, connect, datagrams
from container import PROFILE
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
    """With the profile it starts and serves."""
    container = start()
    with connect(container.tcp) as sock, datagrams(container.udp) as other:
        ask(sock, b"hello\n")
        ask(other, b"hello")


def refused(done, error):
    """It ends with 69, and says the cause, which error, and the option to add."""
    assert done.returncode == EX_UNAVAILABLE, done.stderr
    cause, cure = done.stderr.splitlines()[-2:]
    assert "blocked by a seccomp filter" in cause and error in cause
    assert f"--security-opt seccomp={PROFILE}: " in cure


def test_blocked_with_eperm(run):
    """Docker's default, whatever the default of the engine here is."""
    refused(run("--security-opt", "seccomp=docker/seccomp-default.json"), "EPERM")


def test_blocked_with_enosys(run, tmp_path):
    """As Podman does it: the calls seem to be missing."""
    profile = read("seccomp-default.json")
    profile["syscalls"].append({"names": CALLS, "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS})
    path = tmp_path / "enosys.json"
    path.write_text(json.dumps(profile), encoding="utf-8")
    refused(run("--security-opt", f"seccomp={path}"), "ENOSYS")


def test_blocked_by_this_engine(engine, run):
    """No option at all, as a first try has it."""
    if int(engine.version.split(".")[0]) < BLOCKED_SINCE:
        pytest.skip(f"Docker {engine.version} allows io_uring by default: since "
                    f"{BLOCKED_SINCE}.0 it does not")
    refused(run(), "EPERM")
