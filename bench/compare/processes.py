# SPDX-License-Identifier: MIT
"""Child processes: each on a core of its own choice, bounded in time, and ended with this program
whatever happens to it."""

import ctypes
import json
import os
import select
import signal
import subprocess
import tempfile
import time

from compare import cores

END_LIMIT_S = 10
PR_SET_PDEATHSIG = 1
MESSAGE_BYTES = 2000

libc = ctypes.CDLL(None, use_errno=True)


class Fault(Exception):
    """A program of the benchmark did what it must not: its figures count for nothing."""


class Child:
    """A program that runs until end(). It gets its own session, so that Ctrl-C reaches this program
    alone, which then ends it."""

    def __init__(self, command, cpu, pass_fds=()):
        self.command = [str(word) for word in command]
        self.errors = tempfile.TemporaryFile()
        self.unread = b""

        def prepare():
            os.sched_setaffinity(0, {cpu})
            cores.limit_run()
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            pass_fds=pass_fds, start_new_session=True, preexec_fn=prepare)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def said(self):
        """The end of what it has written to standard error."""
        fd = self.errors.fileno()  # the child writes where this position is: it must not move
        start = max(0, os.fstat(fd).st_size - MESSAGE_BYTES)
        return os.pread(fd, MESSAGE_BYTES, start).decode(errors="backslashreplace").strip()

    def fault(self, what):
        said = self.said()
        return Fault(f"{os.path.basename(self.command[0])} {what}" + (f": {said}" if said else ""))

    def check(self):
        """Fails if it has ended."""
        code = self.process.poll()
        if code is not None:
            raise self.fault(f"ended with {code}")

    def write_line(self, text):
        try:
            self.process.stdin.write(text.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            self.process.wait(END_LIMIT_S)
            self.check()

    def read_json(self, limit_s):
        """The next line of its output, which is JSON."""
        end = time.monotonic() + limit_s
        while b"\n" not in self.unread:
            if not select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))[0]:
                raise self.fault(f"said nothing for {limit_s:.0f} s")
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            if not data:
                self.process.wait(END_LIMIT_S)
                self.check()
            self.unread += data
        line, _, self.unread = self.unread.partition(b"\n")
        return json.loads(line)

    def finish(self, limit_s):
        """Closes its input, and waits until it ends by itself, which has to be without a fault."""
        self.process.stdin.close()
        try:
            code = self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise self.fault(f"did not end within {limit_s:.0f} s") from None
        if code != 0:
            raise self.fault(f"ended with {code}")

    def end(self, number=signal.SIGTERM):
        """Ends it if it still runs, and waits for that."""
        for number in number, signal.SIGKILL:
            if self.process.poll() is None:
                self.process.send_signal(number)
            try:
                self.process.wait(END_LIMIT_S)
                break
            except subprocess.TimeoutExpired:
                continue
        for pipe in self.process.stdin, self.process.stdout:
            try:
                pipe.close()
            except BrokenPipeError:
                pass


def output_of(command, limit_s=10):
    """What a program prints, errors included; nothing if it cannot be run, or does not end."""
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="backslashreplace",
                              timeout=limit_s).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
