# SPDX-License-Identifier: MIT
"""Headers of RTP (RFC 3550, section 5.1), written and read by struct alone."""

import collections
import struct

HEADER = struct.Struct(">BBHII")
VERSION_2 = 0x80

Packet = collections.namedtuple("Packet", "type number timestamp ssrc payload")


def build(number, payload=b"", ssrc=1, timestamp=0, type=96, first=VERSION_2):
    """A datagram with a header; `first` is its first byte: version, padding, extension, CSRCs."""
    return HEADER.pack(first, type, number % 65536, timestamp % (1 << 32), ssrc) + payload


def parse(data):
    """A datagram with the plainest of headers: version 2, and none of the flags."""
    first, type_, number, timestamp, ssrc = HEADER.unpack_from(data)
    assert first == VERSION_2 and type_ < 128, data
    return Packet(type_, number, timestamp, ssrc, data[HEADER.size:])
