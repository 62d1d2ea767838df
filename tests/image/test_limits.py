# SPDX-License-Identifier: MIT
"""What a container may be denied, and how the program does without."""

import os
import pathlib
import re

import pytest

from client import connect

CLIENTS = 100


def test_little_locked_memory(start):
    """64 KiB of locked memory, as many engines give a user: it starts with smaller rings, says so,
    and serves a hundred clients at once."""
    container = start("--ulimit", "memlock=65536:65536")
    assert re.search("warning: .*locked memory.*rings and buffers of 1/.*--ulimit memlock=", container.log())
    socks = [connect(container.tcp) for _ in range(CLIENTS)]
    for sock in socks:
        sock.sendall(b"hello\n" * 20)
    for sock in socks:
        with sock, sock.makefile("rb") as answers:
            assert [answers.readline() for _ in range(20)] == [b"Received: hello\n"] * 20


def test_few_files(start):
    """A limit of open files: it serves as many clients as that allows, and says how many."""
    container = start("--ulimit", "nofile=256:256")
    assert "RLIMIT_NOFILE is 256" in container.log()
    container.serves()


def test_least_privilege(start):
    """Nothing to write to, no capabilities, no way to new ones, not root: the kernel says so of the
    process, and it serves."""
    container = start("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
    container.serves()
    assert container.state(".HostConfig.ReadonlyRootfs") is True
    directory = f"/proc/{container.state('.State.Pid')}"
    if not os.path.exists(directory):
        pytest.skip("the container's processes cannot be seen: the engine is on another machine")
    status = dict(line.split(":\t", 1) for line in
                  pathlib.Path(directory, "status").read_text(encoding="utf-8").splitlines())
    assert status["Name"] == "rollcall"
    assert set(status["Uid"].split()) == set(status["Gid"].split()) == {"65532"}
    for kind in "Inh", "Prm", "Eff", "Bnd", "Amb":
        assert int(status[f"Cap{kind}"], 16) == 0
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    root = next(line.split() for line in
                pathlib.Path(directory, "mountinfo").read_text(encoding="utf-8").splitlines()
                if line.split()[4] == "/")
    assert "ro" in root[5].split(",")
