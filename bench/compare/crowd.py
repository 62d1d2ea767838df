# SPDX-License-Identifier: MIT
"""The clients of a crowd, which connect at once and begin when told so."""

from compare.processes import Child

CONNECT_LIMIT_S = 120
REPORT_LIMIT_S = 60
NICENESS = 10  # it shares its core with a client whose waits are measured


class CrowdProcess(Child):
    def __init__(self, program, server, cpu, kind, clients, options=()):
        host, port = server.addresses["tcp"]
        super().__init__(["nice", "-n", NICENESS, program, "--tcp", f"{host}:{port}",
                          "--kind", kind, "--clients", clients, *options], cpu)

    def wait_until_connected(self):
        self.read_json(CONNECT_LIMIT_S)

    def go(self):
        self.write_line("go")

    def report(self):
        """What has come of it so far."""
        self.write_line("report")
        return self.read_json(REPORT_LIMIT_S)
