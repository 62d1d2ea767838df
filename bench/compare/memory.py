# SPDX-License-Identifier: MIT
"""What an idle TCP client costs in memory.

User memory is what the server's process holds alone (RssAnon and RssShmem in /proc/PID/status).
The kernel does not tell for whom it holds memory, so that is what Slab, PageTables, KernelStack and
Percpu of the whole machine rise by (/proc/meminfo): both ends of the connections, the load's too,
which is the same for all servers. Only the differences between servers tell something.
"""

import re
import time

from compare.load import Load

KERNEL_FIELDS = ("Slab", "PageTables", "KernelStack", "Percpu")
SETTLE_S = 0.3
KERNEL_CLIENTS_MIN = 1000  # with fewer, what else happens on the machine is more


def kernel_bytes(names=KERNEL_FIELDS):
    with open("/proc/meminfo", encoding="ascii") as file:
        fields = dict(re.findall(r"^(\w+):\s+(\d+) kB", file.read(), re.M))
    return 1024 * sum(int(fields.get(name, 0)) for name in names)


def idle(bench, name, clients):
    """Opens so many clients to a new server; returns the bytes for each."""
    with bench.servers.start(name, bench.server_cpu) as server:
        server.wait_until_it_listens()
        time.sleep(SETTLE_S)
        user, kernel = server.memory_bytes(), kernel_bytes()
        with Load(bench.load_program, server, bench.load_cpu_of("apart"), "tcp",
                  ["--clients", 0, "--idle", clients]) as load:
            load.wait_until_connected()
            time.sleep(SETTLE_S)
            user_rise, kernel_rise = server.memory_bytes() - user, kernel_bytes() - kernel
            load.slice(1)  # fails if a client was closed meanwhile
        server.check()
    return {"server": name, "clients": clients, "user_bytes": user_rise / clients,
            "kernel_bytes": kernel_rise / clients if clients >= KERNEL_CLIENTS_MIN else None}
