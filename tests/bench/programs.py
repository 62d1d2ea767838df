# SPDX-License-Identifier: MIT
"""Runs the benchmark's own programs for the tests."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import types

from compare.load import Load
from compare.servers import Contestant, Server, Servers
from conftest import TOP

BUILD = os.path.join(TOP, os.environ.get("BENCH_BUILD", "build"))
RUN_LIMIT_S = 200
PLAYED_LIMIT_S = 30
SERVER_CORE, LOAD_CORE = (sorted(os.sched_getaffinity(0)) * 2)[:2]


@contextlib.contextmanager
def faulty(*options):
    """The echo server with these faults."""
    known = Servers(BUILD, {"faulty": Contestant("faulty", options)})
    with known.start("faulty", SERVER_CORE) as server:
        server.wait_until_it_listens()
        yield server


@contextlib.contextmanager
def played_server():
    """A listening socket in the place of a server."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        listener.settimeout(PLAYED_LIMIT_S)
        yield types.SimpleNamespace(listener=listener, pid=os.getpid(),
                                    addresses={"tcp": listener.getsockname()})


def load_once(server, transport, *options, limit_s=60):
    """Runs the load to its end; returns its exit status, its result and what it said."""
    host, port = server.addresses[transport]
    done = subprocess.run([f"{BUILD}/rollcall-load", f"--{transport}", f"{host}:{port}",
                           *map(str, options)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=limit_s)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def run_bench(output, *options):
    """Runs bench/run; returns its exit status, what it printed, and its results if it left any."""
    done = subprocess.run([sys.executable, TOP / "bench/run", "--build", BUILD, "--output", output,
                           *map(str, options)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=RUN_LIMIT_S)
    path = os.path.join(output, "results.json")
    found = None
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    return done.returncode, done.stdout + done.stderr, found
