# SPDX-License-Identifier: MIT
"""What it was measured on."""

import ctypes
import glob
import os
import pathlib
import platform
import re
import resource
import statistics
import time

from compare.processes import output_of

LOOK_S = 0.5
CALL_LOOKS, CALLS = 9, 20000
SETTINGS = ("kernel/io_uring_disabled", "kernel/perf_event_paranoid", "net/core/somaxconn",
            "net/core/rmem_max", "net/core/wmem_max", "net/ipv4/tcp_rmem", "net/ipv4/tcp_wmem")


def read(path):
    try:
        return pathlib.Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def processor():
    found = re.search(r"^(?:model name|Model)\s*:\s*(.*)$", read("/proc/cpuinfo") or "", re.M)
    return found[1] if found else platform.machine()


def is_virtual():
    return bool(re.search(r"^flags\b.*\bhypervisor\b", read("/proc/cpuinfo") or "", re.M))


def memory_bytes():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def mitigations():
    """What the kernel says of each, but for those that are not needed."""
    found = {}
    for path in sorted(glob.glob("/sys/devices/system/cpu/vulnerabilities/*")):
        text = read(path)
        if text and text != "Not affected":
            found[os.path.basename(path)] = text
    return found


def caches():
    """Those of the first core: level, kind and size."""
    return [f"L{read(path + '/level')} {read(path + '/type').lower()} {read(path + '/size')}"
            for path in sorted(glob.glob("/sys/devices/system/cpu/cpu0/cache/index*"))
            if read(path + "/size")]


def null_call_ns():
    """What a system call that does nothing costs: what a call of the C library takes with it, and
    not without. The median of several looks, as others may come between."""
    library = ctypes.PyDLL(None)
    return statistics.median(call_ns(library.getppid) - call_ns(library.getpagesize)
                             for _ in range(CALL_LOOKS))


def call_ns(function):
    began = time.perf_counter_ns()
    for _ in range(CALLS):
        function()
    return (time.perf_counter_ns() - began) / CALLS


def limits():
    return {name: resource.getrlimit(getattr(resource, "RLIMIT_" + name.upper()))
            for name in ("nofile", "memlock", "nproc")}


def compiler(build):
    """That which the environment or PATH names, and how it was called."""
    flags = read(os.path.join(build, "flags")) or ""
    name = flags.split()[0] if flags else "cc"
    return {"version": (output_of([name, "--version"]).splitlines() or ["unknown"])[0],
            "command": flags}


def liburing(build):
    linked = re.search(r"liburing\S* => (\S+)", output_of(["ldd", f"{build}/rollcall"]))
    version = output_of(["pkg-config", "--modversion", "liburing"]).strip()
    file = os.path.basename(os.path.realpath(linked[1])) if linked else None
    return {"version": version if re.fullmatch(r"[\d.]+", version) else None, "file": file}


def ticks():
    """Since the start, of all cores: what they were idle, what was stolen from them, all."""
    fields = [int(word) for word in (read("/proc/stat") or "cpu" + " 0" * 8).split()[1:9]]
    return fields[3] + fields[4], fields[7], sum(fields)


def between(before, after):
    """The shares of time that the cores were busy, and stolen from this machine by another."""
    idle, stolen, total = (end - begin for begin, end in zip(before, after))
    return (1 - idle / total, stolen / total) if total else (0.0, 0.0)


def busy():
    """How busy others keep the cores."""
    before = ticks()
    time.sleep(LOOK_S)
    return between(before, ticks())[0]


def describe(build):
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "virtual": is_virtual(),
        "memory_bytes": memory_bytes(),
        "system": re.sub(r'^PRETTY_NAME="(.*)"$', r"\1", next(
            (line for line in (read("/etc/os-release") or "").splitlines()
             if line.startswith("PRETTY_NAME=")), platform.system())),
        "kernel": f"{platform.release()} {platform.version()}",
        "compiler": compiler(build),
        "liburing": liburing(build),
        "governor": read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "smt": read("/sys/devices/system/cpu/smt/control"),
        "mitigations": mitigations(),
        "caches": caches(),
        "null_call_ns": null_call_ns(),
        "limits": limits(),
        "settings": {name: read(f"/proc/sys/{name}") for name in SETTINGS},
        "load_average": os.getloadavg(),
        "busy": busy(),
    }
