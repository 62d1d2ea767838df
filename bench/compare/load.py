# SPDX-License-Identifier: MIT
"""The load of one server, which runs for a slice of time when told so. It checks each byte."""

from compare.processes import Child

CONNECT_LIMIT_S = 60
SLICE_LIMIT_S = 30  # beside the slice itself, in which what is on its way is waited for
ANSWER_LIMIT_S = 8
UDP_TIMEOUT_MS = 1000


class Load(Child):
    def __init__(self, program, server, cpu, transport, options):
        host, port = server.addresses[transport]
        super().__init__([program, f"--{transport}", f"{host}:{port}", "--control",
                          "--server-pid", server.pid, "--timeout", ANSWER_LIMIT_S,
                          "--udp-timeout", UDP_TIMEOUT_MS, *options], cpu)

    def wait_until_connected(self):
        self.read_json(CONNECT_LIMIT_S)

    def slice(self, ms):
        """Runs for so long; returns what has come of it."""
        self.begin_slice(ms)
        return self.end_slice(ms)

    def begin_slice(self, ms):
        self.write_line(f"slice {ms}")

    def end_slice(self, ms):
        return self.read_json(ms / 1000 + SLICE_LIMIT_S)

    def close(self):
        """Ends all clients; none may get more than was answered."""
        self.finish(CONNECT_LIMIT_S)
