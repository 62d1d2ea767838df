# SPDX-License-Identifier: MIT
"""Datagrams from any number of made-up sources, by a raw socket and sendmmsg(2)."""

import ctypes
import os
import socket
import struct

BATCH = 512
IP, UDP = struct.Struct(">BBHHHBBH4s4s"), struct.Struct(">HHHH")
SOURCE, PORT = struct.Struct(">I"), struct.Struct(">H")
SOURCE_AT, PORT_AT = 12, 20


class Vector(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("bytes", ctypes.c_size_t)]


class Message(ctypes.Structure):
    """struct mmsghdr; its last two members are integers, with as many bytes behind each."""
    _fields_ = [("name", ctypes.c_void_p), ("name_bytes", ctypes.c_uint32),
                ("vectors", ctypes.POINTER(Vector)), ("vector_count", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("control_bytes", ctypes.c_size_t),
                ("flags", ctypes.c_long), ("sent", ctypes.c_long)]


class Crowd:
    """Sends the payload to an IPv4 address of this machine, each time from another one of
    127.16.0.0/12, and another port."""

    def __init__(self, target, payload):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.sock.connect(target)
        self.sent = 0
        head = IP.pack(0x45, 0, 0, 0, 0, 64, socket.IPPROTO_UDP, 0, bytes(4),
                       socket.inet_aton(target[0]))
        packet = head + UDP.pack(0, target[1], UDP.size + len(payload), 0) + payload
        self.stride = len(packet)
        self.packets = bytearray(packet * BATCH)
        self._memory = (ctypes.c_char * len(self.packets)).from_buffer(self.packets)
        begin = ctypes.addressof(self._memory)
        self._vectors = (Vector * BATCH)(
            *((begin + number * self.stride, self.stride) for number in range(BATCH)))
        self._messages = (Message * BATCH)()
        for message, vector in zip(self._messages, self._vectors):
            message.vectors, message.vector_count = ctypes.pointer(vector), 1
        self._sendmmsg = ctypes.CDLL(None, use_errno=True).sendmmsg

    def send_batch(self):
        """Sends BATCH datagrams; those of all batches are from different sources."""
        for at in range(0, len(self.packets), self.stride):
            SOURCE.pack_into(self.packets, at + SOURCE_AT, 0x7f100000 + self.sent % (1 << 20))
            PORT.pack_into(self.packets, at + PORT_AT, 1024 + self.sent % 64000)
            self.sent += 1
        done = self._sendmmsg(self.sock.fileno(), self._messages, BATCH, 0)
        if done != BATCH:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def close(self):
        self.sock.close()
