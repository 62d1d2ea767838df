# SPDX-License-Identifier: MIT
"""bench/run from its start to its end, quickly: that it leaves what it should and nothing else.
What it measures is not looked at here."""

import os
import pathlib
import signal
import subprocess
import sys
import time

from compare import results
from conftest import TOP
from programs import BUILD, run_bench


def children_of(pid):
    """Its process IDs, and those of all below."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rsplit(")", 1)[1].split()[1]) == pid:
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found + [one for child in found for one in children_of(child)]


def test_quick_run(tmp_path):
    """A cell of each transport and memory. However busy the machine is, rounds are kept."""
    status, said, found = run_bench(
        tmp_path, "--cells",
        "^tcp/50/64/1/(control|rate/25%)$|^udp/50/64/1(/client-bound)?$|memory",
        "--rounds", 5,
        "--seconds", 20, "--wait-max", 100)
    assert status == 0, said
    results.check(found)
    assert found["method"]["namespace"] or found["method"]["congestion_control"] == "reno"
    assert [(cell["name"], cell["placement"]) for cell in found["cells"]] == [
        ("tcp/50/64/1/rate/25%", "rate"), ("tcp/50/64/1/control", "shared"),
        ("udp/50/64/1", "shared"),
        ("udp/50/64/1/client-bound", "apart")]
    assert found["cells"][0]["options"][0] == "--rate"
    for cell in found["cells"]:
        assert cell["fault"] is None
        for name, figures in cell["figures"].items():
            assert figures["messages"] > 0 and figures["cpu_us"] > 0, name
            assert set(cell["rounds"][0]["slices"]) == set(cell["figures"])
    assert {one["server"] for one in found["memory"]} >= {"rollcall", "epoll-bare"}
    assert all(one["user_bytes"] < 1 << 20 for one in found["memory"])
    assert "Is io_uring worth it on this machine, for this load?" in said
    assert "udp/50/64/1" in said and "Noise of this run (A/A)" in said
    assert (tmp_path / "report.html").read_text().startswith("<!DOCTYPE html>")


def test_another_build(tmp_path):
    """Two builds of rollcall, here the same one."""
    status, said, found = run_bench(tmp_path, "--against", BUILD, "--cells", "^tcp/50/64/1$",
                                    "--rounds", 5, "--wait-max", 100)
    assert status == 0, said
    assert found["cells"][0]["comparisons"][0]["estimate"]["rounds"] >= 5
    assert found["commands"]["a"][0] == os.path.join(BUILD, "rollcall")


def test_list_and_markdown(tmp_path):
    status, said, _ = run_bench(tmp_path, "--full", "--list")
    assert status == 0
    assert len(said.splitlines()) > 40 and said.count("tcp/10000/") == 5


def test_list_of_two_programs(tmp_path):
    """What any server takes: the echo and connect loads of the matrix, and no services or rates."""
    status, said, _ = run_bench(tmp_path, "--against", BUILD, "--full", "--list")
    assert status == 0
    names = [line.split()[0] for line in said.splitlines()]
    assert {"tcp/1000/16K/1", "tcp/50/64/1/connect", "udp/50/1K/16/gso"} <= set(names)
    assert not [name for name in names if name.endswith(("/reply", "/latency", "/spin"))]


def test_no_such_load(tmp_path):
    status, said, _ = run_bench(tmp_path, "--cells", "tcp/7")
    assert status == 2
    assert "no load matches --cells 'tcp/7'" in said and "--list" in said


def test_interrupt_leaves_nothing(tmp_path):
    """In the middle of a cell, with all servers and loads alive."""
    run = subprocess.Popen(
        [sys.executable, TOP / "bench/run", "--build", BUILD, "--output", tmp_path, "--cells",
         "^tcp/50/64/1$"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
        # A shell that starts the tests in the background has it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    try:
        end = time.monotonic() + 20
        while len(children := children_of(run.pid)) < 4 and time.monotonic() < end:
            time.sleep(0.01)
        assert len(children) >= 4
        run.send_signal(signal.SIGINT)
        assert "interrupted" in run.communicate(timeout=30)[1]
        assert run.returncode == 1
        assert not [pid for pid in children if os.path.exists(f"/proc/{pid}")]
        assert not os.path.exists(tmp_path / "results.json")
    finally:
        run.kill()
        run.wait()
