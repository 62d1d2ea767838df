# SPDX-License-Identifier: MIT
"""A steady client beside crowds of others: how long it waits for its answers, what the server holds
meanwhile, and how long it takes to stop.

For each crowd each server is started again, and no other runs beside it. The steady client connects
first; it sends at a fixed rate (rollcall-load --rate), so a stall counts for every message that was
due in it. Then the crowd (rollcall-crowd) connects, the slice begins, and the crowd does what its
kind does. SIGTERM follows while the crowd is still connected.

A steady client that is not served is a result here, and no fault of the run.
"""

import contextlib
import dataclasses
import os
import pathlib
import re
import resource
import select
import shutil
import signal
import statistics
import subprocess
import time

from compare import cores
from compare.crowd import CrowdProcess
from compare.load import Load
from compare.processes import Fault
from compare.servers import CONTESTANTS, Server, Servers, free_port

SETTLE_S = 1  # in which the server takes what waits in its backlog
LOOK_S = 0.05
END_LIMIT_S = 60
FILES_SPARE = 100  # that a server has open beside its clients, or fewer
RATE = 500  # messages a second of the steady client
SILENCE_MAX_S = 20  # after which the steady client gives up
CLIENTS_MAX = 18000
IDLE_TIMEOUT_S = 4
PLACES = 1000
NEWCOMERS_RATE = 20
NEWCOMERS_SILENCE_MAX_S = 5
SEND_BYTES_MAX = 64 << 10
RECEIVE_BYTES_MAX = 128 << 10

SERVERS = ("rollcall reply", "rollcall", "epoll-bare", "libuv")  # and memcached


@dataclasses.dataclass(frozen=True)
class Crowd:
    name: str
    kind: str = "idle"  # of rollcall-crowd
    clients: int = 0
    options: tuple = ()  # of rollcall-crowd
    slice_ms: int = 5000
    idle_timeout_s: int = None  # that the server is to have
    places: int = None  # for how many clients the server is to have room
    newcomers: bool = False  # the steady client has a connection for each message


CROWDS = (
    Crowd("none"),
    Crowd("idle", "idle", CLIENTS_MAX),
    Crowd("flooders", "flood", 100),
    Crowd("slow readers", "slow-read", 200),
    Crowd("half-closers", "half-close", 300),
    Crowd("hoarders", "hoard", 4400),
    Crowd("mass expiry", "touch", CLIENTS_MAX, slice_ms=9000, idle_timeout_s=IDLE_TIMEOUT_S),
    Crowd("mass disconnect", "disconnect", CLIENTS_MAX),
    Crowd("all places taken", "idle", PLACES, ("--addresses", 1), places=PLACES, newcomers=True),
)


class Unable(Exception):
    """The server has no such option."""


def limited(crowd, files_limit, clients_max=None):
    """The crowd with no more clients than there may be files, or than are wanted."""
    most = files_limit - FILES_SPARE
    most = most if clients_max is None else min(most, clients_max)
    places = crowd.places and min(crowd.places, most)
    return dataclasses.replace(crowd, clients=min(crowd.clients, most), places=places)


class Contestants:
    """The servers that can be started, and why the others cannot."""

    def __init__(self, build, others):
        self.known = Servers(build, {**{name: CONTESTANTS[name] for name in SERVERS}, **others})
        self.memcached = shutil.which("memcached")
        self.missing = dict(self.known.missing)
        if not self.memcached:
            self.missing["memcached"] = "it is not installed"

    def names(self):
        return [*self.known.contestants, *(["memcached"] if self.memcached else [])]

    def service(self, name):
        return name if name == "memcached" else self.known.contestants[name].service

    def command(self, name, port, crowd):
        if name == "memcached":
            return memcached_command(self.memcached, port, crowd)
        words = self.known.command(name, {"tcp": ("127.0.0.1", port)})
        options = self.known.options[self.known.contestants[name].program]
        if crowd.idle_timeout_s:
            if "idle-timeout" not in options:
                raise Unable("no idle timeout")
            words += ["--idle-timeout", str(crowd.idle_timeout_s)]
        if "max-clients" in options:
            words += ["--max-clients", str(crowd.places or crowd.clients + FILES_SPARE)]
        elif crowd.places:
            words = ["prlimit", f"--nofile={crowd.places}:{crowd.places}", *words]
        return words

    def start(self, name, cpu, crowd):
        port = free_port("tcp")
        return Server(self.command(name, port, crowd), cpu, {"tcp": ("127.0.0.1", port)})


def memcached_command(program, port, crowd):
    words = [program, "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-t", "1",
             "-c", str(crowd.places or crowd.clients + FILES_SPARE)]
    if os.geteuid() == 0:
        words += ["-u", "root"]
    if crowd.idle_timeout_s:
        words += ["-o", f"idle_timeout={crowd.idle_timeout_s}"]
    return words


def threads(pid):
    """Those of io_uring's workers (io-wq) included."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    found = re.search(r"^Threads:\s+(\d+)", text, re.M)
    return int(found[1]) if found else 0


def cpu_s(pid):
    """What all threads of a process have used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(
        encoding="ascii", errors="replace").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_of_children_s():
    """Of those that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Measurement:
    """How one server is measured with one crowd."""

    def __init__(self, contestants, programs, pair, policy):
        self.contestants = contestants
        self.load_program, self.crowd_program = programs
        self.server_cpu, self.load_cpu = pair
        self.policy = policy

    def steady(self, name, server, crowd):
        options = ["--service", self.contestants.service(name)]
        if crowd.newcomers:
            options += ["--connect", "--clients", 100, "--rate", NEWCOMERS_RATE,
                        "--timeout", NEWCOMERS_SILENCE_MAX_S]
        else:
            options += ["--rate", RATE, "--inflight", "64K", "--timeout", SILENCE_MAX_S]
        return Load(self.load_program, server, self.load_cpu, "tcp", options)

    def run(self, name, crowd):
        """Returns what was measured; raises Unable if the server cannot be measured so."""
        found = {"crowd": crowd.name, "server": name, "clients": crowd.clients, "failed": None,
                 "latency_us": None, "messages": 0, "unsent": 0, "delay_p99_us": None,
                 "ended": None, "reset": None}
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(
                self.contestants.start(name, self.server_cpu, crowd))
            server.wait_until_it_listens()
            steady = stack.enter_context(self.steady(name, server, crowd))
            steady.wait_until_connected()
            cores.set_process(steady.pid, self.policy)
            others = stack.enter_context(CrowdProcess(
                self.crowd_program, server, self.load_cpu, crowd.kind, crowd.clients,
                crowd.options)) if crowd.clients else None
            try:
                found.update(self.slice(server, steady, others, crowd))
            except Fault as fault:
                found["failed"] = str(fault)
            found.update(self.end(server))
        return found

    def slice(self, server, steady, others, crowd):
        if others:
            others.wait_until_connected()
        time.sleep(SETTLE_S)
        cpu_before, began = cpu_s(server.pid), time.monotonic()
        steady.begin_slice(crowd.slice_ms)
        if others:
            others.go()
        found = {"threads": 0, "memory_bytes": 0}
        watch(server, steady, crowd, found)
        try:
            result = steady.end_slice(crowd.slice_ms)
            found.update({name: result[name] for name in ("latency_us", "messages", "unsent")})
            found["delay_p99_us"] = result["delay_us"]["p99"]
        except Fault as fault:
            found["failed"] = str(fault)
        server.check()
        found["cpu_share"] = (cpu_s(server.pid) - cpu_before) / (time.monotonic() - began)
        if others:
            report = others.report()
            found.update({name: report[name] for name in ("ended", "reset")})
        return found

    def end(self, server):
        """With the crowd still there. None: it has ended before, or does not end."""
        if server.process.poll() is not None:
            return {"end_seconds": None, "end_cpu_s": None}
        used = cpu_s(server.pid) + cpu_of_children_s()
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        try:
            server.process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            return {"end_seconds": None, "end_cpu_s": None}
        return {"end_seconds": time.monotonic() - began,
                "end_cpu_s": max(0, cpu_of_children_s() - used)}


def watch(server, steady, crowd, found):
    """Until the steady client has its result: the most threads and memory that the server has."""
    limit = time.monotonic() + crowd.slice_ms / 1000 + SILENCE_MAX_S
    while time.monotonic() < limit and server.process.poll() is None:
        found["threads"] = max(found["threads"], threads(server.pid))
        found["memory_bytes"] = max(found["memory_bytes"], server.memory_bytes())
        if select.select([steady.process.stdout], [], [], LOOK_S)[0]:
            return


def faults(rounds):
    """Wrong bytes. Memcached has none: it answers with an error when it has no place left."""
    return [f"{one['server']}, {one['crowd']}: {one['failed']}" for one in rounds
            if one["server"] != "memcached" and "wrong bytes" in (one["failed"] or "")]


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def most(values):
    return max((value for value in values if value is not None), default=None)


def summary(rounds):
    """Of several rounds of a server with a crowd: medians of quantiles, the largest of the rest."""
    found = {name: rounds[0][name] for name in ("crowd", "server", "clients")}
    served = [one["latency_us"] for one in rounds if one["latency_us"]]
    for quantile in "p50", "p99":
        found[quantile + "_us"] = median([one[quantile] for one in served])
    found["max_us"] = most([one["max"] for one in served])
    found["failed"] = next((one["failed"] for one in rounds if one["failed"]), None)
    for name in "threads", "memory_bytes", "end_seconds", "end_cpu_s", "delay_p99_us":
        found[name] = most([one.get(name) for one in rounds])
    if any(one["end_seconds"] is None for one in rounds):
        found["end_seconds"] = None
    found["gone"] = median([one["ended"] + one["reset"] for one in rounds
                            if one["ended"] is not None])
    return found
