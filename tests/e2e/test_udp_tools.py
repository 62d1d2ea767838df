# SPDX-License-Identifier: MIT
"""A stream that ffmpeg sends, over a way that loses, repeats and reorders, in a network of its own.
tshark reads it there, both directions, and must count what the program counts."""

import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from client import Background, datagrams
from network import ip
from program import DEADLINE_S, Lines, wait_until

STREAM_S = 2
NOBODY = 65001  # a port of no protocol that tshark knows
CLOCK_HZ = 8000  # of payload type 0 (RFC 3551, section 6)
PACKET_SAMPLES = 160
PACKETS = STREAM_S * CLOCK_HZ // PACKET_SAMPLES
PROGRAMS = ("ffmpeg", "tshark")
# Between what tshark and the program call the same moment: they share two cores with ffmpeg.
CLOCKS_MS = 2.0


class Capture:
    """tshark, which writes down all UDP of this network's loopback."""

    def __init__(self, path):
        self.path = path
        self.process = subprocess.Popen(
            ["tshark", "-n", "-i", "lo", "-f", "udp", "-w", path, "-P", "-l"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.stdout, self.stderr = Lines(self.process.stdout), Lines(self.process.stderr)
        try:
            wait_until(lambda: self._sees(b"begin"), "the capture")
        except AssertionError:
            self.process.kill()
            raise

    def _sees(self, data):
        """Whether it sees what is sent to nobody; what was sent before has been seen then."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(data, ("127.0.0.1", NOBODY))
        return self.stdout.matching(rf"→ {NOBODY} Len={len(data)}$")

    def end(self):
        """Ends it when it has seen all until now."""
        try:
            wait_until(lambda: self._sees(b"end"), "the end of the capture")
        finally:
            self.process.send_signal(signal.SIGINT)
            assert self.process.wait(DEADLINE_S) == 0

    def read(self, ports, *options):
        """Reads what was written, in which these ports have RTP."""
        decode = [word for port in ports for word in ("-d", f"udp.port=={port},rtp")]
        return subprocess.run(["tshark", "-n", "-r", self.path, *decode, *options], check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              timeout=DEADLINE_S).stdout

    def streams(self, ports):
        """tshark's table of streams, by their source and target ports."""
        row = re.compile(r"\S+\s+\S+\s+127.0.0.1\s+(\d+)\s+127.0.0.1\s+(\d+)\s+0x(\w+)\s+g711U\s+"
                         r"(\d+)\s+(-?\d+) \(\S+%\)\s+\S+\s+\S+\s+\S+\s+(\S+)\s+(\S+)\s+(\S+)")
        found = row.findall(self.read(ports, "-q", "-z", "rtp,streams"))
        return {(int(source), int(target)): (ssrc, int(packets), int(lost), *map(float, jitter))
                for source, target, ssrc, packets, lost, *jitter in found}

    def arrivals(self, ports, target):
        """When each packet to a port came, in seconds, and its timestamp."""
        fields = self.read(ports, "-Y", f"rtp && udp.dstport=={target}", "-T", "fields",
                           "-e", "frame.time_epoch", "-e", "rtp.timestamp")
        return [(float(time), int(timestamp))
                for time, timestamp in map(str.split, fields.splitlines())]


def jitters_ms(arrivals):
    """RFC 3550, section A.8, word for word: the jitter after each packet but the first."""
    jitter = 0.0
    transits = [1000 * time - 1000 * timestamp / CLOCK_HZ for time, timestamp in arrivals]
    for before, transit in zip(transits, transits[1:]):
        jitter += (abs(transit - before) - jitter) / 16
        yield jitter


class BadWay(threading.Thread):
    """Passes on to an address what comes to its own: some not at all, some twice, some after the
    next, and every other one late."""

    def __init__(self, target):
        super().__init__(daemon=True)
        self.entry = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.entry.bind(("127.0.0.1", 0))
        self.entry.settimeout(DEADLINE_S)
        self.exit = datagrams(target)
        self.lost = self.repeated = self.swapped = self.passed = 0
        self.start()

    def run(self):
        held = b""
        for count in range(PACKETS):
            packet = self.entry.recv(2000)
            if count % 2 == 0:
                time.sleep(0.006)
            if count % 10 == 3:
                self.lost += 1
            elif count % 17 == 4:
                self.repeated += 1
                self.send(packet, packet)
            elif count % 20 == 8:
                self.swapped += 1
                held = packet
                continue
            else:
                self.send(packet)
            self.send(*filter(None, [held]))
            held = b""

    def send(self, *packets):
        for packet in packets:
            self.exit.send(packet)
            self.passed += 1

    @property
    def ports(self):
        return self.entry.getsockname()[1], self.exit.getsockname()[1]


def stream_to(port):
    return subprocess.run(
        ["ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-f", "lavfi",
         "-i", f"sine=samples_per_frame={PACKET_SAMPLES}:sample_rate={CLOCK_HZ}",
         "-t", str(STREAM_S), "-c:a", "pcm_mulaw", "-f", "rtp",
         f"rtp://127.0.0.1:{port}?pkt_size={PACKET_SAMPLES + 12}"],
        check=True, timeout=DEADLINE_S, stdout=subprocess.DEVNULL)


@pytest.mark.skipif(not all(map(shutil.which, PROGRAMS)), reason=f"needs {' and '.join(PROGRAMS)}")
def test_ffmpeg_and_tshark(server, own_network, tmp_path):
    """Packets, losses, duplicates and jitter of a real stream are those that an analyser of network
    traffic finds; and it finds the answers to be a stream in which nothing is missing."""
    # GSO batches must be split before tshark sees them.
    ip("link", "set", "lo", "gso_max_segs", "1")
    rollcall = server("--udp-sequence", "rtp", "--service", "echo")
    port = rollcall.udp[1]
    capture = Capture(str(tmp_path / "capture.pcapng"))
    try:
        way = BadWay(rollcall.udp)
        Background(stream_to, way.ports[0]).result()
        way.join(DEADLINE_S)
        assert min(way.lost, way.repeated, way.swapped) >= 2
        answered = PACKETS - way.lost
        for _ in range(answered):
            way.exit.recv(2000)
    finally:
        capture.end()
    assert rollcall.stop() == 0

    (line,) = rollcall.stdout.matching("sequence :")
    delivered, lost, duplicates, reordered, late, restarts, jitter_us = map(
        int, re.findall(r"\d+", line)[1:])
    assert (lost, duplicates, reordered) == (way.lost, way.repeated, way.swapped)
    assert (late, restarts) == (0, 0)

    ports = (port, *way.ports)
    streams = capture.streams(ports)
    ssrc, packets, missing, *_, most_ms = streams[way.ports[1], port]
    # Duplicates hide losses in what RFC 3550 calls lost.
    assert (packets, missing) == (delivered + duplicates, lost - duplicates) == (
        way.passed, way.lost - way.repeated)
    # tshark's table has the largest jitter, but not the last, which is all that the program tells.
    jitters = list(jitters_ms(capture.arrivals(ports, port)))
    # That of 4.0 is the one of RFC 3550 to 0.01 ms; that of 4.4 was seen 1.5 ms apart.
    assert abs(max(jitters) - most_ms) < CLOCKS_MS
    assert abs(jitter_us / 1000 - jitters[-1]) < CLOCKS_MS < jitters[-1] / 2

    answers_ssrc, *answers = streams[port, way.ports[1]]
    assert answers[:2] == [answered, 0]
    assert answers_ssrc != ssrc
