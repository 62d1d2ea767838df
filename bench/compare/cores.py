# SPDX-License-Identifier: MIT
"""Which core the servers get, and which one the load."""

import os
import pathlib


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
    """The core of the servers, and that of the load: another one, no hyper-thread of the first if
    that can be had. None if there is but one."""
    allowed = sorted(os.sched_getaffinity(0) if allowed is None else allowed)
    if len(allowed) < 2:
        return None
    server = allowed[0]
    others = [cpu for cpu in allowed[1:] if cpu not in siblings(server)] or allowed[1:]
    return server, others[0]
