# SPDX-License-Identifier: MIT
"""Clients that number their datagrams with the header of RTP: what is counted of them, what is
delivered, and how they are answered. The numbers here are put together by hand."""

import itertools
import subprocess
import time

import pytest

import rtp
from client import ask, datagrams, is_silent
from program import DEADLINE_S

# Numbers in the order in which they are sent; those that are not delivered; and what the report
# says of the others: lost, duplicate, reordered, late, restarts.
CASES = {
    "in order": ([*range(10)], [], (0, 0, 0, 0, 0)),
    "wrap": ([*range(65530, 65542)], [], (0, 0, 0, 0, 0)),
    "gap": ([*range(100, 110), *range(120, 130)], [], (10, 0, 0, 0, 0)),
    "gap at the wrap": ([65533, 65534, 65539], [], (4, 0, 0, 0, 0)),
    "duplicates": ([1, 2, 3, 3, 2, 4], [3, 4], (0, 2, 0, 0, 0)),
    "duplicate after the wrap": ([65534, 65535, 65536, 65535], [3], (0, 1, 0, 0, 0)),
    "reordered": ([10, 11, 13, 12, 14], [], (0, 0, 1, 0, 0)),
    "reordered at the wrap": ([65534, 65535, 65537, 65536, 65538], [], (0, 0, 1, 0, 0)),
    "far behind": ([0, 1, 1024, 2], [], (1021, 0, 1, 0, 0)),
    "too far behind": ([0, 1, 2001, 5], [3], (1999, 0, 0, 1, 0)),
    "largest gap": ([0, 1, 3000], [], (2998, 0, 0, 0, 0)),
    "restart": ([0, 1, 2, 3, 4, 30000, 30001, 30002], [5], (0, 0, 0, 1, 1)),
    "restart behind": ([30000, 30001, 30002, 7, 8, 9], [3], (0, 0, 0, 1, 1)),
    "stray": ([0, 1, 2, 3, 4, 30000, 5, 6], [5], (0, 0, 0, 1, 0)),
    "three rounds": ([59999, *range(60000, 260000, 2500)], [], (197421, 0, 0, 0, 0)),
    "never two in sequence": ([*range(0, 20, 2)], [], (9, 0, 0, 0, 0)),
}


def report(client, delivered, counts):
    names = ("delivered", "lost", "duplicate", "reordered", "late", "restarts")
    words = ", ".join(f"{count} {name}" for count, name in zip((delivered, *counts), names))
    return rf"^Client ID : {client} sequence : {words}, jitter \d+ us \.$"


def check_answers(answers, numbers, delivered, ssrc):
    """An answer to each delivered datagram, in order, with headers of a sequence of its own."""
    assert [answer.payload for answer in answers] == [
        b"Received: %d at %d" % (numbers[at], at) for at in delivered]
    assert [answer.timestamp for answer in answers] == [at * 1000 for at in delivered]
    assert {answer.type for answer in answers} == {96}
    (own,) = {answer.ssrc for answer in answers}
    assert own != ssrc
    assert [answer.number for answer in answers] == [
        (answers[0].number + count) % 65536 for count in range(len(answers))]
    return own


@pytest.mark.parametrize("mode", ["rtp", "auto"])
def test_reports(server, mode):
    """Numbers that wrap, lack, come twice, out of order or restart: answered as far as delivered,
    and told in the report of each client when the server ends."""
    rollcall = server("--udp-sequence", mode)
    own_sources = set()
    for client, (numbers, refused, _) in enumerate(CASES.values()):
        ssrc = 0x1000 + client
        with datagrams(rollcall.udp) as sock:
            for at, number in enumerate(numbers):
                sock.send(rtp.build(number, b"%d at %d" % (number, at), ssrc, at * 1000))
            delivered = [at for at in range(len(numbers)) if at not in refused]
            answers = [rtp.parse(sock.recv(1000)) for _ in delivered]
            own_sources.add(check_answers(answers, numbers, delivered, ssrc))
            assert is_silent(sock, 0.02)
    assert len(own_sources) == len(CASES)
    assert rollcall.stop() == 0
    for client, (numbers, refused, counts) in enumerate(CASES.values()):
        delivered = len(numbers) - len(refused)
        line = report(client, delivered, counts)
        assert len(rollcall.stdout.matching(line)) == 1, rollcall.output()


def test_begins_again(server):
    """A sender that begins again with the same numbers, port and SSRC loses one datagram, however
    few it has sent; if it sends the very same packets again at once, they are copies."""
    rollcall = server("--udp-sequence", "rtp")
    for client, count in enumerate((5, 40, 99, 150)):
        with datagrams(rollcall.udp) as sock:
            for base, answers in ((0, count), (500000000, count - 1), (1000000000, count - 1)):
                packets = [rtp.build(n, b"%d" % n, 7, base + 20 * n) for n in range(count)]
                for packet in packets:
                    sock.send(packet)
                payloads = [rtp.parse(sock.recv(100)).payload for _ in range(answers)]
                assert payloads[-1] == b"Received: %d" % (count - 1)
            for packet in packets[2:][-50:]:
                sock.send(packet)
            assert is_silent(sock, 0.05)
        assert len(rollcall.stdout.matching(f"^Client ID : {client} connected")) == 1
    assert rollcall.stop() == 0
    assert len(rollcall.stdout.matching(" 2 restarts")) == 4, rollcall.output()


def test_with_netcat(server):
    """What a person can do in a shell: number datagrams with printf, and read the answers."""
    rollcall = server("--udp-sequence", "auto")
    done = subprocess.run(
        ["sh", "-c", r'''for n in 1 2 5 4 4; do
            printf "\200\140\0\\$n\0\0\0\0RTP!packet $n\n"; sleep 0.1
        done | nc -u -w 1 127.0.0.1 "$0" | grep -ao "Received.*"''', str(rollcall.udp[1])],
        stdout=subprocess.PIPE, timeout=DEADLINE_S, check=True)
    assert done.stdout.splitlines() == [b"Received: packet %d" % number for number in (1, 2, 5, 4)]
    assert rollcall.stop() == 0
    assert len(rollcall.stdout.matching(report(0, 4, (1, 1, 1, 0, 0)))) == 1, rollcall.output()


def test_jitter(server):
    """Timestamps that claim 100 ms between datagrams that come at once: the jitter approaches that,
    a sixteenth of what is missing with each (A.8)."""
    count = 50
    rollcall = server("--udp-sequence", "rtp")
    begin = time.monotonic()
    with datagrams(rollcall.udp) as sock:
        for number in range(count):
            sock.send(rtp.build(number, timestamp=number * 100000))
            sock.recv(100)
    took_us = (time.monotonic() - begin) * 1e6
    assert rollcall.stop() == 0
    (line,) = rollcall.stdout.matching("jitter")
    jitter_us = int(line.split("jitter ")[1].split()[0])
    expected_us = 100000 * (1 - (15 / 16) ** (count - 1))
    assert expected_us - took_us - 1 <= jitter_us <= expected_us + took_us


def test_sources_of_one_socket(server):
    """Each SSRC that a socket sends is a client with a report, and so is its text, without one."""
    rollcall = server("--udp-sequence", "auto")
    with datagrams(rollcall.udp) as sock:
        for number in range(3):
            for client in range(4):
                sock.send(rtp.build(10 * client + number, b"hi", 7 + client, client))
                assert rtp.parse(sock.recv(100))[2:3] == (client,)
            ask(sock, b"text\n")
    with datagrams(rollcall.udp) as sock:
        sock.send(rtp.build(3, b"the same, from elsewhere", 7))
        sock.recv(100)
    assert rollcall.stop() == 0
    assert len(rollcall.stdout.matching(" connected")) == 6
    for client in range(4):
        assert rollcall.stdout.matching(report(client, 3, (0, 0, 0, 0, 0)))
    assert rollcall.stdout.matching(report(5, 1, (0, 0, 0, 0, 0)))
    assert len(rollcall.stdout.matching("sequence :")) == 5


def test_without_a_place(server):
    """A client for which there is no place gets its own numbers back, but not its own source: to
    the client that would be a collision (RFC 3550, 8.2)."""
    rollcall = server("--udp-sequence", "rtp", "--udp-max-clients-per-source", "1")
    with datagrams(rollcall.udp) as holder, datagrams(rollcall.udp) as sock:
        holder.send(rtp.build(0, b"holder"))
        holder.recv(100)
        answers = []
        for number in range(3):
            sock.send(rtp.build(number, b"other", 0x12345678, 7 * number))
            answers.append(rtp.parse(sock.recv(100)))
    assert [(answer.number, answer.timestamp) for answer in answers] == [(0, 0), (1, 7), (2, 14)]
    (source,) = {answer.ssrc for answer in answers}
    assert source != 0x12345678


def test_off(server):
    """By default a header is text like any other."""
    rollcall = server()
    with datagrams(rollcall.udp) as sock:
        for number in (1, 1, 9):
            ask(sock, rtp.build(number, b"hello"))
    assert rollcall.stop() == 0
    assert not rollcall.stdout.matching("sequence :")


HEADLESS = [b"", b"hello\n", b"\x80", rtp.build(1)[:11]]
MALFORMED = {
    "RTCP's first type": rtp.build(1, b"hello", type=192),
    "RTCP's last type": rtp.build(1, b"hello", type=223),
    "a CSRC too many": rtp.build(1, b"123", first=0x81),
    "15 CSRCs too many": rtp.build(1, b"x" * 59, first=0x8f),
    "no extension": rtp.build(1, b"123", first=0x90),
    "extension too long": rtp.build(1, b"\0\0\0\x02" + b"1234567", first=0x90),
    "padding of nothing": rtp.build(1, b"hello\0", first=0xa0),
    "padding too long": rtp.build(1, b"hello\x07", first=0xa0),
    "no padding": rtp.build(1, b"", first=0xa0, ssrc=1),
}


def test_malformed(server):
    """What has no well-formed header is neither answered nor a client; in auto only what looks like
    one has to be."""
    rollcall = server("--udp-sequence", "rtp")
    with datagrams(rollcall.udp) as sock:
        for data in (*HEADLESS, *MALFORMED.values(), rtp.build(1, first=0x40),
                     rtp.build(1, first=0xc0)):
            sock.send(data)
        sock.send(rtp.build(1, b"good"))
        assert rtp.parse(sock.recv(100)).payload == b"Received: good"
        assert is_silent(sock, 0.1)
    assert len(rollcall.stdout.matching(" connected")) == 1
    rollcall = server("--udp-sequence", "auto")
    with datagrams(rollcall.udp) as sock:
        for data in (*HEADLESS[2:], *MALFORMED.values()):
            sock.send(data)
        for data in (*HEADLESS[:2], rtp.build(1, first=0x40), rtp.build(1, first=0xc0)):
            ask(sock, data)
        assert is_silent(sock, 0.1)
    assert len(rollcall.stdout.matching(" connected")) == 1


def test_scapy(server):
    """Headers that scapy has built, with CSRCs, extension, padding and marker, are taken off, and
    scapy reads the answers."""
    scapy = pytest.importorskip("scapy.layers.rtp", reason="there is no scapy")
    rollcall = server("--udp-sequence", "rtp")
    numbers = itertools.count(65534)
    with datagrams(rollcall.udp) as sock:
        for marker, sources, extended, padding in itertools.product(
                (0, 1), ([], [5], [*range(15)]), (False, True), (b"", b"\0\0\0\x04")):
            number = next(numbers) % 65536
            head = scapy.RTP(sequence=number, timestamp=number + 7, sourcesync=0xfffffffe,
                             payload_type=101, marker=marker, padding=bool(padding), sync=sources,
                             numsync=len(sources), extension=extended)
            if extended:
                head /= scapy.RTPExtension(header_id=1, header=[2, 3])
            payload = b"hello %d" % number
            sock.send(bytes(head / payload) + padding)
            answer = scapy.RTP(sock.recv(1000))
            assert bytes(answer.payload) == b"Received: " + payload
            assert answer.version == 2
            assert not answer.padding and not answer.extension and not answer.sync
            assert answer.payload_type == 101 and answer.timestamp == number + 7
            assert answer.marker == marker
    assert rollcall.stop() == 0
    assert rollcall.stdout.matching(report(0, 24, (0, 0, 0, 0, 0)))
