# SPDX-License-Identifier: MIT
"""Which UDP clients keep their slots: floods of strangers, new clients and active ones, and
limits for each source."""

import contextlib
import pathlib
import time

import rtp
from client import Background, ask, datagrams, is_silent
from flood import BATCH, Crowd
from network import ip
from program import is_slow

FLOOD = 50_000 if is_slow() else 1_000_000
STORM = 20_000 if is_slow() else 100_000
PLACES = 1000
REGULARS = 20
# Of all that they do, beside what is there for PLACES clients anyway.
GROWTH_BYTES_MAX = 1 << 20
NEW_TIMEOUT_S = 10
# A client is active after three more answers, each a second or more after the one before.
ROUNDS, ROUND_S = 3, 1.05


class Regular:
    """A client that numbers its datagrams: the source of its answers tells whether it is still
    known, since one that was forgotten would be answered as from another."""

    def __init__(self, address, number):
        self.sock = datagrams(address)
        self.ssrc = number
        self.asked = 0
        self.first = self.ask()

    def ask(self):
        self.asked += 1
        self.sock.send(rtp.build(self.asked, b"%d" % self.asked, self.ssrc))
        while (answer := rtp.parse(self.sock.recv(1000))).payload != b"%d" % self.asked:
            assert self.asked > int(answer.payload)
        return answer

    def ask_as_ever(self):
        """Is known, and no answer was lost on its way."""
        answer = self.ask()
        assert answer.ssrc == self.first.ssrc
        assert answer.number == (self.first.number + self.asked - 1) % 65536

    def ask_until_answered(self):
        """Is known, whatever was lost."""
        self.sock.settimeout(0.2)
        for _ in range(100):
            try:
                answer = self.ask()
            except TimeoutError:
                continue
            assert answer.ssrc == self.first.ssrc
            return
        raise AssertionError("no answer to a hundred questions")


def kernel_drops(rollcall):
    """What the kernel has dropped; it is the last word of the socket's line."""
    lines = pathlib.Path(f"/proc/{rollcall.pid}/net/udp").read_text().splitlines()
    (line,) = [line for line in lines if f":{rollcall.udp[1]:04X} 00000000:0000 " in line]
    return int(line.split()[-1])


def test_flood(server, own_network):
    """A million datagrams from a million sources take no more memory than some thousands, push out
    no client that was there before, and leave it its answers: every batch is followed by a
    question, whose answer comes after all of the batch is served. Then a hundred thousand come at
    once. The kernel drops what the server cannot take, but retries are answered, and still
    known."""
    rollcall = server("--quiet", "--service", "echo", "--udp-sequence", "auto", "--max-clients", 1,
                      "--udp-max-clients", PLACES, "--udp-receive-buffer", "4M")
    regulars = [Regular(rollcall.udp, number) for number in range(REGULARS)]
    for _ in range(ROUNDS):
        time.sleep(ROUND_S)
        for regular in regulars:
            regular.ask_as_ever()
    crowd = Crowd(rollcall.udp, b"stranger")
    bytes_before = None
    for batch in range(FLOOD // BATCH):
        crowd.send_batch()
        regulars[batch % REGULARS].ask_as_ever()
        if batch == 5 * PLACES // BATCH:
            bytes_before = rollcall.memory_bytes("RssAnon")
    for regular in regulars:
        regular.ask_as_ever()
    assert kernel_drops(rollcall) == 0
    assert rollcall.memory_bytes("RssAnon") < bytes_before + GROWTH_BYTES_MAX

    def send_storm():
        """A storm, and up to 20 times as much until the kernel has dropped some."""
        for batch in range(20 * STORM // BATCH):
            if batch >= STORM // BATCH and kernel_drops(rollcall) > 0:
                break
            crowd.send_batch()

    storm = Background(send_storm)
    while storm.is_alive():
        for regular in regulars:
            regular.ask_until_answered()
    storm.result()
    for regular in regulars:
        regular.ask_until_answered()
        regular.sock.close()
    crowd.close()
    assert kernel_drops(rollcall) > 0
    assert rollcall.memory_bytes("RssAnon") < bytes_before + GROWTH_BYTES_MAX


def test_new_and_active(server):
    """While places are short, a client that has asked only for a moment is forgotten after ten
    seconds of silence. One that has taken answers for some seconds is kept for the idle timeout,
    two minutes. While there are places, every client is."""
    rollcall = server("--udp-max-clients", 4, "--log-level", "debug")
    with contextlib.ExitStack() as stack:
        new, active, *others = (stack.enter_context(datagrams(rollcall.udp)) for _ in range(4))
        for _ in range(5):
            ask(new, b"a moment\n")
        for turn in range(1 + ROUNDS):
            time.sleep(ROUND_S if turn else 0)
            ask(active, b"some seconds\n")
        ask(others[0], b"there are places\n")
        time.sleep(NEW_TIMEOUT_S)
        assert not rollcall.stderr.matching("disconnected")
        ask(others[1], b"the last place\n")
        (line,) = rollcall.wait_for_log(r"client \d+ disconnected")
        assert "client 0 disconnected" in line and "idle" in line
        ask(active, b"once more\n")
        ask(new, b"as another\n")
    rollcall.wait_for("Received: as another")
    assert len(rollcall.stdout.matching(" connected")) == 5


def test_pairs(server, own_network):
    """Strangers that send a few datagrams each fill no place for good: each peer that comes then is
    a client, and one that was active before still is. Strangers that look active leave a quarter of
    the places."""
    rollcall = server("--udp-max-clients", 20)
    with datagrams(rollcall.udp) as active:
        for turn in range(1 + ROUNDS):
            time.sleep(ROUND_S if turn else 0)
            ask(active, b"regular\n")
        strangers = [datagrams(rollcall.udp, bind=(f"127.1.0.{i + 1}", 0)) for i in range(40)]
        for turn in range(1 + ROUNDS):
            time.sleep(ROUND_S if turn else 0)
            for stranger in strangers:
                for _ in range(3):
                    stranger.send(b"forged\n")
        before = 0
        while before < (before := len(rollcall.stdout.matching(" connected"))):
            time.sleep(0.2)
        for i in range(30):
            with datagrams(rollcall.udp, bind=(f"127.2.0.{i + 1}", 0)) as late:
                ask(late, b"late %d\n" % i)
        ask(active, b"still here\n")
    rollcall.wait_for("Received: still here")
    assert len(rollcall.stdout.matching(" connected")) == before + 30
    for stranger in strangers:
        stranger.close()


NETWORK = [f"2001:db8:0:1:{host:x}::1" for host in (0, 1, 0xffff)]
NEIGHBOUR = "2001:db8:0:2::1"


def sockets_of_network(rollcall):
    """A socket of each address of the network, and one of its neighbour's."""
    port = rollcall.udp[1]
    for address in (*NETWORK, NEIGHBOUR):
        ip("address", "add", f"{address}/128", "dev", "lo", "nodad")
    return [datagrams(("::1", port), bind=(address, 0)) for address in (*NETWORK, NEIGHBOUR)]


def test_places_of_ipv6_network(server, own_network):
    """All addresses of a network of 64 bits are one source and share its slots. A peer without one is
    answered all the same, without an ID, since the reply service needs none."""
    rollcall = server("--udp", "[::]:0", "--udp-max-clients-per-source", 2)
    socks = sockets_of_network(rollcall)
    for sock in (*socks, *socks):
        ask(sock, b"hello\n")
    rollcall.wait_for_lines("Received", 8)
    assert len(rollcall.stdout.matching(" connected")) == 3
    for sock in socks:
        sock.close()


def take_answers(sock):
    """Takes the answers that are there; returns how many."""
    count = 0
    while not is_silent(sock, 0):
        sock.recv(1000)
        count += 1
    return count


def test_rate_of_ipv6_network(server, own_network):
    """And they share its rate, which takes nothing from its neighbour."""
    rate, each = 10, 20
    rollcall = server("--udp", "[::]:0", "--udp-rate", rate)
    *socks, neighbour = sockets_of_network(rollcall)
    begin = time.monotonic()
    for _ in range(each):
        for sock in socks:
            sock.send(b"hello\n")
    for _ in range(rate // 2):
        ask(neighbour, b"neighbour\n")
    passed = sum(map(take_answers, socks))
    assert rate <= passed <= rate + 1 + (time.monotonic() - begin) * rate
    time.sleep(1 / rate)
    assert sum(map(take_answers, socks)) == 0
    ask(socks[0], b"later\n")
    for sock in (*socks, neighbour):
        sock.close()
