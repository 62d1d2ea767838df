# SPDX-License-Identifier: MIT
"""Which core the servers get, and which one the load where it has its own; and how the two share a
core where they do not.

There neither may preempt the other, so each runs until it has nothing left to do. Real-time
scheduling does that, and keeps all others away. It cannot lock up the machine: it begins when all
clients are connected, work comes in slices, the kernel kills who runs for RUN_LIMIT_S without
waiting for anything, and what sched_rt_runtime_us leaves to others is left to them. Where it is not
allowed there is SCHED_BATCH, whose wake-ups do not preempt either.
"""

import contextlib
import os
import pathlib
import resource

FIFO_PRIORITY = 10
RUN_LIMIT_S = 5
POLICIES = {"fifo": (os.SCHED_FIFO, FIFO_PRIORITY), "batch": (os.SCHED_BATCH, 0)}


def siblings(cpu):
    """The cores that share what this one has, hyper-threads of it, and itself."""
    path = pathlib.Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    try:
        text = path.read_text()
    except OSError:
        return {cpu}
    found = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def choose(allowed=None):
    """The core of the servers, and that of a load that does not share it: another one, no
    hyper-thread of the first if that can be had. None if there is but one."""
    allowed = sorted(os.sched_getaffinity(0) if allowed is None else allowed)
    if len(allowed) < 2:
        return None
    server = allowed[0]
    others = [cpu for cpu in allowed[1:] if cpu not in siblings(server)] or allowed[1:]
    return server, others[0]


def leave(cpu):
    """This program runs on other cores, if there are any."""
    others = os.sched_getaffinity(0) - siblings(cpu) or os.sched_getaffinity(0) - {cpu}
    if others:
        os.sched_setaffinity(0, others)


def policy():
    """How a core can be shared here."""
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        set_thread(0, "fifo")
    except PermissionError:
        return "batch"
    os.sched_setscheduler(0, *before)
    return "fifo"


def set_thread(thread, name):
    number, priority = POLICIES[name]
    os.sched_setscheduler(thread, number, os.sched_param(priority))


def set_process(pid, name):
    """All its threads; those that it starts later do as the one that starts them."""
    for path in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            set_thread(int(path.name), name)


def limit_run():
    """Before the program of a child is started: the kernel kills it if it hogs a core."""
    limit_us = RUN_LIMIT_S * 1000000
    resource.setrlimit(resource.RLIMIT_RTTIME, (limit_us, limit_us))
