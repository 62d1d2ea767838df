# SPDX-License-Identifier: MIT
"""Many idle TCP clients: what each costs in memory, whether any of them is still answered, and
what they cost 50 others that are busy.

User memory is what the server's process holds in anonymous pages (Anonymous in its smaps_rollup,
which counts each page; RssAnon in its status may be some dozens of pages behind).

For whom the kernel holds memory it does not tell: that is what the fields below of the whole
machine rise by. So both ends of each connection are in it, and the load's has to be taken off. The
load has each socket in an epoll, and so has the server epoll-bare: with idle clients of that one
both ends are alike, and half of what they take is the load's end.

The busy clients are measured with two servers that are the same program and alive at once: in
rounds, before idle clients come to one of them and after that. What the kernel's own tables lose
by so many sockets both servers lose, so the microseconds of both times are told too.
"""

import os
import pathlib
import random
import re
import select
import time

from compare import estimate
from compare.load import Load
from compare.memory import KERNEL_FIELDS, kernel_bytes

BUSY_CLIENTS = 50
MESSAGE_BYTES = 64
ROUNDS_FACTOR = 2  # so many times the rounds that are wanted may be run to replace the discarded
LOAD_END_CLIENTS = 20000  # that the load's end is measured with, or fewer
FILES_SPARE = 200  # that a process has open beside those of idle clients, or fewer
CLOSED_CLIENTS_MAX = 50000  # more are not closed one by one in the end
KERNEL_CLIENTS_MIN = 10000  # with fewer, what else happens on the machine is more
SETTLE_S = 2  # in which the server takes what waits in its backlog
LOOK_S = 5
KERNEL_NAMES = (*KERNEL_FIELDS, "VmallocUsed")
CACHE_BYTES_MIN = 8  # a client; what takes less is not told


def caches():
    """What each cache of the kernel's holds in bytes; nothing where that is a secret."""
    try:
        lines = pathlib.Path("/proc/slabinfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    found = {}
    for line in lines[2:]:
        name, _, _, _, _, pages, *rest = line.split()
        found[name] = int(pages) * int(rest[-2]) * os.sysconf("SC_PAGE_SIZE")
    return found


def user_bytes(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return 1024 * int(re.search(r"^Anonymous:\s+(\d+) kB", text, re.M)[1])


def sockets():
    """TCP sockets of the machine: two for each connection."""
    text = pathlib.Path("/proc/net/sockstat").read_text(encoding="ascii")
    return int(re.search(r"^TCP: inuse (\d+)", text, re.M)[1])


class Memory:
    """A reading, after what is under way has come to its end."""

    def __init__(self, server):
        time.sleep(SETTLE_S)
        self.user, self.kernel = user_bytes(server.pid), kernel_bytes(KERNEL_NAMES)
        self.caches = caches()

    def rise(self, before, clients):
        """For each client."""
        found = {"clients": clients, "user_bytes": (self.user - before.user) / clients,
                 "kernel_bytes": None, "caches": {}}
        if clients < KERNEL_CLIENTS_MIN:
            return found
        found["kernel_bytes"] = (self.kernel - before.kernel) / clients
        rises = [((held - before.caches.get(name, 0)) / clients, name)
                 for name, held in self.caches.items()]
        found["caches"] = {name: rise for rise, name in sorted(rises, reverse=True)
                           if rise >= CACHE_BYTES_MIN}
        return found


class Idle:
    """A measurement. `settings` are the options of bench/idle."""

    def __init__(self, servers, load_program, cores, settings, progress):
        self.servers, self.load_program, self.settings = servers, load_program, settings
        self.server_cpu, self.load_cpu = cores
        self.progress = progress
        self.dice = random.Random(1)

    def load(self, server, clients, *options):
        return Load(self.load_program, server, self.load_cpu, "tcp",
                    ["--clients", clients, "--size", MESSAGE_BYTES, *options])

    def idle_options(self):
        """An open loop sends nothing between slices, and in one of them to clients at random."""
        return ("--rate", self.settings.rate, "--inflight", 1,
                "--messages", self.settings.messages)

    def open(self, load, clients):
        """Waits until all are connected. More cannot be opened than the time allows."""
        began = time.monotonic()
        before = sockets()
        while not select.select([load.process.stdout], [], [], LOOK_S)[0]:
            opened = (sockets() - before) // 2
            self.progress.line(f"  {opened:,} of {clients:,} clients, "
                               f"{time.monotonic() - began:.0f} s")
            if time.monotonic() - began > self.settings.open_limit:
                raise load.fault(f"opened only {opened:,} of {clients:,} clients in "
                                 f"{self.settings.open_limit:.0f} s")
        load.wait_until_connected()
        return time.monotonic() - began

    def round(self, loads):
        names = self.dice.sample(list(loads), len(loads))
        slices = {name: loads[name].slice(self.settings.slice_ms) for name in names}
        return {"slices": slices, "discarded": {}}

    def rounds(self, opened):
        """Busy clients for each of the servers, in turn and in random order within a round."""
        loads = {}
        found = []
        try:
            for name, server in opened.items():
                loads[name] = self.load(server, BUSY_CLIENTS)
                loads[name].wait_until_connected()
            self.round(loads)  # the first time everything is cold
            while (len(estimate.kept(found)) < self.settings.rounds and
                   len(found) < self.settings.rounds * ROUNDS_FACTOR):
                found.append(self.round(loads))
                estimate.discard(found, "apart", self.settings.wait_max)
            for load in loads.values():
                load.close()  # nobody may get more than was answered
        finally:
            for load in loads.values():
                load.end()
        for server in opened.values():
            server.check()
        return found

    def busy(self, opened, when):
        self.progress.line(f"{BUSY_CLIENTS} busy clients, {when}: {self.settings.rounds} rounds")
        rounds = self.rounds(opened)
        return {"rounds": rounds, "ratio": estimate.compare(rounds, "without", "with", "cpu"),
                "figures": {name: estimate.figures(rounds, name) for name in opened}}

    def random_messages(self, idle):
        """To clients drawn at random, at times drawn at random; each byte is checked."""
        seconds = self.settings.messages / self.settings.rate
        self.progress.line(f"{self.settings.messages:,} messages on random ones of them, "
                           f"{self.settings.rate:,} a second")
        # Time does not end it, but the number of messages.
        found = idle.slice(round(2000 * seconds) + 1000)
        if found["messages"] != self.settings.messages:
            raise idle.fault(f"got {found['messages']:,} of {self.settings.messages:,} answers")
        return found

    def alike(self, server):
        """The kernel's memory for two ends that are alike: see above."""
        clients = min(self.settings.clients, LOAD_END_CLIENTS)
        self.progress.line(f"{clients:,} clients of epoll-bare, for the load's share of memory")
        before = Memory(server)
        with self.load(server, clients) as load:
            self.open(load, clients)
            found = Memory(server).rise(before, clients)
        return found

    def measure(self, opened, bare):
        """All of it, with two servers that run, "with" and "without", and epoll-bare."""
        clients = self.settings.clients
        found = {"clients": clients, "busy_before": self.busy(opened, "no idle ones")}
        server = opened["with"]
        before = Memory(server)
        self.progress.line(f"{clients:,} idle clients")
        with self.load(server, clients, *self.idle_options()) as idle:
            found["open_seconds"] = self.open(idle, clients)
            found["memory"] = Memory(server).rise(before, clients)
            found["messages"] = self.random_messages(idle)
            found["memory_after_messages"] = Memory(server).rise(before, clients)
            found["busy_after"] = self.busy(opened, f"{clients:,} idle ones")
            found["messages_again"] = self.random_messages(idle)
            if bare and clients >= KERNEL_CLIENTS_MIN:
                found["alike"] = self.alike(bare)
            if clients <= CLOSED_CLIENTS_MAX:
                idle.close()
            server.check()
        return found
