# SPDX-License-Identifier: MIT
"""Made-up slices, rounds, cells and results, as a run would give them."""

import dataclasses
import random

from compare import cells, results

ROUNDS = 40
SPREAD = 0.02  # of a round's speed, from one server to the next


def one_slice(cpu_ns, waited=0.0, messages=1000, idle=0.0):
    """On a core that the load has for as long as the server, and that is idle for a share of it."""
    seconds = 2 * cpu_ns * messages / 1e9 / (1 - idle)
    usage = {"cpu_ns": round(cpu_ns * messages), "cpu_ns_per_message": cpu_ns,
             "wait_ns": round(waited * seconds * 1e9), "switches": 5, "memory_bytes": 1 << 20}
    latency = {name: cpu_ns / 100 * factor for name, factor in
               (("mean", 1), ("p50", 1), ("p90", 2), ("p99", 5), ("p99.9", 9), ("max", 10))}
    return {"clients": 50, "idle": 0, "messages": messages, "bytes": 64 * messages,
            "seconds": seconds, "messages_per_second": messages / seconds, "latency_us": latency,
            "load": {**usage, "wait_ns": 0}, "server": usage}


def rounds(costs, count=ROUNDS, spread=SPREAD, seed=1):
    """The servers with this number of nanoseconds for a message each, on a machine whose speed swings to
    half and back."""
    source = random.Random(seed)
    found = []
    for _ in range(count):
        speed = source.uniform(1, 2)
        found.append({"order": list(costs), "discarded": {}, "slices": {
            name: one_slice(cpu_ns * speed * source.gauss(1, spread))
            for name, cpu_ns in costs.items()}})
    return found


def measured(cell, costs, **changes):
    """What measuring the cell would have given, with servers of such a cost."""
    known = {name: costs.get(name, costs.get(name.removesuffix(" again"))) for name in cell.servers}
    found = {"name": cell.name, "title": cell.title, **dataclasses.asdict(cell), "fault": None,
             "rounds": rounds(known), "seconds": 1.0,
             "system_calls": {name: 0.04 if name == "rollcall" else 2.05 for name in known}}
    return {**found, **changes}


def complete(*measured_cells, memory=()):
    """The results of a run with these cells."""
    found = {
        "format": results.FORMAT, "began": "2026-01-01T00:00:00+00:00", "seconds": 100.0,
        "arguments": ["--full"], "cells": list(measured_cells), "memory": list(memory),
        "method": {"namespace": None, "congestion_control": "reno", "server_core": 0,
                   "load_core": 1, "policy": "fifo", "system_calls": "perf", "wait_max": 0.05, "confidence": 0.95},
        "commands": {"rollcall": ["rollcall", "--quiet"]}, "missing": {}, "skipped": {},
        "machine": {"processor": "made up", "cores": 2, "virtual": True, "memory_bytes": 1 << 33,
                    "system": "Debian", "kernel": "6.18", "governor": None, "smt": None,
                    "compiler": {"version": "gcc 12", "command": "gcc -O2"},
                    "liburing": {"version": "2.3", "file": "liburing.so.2.3.0"},
                    "mitigations": {}, "caches": ["L2 unified 1024K"], "null_call_ns": 71.2,
                    "limits": {"nofile": (1024, 4096)}, "settings": {},
                    "load_average": (0.1, 0.1, 0.1), "busy": 0.01, "stolen": 0.0}}
    results.complete(found)
    return found


def control():
    return measured(cells.control("tcp"), {"rollcall": 5000, "epoll-bare": 6000})


def against_bare(*loads, rollcall, bare=6000):
    """Cells of TCP echo, in which rollcall has this cost."""
    return [measured(cells.tcp(*load), {"rollcall": rollcall, "epoll-bare": bare})
            for load in loads]
