# SPDX-License-Identifier: MIT
"""A service written in Python on librollcall.so, run as a program of its own: library.py LIBRARY
MODE. It answers each message with its own bytes, MODE "same" from where they lie and MODE "copy"
from elsewhere, has one client ask it a few thousand times, and prints the counters as JSON."""

import ctypes
import json
import socket
import sys
import threading

MESSAGES, BYTES = 2000, 4000
POINTER, SIZE, NUMBER = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint64
RECEIVED = ctypes.CFUNCTYPE(None, POINTER, NUMBER, POINTER, SIZE, POINTER)
CALL = ctypes.CFUNCTYPE(None, POINTER, POINTER)
COUNTERS = ("turns", "completions", "tcp_clients_now", "tcp_clients", "udp_clients_now",
            "udp_clients", "messages_received", "messages_sent", "bytes_received", "bytes_sent",
            "bytes_copied")


class Service(ctypes.Structure):
    _fields_ = [("size", SIZE), ("framing", ctypes.c_int), ("message_bytes_max", SIZE),
                ("loop_prefix", ctypes.c_char_p), ("stateless", ctypes.c_bool),
                ("connected", POINTER), ("received", RECEIVED),
                ("oversized", POINTER), ("drained", POINTER), ("disconnected", POINTER)]


class Stats(ctypes.Structure):
    _fields_ = [("size", SIZE)] + [(name, NUMBER) for name in COUNTERS] + [("more", NUMBER * 64)]


def load(path):
    library = ctypes.CDLL(path)
    for name, types in {
            "create": [POINTER, POINTER], "listen": [POINTER, ctypes.c_char_p, POINTER, POINTER],
            "listener_address": [POINTER, ctypes.c_uint, POINTER, SIZE], "run": [POINTER],
            "stop": [POINTER], "destroy": [POINTER], "send": [POINTER, NUMBER, POINTER, SIZE],
            "post": [POINTER, CALL, POINTER], "get_stats": [POINTER, POINTER]}.items():
        getattr(library, "rollcall_" + name).argtypes = types
    return library


def converse(port):
    """Asks one message after the other, so that every answer fits into the socket at once."""
    with socket.create_connection(("127.0.0.1", port), 20) as sock:
        for number in range(MESSAGES):
            message = b"%04d" % number * (BYTES // 4)
            sock.sendall(message)
            assert sock.recv(BYTES, socket.MSG_WAITALL) == message


def main(path, mode):
    library = load(path)

    def answer(server, client, data, count, _context):
        if mode == "copy":
            data = ctypes.create_string_buffer(ctypes.string_at(data, count), count)
        assert library.rollcall_send(server, client, data, count) == 0

    def stop(server, _context):
        library.rollcall_stop(server)

    service = Service(size=ctypes.sizeof(Service), received=RECEIVED(answer))
    server, text, call = POINTER(), ctypes.create_string_buffer(64), CALL(stop)
    assert library.rollcall_create(ctypes.byref(server), None) == 0
    assert library.rollcall_listen(server, b"tcp://127.0.0.1:0", ctypes.byref(service), None) == 0
    assert library.rollcall_listener_address(server, 0, text, 64) == 0

    def talk():
        try:
            converse(int(text.value.rsplit(b":", 1)[1]))
        finally:
            library.rollcall_post(server, call, None)

    client = threading.Thread(target=talk)
    client.start()
    assert library.rollcall_run(server) == 0
    client.join()
    stats = Stats(size=ctypes.sizeof(Stats))
    assert library.rollcall_get_stats(server, ctypes.byref(stats)) == 0
    library.rollcall_destroy(server)
    print(json.dumps({name: getattr(stats, name) for name in COUNTERS}))


if __name__ == "__main__":
    main(*sys.argv[1:])
