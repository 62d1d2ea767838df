# SPDX-License-Identifier: MIT
"""Clear failures: each cause has its own message, which quotes what is wrong and names the cure, on
standard error, and its own exit code."""

import ctypes
import errno
import os
import pathlib
import re
import resource
import shlex
import signal
import socket
import subprocess
import sys
import time

import pytest

import network
from client import ask, connect
from program import ENGINE, WAITING, command, is_sanitized, is_slow, needs_bare_program

IO_URING_SETUP, IO_URING_ENTER, IO_URING_REGISTER = 425, 426, 427
DISABLED = pathlib.Path("/proc/sys/kernel/io_uring_disabled")
TCP_ONLY = ("--udp", "none")
UDP_ONLY = ("--tcp", "none")


def check(done, code, *texts):
    """An expected failure: the code, one error of one or two lines, which is the last that is said,
    and all texts in it, without regard to case."""
    assert done.returncode == code, done.stderr
    assert done.stderr.count("rollcall: error: ") == 1, done.stderr
    error = done.stderr.split("rollcall: error: ")[1]
    assert len(error.splitlines()) <= 2, error
    for text in texts:
        assert text.lower() in error.lower(), f"{text!r} is not in: {error}"
    assert WAITING not in done.stdout


def as_user(program, number):
    """The words that run the program as a user without any capability. The number keeps users
    apart, as locked memory is counted for each of them, also between runs of these tests side by
    side."""
    user = 100000 + os.getpid() * 16 + number
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--inh-caps=-all",
            program]


@pytest.mark.smoke
@pytest.mark.parametrize("options, texts", [
    (["--tpc", "localhost:1"], ["--tpc", "--tcp"]),
    (["--tcp"], ["--tcp"]),
    (["-x"], ["-x"]),
    (["localhost:8080"], ["localhost:8080"]),
    (["--quiet=yes"], ["--quiet"]),
    (["--service", "ecko"], ["'ecko'", "echo", "reply", "discard"]),
    (["--service", ""], ["''", "echo"]),
    (["--framing", "line"], ["'line'", "lines"]),
    (["--log-level", "loud"], ["'loud'", "debug"]),
    (["--max-clients", "12x"], ["'12x'", "--max-clients", "number"]),
    (["--max-clients", ""], ["''", "--max-clients"]),
    (["--max-clients", "0"], ["'0'", "1"]),
    (["--max-clients", "-5"], ["'-5'"]),
    (["--max-clients", "99999999999999999999"], ["'99999999999999999999'", "16777216"]),
    (["--max-clients-per-source", "many"], ["'many'", "--max-clients-per-source", "number"]),
    (["--udp-max-clients", "1e3"], ["'1e3'"]),
    (["--line-bytes-max", "64Q"], ["'64Q'", "K, M or G"]),
    (["--line-bytes-max", "2G"], ["'2G'", "1073741824"]),
    (["--memory", "1M"], ["'1M'", "50331648"]),
    (["--memory", "64M", "--max-clients", "10000"], ["--memory is 64 MiB", "--max-clients"]),
    (["--tcp-send-buffer", "big"], ["'big'", "--tcp-send-buffer"]),
    (["--send-queue-bytes", "1"], ["'1'", "4096"]),
    (["--idle-timeout", "soon"], ["'soon'", "--idle-timeout"]),
    (["--idle-timeout", "1.2.3"], ["'1.2.3'"]),
    (["--udp-idle-timeout", "0"], ["'0'"]),
    (["--message-timeout", "1e3"], ["'1e3'", "--message-timeout"]),
    (["--send-timeout", "-1"], ["'-1'", "--send-timeout"]),
    (["--keepalive", "0.0005"], ["'0.0005'", "decimals"]),
    (["--drain-timeout", "nan"], ["'nan'"]),
    (["--tcp", "localhost"], ["'localhost'", "port"]),
    (["--tcp", "localhost:"], ["'localhost:'", "port"]),
    (["--tcp", "localhost:http"], ["'localhost:http'", "65535"]),
    (["--tcp", "localhost:99999"], ["'localhost:99999'", "65535"]),
    (["--tcp", "localhost:-1"], ["'localhost:-1'", "65535"]),
    (["--udp", ":7070"], ["':7070'", "*:", "localhost:"]),
    (["--udp", "::1:7070"], ["'::1:7070'", "[::1]"]),
    (["--udp", "[::1:7070"], ["'[::1:7070'", "bracket"]),
    (["--udp", "[localhost]:7070"], ["'[localhost]:7070'"]),
    (["--tcp", ""], ["''", "HOST:PORT"]),
    (["--tcp", "tcp://localhost:1"], ["'tcp://localhost:1'"]),
    (["--health", "localhost:1"], ["'localhost:1'", "tcp://HOST:PORT"]),
    (["--health", "udp://*:1"], ["'udp://*:1'", "host"]),
    (["--health", "tcp://localhost:0"], ["'tcp://localhost:0'", "port 0"]),
], ids=lambda value: " ".join(value) if value and value[0].startswith("-") else "")
def test_usage(run, options, texts):
    """Unknown options, services and words; bad numbers and addresses: 64, and the value is
    quoted."""
    check(run(*options), 64, *texts)


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_port_in_use(run, kind):
    """Another socket has the port: it fails after about a second, and says that it has tried."""
    type_ = socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, type_) as other:
        other.bind(("127.0.0.1", 0))
        if kind == "tcp":
            other.listen()
        port = other.getsockname()[1]
        start = time.monotonic()
        done = run(f"--{kind}", f"127.0.0.1:{port}", *(TCP_ONLY if kind == "tcp" else UDP_ONLY))
        assert 1 <= time.monotonic() - start < (10 if is_slow() else 1.5)
    check(done, 71, f"127.0.0.1:{port}", "in use", "choose another", f"'sport = :{port}'")
    assert done.stderr.count("retrying for up to 1 s") == 1


def test_port_of_an_outgoing_connection(run):
    """The command that is named shows the connection that has the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        client.bind(("127.0.0.1", 0))
        client.connect(listener.getsockname())
        port = client.getsockname()[1]
        done = run("--tcp", f"127.0.0.1:{port}", *TCP_ONLY)
        check(done, 71, "in use")
        words = shlex.split(done.stderr[done.stderr.index("ss -"):])
        shown = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, timeout=20)
        assert f"127.0.0.1:{port} " in shown.stdout and f"pid={os.getpid()}" in shown.stdout


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_right_after_a_crash(server, kind):
    """SIGKILL, and the next one is started as soon as the first is reaped: it gets the port, which
    the kernel takes some milliseconds to free."""
    rollcall = server(*(TCP_ONLY if kind == "tcp" else UDP_ONLY))
    host, port = rollcall.tcp if kind == "tcp" else rollcall.udp
    for _ in range(3 if is_slow() else 10):
        if kind == "tcp":
            with connect((host, port)) as sock:
                ask(sock, b"hello\n")
        rollcall.signal(signal.SIGKILL)
        assert rollcall.wait() == -signal.SIGKILL
        rollcall = server(f"--{kind}", f"{host}:{port}",
                          *(TCP_ONLY if kind == "tcp" else UDP_ONLY))


def test_name_that_is_listed_twice(server, own_network, tmp_path):
    """A name with the same address twice in /etc/hosts is listened on once."""
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.5 twice\n127.0.0.5 twice.example twice\n")
    words = ["unshare", "--mount", "sh", "-c",
             f"mount --bind {hosts} /etc/hosts && exec \"$0\" \"$@\"", *command()]
    rollcall = server("--tcp", "twice:8080", "--udp", "twice:0", words=words)
    assert rollcall.addresses("tcp") == [("127.0.0.5", 8080)]
    assert len(rollcall.addresses("udp")) == 1


@pytest.mark.parametrize("address", ["[fe80::1]:8080", "[fe80::1%nosuch0]:8080"])
def test_link_local_without_zone(run, address):
    """A link-local address without its interface, or with one that does not exist."""
    for kind, options in (("--tcp", TCP_ONLY), ("--udp", UDP_ONLY)):
        check(run(kind, address, *options), 64, address, "zone", "[fe80::1%eth0]:PORT")


def test_second_server_on_the_same_port(server, run):
    """The program itself has the port; it takes it back at once after a restart, though a client's
    connection is still in TIME_WAIT."""
    rollcall = server(*TCP_ONLY)
    address = f"127.0.0.1:{rollcall.tcp[1]}"
    check(run("--tcp", address, *TCP_ONLY), 71, address, "in use")
    with connect(rollcall.tcp) as sock:
        ask(sock, b"hello\n")
        assert rollcall.stop() == 0
    again = server("--tcp", address, *TCP_ONLY)
    with connect(again.tcp) as sock:
        ask(sock, b"hello\n")


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_privileged_port(run, own_network, public_program, kind):
    """Port 80 as a user without capabilities; the namespace has the kernel's default for the first
    unprivileged port."""
    options = TCP_ONLY if kind == "tcp" else UDP_ONLY
    check(run(f"--{kind}", "127.0.0.1:80", *options, words=as_user(public_program, 0)), 77,
          "127.0.0.1:80", "1024", "CAP_NET_BIND_SERVICE")


def test_unresolvable_host(run, own_network):
    """A name that does not exist (RFC 6761); the namespace makes sure that nobody is asked."""
    check(run("--tcp", "no-such-host.invalid:8080", *TCP_ONLY), 68, "no-such-host.invalid",
          "resolve")


@pytest.mark.parametrize("address", ["192.0.2.1:8080", "[2001:db8::1]:8080"])
def test_address_of_another_machine(run, own_network, address):
    """Addresses for documentation, which no machine has."""
    for kind, options in (("--tcp", TCP_ONLY), ("--udp", UDP_ONLY)):
        check(run(kind, address, *options), 71, address, "this machine")


def deny_io_uring(error, *, call=IO_URING_SETUP, more=None):
    """For preexec: a seccomp filter that fails a system call, as container engines do."""
    def instruction(code, jump_true, jump_false, value):
        return code.to_bytes(2, sys.byteorder) + bytes([jump_true, jump_false]) + \
            value.to_bytes(4, sys.byteorder)

    load_number, if_equal, give_back = 0x20, 0x15, 0x06
    allow, fail = 0x7fff0000, 0x00050000
    program = ctypes.create_string_buffer(
        instruction(load_number, 0, 0, 0) + instruction(if_equal, 0, 1, call) +
        instruction(give_back, 0, 0, fail | error) + instruction(give_back, 0, 0, allow))

    class FilterProgram(ctypes.Structure):
        _fields_ = [("count", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    no_new_privileges, set_seccomp, filter_mode = 38, 22, 2
    filter_program = FilterProgram(4, ctypes.addressof(program))

    def install():
        if more:
            more()
        assert network.libc.prctl(no_new_privileges, 1, 0, 0, 0) == 0
        assert network.libc.prctl(set_seccomp, filter_mode, ctypes.byref(filter_program)) == 0
        return program

    return install


names_the_engine = pytest.mark.io_uring("the test names each engine itself")


def check_refused(run, server, *texts, **how):
    """io_uring cannot be used. With --engine io_uring the program ends with 69, and says why and
    what to do; otherwise it says so in one warning, and serves over epoll. --check comes to the same
    ends."""
    pinned, automatic = ("--engine", "io_uring"), ("--engine", "auto")
    check(run(*pinned, **how), 69, *texts, "cure: ")
    checked = run("--check", *pinned, **how)
    assert checked.returncode == 69 and "rollcall cannot run here" in checked.stdout
    checked = run("--check", *automatic, **how)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.endswith("\nrollcall can run here, over epoll\n")
    rollcall = server(*automatic, **how)
    with connect(rollcall.tcp) as sock:
        ask(sock, b"hello\n")
    warning, = rollcall.wait_for_log("rollcall: warning: ")
    assert "serving over epoll; to use io_uring: " in warning
    for text in texts:
        assert text.lower() in warning.lower() and text.lower() in checked.stdout.lower()
    assert rollcall.stop() == 0
    over_epoll = server("--engine", "epoll", **how)
    with connect(over_epoll.tcp) as sock:
        ask(sock, b"hello\n")
    assert over_epoll.stop() == 0
    assert not over_epoll.stderr.matching("warning")


@names_the_engine
@pytest.mark.parametrize("error, text", [(errno.EACCES, "SELinux"),
                                         (errno.EOPNOTSUPP, "EOPNOTSUPP")])
def test_refused_otherwise(run, server, error, text):
    """What other refusals of io_uring_setup mean."""
    check_refused(run, server, text, preexec=deny_io_uring(error))


@names_the_engine
@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOSYS], ids=errno.errorcode.get)
def test_denied_by_seccomp(run, server, error):
    """io_uring_setup fails as in Docker (EPERM) and in Podman (ENOSYS): the message says that it is
    seccomp and how to allow the three calls."""
    check_refused(run, server, "seccomp", "--security-opt", "io_uring_setup", "io_uring_enter",
                  "io_uring_register", preexec=deny_io_uring(error))


@names_the_engine
@pytest.mark.parametrize("call", [IO_URING_ENTER, IO_URING_REGISTER], ids=["enter", "register"])
def test_denied_in_part(run, server, call):
    """A ring can be made, but not used: found before clients come."""
    check_refused(run, server, "seccomp", preexec=deny_io_uring(errno.EPERM, call=call))


@names_the_engine
def test_kernel_too_old(run, server):
    """A kernel that does not know the flags of 6.1 gives EINVAL, which the filter plays here."""
    check_refused(run, server, "6.1", os.uname().release, preexec=deny_io_uring(errno.EINVAL))


@names_the_engine
def test_disabled_for_all(run, server, tmp_path):
    """kernel.io_uring_disabled = 2, played: the file is covered by another one in a mount namespace
    of the program's own, and the call fails as it then would. (To set it for real would stop all
    other programs on the machine.)"""
    if not DISABLED.exists():
        pytest.skip("this kernel has no kernel.io_uring_disabled")
    cover = tmp_path / "io_uring_disabled"
    cover.write_text("2\n")

    def cover_file():
        new_mounts, private_recursive, bind = 0x20000, 0x44000, 0x1000
        assert network.libc.unshare(new_mounts) == 0
        assert network.libc.mount(b"none", b"/", None, private_recursive, None) == 0
        assert network.libc.mount(bytes(cover), bytes(DISABLED), None, bind, None) == 0

    check_refused(run, server, "kernel.io_uring_disabled", "2", "sysctl",
                  preexec=deny_io_uring(errno.EPERM, more=cover_file))


@names_the_engine
def test_disabled_for_users(run, server, public_program):
    """kernel.io_uring_disabled = 1, for real: users without CAP_SYS_ADMIN outside the group are
    refused. The value is put back."""
    try:
        before = DISABLED.read_text()
        DISABLED.write_text("1")
    except OSError as failure:
        pytest.skip(f"kernel.io_uring_disabled cannot be set: {failure}")
    try:
        check_refused(run, server, "kernel.io_uring_disabled", "1", "io_uring_group",
                      words=as_user(public_program, 1))
    finally:
        DISABLED.write_text(before)


def limit_locked_memory(count):
    return lambda: resource.setrlimit(resource.RLIMIT_MEMLOCK, (count, count))


locks_memory = pytest.mark.io_uring("without rings little memory is locked, or none")


def skip_unless_rings_count(program):
    """Some kernels do not count a ring's memory against the limit: a ring made without any shows
    it."""
    probe = ("import ctypes, os; p = ctypes.create_string_buffer(120); "
             "r = ctypes.CDLL(None, use_errno=True).syscall(425, 4096, p); "
             "raise SystemExit(r < 0 and ctypes.get_errno() == 12)")
    words = [*as_user(program, 2)[:-1], "/usr/bin/python3", "-c", probe]
    if subprocess.run(words, preexec_fn=limit_locked_memory(0), timeout=20).returncode == 0:
        pytest.skip("this kernel does not count rings as locked memory")


@locks_memory
def test_little_locked_memory(server, public_program):
    """RLIMIT_MEMLOCK of 64 KiB for a user: it starts with smaller rings, says so, and serves."""
    skip_unless_rings_count(public_program)
    rollcall = server(words=as_user(public_program, 3), preexec=limit_locked_memory(64 << 10))
    (line,) = rollcall.wait_for_log("rollcall: warning: .*locked memory")
    assert "rings and buffers of 1/" in line and "ulimit -l" in line and "--ulimit memlock=" in line
    socks = [connect(rollcall.tcp) for _ in range(200)]
    for sock in socks:
        sock.sendall(b"hello\n" * 20)
    for sock in socks:
        for _ in range(20):
            assert sock.recv(16, socket.MSG_WAITALL) == b"Received: hello\n"
        sock.close()


@locks_memory
@pytest.mark.parametrize("count", [0, 4096])
def test_no_locked_memory(run, public_program, count):
    """A limit too small for the smallest rings: the message names it, its value, and three ways to
    raise it. With --check too."""
    skip_unless_rings_count(public_program)
    words, preexec = as_user(public_program, 4), limit_locked_memory(count)
    check(run(words=words, preexec=preexec), 71, "RLIMIT_MEMLOCK", f"{count >> 10} KiB",
          "ulimit -l", "--ulimit memlock", "LimitMEMLOCK")
    done = run("--check", words=words, preexec=preexec)
    assert done.returncode == 69 and "cannot run here" in done.stdout


@needs_bare_program
@pytest.mark.parametrize("limit, name, cure", [(resource.RLIMIT_AS, "RLIMIT_AS", "ulimit -v"),
                                               (resource.RLIMIT_DATA, "RLIMIT_DATA", "ulimit -d")])
@pytest.mark.parametrize("count", [24 << 20, 300 << 20])
def test_little_address_space(run, limit, name, cure, count):
    """Too little address space beside a usual limit of locked memory: that is not the limit that is
    named."""
    if is_sanitized():
        pytest.skip("a sanitizer takes terabytes of address space")

    def limits():
        resource.setrlimit(limit, (count, count))
        limit_locked_memory(8 << 20)()

    done = run(preexec=limits)
    check(done, 71, f"{name} is {count >> 10} KiB", cure, "--max-clients")
    assert "MEMLOCK" not in done.stderr.upper()
    done = run("--check", preexec=limits)
    assert done.returncode == 69 and f"{name} is {count >> 10} KiB" in done.stdout


@needs_bare_program
def test_no_descriptor_for_a_client(run, server):
    """Enough descriptors to start, but none for a client: it does not start, and says how many it
    needs. With one more it serves. UDP needs none."""
    def limit(count):
        return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))

    least = next(count for count in range(4, 20) if "for a TCP client" in run(
        "--tcp", "127.0.0.1:0", *TCP_ONLY, preexec=limit(count)).stderr)
    check(run("--tcp", "127.0.0.1:0", *TCP_ONLY, preexec=limit(least)), 71,
          f"RLIMIT_NOFILE is {least}", "or more", "ulimit -n", "LimitNOFILE")
    rollcall = server(*TCP_ONLY, preexec=limit(least + 1))
    for _ in range(3):
        with connect(rollcall.tcp) as sock:
            ask(sock, b"hello\n")
    server(*UDP_ONLY, preexec=limit(least))


@needs_bare_program
def test_no_descriptors(run):
    """RLIMIT_NOFILE too small for the ring and the sockets."""
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (6, 6))

    check(run("--tcp", "127.0.0.1:0", "--udp", "127.0.0.1:0", preexec=limit), 71,
          "descriptor", "ulimit -", "LimitNOFILE")


HOSTILE = "\x1b]0;title\x07\u009b31m\nrollcall: info: all is well"
HARMLESS = r"\x1b]0;title\x07\xc2\x9b31m\nrollcall: info: all is well"


@pytest.mark.parametrize("options", [["--tcp", f"{HOSTILE}:1"], ["--tcp", HOSTILE],
                                     ["--health", f"tcp://{HOSTILE}:1"], ["--service", HOSTILE],
                                     [f"--{HOSTILE}"], ["--max-clients", HOSTILE], [HOSTILE]],
                         ids=lambda options: options[0][:12].encode("unicode_escape").decode())
def test_no_orders_to_the_terminal(run, own_network, options):
    """Whatever a message quotes, it is one line, and nothing in it is obeyed by a terminal."""
    done = run(*options, *([] if "--tcp" in options else ["--tcp", "127.0.0.1:1"]), *TCP_ONLY)
    assert done.returncode != 0
    assert HARMLESS in done.stderr
    assert re.fullmatch(r"([ -~]+\n)+", done.stderr)
    assert "\nrollcall: info: all is well" not in done.stderr


def test_no_orders_from_the_environment(server):
    """The same for what NOTIFY_SOCKET holds."""
    rollcall = server(environment={"NOTIFY_SOCKET": HOSTILE})
    (line,) = rollcall.wait_for_log("NOTIFY_SOCKET")
    assert HARMLESS in line


@pytest.mark.smoke
def test_check(run):
    """--check shows each feature with the kernel it came with, the limits, and the verdict, and
    exits with 0 where the server runs."""
    done = run("--check")
    assert done.returncode == 0 and done.stderr == ""
    for text in ("multishot accept", "5.19", "multishot receive", "6.0", "RLIMIT_NOFILE",
                 "RLIMIT_MEMLOCK", "io_uring_disabled", "somaxconn", os.uname().release,
                 header_version()):
        assert text in done.stdout
    over = "" if ENGINE == "io_uring" else f", over {ENGINE}"
    assert done.stdout.splitlines()[-1] == f"rollcall can run here{over}"


def header_version():
    header = pathlib.Path(__file__).parents[2] / "include/rollcall.h"
    return re.search(r'^#define ROLLCALL_VERSION "(.*)"$', header.read_text(), re.MULTILINE)[1]


@pytest.mark.smoke
@pytest.mark.parametrize("options", [["--help"], ["-h"], ["--version"], ["-V"]])
def test_help_and_version(run, options):
    """Both go to standard output and exit with 0; the help names every option."""
    done = run(*options)
    assert done.returncode == 0 and done.stderr == ""
    if "h" in options[0]:
        for option in ("tcp", "udp", "service", "framing", "line-bytes-max", "max-clients",
                       "max-clients-per-source",                       "udp-max-clients", "send-queue-bytes", "idle-timeout", "udp-idle-timeout",
                       "message-timeout", "send-timeout", "keepalive", "drain-timeout", "udp-low-ports", "quiet",
                       "verbose", "log-level", "check", "health", "help", "version"):
            assert "--" + option in done.stdout
    else:
        assert done.stdout == f"rollcall {header_version()}\n"
