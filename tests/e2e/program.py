# SPDX-License-Identifier: MIT
"""Starts and ends the program under test, and reads what it prints."""

import functools
import os
import pathlib
import re
import shlex
import signal
import subprocess
import threading
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
COMMAND = shlex.split(os.environ.get("ROLLCALL", "build/rollcall"))
# The engine that the tests are about. It comes before a test's own options, so these may name another.
ENGINE = os.environ.get("ROLLCALL_ENGINE", "io_uring")
PINNED = ("--engine", ENGINE)
FREE_PORTS = ("--tcp", "127.0.0.1:0", "--udp", "127.0.0.1:0")
REPORTS = ("ERROR:", "runtime error", "SUMMARY:", "Assertion", "CHECK")
DEADLINE_S = 60 if os.environ.get("ROLLCALL_SLOW") else 20
WAITING = "Waiting for client..."

needs_bare_program = pytest.mark.skipif(
    len(COMMAND) > 1, reason="a tool that runs the program needs descriptors and calls of its own")


def program_file():
    """The program itself, which is the last word of the command."""
    return str((TOP / COMMAND[-1]).resolve())


def command():
    """The command with the program's whole path, so that it can be started from anywhere."""
    return [*COMMAND[:-1], program_file()]


@functools.cache
def is_sanitized():
    return b"__asan_init" in pathlib.Path(program_file()).read_bytes()


def is_slow():
    """Whether the program runs under a tool that makes it slow: tests then do less of it."""
    return bool(os.environ.get("ROLLCALL_SLOW")) or is_sanitized()


def wait_until(condition, what, deadline_s=DEADLINE_S):
    """Returns the first true value of condition(); fails when the deadline has passed."""
    end = time.monotonic() + deadline_s
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {deadline_s} s in vain for {what}"
        time.sleep(0.005)
    return value


class Lines(list):
    """The lines of a pipe, as they come: a thread appends them."""

    def __init__(self, pipe):
        super().__init__()
        self.thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self.thread.start()

    def _read(self, pipe):
        with pipe:
            for line in pipe:
                self.append(line.decode(errors="backslashreplace").rstrip("\n"))

    def matching(self, pattern):
        return [line for line in list(self) if re.search(pattern, line)]


class Server:
    """The program, running, on the engine that the tests are about. Without --tcp and --udp among the
    options it listens on free ports of 127.0.0.1. recipe=True leaves the options as they are, but for
    an engine that is not the usual one. `stdout` and `stderr` may be file descriptors of the test's
    own, and then are not read here."""

    def __init__(self, *options, recipe=False, stdout=None, stderr=None, preexec=None, words=None,
                 environment=None, pass_fds=()):
        self.options = [str(option) for option in options]
        if not recipe:
            for name, value in zip(FREE_PORTS[::2], FREE_PORTS[1::2]):
                if name not in self.options:
                    self.options += [name, value]
        pinned = () if recipe and ENGINE == "io_uring" else PINNED
        self.process = subprocess.Popen(
            [*(words or command()), *pinned, *self.options], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE if stderr is None else stderr, preexec_fn=preexec,
            env={**os.environ, **(environment or {})}, pass_fds=pass_fds)
        self.pid = self.process.pid
        self.was_waited_for = False
        self.stdout = Lines(self.process.stdout) if stdout is None else None
        self.stderr = Lines(self.process.stderr) if stderr is None else None

    def wait_until_ready(self):
        """Waits until it serves, and until its addresses are known, as far as its output is
        read."""
        if self.stdout is not None and (
                "--verbose" in self.options or not {"-q", "--quiet"} & set(self.options)):
            self.wait_for(WAITING)
        if self.stderr is not None and not {"error", "warning"} & set(self.options):
            kinds = ("tcp", "udp")
            wait_until(lambda: self._has_ended() or all(
                len(self.addresses(kind)) >= self._address_count(kind) for kind in kinds),
                "listening")
            assert not self._has_ended(), self.output()
        return self

    def _address_count(self, kind):
        """How many addresses it is to listen on: a name stands for one of each family."""
        named = [value for option, value in zip(self.options, self.options[1:])
                 if option == f"--{kind}"] or ["localhost:"]
        return sum(0 if name == "none" else 2 if name.startswith(("localhost:", "*:")) else 1
                   for name in named)

    def _has_ended(self):
        return self.process.poll() is not None

    def addresses(self, kind):
        """All addresses of the kind ("tcp" or "udp") that the program has said it listens on."""
        found = []
        for line in self.stderr.matching(rf"listening on {kind} "):
            host, port = line.split(f"listening on {kind} ")[1].split()[0].rsplit(":", 1)
            found.append((host.strip("[]"), int(port)))
        return found

    @property
    def tcp(self):
        return self.addresses("tcp")[0]

    @property
    def udp(self):
        return self.addresses("udp")[0]

    def wait_for(self, text, count=1, stream="stdout", deadline_s=DEADLINE_S):
        """Waits until `count` lines of the stream are the text."""
        lines = getattr(self, stream)
        try:
            wait_until(lambda: list(lines).count(text) >= count or self._has_ended(), text,
                       deadline_s)
            lines.thread.join(0.2 if self._has_ended() else 0)
            assert list(lines).count(text) >= count, f"not among its lines: {text}"
        except AssertionError as failure:
            raise AssertionError(f"{failure}\n{self.output()}") from None

    def wait_for_lines(self, pattern, count):
        """Waits until `count` lines of standard output match the pattern; more must not come before
        the last of them."""
        wait_until(lambda: len(self.stdout.matching(pattern)) >= count, f"{count} times {pattern}")
        assert len(self.stdout.matching(pattern)) == count, self.output()

    def wait_for_log(self, pattern, count=1, deadline_s=DEADLINE_S):
        """Waits until `count` lines of the diagnostics match the pattern; returns them."""
        wait_until(lambda: len(self.stderr.matching(pattern)) >= count or self._has_ended(),
                   pattern, deadline_s)
        found = self.stderr.matching(pattern)
        assert len(found) >= count, f"{pattern}\n{self.output()}"
        return found

    def output(self):
        texts = [f"{name}, {len(lines)} lines:\n  " + "\n  ".join(lines[-25:])
                 for name, lines in (("stdout", self.stdout), ("stderr", self.stderr))
                 if lines is not None]
        return "\n".join([f"exit code {self.process.poll()}", *texts])

    def cpu_s(self):
        """The CPU time that all its threads have used, the kernel's on their behalf included."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def files(self):
        """How many file descriptors it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def memory_bytes(self, field="VmRSS"):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) * 1024

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, deadline_s=DEADLINE_S):
        """Waits for its end and returns the exit code."""
        code = self.process.wait(deadline_s)
        self.was_waited_for = True
        for lines in (self.stdout, self.stderr):
            if lines is not None:
                lines.thread.join(deadline_s)
        return code

    def stop(self, deadline_s=DEADLINE_S):
        """Ends it with SIGTERM and returns the exit code."""
        self.signal()
        return self.wait(deadline_s)

    def finish(self):
        """Ends it unless the test has: then it must exit with 0. Looks for reports in any case."""
        if not self.was_waited_for:
            assert self.stop() == 0, self.output()
        self.check_reports()

    def check_reports(self):
        for line in self.stderr or []:
            assert not any(report in line for report in REPORTS), self.output()

    def clean_up(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def run_program(*options, words=None, preexec=None, deadline_s=DEADLINE_S):
    """Runs the program to its end, on the engine that the tests are about; returns what
    subprocess.run() does, with texts."""
    done = subprocess.run([*(words or command()), *PINNED, *map(str, options)],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, errors="backslashreplace", preexec_fn=preexec,
                          timeout=deadline_s)
    assert not any(report in done.stderr for report in REPORTS), done.stderr
    return done
