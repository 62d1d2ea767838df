# SPDX-License-Identifier: MIT
"""bench/idle, with few clients and quickly: that it leaves what it should, and that it fails when
an idle client is not served as it should be. Its figures are looked at with made-up ones."""

import json
import subprocess
import sys
import types

import made_up
import pytest
from compare import estimate, idle, idle_table
from compare.processes import Fault
from conftest import TOP
from programs import BUILD, LOAD_CORE, RUN_LIMIT_S, SERVER_CORE, faulty

CLIENTS = 300
QUICK = ("--clients", CLIENTS, "--messages", 500, "--rounds", 5, "--rate", 5000,
         "--wait-max", 100)


def run_idle(output, *options, shell=""):
    """Runs it, after what a shell is to do; returns exit status, what it said, and its results."""
    words = [sys.executable, TOP / "bench/idle", "--build", BUILD, "--output", output, *options]
    done = subprocess.run(["sh", "-c", shell + 'exec "$@"', "sh", *map(str, words)],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=RUN_LIMIT_S)
    path = output / "idle.json"
    found = json.loads(path.read_text()) if path.exists() else None
    return done.returncode, done.stdout + done.stderr, found


def test_quick_run(tmp_path):
    status, said, found = run_idle(tmp_path, *QUICK)
    assert status == 0, said
    assert found["clients"] == found["memory"]["clients"] == CLIENTS
    assert f"--max-clients {CLIENTS + idle.FILES_SPARE}" in " ".join(found["command"])
    for name in "messages", "messages_again":
        assert found[name]["messages"] == 500 and found[name]["clients"] == CLIENTS
    assert 0 <= found["memory"]["user_bytes"] < 1 << 20
    for name in "busy_before", "busy_after":
        assert len(estimate.kept(found[name]["rounds"])) == 5
        assert found[name]["ratio"]["ratio"] > 0
    assert "idle clients at once" in said and "on this machine" in said


def test_clients_that_are_not_kept_are_a_fault(tmp_path):
    """A server that ends idle clients holds none: the run has no figures."""
    status, said, found = run_idle(tmp_path, *QUICK, "--server", "rollcall --idle-timeout 0.5")
    assert status == 1 and found is None
    assert "FAULT: rollcall-load ended with 1" in said
    assert "the server closed the connection" in said


@pytest.mark.parametrize("messages, fails", [(99, False), (101, True)])
def test_each_byte_to_an_idle_client_counts(messages, fails):
    """The hundredth message of 64 bytes has a wrong one."""
    settings = types.SimpleNamespace(clients=CLIENTS, messages=messages, rate=5000, open_limit=30)
    progress = types.SimpleNamespace(line=lambda text: None)
    one = idle.Idle(None, f"{BUILD}/rollcall-load", (SERVER_CORE, LOAD_CORE), settings, progress)
    with faulty("--corrupt-every", "6400") as server:
        with one.load(server, CLIENTS, *one.idle_options()) as load:
            one.open(load, CLIENTS)
            if fails:
                with pytest.raises(Fault, match="wrong bytes"):
                    one.random_messages(load)
            else:
                assert one.random_messages(load)["messages"] == messages


def test_no_more_clients_than_files(tmp_path):
    status, said, found = run_idle(tmp_path, "--clients", 801, shell="ulimit -n 1000; ")
    assert status == 1 and found is None
    assert "--clients 801: the limit of open files is 1000, which allows 800" in said


def reading(user, kernel, **caches):
    memory = idle.Memory.__new__(idle.Memory)
    memory.user, memory.kernel, memory.caches = user, kernel, caches
    return memory


def test_rise_of_memory():
    before = reading(1000, 5000, TCP=100, dentry=50, other=7)
    after = reading(1000 + 128 * 20000, 5000 + 9000 * 20000,
                    TCP=100 + 5000 * 20000, dentry=50 + 400 * 20000, other=8)
    found = after.rise(before, 20000)
    assert (found["user_bytes"], found["kernel_bytes"]) == (128, 9000)
    assert list(found["caches"].items()) == [("TCP", 5000), ("dentry", 400)]
    assert after.rise(before, 100)["kernel_bytes"] is None


def busy(ratio):
    """Rounds in which the server with the idle clients takes this many times what the other does."""
    rounds = made_up.rounds({"with": 6000 * ratio, "without": 6000}, spread=0)
    return {"rounds": rounds, "ratio": estimate.compare(rounds, "without", "with", "cpu"),
            "figures": {name: estimate.figures(rounds, name) for name in ("with", "without")}}


def results(user=128.0, ratio=1.0):
    memory = {"clients": 20000, "user_bytes": user, "kernel_bytes": 9200.0, "caches": {}}
    return {"emulated": False, "clients": 20000, "files_limit": 20200, "open_seconds": 1.5,
            "memory": memory, "memory_after_messages": memory,
            "alike": {**memory, "kernel_bytes": 8400.0},
            "messages": made_up.one_slice(6000), "messages_again": made_up.one_slice(6000),
            "busy_before": busy(1.0), "busy_after": busy(ratio)}


def line_of(found, text):
    line, = [line for line in idle_table.terminal(found).splitlines() if text in line]
    return line


def test_table_judges():
    # For 20,000 clients what is there once may make 3.48 bytes more.
    assert line_of(results(user=131.4), "user memory").endswith("reached")
    assert line_of(results(user=131.6), "user memory").endswith("MISSED")
    assert line_of(results(ratio=1.09), "beside the idle").endswith("reached")
    assert line_of(results(ratio=1.11), "beside the idle").endswith("MISSED")
    assert "1.110" in line_of(results(ratio=1.11), "beside the idle")
    assert "1.000" in line_of(results(ratio=1.11), "before idle ones")


def test_table_takes_the_end_of_the_load_off():
    assert "5000 bytes" in line_of(results(), "the server's end alone")
    found = results()
    del found["alike"]
    assert "the server's end" not in idle_table.terminal(found)


def test_table_without_a_result():
    found = results()
    found["busy_after"]["ratio"] = None
    assert "too many rounds were discarded" in line_of(found, "beside the idle")
