# SPDX-License-Identifier: MIT
"""A machine of qemu's that boots a kernel with an initramfs, and tells what ran in it. It has no
disk, and no network but its own loopback."""

import os
import re
import shutil
import subprocess

QEMU = "qemu-system-x86_64"
BOOT_LIMIT_S = 300

# Emulated: /dev/kvm may be there and not work, and without it all machines are alike. Without cx16:
# qemu 7.2 at times breaks the flags in cmpxchg16b, and one boot in seven of Linux 6.12 crashed.
MACHINE = [QEMU, "-accel", "tcg,thread=multi", "-cpu", "max,-cx16", "-smp", "2", "-m", "1G",
           "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
COMMAND_LINE = "console=ttyS0 panic=-1 psi=1 rdinit=/init"
SECTION = re.compile(r"^begin (\S+)\n(.*?)^end \1 (\d+)$", re.MULTILINE | re.DOTALL)


def libraries(programs):
    """The shared libraries that programs need, the loader among them."""
    output = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=True).stdout
    return sorted(set(re.findall(r"(/\S+\.so\S*) \(0x", output)))


def copy(root, source, path):
    target = os.path.join(root, path.lstrip("/"))
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copy(source, target)


def make_initramfs(path, init, program, tests):
    """Writes an initramfs, with a folder beside it that shows what it holds. Tests are programs by
    the folder of /tests that they go to."""
    root = path + ".root"
    shutil.rmtree(root, ignore_errors=True)
    for name in "dev", "proc", "sys":
        os.makedirs(os.path.join(root, name))
    copy(root, init, "/init")
    copy(root, shutil.which("busybox"), "/bin/busybox")
    copy(root, program, "/bin/rollcall")
    for folder, programs in tests.items():
        for test in programs:
            copy(root, test, f"/tests/{folder}/{os.path.basename(test)}")
    for library in libraries(sum(tests.values(), [])):
        copy(root, library, library)
    names = subprocess.run(["find", "."], cwd=root, stdout=subprocess.PIPE, check=True).stdout
    with open(path, "wb") as archive:
        subprocess.run(["cpio", "--quiet", "-o", "-H", "newc"], cwd=root, input=names,
                       stdout=archive, check=True)


def boot(kernel, initramfs, parts, log):
    """Boots, and waits until the machine turns itself off. Returns what its init told (see there),
    by name an output and an exit status; all that was printed; and what went wrong, if anything."""
    console, results = log + ".console", log + ".results"
    error = ""
    for path in console, results:
        with open(path, "w", encoding="utf-8"):
            pass  # Nothing of an earlier run is left, whatever happens.
    try:
        done = subprocess.run(
            [*MACHINE, "-kernel", kernel, "-initrd", initramfs, "-serial", f"file:{console}",
             "-serial", f"file:{results}", "-append", f"{COMMAND_LINE} -- {' '.join(parts)}"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BOOT_LIMIT_S)
        if done.returncode != 0:
            error = f"{QEMU}: exit status {done.returncode}: {done.stderr.strip()}"
    except subprocess.TimeoutExpired:
        error = f"no end within {BOOT_LIMIT_S} s"
    texts = []
    for path in console, results:
        with open(path, encoding="utf-8", errors="replace") as output:
            texts.append(output.read())
    sections = {name: (text, int(status)) for name, text, status in SECTION.findall(texts[1])}
    return sections, "".join(texts), error
