# SPDX-License-Identifier: MIT
"""How server and load share a core, and that it cannot lock up the machine."""

import os
import signal
import subprocess
import sys
import time

import pytest
from compare import cores
from compare.processes import Child
from conftest import TOP

HOG = "while True: pass"
WAITER = "import time\nwhile True: time.sleep(0.2)"
LIMIT_S = 20


def schedule(pid):
    return os.sched_getscheduler(pid), os.sched_getparam(pid).sched_priority


def python(program, cpu):
    return Child([sys.executable, "-c", program], cpu)


def test_policies():
    """Of all threads, those that are started later too."""
    threads = ("import threading, time\nfor _ in range(3):\n"
               "    threading.Thread(target=time.sleep, args=(9,)).start()\n    time.sleep(0.3)")
    for name in "batch", cores.policy():
        with python(threads, min(os.sched_getaffinity(0))) as child:
            time.sleep(0.4)
            cores.set_process(child.pid, name)
            time.sleep(0.8)
            found = [schedule(int(thread)) for thread in os.listdir(f"/proc/{child.pid}/task")]
            assert found == [cores.POLICIES[name]] * 4


def test_asking_for_the_policy_changes_nothing():
    before = schedule(0)
    assert cores.policy() in cores.POLICIES
    assert schedule(0) == before


@pytest.mark.skipif(cores.policy() != "fifo", reason="SCHED_FIFO is not allowed here")
def test_who_hogs_a_core_is_killed():
    """And one that waits now and then is not."""
    cpu = min(os.sched_getaffinity(0))
    with python(HOG, cpu) as hog, python(WAITER, cpu) as waiter:
        cores.set_process(hog.pid, "fifo")
        cores.set_process(waiter.pid, "fifo")
        began = time.monotonic()
        assert hog.process.wait(LIMIT_S) == -signal.SIGKILL
        assert time.monotonic() - began > cores.RUN_LIMIT_S * 0.8
        waiter.check()


def test_leave():
    """All but the core of the servers, where there is another."""
    program = ("import os; from compare import cores; cpu = min(os.sched_getaffinity(0)); "
               "cores.leave(cpu); print(cpu, *os.sched_getaffinity(0))")
    text = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True,
                          check=True, env={**os.environ, "PYTHONPATH": str(TOP / "bench")}).stdout
    server, *others = text.split()
    assert (server in others) == (len(os.sched_getaffinity(0)) == 1)
