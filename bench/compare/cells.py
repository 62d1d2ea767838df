# SPDX-License-Identifier: MIT
"""What is measured: the cells of the matrix, the servers in each, and the figures to reach.

A ratio is what the baseline takes over what the subject takes: above 1 the subject is better.

The placement of a cell is "shared" if server and load share a core, "apart" if each has its own,
and "rate" if each has its own and the messages come at a fixed rate.
"""

import dataclasses

KIB = 1024
PLACEMENTS = ("rate", "shared", "apart")  # in the order of the tables
SLICE_MS = 100
MANY_CLIENTS = 10000  # from here on a slice is longer, as each client has its turn in it
MANY_SLICE_MS = 250
APART_SLICE_MS = 50
LATENCY_SLICE_MS = 400
LATENCY_RATE = 10000
RATE_SLICE_MS = 200
RATE_SHARES = (0.25, 0.5, 0.75)  # of what RATE_OF can do at most
RATE_OF = "epoll-bare"
RATE_LOADS = (("tcp", 1, 64), ("tcp", 50, 64), ("tcp", 1000, 64), ("tcp", 50, 16 * KIB),
              ("udp", 50, 64))
RATE_TARGET = 0.97
SYSTEM_CALLS_MAX = 0.05
USER_BYTES_MAX = 128

PEERS = ("uring-bare", "rollcall-epoll", "libuv", "libevent", "Go")


@dataclasses.dataclass(frozen=True)
class Comparison:
    subject: str
    baseline: str
    target: float = None  # the ratio to reach
    metric: str = "cpu"  # CPU time for each message, or latency: p50, p99
    is_control: bool = False  # both are the same program


@dataclasses.dataclass(frozen=True)
class Cell:
    transport: str
    clients: int
    bytes: int
    in_flight: int
    comparisons: tuple
    kind: str = "echo"
    options: tuple = ()  # of the load, beside clients, bytes and in_flight
    rate_share: float = None  # at a fixed rate: which share of what RATE_OF can do
    placement: str = "shared"
    slice_ms: int = SLICE_MS
    system_calls_max: float = None  # of rollcall, for each message

    @property
    def name(self):
        kind = "" if self.kind == "echo" else f"/{self.kind}"
        kind += f"/{self.rate_share:.0%}" if self.rate_share else ""
        return f"{self.transport}/{self.clients}/{size(self.bytes)}/{self.in_flight}{kind}"

    @property
    def title(self):
        clients = "1 client" if self.clients == 1 else f"{self.clients:,} clients"
        flight = f", {self.in_flight} in flight" if self.in_flight > 1 else ""
        kind = "" if self.kind == "echo" else f", {KINDS[self.kind]}"
        kind += f" of {self.rate_share:.0%}" if self.rate_share else ""
        return f"{self.transport.upper()} {clients}, {amount(self.bytes)}{flight}{kind}"

    @property
    def servers(self):
        """Each server that a comparison names, once."""
        return tuple(dict.fromkeys(name for one in self.comparisons
                                   for name in (one.baseline, one.subject)))

    def load_options(self):
        words = ["--clients", self.clients, "--size", self.bytes]
        if "--rate" not in self.options and "--connect" not in self.options:
            words += ["--inflight", self.in_flight]
        return [*words, *self.options]


KINDS = {
    "connect": "a connection for each message",
    "reply": "reply",
    "gso": "GSO senders",
    "latency": f"{LATENCY_RATE:,} messages/s",
    "spin": "--spin",
    "rate": "a rate",
    "control": "the same program twice",
    "client-bound": "a core each",
}


def size(number):
    """64 or 16K."""
    return f"{number // KIB}K" if number % KIB == 0 else str(number)


def amount(number):
    """64 B or 16 KiB."""
    return f"{number // KIB} KiB" if number % KIB == 0 else f"{number} B"


def bare_target(clients, number, in_flight):
    """At least so many times cheaper than bare epoll."""
    if number >= 16 * KIB or in_flight > 1:
        return 1.08
    return 1.20 if clients >= 50 else 0.97


def peer_target(name, transport, clients):
    if name == "uring-bare":
        return 1 / 1.03
    if name == "rollcall-epoll":
        return 1.0 if transport == "tcp" and clients >= 50 else 0.97
    targets = {"libuv": 1.25, "libevent": 1.7, "Go": 1.5}
    return targets.get(name) if clients >= 50 else None


def with_peers(transport, clients, peers):
    """rollcall with each peer; and its engine epoll, which may cost 1.1 times bare epoll."""
    found = [Comparison("rollcall", peer, peer_target(peer, transport, clients)) for peer in peers]
    if "rollcall-epoll" in peers:
        found.append(Comparison("rollcall-epoll", "epoll-bare", 1 / 1.1 if clients >= 50 else None))
    return found


def tcp(clients, number, in_flight, peers=()):
    comparisons = [Comparison("rollcall", "epoll-bare", bare_target(clients, number, in_flight))]
    comparisons += with_peers("tcp", clients, peers)
    return Cell("tcp", clients, number, in_flight, tuple(comparisons),
                slice_ms=MANY_SLICE_MS if clients >= MANY_CLIENTS else SLICE_MS,
                system_calls_max=SYSTEM_CALLS_MAX if clients >= 50 else None)


def udp(clients, number, in_flight, peers=(), gso=False):
    batched, plain = (1.0, 10) if gso else (1.2, 1.5) if in_flight > 1 else (1.0, 1.15)
    comparisons = [Comparison("rollcall", "epoll-bare", batched),
                   Comparison("rollcall", "epoll-bare plain", plain)]
    comparisons += with_peers("udp", clients, peers)
    return Cell("udp", clients, number, in_flight, tuple(comparisons),
                kind="gso" if gso else "echo", options=("--gso",) if gso else (),
                system_calls_max=SYSTEM_CALLS_MAX if clients >= 50 else None)


def connect(clients, peers=()):
    comparisons = [Comparison("rollcall", "epoll-bare", 1.15)]
    comparisons += [Comparison("rollcall", peer) for peer in peers]
    return Cell("tcp", clients, 64, 1, tuple(comparisons), kind="connect", options=("--connect",))


def reply(clients, number, in_flight):
    """Lines and the prefix may cost so much more than echo."""
    return Cell("tcp", clients, number, in_flight,
                (Comparison("rollcall reply", "rollcall", 1 / 1.15),), kind="reply")


def latency(clients, number, peers=()):
    """An open loop, timed from when each message was to be sent."""
    comparisons = tuple(Comparison("rollcall", name, metric="p50")
                        for name in ("epoll-bare", *peers))
    return Cell("tcp", clients, number, 1, comparisons, kind="latency",
                options=("--rate", LATENCY_RATE), placement="apart", slice_ms=LATENCY_SLICE_MS)


def spin():
    """With it the median latency is to be at most 0.45 of what it is without."""
    return Cell("tcp", 1, 64, 1,
                (Comparison("rollcall --spin", "rollcall", 1 / 0.45, metric="p50"),),
                kind="spin", placement="apart", slice_ms=APART_SLICE_MS)


def rate(transport, clients, number, share, with_control=False):
    """What users have: messages come when they come, and wait for a server on a core of its own."""
    comparisons = [Comparison("rollcall", RATE_OF, RATE_TARGET),
                   Comparison("rollcall", RATE_OF, metric="p99")]
    if with_control:
        comparisons.append(Comparison("rollcall again", "rollcall", is_control=True))
    return Cell(transport, clients, number, 1, tuple(comparisons), kind="rate", rate_share=share,
                placement="rate", slice_ms=RATE_SLICE_MS)


def client_bound(transport, clients, number, in_flight):
    """The load takes as much of its core as the server of its own. With a control of their own."""
    return Cell(transport, clients, number, in_flight,
                (Comparison("rollcall", "epoll-bare"),
                 Comparison("rollcall again", "rollcall", is_control=True)),
                kind="client-bound", placement="apart", slice_ms=APART_SLICE_MS)


def control(transport, in_flight=1, names=("rollcall", "epoll-bare")):
    """Equal servers, which have to come out equal: what they differ by is the noise of the run."""
    return Cell(transport, 50, 64, in_flight, tuple(
        Comparison(f"{name} again", name, is_control=True) for name in names), kind="control")


def apart(peers=()):
    """What takes a core for the load alone."""
    return [client_bound("tcp", 1, 64, 1), client_bound("tcp", 50, 64, 1),
            client_bound("udp", 50, 64, 1), latency(50, 64, peers), spin()]


def quick():
    same_techniques = ("uring-bare",)
    return [*(rate("tcp", 50, 64, share, with_control=share == 0.5) for share in RATE_SHARES),
            rate("udp", 50, 64, 0.5), control("tcp"), control("udp"),
            tcp(1, 64, 1, ("rollcall-epoll",)),
            tcp(50, 64, 1, ("uring-bare", "rollcall-epoll")), tcp(50, KIB, 1),
            tcp(50, KIB, 16, same_techniques), tcp(50, 16 * KIB, 1, ("rollcall-epoll",)),
            tcp(50, 16 * KIB, 16, same_techniques), tcp(1000, 64, 1), tcp(10000, KIB, 1),
            connect(50), reply(50, 64, 16), udp(50, 64, 1, ("rollcall-epoll",)), udp(50, 64, 16),
            udp(50, KIB, 16, ("rollcall-epoll",), gso=True), *apart()]


def full():
    """10,000 clients with 16 times 16 KiB on their way would be 2.6 GB: that cell is left out."""
    cells = [rate(transport, clients, number, share, with_control=True)
             for transport, clients, number in RATE_LOADS for share in RATE_SHARES]
    cells += [control("tcp"), control("tcp", in_flight=16), control("udp")]
    cells += [tcp(clients, number, in_flight, PEERS)
              for clients in (1, 50, 1000, 10000) for number in (64, KIB, 16 * KIB)
              for in_flight in (1, 16) if (clients, number, in_flight) != (10000, 16 * KIB, 16)]
    cells += [connect(1, PEERS), connect(50, PEERS), reply(50, 64, 1), reply(50, 64, 16),
              reply(50, KIB, 1)]
    cells += [udp(clients, number, in_flight, ("rollcall-epoll",))
              for clients in (1, 50, 1000) for number in (64, KIB) for in_flight in (1, 16)]
    cells += [udp(50, KIB, 16, ("rollcall-epoll",), gso=True), *apart(PEERS),
              latency(1000, KIB, PEERS)]
    return cells


def between(a, b, transports, chosen):
    """Any two programs, under those of the chosen loads that any server takes: what b gains."""
    return [control(transport, names=(a, b)) for transport in sorted(transports)] + [
        dataclasses.replace(cell, comparisons=(Comparison(b, a),), system_calls_max=None)
        for cell in chosen
        if cell.kind in ("echo", "connect", "gso") and cell.transport in transports]


def without_missing(cell, servers):
    """The cell with the comparisons that can be made here, and why the others cannot."""
    possible, reasons = [], []
    for one in cell.comparisons:
        lacking = [name for name in (one.subject, one.baseline)
                   if name not in servers or not servers.speaks(name, cell.transport)]
        if lacking:
            reasons += [servers.missing.get(name, f"{name} has no {cell.transport.upper()}")
                        for name in lacking]
        else:
            possible.append(one)
    return dataclasses.replace(cell, comparisons=tuple(possible)), list(dict.fromkeys(reasons))
