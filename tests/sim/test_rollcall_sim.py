# SPDX-License-Identifier: MIT
"""The simulator as a command: its trace can be read, is the same each time, and each failure names
the command that replays it."""

import os
import re
import signal
import subprocess
import time

import pytest

SIM = os.environ.get("ROLLCALL_SIM", "build/rollcall-sim")
SEEDS = 255, 7, 12, 33, 48, 219, 5  # the last one has a crowd

# Each kind of line, after the time. All of them appear in a few seeds.
ADDRESS = r"(\d+\.){3}\d+:\d+"
KINDS = (
    r"a crowd of .+",
    r"turn, without a wait",
    r"turn, waits without a limit",
    r"turn, waits \d+\.\d{3} ms at most",
    r"submit: accept on listener \d+ \(fd \d+\)",
    r"submit: receive of client \d+ \(fd \d+\)",
    r"submit: receive on endpoint \d+ \(fd \d+\)",
    r"submit: read of the wake-up eventfd \(fd \d+\)",
    r"submit: send \d+ bytes to client \d+",
    rf"submit: send a datagram of \d+ bytes to {ADDRESS} \(datagram slot \d+\)",
    rf"submit: send \d+ bytes to {ADDRESS} as datagrams of \d+ \(datagram slot \d+\)",
    r"submit: cancel the receive of client \d+",
    r"submit: poll for output to client \d+ \(fd \d+\)",
    r"submit: cancel the poll for output to client \d+",
    r"submit: cancel the receive on endpoint \d+",
    r"submit: cancel the accept on listener \d+",
    r"submit: cancel the read of the wake-up eventfd",
    r"submit: close of client \d+ \(fd \d+\)",
    rf"listener \d+ accepted {ADDRESS} as fd \d+, more to come",
    r"listener \d+: accept ended: ECANCELED",
    r"client \d+ received \d+ bytes, more to come",
    r"client \d+: receive ended: end of stream",
    r"client \d+: receive ended: (ECANCELED|ECONNRESET)",
    r"client \d+: \d+ bytes sent",
    r"client \d+: send failed: E[A-Z]+",
    r"client \d+: the socket takes output",
    r"client \d+: descriptor \d+ closed",
    rf"datagram of \d+ bytes from {ADDRESS} received on endpoint \d+, more to come",
    rf"datagram of \d+ bytes from {ADDRESS} received on endpoint \d+, receive ended",
    rf"datagrams of \d+ bytes, \d+ in all, from {ADDRESS} received on endpoint \d+, more to come",
    r"endpoint \d+: receive ended: ECANCELED",
    r"datagram slot \d+: \d+ bytes sent",
    r"cancel (for client|on listener|on endpoint) \d+: done",
    r"cancel on the wake-up eventfd: done",
    r"the wake-up eventfd: read failed: ECANCELED",
    r"read of the wake-up eventfd: 8 bytes",
    r"callback: client \d+ connected",
    r"callback: message of \d+ bytes from client \d+",
    r"callback: client \d+ disconnected: .+",
    rf"network: {ADDRESS} (connects|half-closes|closes|resets the connection)",
    rf"network: {ADDRESS} (writes|reads) \d+ bytes",
    r"fault: .+",
    r"datagram dropped: SO_RCVBUF full",
    r"shutdown of fd \d+",
    r"reset when fd \d+ is closed",
)

# These are rare: a few seeds need not have them.
RARE = (
    r"client \d+: poll for output failed: E[A-Z]+",
    r"client \d+ received \d+ bytes, receive ended",
    r"client \d+ received \d+ bytes",  # of a receive of one piece, of a client beyond its share
    rf"listener \d+ accepted {ADDRESS} as fd \d+, accept ended",
    rf"datagrams of \d+ bytes, \d+ in all, from {ADDRESS} received on endpoint \d+, receive ended",
    r"(listener|client|endpoint) \d+: (accept|receive) (ended|failed): E[A-Z]+(, with a buffer)?",
    r"datagram slot \d+: send failed: E[A-Z]+",
    r"the wake-up eventfd: read failed: E[A-Z]+",
    r"client \d+: close failed: E[A-Z]+",
    r"cancel (for client|on listener|on endpoint) \d+: E[A-Z]+",
    r"cancel on the wake-up eventfd: E[A-Z]+",
    r"callback: message of \d+ bytes, without a client",
    r"failure on purpose",
    r"a worker of io-wq waits to send \(fd \d+\)",
)


def sim(*arguments):
    return subprocess.run([SIM, *arguments], capture_output=True, text=True, timeout=100)


def trace(*arguments):
    """The events of a run; their times never decrease."""
    result = sim(*arguments, "--trace")
    assert result.returncode == 0, result.stderr
    lines = [re.fullmatch(r" *(\d+\.\d{3}) ms  (\S.*)", line)
             for line in result.stdout.splitlines() if not line.startswith("the ")]
    assert all(lines)
    times = [float(line[1]) for line in lines]
    assert times == sorted(times)
    return [line[2] for line in lines]


def test_same_seed_same_trace():
    """Two runs of a seed print the same bytes, and another seed prints others."""
    first, second, other = (sim("--seed", seed, "--trace").stdout for seed in ("255", "255", "256"))
    assert len(first.splitlines()) > 1000
    assert first == second
    assert first != other


def test_every_line_is_a_sentence():
    """Each line is of one of the kinds above, and each kind appears."""
    events = [event for seed in SEEDS for event in trace("--seed", str(seed))]
    forms = re.compile("|".join(f"(?:{kind})" for kind in (*KINDS, *RARE)))
    assert not [event for event in events if not forms.fullmatch(event)]
    for kind in KINDS:
        assert any(re.fullmatch(kind, event) for event in events), kind


@pytest.mark.parametrize("failure, event", [
    ("accept,1,EMFILE", r"listener 0: accept ended: EMFILE"),
    ("recv,2,ECONNRESET", r"client \d+: receive ended: ECONNRESET"),
    ("send,1,EPIPE", r"(client|datagram slot) \d+: send failed: EPIPE"),
    ("recvmsg,1,ENOBUFS", r"endpoint 0: receive ended: ENOBUFS"),
    ("read,1,EIO", r"the wake-up eventfd: read failed: EIO"),
    ("close,1,ENOSPC", r"client \d+: close failed: ENOSPC"),
    ("cancel,1,ENOENT", r"cancel .*: ENOENT"),
])
def test_failure_by_name(failure, event):
    """A single failure is asked for by names, and the trace shows it with them."""
    events = trace("--fail", failure)
    after = events[events.index("failure on purpose") + 1:]
    assert any(re.fullmatch(event, line) for line in after[:3]), after[:3]


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        return int(stat.read().rsplit(")", 1)[1].split()[11]) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("arguments, replay", [
    (["--seeds", "1-1000000"], r"--seed \d+ --trace"),
    (["--torture"], r"--fail [a-z]+,\d+,E[A-Z0-9]+ --trace"),
])
def test_failure_says_how_to_replay(arguments, replay):
    """A run that aborts prints the command that replays it, and that command is accepted."""
    with subprocess.Popen([SIM, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True) as process:
        while cpu_seconds(process.pid) < 0.1:
            time.sleep(0.01)
        process.send_signal(signal.SIGABRT)
        error = process.communicate(timeout=30)[1]
    assert process.returncode == 1
    found = re.fullmatch(rf"failed; to replay it:  {re.escape(SIM)} ({replay})\n", error)
    assert found, error
    assert sim(*found[1].split()).returncode == 0


@pytest.mark.parametrize("arguments", [
    ["--fail", "13,1,24"], ["--fail", "accept,0,EMFILE"], ["--fail", "accept,1,EMFIL"],
    ["--fail", "accept,1"], ["--fail", "accept,1,EMFILE,"], ["--fail", "nothing,1,EMFILE"],
    ["--seeds", "2-1"], ["--seeds", "x"], ["--nothing"],
])
def test_wrong_usage(arguments):
    assert sim(*arguments).returncode == 64


def test_help():
    """--help names every option, and no line is too long for a terminal."""
    result = sim("--help")
    assert result.returncode == 0 and not result.stderr
    for option in "--seeds", "--seed", "--torture", "--fail", "--trace", "--help":
        assert option in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
