# SPDX-License-Identifier: MIT
"""A machine of qemu's in which bench/idle runs itself, with limits that this one does not allow. It
boots Debian's newest kernel, as tests/kernels does, and an initramfs that holds Python and the
programs. Its processors are emulated, and their speed tells nothing but how two figures compare."""

import glob
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import sysconfig
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/kernels"))

import guest  # noqa: E402
import packages  # noqa: E402

from compare.processes import PR_SET_PDEATHSIG, Fault, libc  # noqa: E402

LOOK_S = 1
PROGRAMS = ("rollcall", "rollcall-load", "epoll-bare")
NEEDED = (guest.QEMU, "busybox", "cpio", "dpkg-deb", "apt-get")
# Caches of the kernel's that are alike keep their own names.
KERNEL_OPTIONS = guest.COMMAND_LINE + " slab_nomerge quiet"

INIT = """#!/bin/busybox sh
export PATH=/usr/bin:/bin HOME=/
/bin/busybox --install -s /bin
mount -t devtmpfs none /dev
mount -t proc none /proc
mount -t sysfs none /sys
mkdir -p /tmp
# So that what is counted as used is used, but for a page.
echo never >/sys/kernel/mm/transparent_hugepage/enabled
echo 4000000 >/proc/sys/fs/nr_open
echo 8000000 >/proc/sys/fs/file-max
ulimit -n 4000000
stty -F /dev/ttyS1 raw
stty -F /dev/ttyS2 raw
mkfifo /tmp/told
cat /tmp/told >/dev/ttyS1 &
python3 -B /bench/idle --build /build --output /tmp "$@" 2>/tmp/told >/tmp/table </dev/null
wait
cat /tmp/idle.json >/dev/ttyS2
poweroff -f
"""


class Unavailable(Exception):
    """Why no machine can be had."""


def find_kernel(directory):
    for program in NEEDED:
        if not shutil.which(program):
            raise Unavailable(f"there is no {program}")
    try:
        return packages.Packages(directory).kernel("newest")
    except packages.Unavailable as reason:
        raise Unavailable(str(reason)) from None


def make_initramfs(path, build):
    """Writes an initramfs, with a folder beside it that shows what it holds."""
    root = path + ".root"
    shutil.rmtree(root, ignore_errors=True)
    for name in "dev", "proc", "sys", "bin":
        os.makedirs(os.path.join(root, name))
    pathlib.Path(root, "init").write_text(INIT, encoding="ascii")
    os.chmod(os.path.join(root, "init"), 0o755)
    library = sysconfig.get_path("stdlib")
    python = os.path.realpath(sys.executable)
    shutil.copytree(library, root + library, ignore=shutil.ignore_patterns(
        "config-*", "dist-packages", "site-packages", "test", "idlelib", "lib2to3"))
    shutil.copytree(TOP / "bench", root + "/bench", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(TOP / "tests/kernels", root + "/tests/kernels")
    guest.copy(root, shutil.which("busybox"), "/bin/busybox")
    guest.copy(root, python, "/usr/bin/python3")
    for name in PROGRAMS:
        guest.copy(root, os.path.join(build, name), f"/build/{name}")
    for needed in guest.libraries([python, *glob.glob(library + "/lib-dynload/*.so"),
                                   *(os.path.join(build, name) for name in PROGRAMS)]):
        guest.copy(root, needed, needed)
    names = subprocess.run(["find", "."], cwd=root, stdout=subprocess.PIPE, check=True).stdout
    with open(path, "wb") as archive:
        subprocess.run(["cpio", "--quiet", "-o", "-H", "newc"], cwd=root, input=names,
                       stdout=archive, check=True)


def pass_on(progress, stream):
    """What the guest has told meanwhile."""
    for line in stream:
        progress.line(line.rstrip("\n"))


def watch(words, path, end, progress):
    """Runs the machine, which ends with this program whatever happens to it."""
    machine = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, start_new_session=True,
        preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
    try:
        with open(path, encoding="utf-8", errors="replace") as told:
            while machine.poll() is None and time.monotonic() < end:
                pass_on(progress, told)
                time.sleep(LOOK_S)
            pass_on(progress, told)
        if machine.returncode != 0:
            raise Fault(f"{guest.QEMU} " + ("did not end in time" if machine.returncode is None
                                            else f"ended with {machine.returncode}"))
    finally:
        machine.kill()
        machine.wait()


def boot(kernel, initramfs, options, log, memory, limit_s, progress):
    """Boots, and tells what the guest tells, until it has turned itself off; returns what it has
    found."""
    paths = [f"{log}.{name}" for name in ("console", "progress", "results")]
    for path in paths:
        open(path, "w", encoding="ascii").close()
    words = [*guest.MACHINE, "-m", memory, "-kernel", kernel,
             "-initrd", initramfs]
    for path in paths:
        words += ["-serial", f"file:{path}"]
    words += ["-append", f"{KERNEL_OPTIONS} -- {' '.join(options)}"]
    watch(words, paths[1], time.monotonic() + limit_s, progress)
    text = pathlib.Path(paths[2]).read_text(encoding="utf-8", errors="replace")
    try:
        return json.loads(text)
    except ValueError:
        raise Fault(f"the machine left no results: see {paths[0]} and {paths[1]}") from None
