# SPDX-License-Identifier: MIT
"""How many system calls a server makes for a message: counted while it answers in slices of their
own, which are not among those that are timed.

perf counts them inside the kernel (the tracepoint raw_syscalls:sys_enter), which hardly slows the
server. Without perf strace does, but stops the server at each call: what arrives meanwhile is
answered in larger batches than otherwise.
"""

import contextlib
import os
import pathlib
import re
import select
import shutil
import signal
import statistics
import subprocess
import time

from compare.processes import output_of

SLICES = 3
ATTACH_LIMIT_S = 5
COUNT_LIMIT_S = 10
EVENT = "raw_syscalls:sys_enter"


def tool():
    """The name of what can count here, or None."""
    if re.search(rf"^\d+,.*{EVENT}", output_of(["perf", "stat", "-x", ",", "-e", EVENT, "true"]),
                 re.M):
        return "perf"
    return "strace" if shutil.which("strace") else None


def per_message(name, server, load, slice_ms):
    """The median of some slices; None if it cannot be told."""
    counts = []
    for _ in range(SLICES):
        with (perf if name == "perf" else strace)(server.pid) as count:
            result = load.slice(slice_ms)
            calls = count()
        if calls is None or not result["messages"]:
            return None
        counts.append(calls / result["messages"])
    return statistics.median(counts)


def stop(process):
    """Ends a tool, and returns what it has counted, as text."""
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=COUNT_LIMIT_S)[1]


@contextlib.contextmanager
def running(command, **settings):
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True, start_new_session=True,
                               **settings)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@contextlib.contextmanager
def perf(pid):
    """Counts from when perf says that it does."""
    order_read, order_write = os.pipe()
    done_read, done_write = os.pipe()
    try:
        with running(["perf", "stat", "-x", ",", "-D", "-1", "-e", EVENT, "-p", str(pid),
                      "--control", f"fd:{order_read},{done_write}"],
                     pass_fds=(order_read, done_write)) as process:
            os.write(order_write, b"enable\n")
            is_counting = select.select([done_read], [], [], ATTACH_LIMIT_S)[0]

            def count():
                found = re.search(rf"^(\d+),.*{EVENT}", stop(process), re.M)
                return int(found[1]) if found and is_counting else None

            yield count
    finally:
        for fd in order_read, order_write, done_read, done_write:
            os.close(fd)


@contextlib.contextmanager
def strace(pid):
    """Counts from when the server is traced."""
    with running(["strace", "-qq", "-c", "-f", "-p", str(pid)]) as process:
        end = time.monotonic() + ATTACH_LIMIT_S
        while not (is_traced := tracer(pid) == process.pid) and process.poll() is None and \
                time.monotonic() < end:
            time.sleep(0.01)

        def count():
            found = re.search(r"^100\.00\s+\S+\s+(?:\d+\s+)?(\d+)(?:\s+\d+)?\s+total$",
                              stop(process), re.M)
            return int(found[1]) if found and is_traced else None

        yield count


def tracer(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return int(re.search(r"^TracerPid:\s+(\d+)", status, re.M)[1])
