# SPDX-License-Identifier: MIT
"""Faults of servers are caught by the load: one byte of TCP in a million, a datagram of UDP, and
the run that meets one fails."""

import pytest
from programs import BUILD, faulty, load_once, run_bench

MILLION = 1000000
TCP_LOAD = ("--clients", 8, "--size", 1000, "--inflight", 4, "--timeout", 1)
UDP_LOAD = ("--clients", 4, "--inflight", 4, "--messages", 5000, "--udp-timeout", 300)


def test_without_a_fault_two_million_bytes_are_right():
    with faulty() as server:
        status, result, said = load_once(server, "tcp", *TCP_LOAD, "--messages", 2000)
        assert (status, said) == (0, "")
        assert result["bytes"] == 2 * MILLION


@pytest.mark.parametrize("fault", ["corrupt", "lose", "duplicate"])
def test_one_byte_in_a_million(fault):
    """Just before the millionth byte all is well; with it the load fails."""
    with faulty(f"--{fault}-every", str(MILLION)) as server:
        status, result, said = load_once(server, "tcp", *TCP_LOAD, "--messages", 999)
        assert (status, said) == (0, ""), said
        assert result["bytes"] == 999 * 1000
        status, _, said = load_once(server, "tcp", *TCP_LOAD, "--messages", 1001)
        assert status == 1
        expected = {"corrupt": "wrong bytes", "lose": "wrong bytes|no answer",
                    "duplicate": "wrong bytes|after its last answer"}[fault]
        assert any(text in said for text in expected.split("|")), said


def test_corrupted_datagram():
    with faulty("--corrupt-every", "4999") as server:
        status, _, said = load_once(server, "udp", *UDP_LOAD)
        assert status == 1 and "wrong bytes" in said


@pytest.mark.parametrize("fault, counter", [("lose", "lost"), ("duplicate", "duplicated")])
def test_datagrams_are_counted(fault, counter):
    """Each of the five thousand that is lost or there twice, and none else."""
    with faulty(f"--{fault}-every", "999") as server:
        status, result, said = load_once(server, "udp", *UDP_LOAD)
        assert (status, said) == (0, "")
        counters = {name: result[name] for name in ("lost", "duplicated", "late")}
        assert counters == {"lost": 0, "duplicated": 0, "late": 0, counter: 5}


def test_run_fails_on_wrong_bytes(tmp_path):
    status, said, found = run_bench(
        tmp_path, "--a", f"{BUILD}/epoll-bare", "--b", f"{BUILD}/faulty --corrupt-every {MILLION}",
        "--cells", "^tcp/50/1K/1$", "--seconds", 3)
    assert status == 1, said
    assert "FAULT: TCP 50 clients, 1 KiB: b: rollcall-load ended with 1" in said
    assert "wrong bytes" in found["cells"][0]["fault"]
    assert found["cells"][0]["comparisons"][0]["estimate"] is None


def test_run_fails_if_a_server_does_not_start(tmp_path):
    status, said, found = run_bench(tmp_path, "--a", f"{BUILD}/epoll-bare", "--b", "/bin/false",
                                    "--cells", "^tcp/50/64/1$", "--seconds", 3)
    assert status == 1 and "false ended with 1" in said
    assert "false ended with 1" in found["cells"][0]["fault"]


def test_run_refuses_what_it_cannot_do(tmp_path):
    for options, complaint in (
            (("--a", "x"), "--a and --b belong together"),
            (("--rounds", 2), "--rounds 2: at least 5"),
            (("--cells", "("), "--cells '('"),
            (("--a", "/nonexistent", "--b", "/nonexistent"), "there is no /nonexistent")):
        status, said, found = run_bench(tmp_path, *options)
        assert status not in (0, None) and complaint in said and found is None
