# SPDX-License-Identifier: MIT
"""bench/crowds: a short run leaves what it should, and a steady client that is not served is told.
Its figures are looked at with made-up ones."""

import json
import shutil
import subprocess
import sys

import pytest
from compare import crowds, crowds_table
from compare.crowds import Contestants, Crowd, Measurement
from compare.processes import Child
from compare.servers import Server, free_port
from conftest import TOP
from programs import BUILD, RUN_LIMIT_S, SERVER_CORE, load_once

LIMIT_S = 30


@pytest.mark.skipif(not shutil.which("memcached"), reason="memcached is not installed")
def test_memcached_itself():
    port = free_port("tcp")
    command = crowds.memcached_command("memcached", port, Crowd("any", clients=10))
    with Server(command, SERVER_CORE, {"tcp": ("127.0.0.1", port)}) as server:
        server.wait_until_it_listens()
        status, result, said = load_once(server, "tcp", "--service", "memcached", "--clients", 5,
                                         "--messages", 1000)
        assert (status, said) == (0, "") and result["messages"] == 1000


def test_options_of_servers():
    known = Contestants(BUILD, {})
    idle = Crowd("any", clients=10, idle_timeout_s=4)
    command = " ".join(known.command("rollcall reply", 1, idle))
    assert "--tcp 127.0.0.1:1 --service reply --quiet" in command
    assert command.endswith("--idle-timeout 4 --max-clients 110")
    with pytest.raises(crowds.Unable, match="no idle timeout"):
        known.command("epoll-bare", 1, idle)
    assert crowds.memcached_command("m", 1, idle)[-1] == "idle_timeout=4"
    places = Crowd("any", clients=10, places=10)
    assert known.command("rollcall", 1, places)[-1] == "10"
    assert known.command("epoll-bare", 1, places)[:2] == ["prlimit", "--nofile=10:10"]


def test_crowds_have_a_bound():
    for crowd in crowds.CROWDS:
        found = crowds.limited(crowd, 1000)
        assert found.clients == min(crowd.clients, 900)
        assert crowds.limited(crowd, 1000, 7).clients == min(crowd.clients, 7)
        assert found.places is None or found.places == found.clients


def test_server_that_does_not_stop(monkeypatch):
    monkeypatch.setattr(crowds, "END_LIMIT_S", 0.2)
    monkeypatch.setattr("compare.processes.END_LIMIT_S", 0.2)
    with Child(["sh", "-c", "trap '' TERM; echo 1; sleep 30 & wait"], SERVER_CORE) as server:
        server.read_json(LIMIT_S)
        assert Measurement.end(None, server) == {"end_seconds": None, "end_cpu_s": None}


def run_crowds(output, *options):
    """Runs bench/crowds; returns its exit status, what it printed, and its results."""
    done = subprocess.run([sys.executable, TOP / "bench/crowds", "--build", BUILD, "--output",
                           output, *map(str, options)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=RUN_LIMIT_S)
    path = output / "crowds.json"
    found = json.loads(path.read_text()) if path.exists() else None
    return done.returncode, done.stdout + done.stderr, found


def test_quick_run(tmp_path):
    status, said, found = run_crowds(
        tmp_path, "--crowds", "^none$|^hoarders$|^mass",
        "--servers", "^rollcall reply$|^epoll-bare$", "--clients", 20, "--slice-ms", 300)
    assert status == 0, said
    measured = {(one["crowd"], one["server"]): one for one in found["figures"]}
    assert len(measured) == 7
    assert found["skipped"]["mass expiry, epoll-bare"] == "no idle timeout"
    for one in measured.values():
        assert one["failed"] is None and one["threads"] >= 1 and one["end_seconds"] is not None
        assert 0 < one["p50_us"] <= one["p99_us"] <= one["max_us"]
    assert measured["none", "epoll-bare"]["gone"] is None
    assert measured["hoarders", "rollcall reply"]["gone"] == 0
    assert "20 hoarders" in said


def test_newcomers_that_get_no_place(tmp_path):
    """A result, and no fault of the run."""
    status, said, found = run_crowds(tmp_path, "--crowds", "places", "--servers", "^epoll-bare$",
                                     "--clients", 20, "--slice-ms", 300)
    assert status == 0, said
    assert "no answer for 5" in found["figures"][0]["failed"]
    assert "FAILED" in said and "no answer for 5" in said


def test_wrong_byte_is_a_fault(tmp_path):
    server = f"{BUILD}/faulty --corrupt-every 640"
    status, said, found = run_crowds(tmp_path, "--crowds", "^none$", "--servers", "faulty",
                                     "--server", server, "--slice-ms", 300)
    assert status == 1 and f"FAULT: {server}, none: " in said and "wrong bytes" in said
    assert found["figures"][0]["p50_us"] is None


def test_run_refuses_what_it_cannot_do(tmp_path):
    for options, complaint in ((("--crowds", "^x$"), "no crowd, or no server, has such a name"),
                               (("--servers", "("), "argument --servers: '('"),
                               (("--rounds", 0), "argument --rounds: '0': at least 1")):
        status, said, found = run_crowds(tmp_path, *options)
        assert status not in (0, None) and complaint in said and found is None


def measured(crowd="flooders", server="rollcall reply", p50=1.0, **changes):
    """One of several rounds; times in milliseconds."""
    latency = {"p50": 1000 * p50, "p99": 3000 * p50, "max": 9000 * p50}
    return {"crowd": crowd, "server": server, "clients": 100, "failed": None,
            "latency_us": latency, "messages": 2500, "unsent": 0, "delay_p99_us": 500.0,
            "ended": 1, "reset": 2, "threads": 1, "memory_bytes": 64 << 20, "end_seconds": 5.01,
            "end_cpu_s": 0.02, **changes}


def results(*rounds, busy=0.01):
    return {"machine": {"busy": busy},
            "figures": [crowds.summary([one]) for one in rounds],
            "skipped": {"mass expiry, libuv": "no idle timeout"}}


def test_summary():
    found = crowds.summary([measured(p50=1), measured(p50=9, threads=7), measured(p50=3)])
    assert (found["p50_us"], found["p99_us"], found["max_us"]) == (3000, 9000, 81000)
    assert (found["threads"], found["gone"], found["failed"]) == (7, 3, None)
    found = crowds.summary([measured(), measured(latency_us=None, failed="reset", ended=None,
                                                 end_seconds=None)])
    assert (found["failed"], found["end_seconds"], found["gone"]) == ("reset", None, 3)


def test_table():
    text = crowds_table.terminal(results(measured(), measured(server="memcached", p50=2),
                                         measured(server="libuv", latency_us=None, failed="gone")))
    rows = [line.split() for line in text.splitlines()]
    assert rows[1] == ["100", "flooders", "rollcall", "reply", "1.00", "3.00", "9.00", "1", "64",
                       "3", "5.01", "0.02"]
    assert rows[2][:2] == ["memcached", "2.00"]
    assert rows[3][:4] == ["libuv", "FAILED", "-", "-"]
    assert "100 flooders, libuv: gone." in text
    assert "Not measured: mass expiry, libuv: no idle timeout." in text
    assert "sent late by up to 0.50 ms" in text
    assert "memcached has p99 6.0 ms" in text


@pytest.mark.parametrize("changes, expected", [
    ({}, "p50 1.0 ms (reached) and p99 3.0 ms (reached)"),
    ({"p50": 5.1}, "p50 5.1 ms (MISSED) and p99 15.3 ms (reached)"),
    ({"p50": 7}, "p99 21.0 ms (MISSED)"),
    ({}, "to stop within 6 s: reached"),
    ({"end_seconds": 6.1}, "MISSED (100 flooders, rollcall reply: 6.10 s)"),
    ({"end_seconds": None}, "MISSED (100 flooders, rollcall reply: >60 s)")])
def test_goals(changes, expected):
    assert expected in crowds_table.terminal(results(measured(**changes)))


def test_busy_machine_is_told():
    assert "busy" not in crowds_table.terminal(results(measured()))
    assert "busy (30%)" in crowds_table.terminal(results(measured(), busy=0.3))


def test_markdown(tmp_path):
    path = tmp_path / "crowds.json"
    path.write_text(json.dumps(results(measured())))
    status, said, _ = run_crowds(tmp_path / "none", "--markdown", path)
    assert status == 0
    assert said.startswith("| crowd | server | p50 ms |")
    assert "| 100 flooders | rollcall reply | 1.00 | 3.00 | 9.00 |" in said
