# SPDX-License-Identifier: MIT
"""Measures a cell: all its servers are alive at once, and answer one after another, for a slice of
time each, in random order within a round."""

import contextlib
import dataclasses
import random
import statistics
import time

from compare import cores, estimate, system_calls
from compare.cells import MANY_CLIENTS, RATE_OF, SLICE_MS, Comparison
from compare.load import Load
from compare.processes import Fault

GENERATIONS = 3  # servers are started so often: where memory happens to lie makes a difference too
MANY_GENERATIONS = 2
MANY_WAIT_FACTOR = 2  # the kernel's own threads take part of the core when so many clients send
CAPACITY_SLICES, CAPACITY_SLICE_MS = 5, 300
ROUNDS_FACTOR = 2  # so many times the rounds that are wanted may be run to replace the discarded


@dataclasses.dataclass
class Bench:
    """What a run needs to know."""
    servers: object
    load_program: str
    server_cpu: int
    load_cpu: int  # None: there is but one core
    policy: str  # on a shared core
    system_calls_tool: str
    rounds: dict  # that are wanted, by placement
    capacities: dict  # messages/s that cells.RATE_OF can do at most, by load
    seconds: float  # at most, for a cell
    long_seconds: float  # the same if its slices are long
    wait_max: float
    dice: random.Random = dataclasses.field(default_factory=lambda: random.Random(1))

    def load_cpu_of(self, placement):
        is_apart = placement != "shared" and self.load_cpu is not None
        return self.load_cpu if is_apart else self.server_cpu

    def capacity(self, cell):
        """What RATE_OF can do under the load of a cell, if that is not held to a rate."""
        load = cell.transport, cell.clients, cell.bytes
        if load not in self.capacities:
            closed = dataclasses.replace(cell, options=(), slice_ms=CAPACITY_SLICE_MS,
                                         comparisons=(Comparison(RATE_OF, RATE_OF),))
            with Opened(self, closed) as opened:
                found = [opened.slice(RATE_OF) for _ in range(CAPACITY_SLICES)]
                opened.close()
            self.capacities[load] = statistics.median(one["messages_per_second"] for one in found)
        return self.capacities[load]


class Opened:
    """The servers of a cell, each with its load, from `with` on."""

    def __init__(self, bench, cell):
        self.bench, self.cell = bench, cell
        self.servers, self.loads = {}, {}
        self.wait_max = bench.wait_max * (MANY_WAIT_FACTOR if cell.clients >= MANY_CLIENTS else 1)

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            names = list(self.cell.servers)
            self.bench.dice.shuffle(names)
            for name in names:
                self.servers[name] = stack.enter_context(
                    self.bench.servers.start(name, self.bench.server_cpu))
            for name in names:
                self.servers[name].wait_until_it_listens()
                self.loads[name] = stack.enter_context(self.start_load(name))
                self.loads[name].wait_until_connected()
                if self.cell.placement == "shared":
                    cores.set_process(self.servers[name].pid, self.bench.policy)
                    cores.set_process(self.loads[name].pid, self.bench.policy)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *exception):
        return self.stack.__exit__(*exception)

    def start_load(self, name):
        options = self.cell.load_options()
        if self.bench.servers.contestants[name].service == "reply":
            options += ["--service", "reply"]
        return Load(self.bench.load_program, self.servers[name],
                    self.bench.load_cpu_of(self.cell.placement), self.cell.transport, options)

    def slice(self, name):
        try:
            return self.loads[name].slice(self.cell.slice_ms)
        except Fault as fault:
            self.servers[name].check()
            raise Fault(f"{name}: {fault}") from None

    def round(self):
        names = list(self.servers)
        self.bench.dice.shuffle(names)
        slices = {name: self.slice(name) for name in names}
        return {"order": names, "slices": slices, "discarded": {}}

    def system_calls(self):
        tool = self.bench.system_calls_tool
        return {name: system_calls.per_message(tool, self.servers[name], load, self.cell.slice_ms)
                for name, load in self.loads.items()} if tool else {}

    def close(self):
        """Nobody may get more than was answered, in the end either."""
        for name, load in self.loads.items():
            try:
                load.close()
            except Fault as fault:
                raise Fault(f"{name}: {fault}") from None
            self.servers[name].check()


def with_rate(bench, cell):
    """The cell with the messages a second that its share amounts to here."""
    if not cell.rate_share:
        return cell
    rate = max(1, round(bench.capacity(cell) * cell.rate_share))
    return dataclasses.replace(cell, options=(*cell.options, "--rate", rate))


def run_cell(bench, cell, progress):
    """Measures until there are enough rounds or the time is up. A fault ends the cell."""
    result = {"name": cell.name, "title": cell.title, "rounds": [], "system_calls": {},
              "fault": None, **dataclasses.asdict(cell)}
    generations = MANY_GENERATIONS if cell.clients >= 1000 else GENERATIONS
    began = time.monotonic()
    is_long = cell.slice_ms > SLICE_MS and not cell.rate_share
    limit = bench.long_seconds if is_long else bench.seconds
    try:
        cell = with_rate(bench, cell)
        result["options"] = cell.options
        for generation in range(1, generations + 1):
            with Opened(bench, cell) as opened:
                opened.round()  # the first time everything is cold
                run_rounds(bench, opened, result["rounds"], progress, generation / generations,
                           began + limit * generation / generations)
                if generation == generations:
                    result["system_calls"] = opened.system_calls()
                opened.close()
    except Fault as fault:
        result["fault"] = str(fault)
    result["seconds"] = time.monotonic() - began
    return result


def run_rounds(bench, opened, rounds, progress, share, end):
    """Runs rounds until so large a share of those that are wanted is done."""
    cell = opened.cell
    wanted = max(1, round(bench.rounds[cell.placement] * share))
    kept = 0
    while (kept < wanted and len(rounds) < wanted * ROUNDS_FACTOR and
           (time.monotonic() < end or not rounds)):
        rounds.append(opened.round())
        estimate.discard(rounds, cell.placement, opened.wait_max)
        kept = min(len(estimate.kept(rounds, one.subject, one.baseline))
                   for one in cell.comparisons)
        progress(f"{kept} of {bench.rounds[cell.placement]} rounds for each comparison, "
                 f"of {len(rounds)}")


def evaluate(cell):
    """Adds to the result of a cell what follows from its rounds."""
    rounds = cell["rounds"]
    cell["discarded"] = {}
    for name, reason in (each for one in rounds for each in one["discarded"].items()):
        why = f"{name}: {reason}"
        cell["discarded"][why] = cell["discarded"].get(why, 0) + 1
    servers = list(dict.fromkeys(name for one in cell["comparisons"]
                                 for name in (one["baseline"], one["subject"])))
    faulty = bool(cell["fault"])
    cell["figures"] = {}
    for name in servers:
        figures = None if faulty else estimate.figures(rounds, name)
        if figures:
            figures["system_calls"] = cell["system_calls"].get(name)
        cell["figures"][name] = figures
    for one in cell["comparisons"]:
        one["estimate"] = None if faulty else estimate.compare(
            rounds, one["subject"], one["baseline"], one["metric"])
